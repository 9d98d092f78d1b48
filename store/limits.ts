/** VNI = network number, bit 23 is the epoch, and number 0x7ffffe (VNIs 0xfffffe, 0x7ffffe) is for probes. */
export const maxNetworkNumber = 0x7ffffd

/** Beyond the first interfaces, of which there are 1000 at most, and below firstSparePort (api/contract/node-schemas.ts). */
export const maxNodeNumber = 3000

/** A full mesh has a link between any two nodes, and each is worked out: a million directions at this size. Larger meshes list their links. */
export const maxFullMeshNodes = 1000
/** Links that a mesh may list. */
export const maxNodeLinks = 100_000

/** Links found by LLDP, one entry a direction: in all, of one switch, and from one switch to another. Declared ones are not among them. */
export const maxDiscoveredLinks = 100_000
export const maxDiscoveredOnSwitch = 2_048
export const maxDiscoveredBetween = 32
