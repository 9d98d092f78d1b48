// Actions of Open vSwitch (experimenter 0x2320), as its ofp-actions.c defines them.
import { present, properties, spaced } from './properties.ts'
import { oneOf, pad, rest, u8, u16, u32 } from './wire.ts'

export const niciraActions = {
  /** A copy of the frame to the controller, with what the standard output to CONTROLLER cannot say. */
  controller2: [
    37,
    spaced(
      pad(6),
      properties({
        maxLen: [0, u16],
        controllerId: [1, u16],
        reason: [2, oneOf(u8, { no_match: 0, action: 1, invalid_ttl: 2, action_set: 3, group: 4, packet_out: 5 })],
        userdata: [3, rest],
        pause: [4, present],
        meterId: [5, u32],
      }),
    ),
  ],
} as const
