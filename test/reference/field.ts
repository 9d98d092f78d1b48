// The fields of OpenFlow 1.3.5 §7.2.3.7 as a switch holds them: each a few 32-bit words at a fixed place in a packet's
// key, so that a match is (key[word] & mask) === value. On purpose nothing of openflow/'s tables is used here.

export type Prerequisite = readonly [field: string, values: readonly number[]]
export type Field = {
  readonly name: string
  readonly bits: number
  /** First word in the key; a field of more than 32 bits continues in the next ones, most significant first. */
  readonly at: number
  readonly words: number
  readonly form: 'number' | 'mac' | 'ipv4' | 'ipv6'
  /** §7.2.3.6: what a match on it, or a set-field of it, presumes. */
  readonly needs: readonly Prerequisite[]
  readonly maskable: boolean
  /** Whether set-field may write it (§7.2.5): not the ports, nor what says how to read the rest of the packet. */
  readonly settable: boolean
  /** A field of Open vSwitch only. */
  readonly nicira: boolean
}

type Options = {
  needs?: readonly Prerequisite[]
  mask?: boolean
  set?: boolean
  nicira?: boolean
  form?: Field['form']
}

const ip: Prerequisite = ['eth_type', [0x0800, 0x86dd]]
const ipv4: Prerequisite = ['eth_type', [0x0800]]
const ipv6: Prerequisite = ['eth_type', [0x86dd]]
const arp: Prerequisite = ['eth_type', [0x0806]]
const proto = (number: number): Prerequisite => ['ip_proto', [number]]
const nd: readonly Prerequisite[] = [ipv6, proto(58), ['icmpv6_type', [135, 136]]]

// biome-ignore format: a table is read by its rows and columns
const rows: readonly (readonly [name: string, bits: number, options?: Options])[] = [
  ['in_port', 32, { set: false }],
  ['metadata', 64, { mask: true, set: false }],
  ['tunnel_id', 64, { mask: true }],
  ['eth_dst', 48, { mask: true, form: 'mac' }],
  ['eth_src', 48, { mask: true, form: 'mac' }],
  ['eth_type', 16, { set: false }],
  ['vlan_vid', 13, { mask: true }],
  // Any VID but NONE (§7.2.3.6), which is not one value.
  ['vlan_pcp', 3, { needs: [['vlan_vid', []]] }],
  ['ip_dscp', 6, { needs: [ip] }],
  ['ip_ecn', 2, { needs: [ip] }],
  ['ip_proto', 8, { needs: [ip], set: false }],
  ['ipv4_src', 32, { needs: [ipv4], mask: true, form: 'ipv4' }],
  ['ipv4_dst', 32, { needs: [ipv4], mask: true, form: 'ipv4' }],
  ['tcp_src', 16, { needs: [ip, proto(6)], mask: true }],
  ['tcp_dst', 16, { needs: [ip, proto(6)], mask: true }],
  ['udp_src', 16, { needs: [ip, proto(17)], mask: true }],
  ['udp_dst', 16, { needs: [ip, proto(17)], mask: true }],
  ['sctp_src', 16, { needs: [ip, proto(132)], mask: true, set: false }],
  ['sctp_dst', 16, { needs: [ip, proto(132)], mask: true, set: false }],
  ['icmpv4_type', 8, { needs: [ipv4, proto(1)] }],
  ['icmpv4_code', 8, { needs: [ipv4, proto(1)] }],
  ['arp_op', 16, { needs: [arp] }],
  ['arp_spa', 32, { needs: [arp], mask: true, form: 'ipv4' }],
  ['arp_tpa', 32, { needs: [arp], mask: true, form: 'ipv4' }],
  ['arp_sha', 48, { needs: [arp], mask: true, form: 'mac' }],
  ['arp_tha', 48, { needs: [arp], mask: true, form: 'mac' }],
  ['ipv6_src', 128, { needs: [ipv6], mask: true, form: 'ipv6' }],
  ['ipv6_dst', 128, { needs: [ipv6], mask: true, form: 'ipv6' }],
  ['ipv6_flabel', 20, { needs: [ipv6], mask: true }],
  ['icmpv6_type', 8, { needs: [ipv6, proto(58)] }],
  ['icmpv6_code', 8, { needs: [ipv6, proto(58)] }],
  ['ipv6_nd_target', 128, { needs: nd, mask: true, form: 'ipv6' }],
  ['ipv6_nd_sll', 48, { needs: [ipv6, proto(58), ['icmpv6_type', [135]]], mask: true, form: 'mac' }],
  ['ipv6_nd_tll', 48, { needs: [ipv6, proto(58), ['icmpv6_type', [136]]], mask: true, form: 'mac' }],
  // Of Open vSwitch (ovs-fields(7)).
  ['nd_reserved', 32, { needs: nd, nicira: true }],
  ['nd_options_type', 8, { needs: nd, nicira: true }],
  ['tun_src', 32, { mask: true, nicira: true, form: 'ipv4' }],
  ['tun_dst', 32, { mask: true, nicira: true, form: 'ipv4' }],
  ...Array.from({ length: 16 }, (_, i) => [`reg${i}`, 32, { mask: true, nicira: true }] as const),
]

/** NXM's names for what OXM has as well; the meaning is the same. */
const aliases: Readonly<Record<string, string>> = {
  nxm_of_eth_dst: 'eth_dst',
  nxm_of_eth_src: 'eth_src',
  nxm_of_arp_op: 'arp_op',
  nxm_of_arp_spa: 'arp_spa',
  nxm_of_arp_tpa: 'arp_tpa',
  nxm_of_ip_src: 'ipv4_src',
  nxm_of_ip_dst: 'ipv4_dst',
  nxm_nx_arp_sha: 'arp_sha',
  nxm_nx_arp_tha: 'arp_tha',
  nxm_nx_ipv6_src: 'ipv6_src',
  nxm_nx_ipv6_dst: 'ipv6_dst',
  nxm_nx_tun_id: 'tunnel_id',
}

const byName = new Map<string, Field>()
let words = 0
for (const [name, bits, { needs = [], mask = false, set = true, nicira = false, form = 'number' } = {}] of rows) {
  const field = {
    name,
    bits,
    at: words,
    words: Math.ceil(bits / 32),
    form,
    needs,
    maskable: mask,
    settable: set,
    nicira,
  }
  byName.set(name, field)
  words += field.words
}
for (const [alias, name] of Object.entries(aliases)) byName.set(alias, { ...byName.get(name)!, nicira: true })

/** Words in a packet's key. */
export const keyWords = words

export const fieldOf = (name: string): Field | undefined => byName.get(name)
/** For fields named in code: their first word. */
export const word = (name: string): number => byName.get(name)!.at

/** A value as the codec has it (number, bigint, MAC or IP text), in the words of its field. */
export function toWords(field: Field, value: unknown): number[] {
  if (field.form === 'mac')
    return bytesToWords(
      String(value)
        .split(':')
        .map(x => Number.parseInt(x, 16)),
    )
  if (field.form === 'ipv4') return bytesToWords(String(value).split('.').map(Number))
  if (field.form === 'ipv6') return bytesToWords(ipv6Bytes(String(value)))
  let rest = BigInt(value as number | bigint)
  const out = new Array<number>(field.words)
  for (let i = field.words - 1; i >= 0; i--) {
    out[i] = Number(rest & 0xffffffffn) | 0
    rest >>= 32n
  }
  return out
}

/** All bits of a field set, in its words. */
export const allOnes = (field: Field): number[] =>
  toWords({ ...field, form: 'number' }, (1n << BigInt(field.bits)) - 1n)

function bytesToWords(bytes: readonly number[]): number[] {
  const padded = bytes.length % 4 === 0 ? bytes : [...new Array<number>(4 - (bytes.length % 4)).fill(0), ...bytes]
  return Array.from({ length: padded.length / 4 }, (_, i) => {
    const [a, b, c, d] = padded.slice(i * 4) as [number, number, number, number]
    return (a << 24) | (b << 16) | (c << 8) | d
  })
}

export function ipv6Bytes(text: string): number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text)
  if (dotted) {
    const [a, b, c, d] = dotted.slice(2).map(Number) as [number, number, number, number]
    return ipv6Bytes(`${dotted[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`)
  }
  const groups = (part: string | undefined): number[] => (part ? part.split(':').map(g => Number.parseInt(g, 16)) : [])
  const [head, tail] = text.split('::')
  const left = groups(head)
  const right = groups(tail)
  const all = text.includes('::')
    ? [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right]
    : left
  return all.flatMap(g => [g >> 8, g & 0xff])
}
