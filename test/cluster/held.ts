// What the switches of a cluster hold.
import type { Installed } from './installed.ts'

/** Flows and groups of each node's switch, without what counts, by the node's name. */
export const held = async ({ nodes }: Installed): Promise<Readonly<Record<string, readonly string[]>>> => {
  const all = nodes.map(async ({ name, run }) => {
    const find = 'for s in /run/openvswitch/br-*.mgmt; do case $s in *br-phy*) ;; *) echo $s; esac; done'
    const place = `unix:${(await run('sh', ['-c', find])).trim()}`
    const ask = (what: string, ...args: string[]) => run('ovs-ofctl', ['-O', 'OpenFlow13', what, place, ...args])
    const texts = [await ask('dump-flows', '--no-stats', '--no-names'), await ask('dump-groups')]
    const entries = texts.flatMap(text => text.split('\n')).filter(line => line.startsWith(' '))
    return [name, entries.sort()] as const
  })
  return Object.fromEntries(await Promise.all(all))
}
