// What compile may know of the switches: their ports and the mesh between them, kept current.
import type { Session } from '../openflow/session.ts'
import type { State } from '../store/state.ts'
import { type Mesh, mesh } from '../topology/mesh.ts'
import { type DatapathId, endpointKey, type PortNo } from '../topology/topology.ts'
import type { Datapath, Fabric } from './compile.ts'
import { maxMeteredPort, meterId } from './cookie.ts'

export type KnownFabric = {
  current(): Fabric
  /** Takes a switch's ports as they are now; answers those that came or went. */
  ports(session: Session): readonly PortNo[]
  /** Works out the mesh again; answers whether it is another one. */
  remesh(): boolean
}

export function knownFabric(state: () => State): KnownFabric {
  // A switch that went away is remembered with the ports that it had: its flows still run.
  const datapaths = new Map<DatapathId, Datapath>()
  let joined: Mesh = new Map()
  const usable = (dpid: DatapathId, port: PortNo) => datapaths.get(dpid)?.ports.has(port) ?? true
  const ofPods = (key: string) => state().accessPorts.has(key) || state().attachments.has(key)
  return {
    current: () => ({ mesh: joined, datapaths }),
    ports(session) {
      const before = datapaths.get(session.dpid)?.ports ?? new Set<PortNo>()
      const now = new Set(session.ports().keys())
      const meteredCopies = session.can.nicira && session.can.maxMeter >= meterId(maxMeteredPort)
      datapaths.set(session.dpid, { ports: now, meteredCopies })
      return [...now].filter(p => !before.has(p)).concat([...before].filter(p => !now.has(p)))
    },
    remesh() {
      const { declaredLinks, discoveredLinks } = state()
      const found = [...discoveredLinks.values()].filter(
        l => !ofPods(endpointKey(l.from)) && !ofPods(endpointKey(l.to)),
      )
      const before = spell(joined)
      joined = mesh([...declaredLinks.values(), ...found], usable)
      return spell(joined) !== before
    },
  }
}

const spell = (m: Mesh): string =>
  [...m]
    .flatMap(([from, to]) => [...to].map(([peer, port]) => `${from}/${port} ${peer}`))
    .sort()
    .join('\n')
