// GROUP_MOD: OpenFlow 1.3.5 §5.6, §6.5 and §7.3.4.2. METER_MOD: §5.7, §6.6 and §7.3.4.4.
import { type GroupMod, groups, type Message, type MeterMod, meterFlags, meters } from '../../openflow/index.ts'
import { checkActions } from './check.ts'
import { type Failure, groupModFailed, meterModFailed } from './errors.ts'
import { removeUsers } from './flow-mod.ts'
import { type Group, type Kind, type Meter, putGroup, removeGroup, type Switch } from './switch.ts'

/** What can be said against a GROUP_MOD without looking at the group table. */
export function checkGroupMod(kind: Kind, { command, groupType, groupId, buckets }: GroupMod): Failure | undefined {
  // §7.3.4.2: a delete names a group and nothing else.
  if (command === 'delete') return buckets.length > 0 ? groupModFailed('INVALID_GROUP') : undefined
  if (groupId > groups.max) return groupModFailed('INVALID_GROUP')
  if (groupType === 'indirect' && buckets.length !== 1) return groupModFailed('INVALID_GROUP')
  for (const { weight, actions } of buckets) {
    // §7.3.4.2: weight is for select groups only, and there it is more than 0 in a bucket that is to be chosen.
    if (weight > 0 && groupType !== 'select') return groupModFailed('INVALID_GROUP')
    const failure = checkActions(kind, actions)
    if (failure) return failure
  }
  return undefined
}

export function applyGroupMod(sw: Switch, message: GroupMod): Failure | Message[] {
  const failure = checkGroupMod(sw.kind, message)
  if (failure) return failure
  const { command, groupType, groupId, buckets } = message
  const group: Group = { groupType, groupId, buckets }
  if (command === 'delete') return deleteGroups(sw, groupId)
  if (command === 'add' && sw.groups.has(groupId)) return groupModFailed('GROUP_EXISTS')
  if (command === 'modify' && !sw.groups.has(groupId)) return groupModFailed('UNKNOWN_GROUP')
  if (command === 'add' && sw.groups.size >= sw.kind.maxGroups) return groupModFailed('OUT_OF_GROUPS')
  if (loops(sw, group)) return groupModFailed('LOOP')
  putGroup(sw, group)
  return []
}

const chained = ({ buckets }: Group): number[] =>
  buckets.flatMap(({ actions }) => actions.flatMap(action => (action.type === 'group' ? [action.groupId] : [])))

/** §7.4.4, OFPGMFC_LOOP: a group that, through others, executes itself. */
function loops(sw: Switch, group: Group): boolean {
  const seen = new Set<number>()
  const pending = chained(group)
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
    if (id === group.groupId) return true
    if (seen.has(id)) continue
    seen.add(id)
    const next = sw.groups.get(id)
    if (next) pending.push(...chained(next))
  }
  return false
}

/** §6.5: flows that use the group go with it; an unknown group is no error. */
function deleteGroups(sw: Switch, groupId: number): Message[] {
  const going = groupId === groups.all ? [...sw.groups.values()] : [sw.groups.get(groupId)].filter(g => g !== undefined)
  return going.flatMap(group => {
    removeGroup(sw, group)
    return removeUsers(sw, entry => entry.groups.has(group.groupId), 'group_delete')
  })
}

export function applyMeterMod(sw: Switch, { command, flags, meterId, bands }: MeterMod): Failure | Message[] {
  if (command === 'delete') return deleteMeters(sw, meterId)
  // §7.3.4.4: a rate is in kbit/s or in packets/s.
  const units = flags & (meterFlags.kbps | meterFlags.pktps)
  if (units === (meterFlags.kbps | meterFlags.pktps)) return meterModFailed('BAD_FLAGS')
  const virtual = meterId === meters.controller || meterId === meters.slowpath
  if (meterId === 0 || (meterId > meters.max && !virtual)) return meterModFailed('INVALID_METER')
  if (command === 'add' && sw.meters.has(meterId)) return meterModFailed('METER_EXISTS')
  if (command === 'modify' && !sw.meters.has(meterId)) return meterModFailed('UNKNOWN_METER')
  if (command === 'add' && sw.meters.size >= sw.kind.maxMeter) return meterModFailed('OUT_OF_METERS')
  if (units === 0 || flags > 15) return meterModFailed('BAD_FLAGS')
  if (bands.length === 0) return meterModFailed('OUT_OF_BANDS')
  if (bands.some(band => band.type !== 'drop')) return meterModFailed('BAD_BAND')
  if (bands.some(band => 'rate' in band && band.rate === 0)) return meterModFailed('BAD_RATE')
  sw.meters.set(meterId, { flags, meterId, bands: sw.kind.fillsBurst ? bands.map(filled) : bands })
  return []
}

/** Without a burst size, that of one second. */
const filled = (band: Meter['bands'][number]): Meter['bands'][number] =>
  'burstSize' in band && band.burstSize === 0 ? { ...band, burstSize: band.rate } : band

/** §6.6: flows that use the meter go with it; an unknown meter is no error. */
function deleteMeters(sw: Switch, meterId: number): Message[] {
  const going = meterId === meters.all ? [...sw.meters.keys()] : sw.meters.has(meterId) ? [meterId] : []
  return going.flatMap(id => {
    sw.meters.delete(id)
    sw.metered.delete(id)
    return removeUsers(sw, entry => entry.meters.has(id), 'meter_delete')
  })
}
