/** Kubernetes objects, as far as they are read here. Timestamps are texts, as on the wire. */

export type Metadata = {
  readonly name: string
  readonly namespace?: string
  readonly uid: string
  readonly resourceVersion: string
  readonly generation?: number
  readonly creationTimestamp: string
  readonly deletionTimestamp?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly ownerReferences?: readonly { readonly kind: string; readonly name: string; readonly uid: string }[]
}
export type KubeObject = { readonly metadata: Metadata }

export type Condition = {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason: string
  readonly message: string
  readonly lastTransitionTime?: string
  readonly observedGeneration?: number
}

export type Pod = KubeObject & {
  readonly spec: { readonly nodeName?: string; readonly hostNetwork?: boolean }
  readonly status?: { readonly phase?: string; readonly conditions?: readonly Condition[] }
}

/** Values are in base64. */
export type Secret = KubeObject & { readonly data?: Readonly<Record<string, string>>; readonly type?: string }

/** A CertificateSigningRequest. `extra` and `username` are written by the API server, of who asked. */
export type SigningRequest = KubeObject & {
  readonly spec: {
    readonly request: string
    readonly signerName: string
    readonly username?: string
    readonly extra?: Readonly<Record<string, readonly string[]>>
    readonly usages?: readonly string[]
  }
  readonly status?: {
    readonly certificate?: string
    readonly conditions?: readonly { readonly type: string; readonly message?: string }[]
  }
}

export type MutatingWebhooks = KubeObject & {
  readonly webhooks?: readonly { readonly name: string; readonly clientConfig: { readonly caBundle?: string } }[]
}

export type Provider = {
  readonly name: string
  readonly domain: readonly string[]
  readonly sdnPort?: string
  readonly ofPort?: string
}

export type Ids = {
  readonly enabled: boolean
  readonly node: string
  readonly profile: string
  readonly homeNetCidr?: readonly string[]
  readonly useEmergingThreatsOpen?: boolean
  readonly ignorePorts?: readonly number[]
  readonly namespace?: string
  readonly customRuleSources?: readonly {
    readonly name: string
    readonly inline?: string
    readonly url?: string
    readonly configMapRef?: { readonly name: string }
  }[]
}

export type L2Network = KubeObject & {
  readonly spec: {
    readonly type: 'vnet' | 'ext-vnet' | 'vlink'
    readonly networkCIDR?: string
    readonly podAddressRange?: string
    readonly config?: string
    readonly provider?: Provider
    readonly ids?: Ids
    readonly guard?: 'mac' | 'learn' | 'strict'
    readonly multicast?: 'flood' | 'snoop'
  }
  readonly status?: {
    readonly internalConnectivity?: string
    readonly connectedPodCount?: number
    readonly assignedIPs?: Readonly<Record<string, string>>
    readonly lastAssignedIP?: string
    readonly conditions?: readonly Condition[]
  }
}

/** A NetworkAttachmentDefinition of Multus. */
export type Nad = KubeObject & { readonly spec?: { readonly config?: string } }

/** The interface that a pod has, and what it is in which network. */
export type InterfaceClaim = {
  readonly pod: PodRef
  /** NAMESPACE.NAME */
  readonly network: string
  readonly interface: Interface
  /** Undefined: of a pod that was taken over, which did not tell. Then it may send with any. */
  readonly mac?: string
  /** With prefix lengths. */
  readonly ips?: readonly string[]
}
export type AddressClaim = {
  readonly pod: PodRef
  readonly network: string
  readonly address: string
  /** While this is there, the address is kept for the next pod of the same name. */
  readonly keeper?: Keeper
}
export type Keeper = { readonly kind: 'StatefulSet'; readonly name: string; readonly uid: string }
export type Claim = KubeObject & { readonly spec: InterfaceClaim | AddressClaim }

export type PodRef = { readonly namespace: string; readonly name: string; readonly uid: string }

/** A pair of veth that an agent keeps on its node: see agent/stock.ts. */
export type Interface = {
  readonly node: string
  /** 16 lower-case hex digits. */
  readonly dpid: string
  readonly port: number
  /** The NetworkAttachmentDefinition by which a pod gets it. */
  readonly nad: string
}

export type Overlay = KubeObject & {
  readonly spec: {
    readonly provider: Provider
    readonly interfaceNumber?: number
    readonly topology?: {
      readonly nodes: readonly string[]
      readonly links?: readonly { readonly endpointA: string; readonly endpointB: string }[]
    }
    readonly monitor?: object
  }
  readonly status?: { readonly conditions?: readonly Condition[] }
}

export type Selector = {
  readonly matchLabels?: Readonly<Record<string, string>>
  readonly matchExpressions?: readonly {
    readonly key: string
    readonly operator: string
    readonly values?: readonly string[]
  }[]
}

export type Quarantine = KubeObject & {
  readonly spec: {
    readonly selector: { readonly podLabelSelector: Selector; readonly l2NetworkSelector: Selector }
    readonly targetL2Network: string
  }
  readonly status?: { readonly conditions?: readonly Condition[] }
}

export type EdgeDevice = KubeObject & {
  readonly spec: {
    readonly provider: Provider
    readonly nodeConfig?: { readonly nodeName: string; readonly ipAddress: string }
  }
  readonly status?: { readonly conditions?: readonly Condition[] }
}

export type Node = KubeObject & {
  readonly status?: { readonly addresses?: readonly { readonly type: string; readonly address: string }[] }
}

/** NAMESPACE/NAME, or NAME of what has no namespace. */
export const keyOf = ({ metadata: { namespace, name } }: KubeObject): string =>
  namespace === undefined ? name : `${namespace}/${name}`

/** Where they are: group, version and plural. */
const group = '/apis/l2sm.l2sm.k8s.local/v1'
const collections = {
  pods: ['/api/v1', 'pods'],
  nodes: ['/api/v1', 'nodes'],
  namespaces: ['/api/v1', 'namespaces'],
  events: ['/api/v1', 'events'],
  configmaps: ['/api/v1', 'configmaps'],
  secrets: ['/api/v1', 'secrets'],
  deployments: ['/apis/apps/v1', 'deployments'],
  statefulsets: ['/apis/apps/v1', 'statefulsets'],
  mutatingWebhooks: ['/apis/admissionregistration.k8s.io/v1', 'mutatingwebhookconfigurations'],
  signingRequests: ['/apis/certificates.k8s.io/v1', 'certificatesigningrequests'],
  leases: ['/apis/coordination.k8s.io/v1', 'leases'],
  nads: ['/apis/k8s.cni.cncf.io/v1', 'network-attachment-definitions'],
  l2networks: [group, 'l2networks'],
  overlays: [group, 'overlays'],
  edgeDevices: [group, 'networkedgedevices'],
  quarantines: [group, 'quarantinepodrequests'],
  claims: [group, 'claims'],
} as const
export type Collection = keyof typeof collections

/** The path of a collection, in one namespace or in all. */
export const collection = (of: Collection, namespace?: string): string => {
  const [base, plural] = collections[of]
  return namespace === undefined ? `${base}/${plural}` : `${base}/namespaces/${namespace}/${plural}`
}

/** The path of one object. */
export const place = (
  of: Collection,
  { namespace, name }: { readonly namespace?: string | undefined; readonly name: string },
): string => `${collection(of, namespace)}/${name}`
