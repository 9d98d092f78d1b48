// Numbers of OpenFlow 1.3.5 that stand in values as numbers: reserved ports and groups, and flags.

/** §7.2.1, enum ofp_port_no. */
export const ports = {
  max: 0xffffff00,
  inPort: 0xfffffff8,
  table: 0xfffffff9,
  normal: 0xfffffffa,
  flood: 0xfffffffb,
  all: 0xfffffffc,
  controller: 0xfffffffd,
  local: 0xfffffffe,
  any: 0xffffffff,
} as const
/** §7.3.4.2, enum ofp_group. */
export const groups = { max: 0xffffff00, all: 0xfffffffc, any: 0xffffffff } as const
/** §7.3.4.4, enum ofp_meter. */
export const meters = { max: 0xffff0000, slowpath: 0xfffffffd, controller: 0xfffffffe, all: 0xffffffff } as const
export const tables = { max: 0xfe, all: 0xff } as const
export const queues = { all: 0xffffffff } as const
export const noBuffer = 0xffffffff
/** §7.2.5, enum ofp_controller_max_len: `noBuffer` sends the whole frame. */
export const controllerMaxLen = { max: 0xffe5, noBuffer: 0xffff } as const
/** §7.2.3.7: `vlan_vid` of a frame without a tag, and the bit that every tag has. */
export const vid = { none: 0, present: 0x1000 } as const

export const flowModFlags = {
  sendFlowRem: 1,
  checkOverlap: 2,
  resetCounts: 4,
  noPktCounts: 8,
  noBytCounts: 16,
} as const
export const meterFlags = { kbps: 1, pktps: 2, burst: 4, stats: 8 } as const
export const portConfig = { portDown: 1, noRecv: 4, noFwd: 32, noPacketIn: 64 } as const
export const portState = { linkDown: 1, blocked: 2, live: 4 } as const
export const configFlags = { fragDrop: 1, fragReasm: 2 } as const
export const capabilities = {
  flowStats: 1,
  tableStats: 2,
  portStats: 4,
  groupStats: 8,
  ipReasm: 32,
  queueStats: 64,
  portBlocked: 256,
} as const
/** A multipart message with this flag is followed by another part of the same xid. */
export const multipartMore = 1
export const bundleFlags = { atomic: 1, ordered: 2 } as const
export const experimenters = { onf: 0x4f4e4600, nicira: 0x00002320 } as const

export const wireVersion = 4
/** Every message starts with version, type, length and xid. */
export const headerLength = 8
