/**
 * Builds images without a container engine: `node images/build.ts [--arch amd64,arm64] [--gzip] [--out FOLDER] [NAME ...]`.
 * Debian's packages come by mmdebstrap, which checks their signatures, Node and libraries from the npm registry by package-lock.json.
 */

import { cp, glob, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import {
  type Architecture,
  architectures,
  type Image,
  type ImageName,
  images,
  release,
  sources,
  unread,
} from './images.ts'
import { keptIn, type Layers, madeAnew } from './layers.ts'
import { type Layer, layerOf, tarOf, writeArchive } from './oci.ts'
import { run } from './run.ts'

const root = join(import.meta.dirname, '..')
const registry = 'ghcr.io/networks-it-uc3m'

export type Built = {
  readonly name: ImageName
  readonly reference: string
  readonly path: string
  readonly bytes: number
}

export type BuildOptions = {
  readonly names: readonly ImageName[]
  readonly architecture: Architecture
  readonly gzip: boolean
  /** Where the archives go, as NAME-ARCHITECTURE.tar. */
  readonly out: string
  /** A folder beside `out` for layers of Debian's packages and of libraries, to be used again. Default: all is made anew. */
  readonly cache?: string
  readonly say: (line: string) => void
}

type Making = {
  readonly scratch: string
  readonly architecture: Architecture
  readonly gzip: boolean
  readonly layers: Layers
}

export const buildImages = async (options: BuildOptions): Promise<readonly Built[]> => {
  const { names, architecture, gzip, out, cache, say } = options
  await mkdir(out, { recursive: true })
  // Beside the archives: their layers are linked into them.
  const scratch = await mkdtemp(join(out, '.scratch-'))
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const making = { scratch, architecture, gzip, layers: cache === undefined ? madeAnew : keptIn(cache) }
  try {
    const shared = names.some(name => images[name].l2sm) ? await l2smLayers(making) : []
    const built: Built[] = []
    for (const name of names) {
      const image: Image = images[name]
      const system = await systemLayer(name, image, making)
      const layers = image.l2sm ? [system, ...shared] : [system]
      const path = join(out, `${name}-${architecture}.tar`)
      const reference = `${registry}/${name}:${version}`
      const title = 'org.opencontainers.image'
      const labels = {
        ...{ [`${title}.title`]: name, [`${title}.description`]: image.text, [`${title}.version`]: version },
        ...{ [`${title}.licenses`]: 'Apache-2.0', [`${title}.source`]: 'https://github.com/Networks-it-uc3m/L2S-M' },
      }
      const { entrypoint, user } = image
      const digest = await writeArchive(path, reference, layers, { architecture, entrypoint, user, labels })
      const { size } = await stat(path)
      say(`${name} ${architecture}: ${Math.round(size / 1e6)} MB, ${digest}`)
      built.push({ name, reference, path, bytes: size })
    }
    return built
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** Debian's part of an image. */
const systemLayer = async (name: ImageName, image: Image, making: Making): Promise<Layer> => {
  const { scratch, architecture, gzip, layers } = making
  const { packages, l2sm } = image
  const script = await readFile(join(import.meta.dirname, 'openvswitch.sh'), 'utf8')
  return layers([await recipe(), release, architecture, gzip, unread, packages, l2sm || script], async () => {
    const folder = join(scratch, name)
    await run('mmdebstrap', [
      ...['--quiet', '--variant=extract', '--format=directory', `--architectures=${architecture}`],
      ...[`--include=${packages.join(',')}`, release, folder],
    ])
    for await (const path of glob([...unread], { cwd: folder }))
      await rm(join(folder, path), { recursive: true, force: true })
    await rm(join(folder, 'dev'), { recursive: true, force: true })
    for (const path of ['dev', 'proc', 'sys', 'tmp', 'run', 'var/lib/l2sm', 'etc/l2sm'])
      await mkdir(join(folder, path), { recursive: true })
    // As base-files would have it: programs of Open vSwitch look for each other in /var/run.
    await rm(join(folder, 'var/run'), { recursive: true, force: true })
    await symlink('/run', join(folder, 'var/run'))
    // Users by number need no file; some programs ask for a name all the same.
    await writeFile(join(folder, 'etc/passwd'), 'root:x:0:0:root:/:/bin/sh\nl2sm:x:65532:65532:l2sm:/:/bin/sh\n')
    await writeFile(join(folder, 'etc/group'), 'root:x:0:\nl2sm:x:65532:\n')
    await writeFile(join(folder, 'etc/nsswitch.conf'), 'hosts: files dns\n')
    if (!l2sm) {
      await mkdir(join(folder, 'l2sm'))
      await writeFile(join(folder, 'l2sm/openvswitch.sh'), script)
    }
    await placeDaemon(folder)
    return layerOfFolder(folder, gzip)
  })
}

/** This file is part of what a layer is made of. */
const recipe = () => readFile(import.meta.filename, 'utf8')

/** The folder is gone afterwards. */
const layerOfFolder = async (folder: string, gzip: boolean): Promise<Layer> => {
  const tar = `${folder}.tar`
  await tarOf(folder, tar)
  await rm(folder, { recursive: true, force: true })
  return layerOf(tar, gzip)
}

/** A package's script would have made this link; none runs here. */
const placeDaemon = async (folder: string): Promise<void> => {
  const daemon = join(folder, 'usr/lib/openvswitch-switch/ovs-vswitchd')
  if (await stat(daemon).catch(() => undefined)) await rename(daemon, join(folder, 'usr/sbin/ovs-vswitchd'))
}

/** Node, libraries, and l2sm: layers that all images share. */
const l2smLayers = async ({ scratch, architecture, gzip, layers }: Making): Promise<readonly Layer[]> => {
  const [node, modules, l2sm] = [join(scratch, 'node'), join(scratch, 'libraries'), join(scratch, 'app')]
  const { optionalDependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const version = optionalDependencies[architectures[architecture].npm]
  const lock = await readFile(join(root, 'package-lock.json'), 'utf8')
  return [
    await layers([await recipe(), 'node', version, architecture, gzip], async () => {
      await mkdir(join(node, 'usr/local/bin'), { recursive: true })
      await cp(await nodeBinary(scratch, architecture), join(node, 'usr/local/bin/node'))
      return layerOfFolder(node, gzip)
    }),
    await layers([await recipe(), lock, gzip], async () => {
      await mkdir(join(modules, 'l2sm'), { recursive: true })
      await cp(await libraries(scratch), join(modules, 'l2sm/node_modules'), { recursive: true })
      return layerOfFolder(modules, gzip)
    }),
    await ourLayer(l2sm, gzip),
  ]
}

const ourLayer = async (folder: string, gzip: boolean): Promise<Layer> => {
  await mkdir(join(folder, 'l2sm'), { recursive: true })
  for (const path of sources) await cp(join(root, path), join(folder, 'l2sm', path), { recursive: true })
  return layerOfFolder(folder, gzip)
}

const nodeBinary = async (scratch: string, architecture: Architecture): Promise<string> => {
  const { npm } = architectures[architecture]
  const here = join(root, 'node_modules', npm, 'bin/node')
  if (await stat(here).catch(() => undefined)) return here
  const lock = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const folder = await mkdtemp(join(scratch, 'npm-'))
  const [packed] = JSON.parse(await run('npm', ['pack', '--json', `${npm}@${lock.optionalDependencies[npm]}`], folder))
  await run('tar', ['-xzf', packed.filename], folder)
  return join(folder, 'package/bin/node')
}

/** What the lock file says, for running only; no scripts of packages are run. */
const libraries = async (scratch: string): Promise<string> => {
  const folder = await mkdtemp(join(scratch, 'npm-'))
  for (const name of ['package.json', 'package-lock.json']) await cp(join(root, name), join(folder, name))
  await run('npm', ['ci', '--omit=dev', '--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund'], folder)
  const modules = join(folder, 'node_modules')
  for (const name of ['.bin', '.package-lock.json']) await rm(join(modules, name), { recursive: true, force: true })
  await prune(modules)
  return modules
}

/** Types, maps, tests and documents of libraries. */
const prune = async (folder: string): Promise<void> => {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) {
      if (['test', 'tests', 'docs', 'example', 'examples', '.github', 'benchmark', 'benchmarks'].includes(entry.name))
        await rm(path, { recursive: true })
      else await prune(path)
    } else if (/\.(d\.[cm]?ts|map|md|markdown|tsbuildinfo)$/.test(entry.name) && !/^licen/i.test(entry.name))
      await rm(path)
  }
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { arch: { type: 'string', default: 'amd64' }, gzip: { type: 'boolean' }, out: { type: 'string' } },
  })
  const out = values.out ?? join(tmpdir(), 'l2sm-images')
  const names = (positionals.length > 0 ? positionals : Object.keys(images)) as ImageName[]
  const unknown = [
    ...names.filter(name => !(name in images)),
    ...values.arch.split(',').filter(a => !(a in architectures)),
  ]
  if (unknown.length > 0) throw new Error(`no such image or architecture: ${unknown.join(', ')}`)
  for (const architecture of values.arch.split(',') as Architecture[])
    await buildImages({ names, architecture, gzip: values.gzip ?? false, out, say: line => console.log(line) })
  console.log(
    `the archives are in ${out}: ctr -n k8s.io images import FILE, or skopeo copy oci-archive:FILE docker://...`,
  )
}
