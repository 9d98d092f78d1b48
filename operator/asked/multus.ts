/**
 * The annotation k8s.v1.cni.cncf.io/networks, in all its forms (Kubernetes Network Custom Resource Definition De-facto
 * Standard §4.1): `net-a, ns/net-b@eth7`, or a JSON list of objects. Pure.
 */

export type Element = {
  readonly name: string
  readonly namespace?: string
  readonly interface?: string
  readonly ips?: readonly string[]
  readonly mac?: string
  /** Whatever else it says: Multus and its plugins know what it means. */
  readonly [other: string]: unknown
}

export type Fault = { readonly fault: string }
export const isFault = (value: unknown): value is Fault =>
  typeof value === 'object' && value !== null && 'fault' in value

export const parseMultus = (text: string): readonly Element[] | Fault => {
  const trimmed = text.trim()
  if (trimmed === '') return []
  return /^[[{"]/.test(trimmed) ? parseJson(trimmed) : parseNames(trimmed)
}

export const parseJson = (text: string): readonly Element[] | Fault => {
  let list: unknown
  try {
    list = JSON.parse(text)
  } catch (error) {
    return { fault: `it is no JSON: ${(error as Error).message}` }
  }
  if (!Array.isArray(list)) return { fault: 'expected a JSON list: [{"name": "net-a"}]' }
  for (const [i, element] of list.entries()) {
    const wrong = faultOf(element)
    if (wrong) return { fault: `element ${i + 1}: ${wrong}` }
  }
  return list
}

const name = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/

const faultOf = (element: unknown): string | undefined => {
  if (typeof element !== 'object' || element === null || Array.isArray(element))
    return 'expected an object {"name": ...}'
  const { name: its, namespace, interface: device, ips, mac } = element as Record<string, unknown>
  if (typeof its !== 'string' || !name.test(its))
    return `name is ${JSON.stringify(its)}: expected the name of a network`
  if (namespace !== undefined && typeof namespace !== 'string') return 'namespace: expected a text'
  if (device !== undefined && typeof device !== 'string') return 'interface: expected a text'
  if (ips !== undefined && ips !== null && !(Array.isArray(ips) && ips.every(ip => typeof ip === 'string')))
    return 'ips: expected a list of addresses'
  if (mac !== undefined && (typeof mac !== 'string' || !/^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$/.test(mac)))
    return `mac is ${JSON.stringify(mac)}: expected such as 02:00:00:00:00:01`
  return undefined
}

/** `net-a, ns/net-b@eth7` */
export const parseNames = (text: string): readonly Element[] | Fault => {
  const elements: Element[] = []
  for (const part of text.split(',').map(each => each.trim())) {
    if (part === '') continue
    const [, namespace, its = '', device] = /^(?:([^/@]+)\/)?([^/@]+)(?:@([^/@]+))?$/.exec(part) ?? []
    if (!name.test(its)) return { fault: `${JSON.stringify(part)} is not the name of a network` }
    elements.push({ name: its, ...(namespace && { namespace }), ...(device && { interface: device }) })
  }
  return elements
}
