// VLAN tags of the outside: a network's frames have none, but for those that a trunk lets through.
import { type Action, vid } from '../../openflow/index.ts'
import type { PortNo } from '../../topology/topology.ts'

export const popVlan: readonly Action[] = [{ type: 'pop_vlan' }]

export const pushVlan = (vlan: number): readonly Action[] => [
  { type: 'push_vlan', ethertype: 0x8100 },
  { type: 'set_field', field: 'vlan_vid', value: vid.present | vlan },
]

export const output = (port: PortNo): Action => ({ type: 'output', port, maxLen: 0 })

/** Out of a port, with the tag of a network there if it has one. */
export const out = ({
  port,
  vlan,
}: {
  readonly port: PortNo
  readonly vlan?: number | undefined
}): readonly Action[] => (vlan === undefined ? [output(port)] : [...pushVlan(vlan), output(port)])
