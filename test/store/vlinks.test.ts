import t from 'tap'
import { attach, detach, putDeclaredLink, putNetwork, setMirror } from '../../store/desired.ts'
import { openDraft } from '../../store/draft.ts'
import { isRefusal } from '../../store/refusals.ts'
import { parseRow } from '../../store/rows.ts'
import { emptyTables } from '../../store/tables.ts'
import { deleteVlink, putVlink, type VlinkSpec } from '../../store/vlinks.ts'
import { pathsId } from '../../topology/vlink-route.ts'
import { backends, dpid, snapshot } from './backends.ts'

const [a, b, c, d] = [dpid(1), dpid(2), dpid(3), dpid(4)]
const at = (dpid: string, port: number) => ({ dpid, port })
const spec = (more: Partial<VlinkSpec> = {}): VlinkSpec => ({
  from: at(a, 1),
  to: at(c, 1),
  path: [a, b, c],
  ...more,
})
const draftWith = (...networks: string[]) => {
  const { draft } = openDraft(emptyTables({ firstNumber: 100 }))
  for (const id of networks) putNetwork(draft, id)
  return draft
}

t.test('a vlink has two ends, a path, the same path back, and a number for each way', async t => {
  const draft = draftWith()
  const planned = { from: at(a, 1), to: at(c, 1), path: [a, b, c], reversePath: [c, b, a], reroute: false }
  const way = pathsId([a, b, c], [c, b, a])
  const network = { id: 'l', number: 100, way, vlink: { ...planned, reverseNumber: 101 }, revision: 1 }
  t.strictSame(putVlink(draft, 'l', spec()), { created: true, network })
  t.strictSame(putVlink(draft, 'l', spec()), { created: false, network }, 'asked for again it is what it was')
  t.ok(draft.accessPorts.has(`${a}/1`) && draft.accessPorts.has(`${c}/1`), 'its ends are never believed to be links')
})

t.test('names of switches may be spelled as people do', async t => {
  const put = putVlink(draftWith(), 'l', {
    from: { dpid: `of:${a}`, port: '1' },
    to: { dpid: c.toUpperCase(), port: '7' },
    path: [`of:${a}`, `OF:${c}`],
    reversePath: [c, d, b, a],
  })
  t.match(put, { network: { vlink: { to: at(c, 7), path: [a, c], reversePath: [c, d, b, a] } } })
})

t.test('both ends may be on one switch', async t => {
  t.match(putVlink(draftWith(), 'l', spec({ to: at(a, 2), path: [a] })), { created: true })
})

t.test('what is no vlink is refused, and the refusal says why', async t => {
  for (const [more, refused, detail] of [
    [{ to: at(a, 1), path: [a] }, 'bad-vlink', /begin and end at port/],
    [{ path: [] }, 'bad-vlink', /must name all switches from .*1 to .*3, both included, and it is empty/],
    [{ path: [b, c] }, 'bad-vlink', /and it leads from .*2 to .*3/],
    [{ path: [a, b] }, 'bad-vlink', /leads from .*1 to .*2/],
    [{ path: [a, b, a, c] }, 'bad-vlink', /path passes switch .*1 twice/],
    [{ reversePath: [a, b, c] }, 'bad-vlink', /reversePath must name all switches from .*3 to .*1/],
    [{ path: ['x'] }, 'bad-dpid', /16 hex digits/],
    [{ from: at('x', 1) }, 'bad-dpid', /./],
    [{ to: at(c, 0) }, 'bad-port', /./],
    [{ bandwidth: 999 }, 'bad-vlink', /bandwidth is 999: expected 1000 to/],
    [{ bandwidth: 1e15 }, 'bad-vlink', /bandwidth/],
    [{ bandwidth: 1000.5 }, 'bad-vlink', /bandwidth/],
    [{ latency: 0 }, 'bad-vlink', /latency/],
  ] as const) {
    const draft = draftWith()
    t.match(putVlink(draft, 'l', spec(more)), { refused, detail })
    t.equal(draft.networks.size, 0)
  }
  t.match(putVlink(draftWith(), '..', spec()), { refused: 'bad-id' })
})

t.test('a port of a vlink is nothing else, and nothing else becomes an end of one', async t => {
  const link = { from: at(a, 1), to: at(d, 40) }
  for (const [what, use] of [
    ['an attachment', (draft, port) => attach(draft, { network: 'red', ...port })],
    ['a tagged attachment', (draft, port) => attach(draft, { network: 'red', ...port, vlan: 7 })],
    ['a trunk', (draft, port) => attach(draft, { network: 'red', ...port, trunk: true })],
    ['a mirror', (draft, port) => setMirror(draft, 'red', port)],
    ['another vlink', (draft, port) => putVlink(draft, 'other', spec({ from: port, to: at(c, 9) }))],
    ['a declared link', (draft, port) => putDeclaredLink(draft, { ...link, from: port })],
  ] as [string, (draft: ReturnType<typeof draftWith>, port: ReturnType<typeof at>) => unknown][]) {
    const after = draftWith('red')
    putVlink(after, 'l', spec())
    t.match(use(after, at(a, 1)), { refused: 'vlink-port-taken', detail: /end of vlink (l|other) at once/ }, what)
    const before = draftWith('red')
    t.notOk(isRefusal(use(before, at(a, 1))), what)
    t.match(putVlink(before, 'l', spec()), { refused: 'vlink-port-taken', detail: /port .*\/1 can't be/ }, what)
  }
})

t.test('a vlink takes no attachment and no mirror, and a network does not become one', async t => {
  const draft = draftWith('red')
  putVlink(draft, 'l', spec())
  t.match(attach(draft, { network: 'l', ...at(a, 5) }), { refused: 'network-is-vlink' })
  t.match(setMirror(draft, 'l', at(a, 5)), { refused: 'network-is-vlink' })
  t.match(putNetwork(draft, 'l'), { refused: 'network-is-vlink' })
  t.match(putVlink(draft, 'red', spec({ from: at(a, 5), to: at(c, 5) })), { refused: 'network-is-no-vlink' })
  t.match(detach(draft, 'l', a, 1), { detached: false })
})

t.test('other ends go under other numbers; other paths and wishes do not', async t => {
  const numbers = (...wishes: VlinkSpec[]) => {
    const draft = draftWith()
    return wishes.map(each => {
      const put = putVlink(draft, 'l', each)
      if (isRefusal(put)) throw new Error(put.detail)
      return [put.network.number, put.network.vlink!.reverseNumber]
    })
  }
  const more = { bandwidth: 20e6, latency: 8e5, reroute: true }
  for (const other of [more, { path: [a, c] }, { reversePath: [c, a] }])
    t.strictSame(numbers(spec(), spec(other)), [
      [100, 101],
      [100, 101],
    ])
  for (const other of [{ from: at(a, 2) }, { to: at(c, 2) }])
    t.strictSame(numbers(spec(), spec(other)), [
      [100, 101],
      [102, 103],
    ])
})

t.test('what a spec does not say any more is not wished for any more', async t => {
  const draft = draftWith()
  putVlink(draft, 'l', spec({ bandwidth: 20e6, latency: 8e5, reroute: true }))
  const put = putVlink(draft, 'l', spec())
  t.notOk(isRefusal(put) || 'bandwidth' in put.network.vlink! || 'latency' in put.network.vlink!)
  t.match(put, { network: { vlink: { reroute: false } } })
})

t.test('when it is deleted its ports are free, and nothing else of that name goes', async t => {
  const draft = draftWith('red')
  putVlink(draft, 'l', spec())
  t.strictSame(deleteVlink(draft, 'red'), { deleted: false })
  t.strictSame(deleteVlink(draft, 'l'), { deleted: true })
  t.strictSame(deleteVlink(draft, 'l'), { deleted: false })
  t.strictSame([...draft.networks.keys()], ['red'])
  t.match(attach(draft, { network: 'red', ...at(a, 1) }), { created: true })
  t.match(putVlink(draft, 'l', spec({ from: at(a, 2) })), { created: true })
})

for (const { name, open, survives } of backends) {
  t.test(`a ${name} store keeps vlinks, and none that may not be`, async t => {
    const store = await open(t.testdir())
    await store.write(draft => {
      putNetwork(draft, 'red')
      attach(draft, { network: 'red', ...at(a, 5) })
      putDeclaredLink(draft, { from: at(a, 40), to: at(d, 40) })
      putVlink(draft, 'plain', spec({ from: at(a, 2), to: at(c, 2) }))
      return putVlink(draft, 'l', spec({ reversePath: [c, d, a], reroute: true, bandwidth: 20e6, latency: 8e5 }))
    })
    const before = snapshot(store)
    const { vlink, number } = store.state().networks.get('l')!
    const refuses = (more: object, message: RegExp) =>
      t.rejects(
        store.write(draft =>
          draft.putNetwork({ id: 'bad', number: 5, vlink: { ...vlink!, reverseNumber: 6, ...more } }),
        ),
        { message },
      )
    await refuses({}, /port .*1\/1 of vlink bad is network l's/)
    const free = { from: at(a, 8), to: at(c, 8) }
    await refuses({ ...free, from: at(a, 5) }, /is network red's/)
    await refuses({ ...free, from: at(a, 40) }, /is an end of declared link/)
    await refuses({ ...free, reverseNumber: number }, /number .* is network l's/)
    await refuses({ ...free, reverseNumber: 5 }, /more than one thing/)
    await refuses({ ...free, path: [a, b] }, /does not lead from/)
    await refuses({ ...free, path: [a, b, b, c] }, /does not lead from/)
    await refuses({ ...free, to: free.from, path: [a], reversePath: [a] }, /at both ends/)
    const port = { dpid: a, port: 6, guard: 'learn' } as const
    const rejects = (message: RegExp, decide: Parameters<typeof store.write>[0]) =>
      t.rejects(store.write(decide), { message })
    await rejects(/which is a vlink/, draft => draft.putAttachment({ ...port, network: 'l' }))
    await rejects(/is an end of vlink l/, draft => draft.putAttachment({ ...port, network: 'red', port: 1 }))
    await rejects(/is an end of vlink l/, draft => draft.putDeclaredLink({ from: at(a, 1), to: at(d, 1) }))
    await rejects(/has a mirror/, draft => {
      const { revision: _, ...network } = draft.networks.get('l')!
      draft.putNetwork({ ...network, mirror: { ...at(a, 9), number: 7 } })
    })
    t.strictSame(snapshot(store), before)
    await store.close()
    if (!survives) return
    const again = await open(t.testdirName)
    t.teardown(() => again.close())
    t.strictSame(snapshot(again), before)
    t.match(await again.write(draft => attach(draft, { network: 'red', ...at(a, 1) })), { refused: 'vlink-port-taken' })
  })
}

t.test(
  'a row of a file of before there were vlinks is a network; one that is half a vlink is none of ours',
  async t => {
    const row = (value: object) =>
      parseRow({ kind: 'network', key: 'l', value: JSON.stringify({ id: 'l', number: 1, ...value }), revision: 3 })
    t.strictSame(row({}), { kind: 'network', key: 'l', before: undefined, after: { id: 'l', number: 1, revision: 3 } })
    const vlink = { ...spec(), reversePath: [c, b, a], reverseNumber: 2, reroute: false }
    t.match(row({ vlink }), { after: { vlink } })
    for (const more of [
      { from: a },
      { path: 'abc' },
      { path: [1] },
      { reverseNumber: '2' },
      { reroute: 1 },
      { bandwidth: '20M' },
    ])
      t.equal(row({ vlink: { ...vlink, ...more } }), undefined, JSON.stringify(more))
  },
)
