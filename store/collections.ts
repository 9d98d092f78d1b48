import type { Kind } from './change.ts'
import type { Collection } from './collection.ts'
import { access } from './collections/access-port.ts'
import { attachment } from './collections/attachment.ts'
import { holding } from './collections/holdings.ts'
import { dead, declared, discovered } from './collections/links.ts'
import { network } from './collections/network.ts'
import { node, nodelink, overlay } from './collections/nodes.ts'
import { vlans } from './collections/vlans.ts'

/** Everything that the store keeps, in the order in which rows are read: what others refer to comes first. */
export const collections: { readonly [K in Kind]: Collection<K> } = {
  network,
  attachment,
  declared,
  discovered,
  dead,
  access,
  vlans,
  holding,
  overlay,
  node,
  nodelink,
}

/** The words for them, in the same order. */
export const kinds = Object.keys(collections) as readonly Kind[]
