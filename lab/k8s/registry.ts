/**
 * A registry that only reads (OCI distribution-spec v1.1, pull): archives of images, each under any name that ends like its own. So a
 * manifest's image names need no change where no registry can be reached.
 */

import { createReadStream } from 'node:fs'
import { mkdtemp, readFile, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { run } from '../command.ts'

/** An archive in the OCI layout, and the repositories that it stands for: `library/alpine`. Any tag will do. */
export type Archive = { readonly path: string; readonly repositories: readonly string[] }

export type Registry = { readonly url: string; close(): Promise<void> }

export const serveImages = async (archives: readonly Archive[], scratch: string, host: string): Promise<Registry> => {
  const manifests = new Map<string, { readonly folder: string; readonly digest: string }>()
  const folders: string[] = []
  for (const { path, repositories } of archives) {
    const folder = await mkdtemp(join(scratch, 'image-'))
    await run('tar', ['-xf', path, '-C', folder], { timeout: 120_000 })
    const { manifests: listed } = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8'))
    folders.push(folder)
    for (const repository of repositories) manifests.set(repository, { folder, digest: listed[0].digest })
  }
  const blob = async (digest: string): Promise<string | undefined> => {
    for (const folder of folders) {
      const path = join(folder, 'blobs/sha256', digest.replace('sha256:', ''))
      if (await stat(path).catch(() => undefined)) return path
    }
    return undefined
  }
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://registry')
    const [, repository = '', kind = '', reference = ''] =
      /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(pathname) ?? []
    if (pathname === '/v2/') return void response.end('{}')
    const digest = reference.startsWith('sha256:') ? reference : manifests.get(repository)?.digest
    const path = digest && /^sha256:[0-9a-f]{64}$/.test(digest) ? await blob(digest) : undefined
    if (!digest || path === undefined) return void response.writeHead(404).end()
    const type = kind === 'manifests' ? 'application/vnd.oci.image.manifest.v1+json' : 'application/octet-stream'
    const { size } = await stat(path)
    response.writeHead(200, { 'content-type': type, 'content-length': size, 'docker-content-digest': digest })
    if (request.method === 'HEAD') response.end()
    else createReadStream(path).pipe(response)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, host, resolve)
  })
  const { port } = server.address() as { port: number }
  return {
    url: `http://${host}:${port}`,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
