/** The words by which pods, networks and the operator understand each other. */

/** Of upstream: what a pod asks for, and that it is one of ours. */
export const label = 'l2sm'
export const askedNetworks = 'l2sm/networks'
export const appLabel = 'l2sm/app'

/** Of Multus. */
export const multusNetworks = 'k8s.v1.cni.cncf.io/networks'
export const multusStatus = 'k8s.v1.cni.cncf.io/network-status'

/** Of ours: the annotation of Multus as the pod's author wrote it, while the real one holds our interfaces. */
export const askedMultus = 'l2sm.io/multus-networks'
/** On a pod of a StatefulSet, "true": the next pod of its name gets its addresses. */
export const keepAddresses = 'l2sm.io/keep-addresses'
/** The condition of a pod that its networks are programmed in the switches; good as a readiness gate. */
export const readyCondition = 'l2sm.io/networks-ready'
/** On a NetworkAttachmentDefinition of an interface: which it is. */
export const interfaceLabel = 'l2sm.io/interface'
export const nodeAnnotation = 'l2sm.io/node'
export const dpidAnnotation = 'l2sm.io/dpid'
export const portAnnotation = 'l2sm.io/port'

/** On what belongs to the IDS of a network: the network's name. */
export const idsLabel = 'l2sm.io/ids'

/** A NetworkAttachmentDefinition that never exists: a pod that has it waits, and Multus says its name. */
export const placeholder = 'waits-for-l2sm-operator'

/** NAMESPACE.NAME: a namespace has no dot, so two namespaces may use one name. */
export const networkId = (namespace: string, name: string): string => `${namespace}.${name}`

/** The namespace and the name in a network's id; undefined: none of ours. */
export const parseNetworkId = (id: string): { readonly namespace: string; readonly name: string } | undefined => {
  const dot = id.indexOf('.')
  return dot < 1 || dot === id.length - 1 ? undefined : { namespace: id.slice(0, dot), name: id.slice(dot + 1) }
}

/** The name of the NetworkAttachmentDefinition of an interface; the plain one is for pods without an address. */
export const nadName = (dpid: string, port: number): string => `if-${dpid}-${port}`
export const plainNad = (nad: string): string => `${nad}-l2`
