// The reference switch: OpenFlow 1.3.5 as functions on data, an oracle for tests that shares no code with controller/.
export { advance, apply, putPort, receive } from './apply.ts'
export {
  type Arrival,
  type Delivery,
  type Endpoint,
  endpoint,
  type Fabric,
  flush,
  meshLinks,
  newFabric,
  send,
} from './fabric.ts'
export { type Knobs, newPeer, type Peer, type PeerOptions } from './peer.ts'
export { type PacketIn, process, type Result } from './process.ts'
export { type Kind, newSwitch, type Output, openVSwitch, plainHardware, portDesc, type Switch } from './switch.ts'
export { type Entry, entriesOf } from './table.ts'
