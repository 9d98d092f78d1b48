/** An image as an archive in the OCI layout (image-spec v1.1), from layers that are tar files. */

import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { link, mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { run } from './run.ts'

export type Layer = {
  readonly path: string
  readonly type: string
  /** `sha256:...` of the file as it is. */
  readonly digest: string
  readonly size: number
  /** `sha256:...` of the tar. */
  readonly diffId: string
}

/** Names in order, nobody's, of no time: the same content is the same layer. */
export const tarOf = (folder: string, path: string): Promise<string> =>
  run('tar', [
    ...['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0', '--format=posix'],
    ...['--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime', '-C', folder, '-cf', path, '.'],
  ])

/** @param compressed Smaller, and slower to make. The tar is gone afterwards. */
export const layerOf = async (tar: string, compressed: boolean): Promise<Layer> => {
  const diffId = await digestOf(tar)
  const path = compressed ? `${tar}.gz` : tar
  if (compressed) {
    await pipeline(createReadStream(tar), createGzip({ level: 6 }), createWriteStream(path))
    await rm(tar)
  }
  const type = `application/vnd.oci.image.layer.v1.tar${compressed ? '+gzip' : ''}`
  return { path, type, digest: compressed ? await digestOf(path) : diffId, size: (await stat(path)).size, diffId }
}

const digestOf = async (path: string): Promise<string> => {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return `sha256:${hash.digest('hex')}`
}

export type Config = {
  readonly architecture: string
  readonly entrypoint: readonly string[]
  readonly user: string
  readonly labels: Readonly<Record<string, string>>
}

/** Writes the archive `path`; answers the digest of its manifest. `reference` is what a runtime calls it after an import. */
export const writeArchive = async (
  path: string,
  reference: string,
  layers: readonly Layer[],
  { architecture, entrypoint, user, labels }: Config,
): Promise<string> => {
  const folder = await mkdtemp(`${path}-`)
  try {
    const blobs = join(folder, 'blobs', 'sha256')
    await mkdir(blobs, { recursive: true })
    for (const { path: from, digest } of layers) await link(from, join(blobs, digest.slice('sha256:'.length)))
    const blob = async (mediaType: string, value: object) => {
      const text = JSON.stringify(value)
      const hex = createHash('sha256').update(text).digest('hex')
      await writeFile(join(blobs, hex), text)
      return { mediaType, digest: `sha256:${hex}`, size: Buffer.byteLength(text) }
    }
    const config = await blob('application/vnd.oci.image.config.v1+json', {
      ...{ architecture, os: 'linux', rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) } },
      config: {
        Env: ['PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'NODE_ENV=production'],
        ...{ Entrypoint: entrypoint, User: user, WorkingDir: '/', Labels: labels },
      },
    })
    const manifest = await blob('application/vnd.oci.image.manifest.v1+json', {
      ...{ schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', config },
      layers: layers.map(({ type, digest, size }) => ({ mediaType: type, digest, size })),
      annotations: labels,
    })
    const names = {
      'io.containerd.image.name': reference,
      'org.opencontainers.image.ref.name': reference.split(':').at(-1),
    }
    const platform = { architecture, os: 'linux' }
    const index = { schemaVersion: 2, manifests: [{ ...manifest, platform, annotations: names }] }
    await writeFile(join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
    await writeFile(join(folder, 'index.json'), JSON.stringify(index))
    await tarOf(folder, `${path}.new`)
    await rename(`${path}.new`, path)
    return manifest.digest
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
