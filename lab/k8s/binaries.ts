import { execFile, execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The version of Kubernetes that the tests run against. To change it: gomods/k8s/go.mod, all its `replace` lines, `go mod tidy`. */
export const kubernetesVersion = 'v1.34.4'
export const multusVersion = 'v4.3.0'
export const corednsVersion = 'v1.13.2'
export const helmVersion = 'v3.19.5'

type Recipe = {
  /** The folder of go.mod, below gomods/. */
  readonly module: string
  readonly version: string
  readonly package: string
  readonly linkerFlags: string
}

/** The API server tells its version to clients, and refuses to run without one: the linker writes it. */
const stamped = () => {
  const [major, minor] = kubernetesVersion.slice(1).split('.')
  const values = {
    gitVersion: kubernetesVersion,
    gitMajor: major,
    gitMinor: minor,
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
  }
  const packages = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version']
  return packages.flatMap(p => Object.entries(values).map(([name, value]) => `-X ${p}.${name}=${value}`)).join(' ')
}

/** Helm renders charts for the version of Kubernetes that it was linked for. */
const stampedHelm = () => {
  const [major, minor] = kubernetesVersion.slice(1).split('.')
  const kinds = { 'internal/version.version': helmVersion, ...version('pkg/chartutil'), ...version('pkg/lint/rules') }
  function version(of: string) {
    return { [`${of}.k8sVersionMajor`]: major, [`${of}.k8sVersionMinor`]: minor }
  }
  return Object.entries(kinds)
    .map(([name, value]) => `-X helm.sh/helm/v3/${name}=${value}`)
    .join(' ')
}

const kubernetes = (command: string): Recipe => ({
  module: 'k8s',
  version: kubernetesVersion,
  package: `k8s.io/kubernetes/cmd/${command}`,
  linkerFlags: `-s -w ${stamped()}`,
})

/** What can be built, by the name of its binary. */
const recipes = {
  'kube-apiserver': kubernetes('kube-apiserver'),
  'kube-controller-manager': kubernetes('kube-controller-manager'),
  'kube-scheduler': kubernetes('kube-scheduler'),
  kubectl: kubernetes('kubectl'),
  kubelet: kubernetes('kubelet'),
  'kube-proxy': kubernetes('kube-proxy'),
  multus: {
    module: 'multus',
    version: multusVersion,
    package: 'gopkg.in/k8snetworkplumbingwg/multus-cni.v4/cmd/multus',
    linkerFlags: '-s -w',
  },
  helm: {
    module: 'helm',
    version: helmVersion,
    package: 'helm.sh/helm/v3/cmd/helm',
    linkerFlags: `-s -w ${stampedHelm()}`,
  },
  coredns: { module: 'coredns', version: corednsVersion, package: '.', linkerFlags: '-s -w' },
} as const satisfies Record<string, Recipe>

export type Binary = keyof typeof recipes

/** Everything that a control plane and a pod's networks need; kubelets only the long tests. */
export const forTests: readonly Binary[] = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubectl',
  'multus',
  'coredns',
  'helm',
]

/** What nodes need besides: containers are run by containerd, which Debian has. */
export const forNodes: readonly Binary[] = ['kubelet', 'kube-proxy']

const cache = () => process.env['L2SM_LAB_CACHE'] ?? join(homedir(), '.cache', 'l2sm')

/** Where a binary is, or will be: outside the tree, by version, so that it is built once on a machine. */
export const binary = (name: Binary): string => join(cache(), recipes[name].module, recipes[name].version, name)

export const missing = (names: readonly Binary[]): Binary[] => names.filter(name => !existsSync(binary(name)))

export const goIsThere = (): boolean => {
  try {
    execFileSync('go', ['version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/**
 * Builds a binary with Go, from the module proxy, unless it is in the cache. Slow: the API server takes some minutes,
 * and the others share most of its packages. Throws with the compiler's words.
 */
export const build = async (name: Binary): Promise<void> => {
  if (existsSync(binary(name))) return
  const { module, package: path, linkerFlags } = recipes[name]
  mkdirSync(join(binary(name), '..'), { recursive: true })
  // Two builds at once must not leave half a file under the name.
  const half = `${binary(name)}.${process.pid}`
  const flags = ['build', '-trimpath', '-ldflags', linkerFlags, '-o', half, path]
  await run('go', flags, {
    cwd: join(import.meta.dirname, 'gomods', module),
    env: { ...process.env, CGO_ENABLED: '0' },
    maxBuffer: 1 << 26,
  })
  renameSync(half, binary(name))
}
