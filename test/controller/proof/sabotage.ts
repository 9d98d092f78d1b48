// Wrong flows that somebody might put on a switch by hand: each in the words of ovs-ofctl, with the ports and numbers of the place where it is
// put. To add one: a row.

/** Where it is put: a member's port and another's, of two networks; a port of nobody's; a link; an address of the other network. */
export type Place = {
  readonly own: number
  readonly ownNumber: number
  readonly other: number
  readonly otherNumber: number
  readonly nobody: number
  readonly link: number | undefined
  readonly otherMac: string
}
/** `harmless`: whatever the networks are, no frame leaves its own by it. `may`: that depends on the rest. */
export type Sabotage = { readonly name: string; readonly is: 'may' | 'harmless'; flow(at: Place): string | undefined }

const hex = (n: number): string => `0x${n.toString(16)}`
const bits = '0x3ffffffff'
const row = (name: string, is: Sabotage['is'], flow: Sabotage['flow']): Sabotage => ({ name, is, flow })

export const sabotages: readonly Sabotage[] = [
  row(
    'a port admitted to another network',
    'may',
    p => `priority=120,in_port=${p.own} actions=write_metadata:${hex(p.otherNumber)}/${bits},goto_table:1`,
  ),
  row(
    'a port admitted to another network, past the guard',
    'may',
    p => `priority=120,in_port=${p.own} actions=write_metadata:${hex(p.otherNumber)}/${bits},goto_table:2`,
  ),
  row(
    "a port of nobody's admitted",
    'may',
    p => `priority=100,in_port=${p.nobody} actions=write_metadata:${hex(p.ownNumber)}/${bits},goto_table:2`,
  ),
  row('a port straight to another', 'may', p => `priority=2000,in_port=${p.own} actions=output:${p.other}`),
  row("a port straight to nobody's", 'may', p => `priority=2000,in_port=${p.own} actions=output:${p.nobody}`),
  row('a port to all ports', 'may', p => `priority=2000,in_port=${p.own} actions=ALL`),
  row('everything to all ports', 'may', () => 'priority=2000 actions=ALL'),
  row(
    'one address to another port',
    'may',
    p => `table=2,priority=40,metadata=${hex(p.ownNumber)}/0xffffffff,dl_dst=${p.otherMac} actions=output:${p.other}`,
  ),
  row(
    'broadcasts to another port, too',
    'may',
    p =>
      `table=2,priority=40,metadata=${hex(p.ownNumber)}/0xffffffff,dl_dst=ff:ff:ff:ff:ff:ff actions=output:${p.other}`,
  ),
  row(
    'all of a network to the controller',
    'may',
    p => `table=2,priority=40,metadata=${hex(p.ownNumber)}/0xffffffff actions=CONTROLLER:65535`,
  ),
  row(
    'frames of a port to the controller, whole',
    'may',
    p => `priority=2000,in_port=${p.own} actions=CONTROLLER:65535`,
  ),
  row('whatever nobody wants to a port', 'may', p => `priority=1 actions=output:${p.other}`),
  row(
    'one type of frame to another port',
    'may',
    p => `priority=2000,in_port=${p.own},dl_type=0x9999 actions=output:${p.other}`,
  ),
  row(
    'one sender let through the guard',
    'may',
    p => `table=1,priority=80,in_port=${p.own},dl_src=02:66:66:66:66:66 actions=goto_table:2`,
  ),
  row(
    'everybody let through the guard',
    'may',
    p => `table=1,priority=80,metadata=${hex(p.ownNumber)}/0xffffffff actions=goto_table:2`,
  ),
  row(
    'metadata changed behind the guard',
    'may',
    p => `table=1,priority=80,in_port=${p.own} actions=write_metadata:${hex(p.otherNumber)}/${bits},goto_table:2`,
  ),
  row('half of the metadata matched', 'may', p => `table=2,priority=40,metadata=0x0/0x1 actions=output:${p.other}`),
  row(
    'IP of a network to another port',
    'may',
    p => `table=2,priority=40,ip,metadata=${hex(p.ownNumber)}/0xffffffff,nw_dst=10.1.2.3 actions=output:${p.other}`,
  ),
  row(
    'ARP for one address to another port',
    'may',
    p => `table=2,priority=40,arp,metadata=${hex(p.ownNumber)}/0xffffffff,arp_tpa=10.0.0.9 actions=output:${p.other}`,
  ),
  row(
    'one port of TCP to another port',
    'may',
    p => `priority=2000,tcp,in_port=${p.own},vlan_tci=0x0000/0x1fff,tp_dst=22 actions=output:${p.other}`,
  ),
  row("a link's frames of one network admitted to another", 'may', p =>
    p.link === undefined
      ? undefined
      : `priority=2000,in_port=${p.link},tun_id=${hex(p.ownNumber)} actions=write_metadata:${hex(0x1_0000_0000 + p.otherNumber)}/${bits},goto_table:2`,
  ),
  row("a link's frames of any network to a port", 'may', p =>
    p.link === undefined ? undefined : `priority=2000,in_port=${p.link} actions=output:${p.other}`,
  ),
  row('a network out by the number of another', 'may', p =>
    p.link === undefined
      ? undefined
      : `table=2,priority=40,metadata=${hex(p.ownNumber)}/${bits} actions=set_field:${hex(p.otherNumber)}->tun_id,output:${p.link}`,
  ),
  row('a port into a link by the number of another network', 'may', p =>
    p.link === undefined
      ? undefined
      : `priority=2000,in_port=${p.own} actions=set_field:${hex(p.otherNumber)}->tun_id,output:${p.link}`,
  ),
  row('a network back into the link that it came by', 'may', p =>
    p.link === undefined
      ? undefined
      : `table=2,priority=40,metadata=${hex(p.ownNumber)}/0xffffffff actions=set_field:${hex(p.ownNumber)}->tun_id,output:${p.link},IN_PORT`,
  ),
  row(
    'a tag put on, to another port',
    'may',
    p =>
      `table=2,priority=40,metadata=${hex(p.ownNumber)}/0xffffffff actions=push_vlan:0x8100,set_field:4101->vlan_vid,output:${p.other}`,
  ),
  row(
    'written at the end, to another port',
    'may',
    p => `priority=2000,in_port=${p.own} actions=write_actions(output:${p.other})`,
  ),
  row(
    'another destination, then on',
    'may',
    p =>
      `table=1,priority=80,in_port=${p.own} actions=set_field:${p.otherMac}->eth_dst,write_metadata:${hex(p.otherNumber)}/${bits},goto_table:2`,
  ),
  row(
    "addresses that nobody has, to another network's port",
    'may',
    p =>
      `table=2,priority=31,metadata=${hex(p.ownNumber)}/0xffffffff,dl_dst=02:99:00:00:00:00/ff:ff:00:00:00:00 actions=output:${p.other}`,
  ),
  row('a port sent on to a later table by itself', 'may', p => `priority=2000,in_port=${p.own} actions=goto_table:2`),
  row(
    'what no frame has: a network of nobody',
    'harmless',
    p => `table=2,priority=40,metadata=0x7654321/0xffffffff actions=output:${p.other}`,
  ),
  row('a drop above everything of a port', 'harmless', p => `priority=2000,in_port=${p.nobody} actions=drop`),
  row(
    'an entry in a table that nothing goes to',
    'harmless',
    p => `table=3,priority=9,metadata=0x7654321 actions=output:${p.other}`,
  ),
  row('a drop in the guard', 'harmless', p => `table=1,priority=90,in_port=${p.own} actions=drop`),
  row('a sender that is let in anyway', 'harmless', p => `table=1,priority=5,in_port=${p.nobody} actions=goto_table:2`),
  row(
    'a register that nobody writes',
    'harmless',
    p => `priority=2000,reg3=0x5,in_port=${p.own} actions=output:${p.other}`,
  ),
  row(
    'below everything that matches',
    'harmless',
    p => `table=2,priority=1,metadata=0x7654321/0xffffffff actions=output:${p.other}`,
  ),
]
