/** VNI = network number, bit 23 is the epoch, and 0xfffffe (number 0x7ffffe) is for probes. */
export const maxNetworkNumber = 0x7ffffd

/** Beyond the first interfaces, of which there are 1000 at most, and below firstSparePort (api/contract/node-schemas.ts). */
export const maxNodeNumber = 3000
