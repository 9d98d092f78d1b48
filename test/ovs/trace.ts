// Reads what `ofproto/trace` says becomes of a frame: the last line, "Datapath actions".

/** Where copies of a frame go: `102@7` is port 102 with tunnel id 7, `controller` a packet-in. In order. */
export type Traced = readonly string[]

export type Places = {
  /** OpenFlow port by datapath port, for ports that are no tunnels. */
  readonly ports: ReadonlyMap<number, number>
  /** Tunnel's OpenFlow port by the address of its other end. */
  readonly tunnels: ReadonlyMap<string, number>
}

export function readTrace(text: string, places: Places): Traced {
  const line = /^Datapath actions: (.*)$/m.exec(text)
  if (!line) throw new Error(`a trace without "Datapath actions":\n${text}`)
  return read(line[1]!, places)
}

function read(actions: string, places: Places): string[] {
  return split(actions).flatMap((action, i, all) => {
    if (/^\d+$/.test(action)) {
      const before = all[i - 1] ?? ''
      if (before.startsWith('tnl_push(')) return [tunnelled(before, places)]
      const port = places.ports.get(Number(action))
      if (port === undefined) throw new Error(`datapath port ${action} is none of ours: ${actions}`)
      return [`${port}@0`]
    }
    if (action.startsWith('clone(')) return read(action.slice(6, -1), places)
    const sampled = /^sample\(sample=100\.0%,actions\((.*)\)\)$/.exec(action)?.[1]
    if (sampled !== undefined) return read(sampled, places)
    if (/^userspace\(.*controller\(/.test(action)) return ['controller']
    if (/^(set|push_vlan|pop_vlan|tnl_push|meter|drop|trunc)\b/.test(action)) return []
    throw new Error(`not read: ${action} in ${actions}`)
  })
}

function tunnelled(push: string, { tunnels }: Places): string {
  const to = /ipv4\([^)]*dst=([\d.]+)/.exec(push)?.[1]
  const vni = /vni=0x([0-9a-f]+)/.exec(push)?.[1]
  const port = tunnels.get(to ?? '')
  if (port === undefined || vni === undefined) throw new Error(`not read: ${push}`)
  return `${port}@${Number.parseInt(vni, 16)}`
}

/** At commas outside parentheses. */
function split(text: string): string[] {
  const parts: string[] = []
  let depth = 0
  let from = 0
  for (let i = 0; i <= text.length; i++) {
    const c = text[i]
    if (c === '(') depth++
    else if (c === ')') depth--
    else if ((c === ',' && depth === 0) || i === text.length) {
      parts.push(text.slice(from, i))
      from = i + 1
    }
  }
  return parts
}
