/**
 * Builds images without a container engine: `node images/build.ts [--arch amd64,arm64] [--gzip] [--out FOLDER] [NAME ...]`.
 * Debian's packages come by mmdebstrap, which checks their signatures, Node and libraries from the npm registry by package-lock.json.
 */

import { cp, glob, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
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
  readonly say: (line: string) => void
}

export const buildImages = async ({ names, architecture, gzip, out, say }: BuildOptions): Promise<readonly Built[]> => {
  await mkdir(out, { recursive: true })
  // Beside the archives: their layers are linked into them.
  const scratch = await mkdtemp(join(out, '.scratch-'))
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  try {
    const shared = names.some(name => images[name].l2sm) ? await l2smLayers(scratch, architecture, gzip) : []
    const built: Built[] = []
    for (const name of names) {
      const image: Image = images[name]
      const system = await systemLayer(scratch, name, image, architecture, gzip)
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

const systemLayer = async (
  scratch: string,
  name: ImageName,
  { packages, l2sm }: Image,
  architecture: Architecture,
  gzip: boolean,
): Promise<Layer> => {
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
  // Users by number need no file; some programs ask for a name all the same.
  await writeFile(join(folder, 'etc/passwd'), 'root:x:0:0:root:/:/bin/sh\nl2sm:x:65532:65532:l2sm:/:/bin/sh\n')
  await writeFile(join(folder, 'etc/group'), 'root:x:0:\nl2sm:x:65532:\n')
  await writeFile(join(folder, 'etc/nsswitch.conf'), 'hosts: files dns\n')
  if (!l2sm) {
    await mkdir(join(folder, 'l2sm'))
    await cp(join(import.meta.dirname, 'openvswitch.sh'), join(folder, 'l2sm/openvswitch.sh'))
  }
  await placeDaemon(folder)
  const tar = join(scratch, `${name}.tar`)
  await tarOf(folder, tar)
  await rm(folder, { recursive: true, force: true })
  return layerOf(tar, gzip)
}

/** A package's script would have made this link; none runs here. */
const placeDaemon = async (folder: string): Promise<void> => {
  const daemon = join(folder, 'usr/lib/openvswitch-switch/ovs-vswitchd')
  if (await stat(daemon).catch(() => undefined)) await rename(daemon, join(folder, 'usr/sbin/ovs-vswitchd'))
}

/** Node, and l2sm with its libraries: layers that all images share. */
const l2smLayers = async (scratch: string, architecture: Architecture, gzip: boolean): Promise<readonly Layer[]> => {
  const [node, l2sm] = [join(scratch, 'node'), join(scratch, 'app')]
  await mkdir(join(node, 'usr/local/bin'), { recursive: true })
  await cp(await nodeBinary(scratch, architecture), join(node, 'usr/local/bin/node'))
  await mkdir(join(l2sm, 'l2sm'), { recursive: true })
  for (const path of sources) await cp(join(root, path), join(l2sm, 'l2sm', path), { recursive: true })
  await cp(await libraries(scratch), join(l2sm, 'l2sm/node_modules'), { recursive: true })
  const layers: Layer[] = []
  for (const [name, folder] of Object.entries({ node, l2sm })) {
    const tar = join(scratch, `${name}.tar`)
    await tarOf(folder, tar)
    await rm(folder, { recursive: true, force: true })
    layers.push(await layerOf(tar, gzip))
  }
  return layers
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
