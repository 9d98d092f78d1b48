import type { Pod } from '../../lab/pod.ts'

/** A pod of the demo, and the network it is in; `nobody` is in none. */
export type Member = Pod & { readonly network: 'red' | 'blue' | undefined }

/** Port numbers on a node's switch. */
export const ports = { red: 1, blue: 2, nobody: 3 } as const
