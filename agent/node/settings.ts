/**
 * Settings of a device below /proc/sys/net that the node's own network depends on: router advertisements, forwarding,
 * answers to ARP. They move with the addresses. Pure.
 */

const four = [
  ...['forwarding', 'rp_filter', 'accept_redirects', 'send_redirects', 'secure_redirects', 'shared_media'],
  ...['accept_source_route', 'accept_local', 'route_localnet', 'src_valid_mark', 'log_martians'],
  ...['arp_ignore', 'arp_announce', 'arp_filter', 'arp_notify', 'arp_accept', 'proxy_arp', 'proxy_arp_pvlan'],
  ...['disable_policy', 'disable_xfrm', 'promote_secondaries', 'ignore_routes_with_linkdown'],
]
const six = [
  ...['disable_ipv6', 'forwarding', 'autoconf', 'use_tempaddr', 'addr_gen_mode', 'accept_dad', 'dad_transmits'],
  ...['accept_ra', 'accept_ra_defrtr', 'ra_defrtr_metric', 'accept_ra_pinfo', 'accept_ra_rtr_pref', 'accept_ra_mtu'],
  ...['accept_ra_min_hop_limit', 'accept_ra_from_local', 'accept_ra_rt_info_min_plen', 'accept_ra_rt_info_max_plen'],
  ...['accept_redirects', 'accept_source_route', 'router_solicitations', 'router_solicitation_delay', 'hop_limit'],
  ...[
    'proxy_ndp',
    'keep_addr_on_down',
    'ndisc_notify',
    'ndisc_tclass',
    'ignore_routes_with_linkdown',
    'drop_unsolicited_na',
  ],
]

/** `ipv4/forwarding`: those of one device. */
export const settingNames: readonly string[] = [...four.map(name => `ipv4/${name}`), ...six.map(name => `ipv6/${name}`)]

/** Name to value, as the kernel spells it. */
export type Settings = Readonly<Record<string, string>>

/**
 * What the device below has while br-phy has the addresses. It listens to no router, makes itself no addresses, and does not
 * answer ARP for those of br-phy; an address that its owner gives it works all the same, though packets leave by br-phy.
 */
export const settingsBelow = (own: Settings): Settings => ({
  ...{ 'ipv6/accept_ra': '0', 'ipv6/autoconf': '0' },
  ...(own['ipv4/arp_ignore'] === '0' && { 'ipv4/arp_ignore': '1' }),
  ...(own['ipv4/rp_filter'] !== undefined && { 'ipv4/rp_filter': '2' }),
})

/** Where a setting of a device is. */
export const settingPath = (device: string, name: string): string => {
  const [family, setting] = name.split('/')
  return `/proc/sys/net/${family}/conf/${device}/${setting}`
}

/** What is to be written so that a device has these settings; the names come in the kernel's order of effect. */
export const settingsToWrite = (wanted: Settings, actual: Settings): Settings =>
  Object.fromEntries(settingNames.flatMap(name => (differs(wanted, actual, name) ? [[name, wanted[name]!]] : [])))

const differs = (wanted: Settings, actual: Settings, name: string): boolean =>
  wanted[name] !== undefined && actual[name] !== undefined && wanted[name] !== actual[name]
