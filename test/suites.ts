// Which tests come with which command, by the folder that they are in.
import { relative } from 'node:path'

/** These take long: `npm run test:NAME` runs them, `npm test` does not. */
export const apart: readonly string[] = ['attacks', 'cluster', 'e2e', 'k8s']

/** Tests of these work on real switches, or take a whole processor: they run one after the other. */
const oneByOne: readonly string[] = ['ovs', ...apart]

/** Folders above the checkout say nothing: one that is called `ovs` makes no test of switches of all of them. */
const inOneOf = (file: string, folders: readonly string[], root: string): boolean =>
  relative(root, file)
    .split(/[\\/]/)
    .some(part => folders.includes(part))

export const isApart = (file: string, root: string): boolean => inOneOf(file, apart, root)
export const isOneByOne = (file: string, root: string): boolean => inOneOf(file, oneByOne, root)
