/**
 * Networks in the form that L2S-M first had: a NetworkAttachmentDefinition whose config is
 * `{"type": "host-device", "device": "l2sm-vNet"}` is a network of its name. Pure.
 */

import type { Nad } from '../kube/objects.ts'

export const isNetworkNad = ({ spec }: Pick<Nad, 'spec'>): boolean => {
  const text = spec?.config ?? ''
  if (!text.includes('l2sm-vNet')) return false
  try {
    const config = JSON.parse(text)
    return config?.type === 'host-device' && config?.device === 'l2sm-vNet'
  } catch {
    return false
  }
}
