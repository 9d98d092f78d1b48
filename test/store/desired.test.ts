import t from 'tap'
import {
  attach,
  deleteDeclaredLink,
  deleteNetwork,
  detach,
  ensureAttached,
  putDeclaredLink,
  putNetwork,
  setMirror,
} from '../../store/desired.ts'
import { openDraft } from '../../store/draft.ts'
import { moveAttachment } from '../../store/moves.ts'
import { isRefusal, type RefusalCode, refusals } from '../../store/refusals.ts'
import { emptyTables } from '../../store/tables.ts'
import { dpid } from './backends.ts'

/** A draft of a state with networks red and blue. */
const draftWith = (...networks: string[]) => {
  const { draft } = openDraft(emptyTables({ firstNumber: 100 }))
  for (const id of networks) putNetwork(draft, id)
  return draft
}
const [s1, s2, s3] = [dpid(1), dpid(2), dpid(3)]
const at = (dpid: string, port: number) => ({ dpid, port })

t.test('networks', async t => {
  t.test('putting a network twice is putting it once', async t => {
    const draft = draftWith()
    const first = putNetwork(draft, 'red')
    t.strictSame(first, { created: true, network: { id: 'red', number: 100, revision: 1 } })
    t.strictSame(putNetwork(draft, 'red'), { created: false, network: { id: 'red', number: 100, revision: 1 } })
  })

  t.test('two networks never share a number', async t => {
    const draft = draftWith('red', 'blue')
    t.not(draft.networks.get('red')!.number, draft.networks.get('blue')!.number)
  })

  t.test('whether it snoops multicast is kept until said otherwise', async t => {
    const draft = draftWith('red')
    t.match(putNetwork(draft, 'red', { multicast: 'snoop' }), { network: { multicast: 'snoop' } })
    t.match(setMirror(draft, 'red', at(s1, 9)), { network: { multicast: 'snoop', mirror: { port: 9 } } })
    t.match(putNetwork(draft, 'red'), { created: false, network: { multicast: 'snoop' } })
    const { network } = putNetwork(draft, 'red', { multicast: 'flood' }) as { network: object }
    t.notOk('multicast' in network)
  })

  t.test('an id that is none is refused', async t => {
    for (const id of ['', '.', '..', 'a/b', 'a b', 'ä', 'a\n', 'x'.repeat(318)])
      t.match(putNetwork(draftWith(), id), { refused: 'bad-id', detail: /not a network id: expected 1 to 317/ }, id)
    for (const id of ['...', 'a', 'ns.name', 'A:b_c-0', 'x'.repeat(317), '__proto__', 'constructor'])
      t.match(putNetwork(draftWith(), id), { created: true }, id)
  })

  t.test('deleting a network detaches its ports, and no others', async t => {
    const draft = draftWith('red', 'blue')
    attach(draft, { network: 'red', ...at(s1, 1) })
    attach(draft, { network: 'red', ...at(s2, 1) })
    attach(draft, { network: 'blue', ...at(s1, 2) })
    t.strictSame(deleteNetwork(draft, 'red'), { deleted: true })
    t.strictSame([...draft.networks.keys()], ['blue'])
    t.strictSame([...draft.attachments.keys()], [`${s1}/2`])
    t.strictSame([...draft.members.keys()], ['blue'])
    t.match(attach(draft, { network: 'blue', ...at(s1, 1) }), { created: true }, 'they are free for others')
  })

  t.test('deleting an unknown network changes nothing', async t => {
    const draft = draftWith('red')
    t.strictSame(deleteNetwork(draft, 'blue'), { deleted: false })
    t.strictSame(deleteNetwork(draft, '..'), { deleted: false })
    t.equal(draft.revision, 1)
  })
})

t.test('attachments', async t => {
  t.test('attaching twice is attaching once', async t => {
    const draft = draftWith('red')
    const wish = { network: 'red', ...at(s1, 1), mac: '02:00:00:00:00:01', ips: ['10.0.0.1/24'], name: 'pod' }
    t.strictSame(attach(draft, wish), {
      created: true,
      attachment: { ...wish, guard: 'mac', revision: 1 },
    })
    t.match(attach(draft, wish), { created: false })
  })

  t.test('dpid, port and mac are taken in any spelling', async t => {
    const draft = draftWith('red')
    const put = attach(draft, { network: 'red', dpid: 'of:00000000000000AB', port: '7', mac: '02-AB-00-00-00-01' })
    t.match(put, { attachment: { dpid: '00000000000000ab', port: 7, mac: '02:ab:00:00:00:01' } })
    t.match(attach(draft, { network: 'red', dpid: '00000000000000ab', port: 7, mac: '02:ab:00:00:00:01' }), {
      created: false,
    })
  })

  t.test('guard is mac when a mac is given, learn when none is, and as asked otherwise', async t => {
    const draft = draftWith('red')
    const mac = '02:00:00:00:00:01'
    t.match(attach(draft, { network: 'red', ...at(s1, 1) }), { attachment: { guard: 'learn' } })
    t.match(attach(draft, { network: 'red', ...at(s1, 1), mac }), { attachment: { guard: 'mac' } })
    t.match(attach(draft, { network: 'red', ...at(s1, 1), mac, guard: 'learn' }), { attachment: { guard: 'learn' } })
    t.match(attach(draft, { network: 'red', ...at(s1, 1), guard: 'mac' }), {
      refused: 'bad-guard',
      detail: /gives no mac/,
    })
  })

  t.test('a wish replaces the one before it', async t => {
    const draft = draftWith('red')
    attach(draft, { network: 'red', ...at(s1, 1), mac: '02:00:00:00:00:01', ips: ['10.0.0.1'], name: 'pod' })
    const put = attach(draft, { network: 'red', ...at(s1, 1), name: 'other' })
    t.strictSame(put, {
      created: false,
      attachment: { network: 'red', ...at(s1, 1), name: 'other', guard: 'learn', revision: 1 },
    })
  })

  t.test('what ensureAttached finds attached keeps its mac and guard', async t => {
    const draft = draftWith('red', 'blue')
    attach(draft, { network: 'red', ...at(s1, 1), mac: '02:00:00:00:00:01' })
    t.match(ensureAttached(draft, 'red', at(s1, 1)), { created: false, attachment: { mac: '02:00:00:00:00:01' } })
    t.match(ensureAttached(draft, 'red', at(s1, 2)), { created: true, attachment: { guard: 'learn' } })
    t.match(ensureAttached(draft, 'blue', at(s1, 1)), { refused: 'port-attached-elsewhere' })
    t.match(ensureAttached(draft, 'green', at(s1, 3)), { refused: 'unknown-network' })
    t.match(ensureAttached(draft, 'red', { dpid: 'x', port: 1 }), { refused: 'bad-dpid' })
    t.match(ensureAttached(draft, 'blue', at(s1, 1), { move: true }), { created: true })
  })

  t.test('a port is in one network', async t => {
    const draft = draftWith('red', 'blue')
    attach(draft, { network: 'red', ...at(s1, 1) })
    const refused = attach(draft, { network: 'blue', ...at(s1, 1) })
    t.match(refused, { refused: 'port-attached-elsewhere', detail: /0001\/1 can't be in network blue: .*network red/ })
    t.match(attach(draft, { network: 'blue', ...at(s2, 1) }), { created: true }, 'the same number on another switch')
  })

  t.test('a port that moves is in the other network, and no longer in this one', async t => {
    const draft = draftWith('red', 'blue')
    const mac = '02:00:00:00:00:01'
    attach(draft, { network: 'red', ...at(s1, 1), mac })
    t.match(attach(draft, { network: 'blue', ...at(s1, 1), mac }, { move: true }), { created: true })
    t.notOk(draft.members.has('red'))
    t.strictSame([...draft.members.get('blue')!.keys()], [`${s1}/1`])
    t.match(attach(draft, { network: 'red', ...at(s1, 2), mac }), { created: true }, 'its MAC is free in the old one')
  })

  t.test('an unknown network, and what is no port, MAC or IP, are refused', async t => {
    const draft = draftWith('red')
    const cases: [RefusalCode, Partial<Parameters<typeof attach>[1]>][] = [
      ['unknown-network', { network: 'green' }],
      ['bad-id', { network: '' }],
      ['bad-dpid', { dpid: '1' }],
      ['bad-port', { port: 0 }],
      ['bad-port', { port: '4294967041' }],
      ['bad-mac', { mac: '01:00:5e:00:00:01' }],
      ['bad-mac', { mac: '' }],
      ['bad-ip', { ips: ['10.0.0.1', '10.0.0.256'] }],
    ]
    for (const [code, part] of cases)
      t.match(attach(draft, { network: 'red', ...at(s1, 1), ...part }), { refused: code }, code)
    t.equal(draft.attachments.size, 0)
  })

  t.test('a MAC is pinned to one port of a network', async t => {
    const draft = draftWith('red', 'blue')
    const mac = '02:00:00:00:00:01'
    attach(draft, { network: 'red', ...at(s1, 1), mac })
    t.match(attach(draft, { network: 'red', ...at(s1, 2), mac }), {
      refused: 'mac-taken',
      detail: /pinned to port 0000000000000001\/1/,
    })
    t.match(attach(draft, { network: 'blue', ...at(s1, 2), mac }), { created: true }, 'other networks may have it too')
    attach(draft, { network: 'red', ...at(s1, 1), mac: '02:00:00:00:00:02' })
    t.match(attach(draft, { network: 'red', ...at(s1, 3), mac }), { created: true }, 'it is free when given up')
    deleteNetwork(draft, 'red')
    putNetwork(draft, 'red')
    t.match(attach(draft, { network: 'red', ...at(s1, 4), mac }), { created: true }, 'or when its network is gone')
  })

  t.test('a port is detached from the network it is in, and from no other', async t => {
    const draft = draftWith('red', 'blue')
    attach(draft, { network: 'red', ...at(s1, 1) })
    t.strictSame(detach(draft, 'blue', s1, 1), { detached: false })
    t.equal(draft.attachments.size, 1)
    t.strictSame(detach(draft, 'red', `of:${s1}`, '1'), { detached: true })
    t.strictSame(detach(draft, 'red', s1, 1), { detached: false })
    t.strictSame(detach(draft, 'green', s1, 1), { detached: false })
    t.match(detach(draft, 'red', 'x', 1), { refused: 'bad-dpid' })
    t.equal(draft.attachments.size, 0)
    t.strictSame([...draft.accessPorts], [`${s1}/1`])
  })
})

t.test('mirrors', async t => {
  t.test('a mirror comes, stays when nothing is said of it, moves under another number, and goes', async t => {
    const draft = draftWith('red')
    setMirror(draft, 'red', at(s1, 9))
    const first = draft.networks.get('red')!.mirror!
    t.match(first, at(s1, 9))
    t.not(first.number, draft.networks.get('red')!.number)
    putNetwork(draft, 'red')
    setMirror(draft, 'red', { dpid: `of:${s1}`, port: '9' })
    t.strictSame(draft.networks.get('red')!.mirror, first)
    setMirror(draft, 'red', at(s2, 9))
    t.match(draft.networks.get('red')!.mirror, at(s2, 9))
    t.not(draft.networks.get('red')!.mirror!.number, first.number)
    t.match(setMirror(draft, 'red', null), { network: { id: 'red' } })
    t.notOk('mirror' in draft.networks.get('red')!)
    t.match(setMirror(draft, 'green', null), { refused: 'unknown-network' })
  })

  t.test('a mirror may be a member of its own network, not of another', async t => {
    const draft = draftWith('red', 'blue')
    attach(draft, { network: 'red', ...at(s1, 1) })
    t.match(setMirror(draft, 'red', at(s1, 1)), { network: { mirror: at(s1, 1) } })
    t.match(setMirror(draft, 'blue', at(s1, 1)), { refused: 'mirror-port-elsewhere' })
    setMirror(draft, 'red', null)
    t.match(setMirror(draft, 'blue', at(s1, 1)), { refused: 'port-attached-elsewhere' })
    setMirror(draft, 'red', at(s1, 2))
    t.match(attach(draft, { network: 'blue', ...at(s1, 2) }), {
      refused: 'mirror-port-elsewhere',
      detail: /0001\/2 can't be in network blue: it is the mirror of network red/,
    })
    t.match(attach(draft, { network: 'red', ...at(s1, 2) }), { created: true })
    t.match(attach(draft, { network: 'blue', ...at(s1, 2) }, { move: true }), { refused: 'mirror-port-elsewhere' })
    deleteNetwork(draft, 'red')
    t.match(attach(draft, { network: 'blue', ...at(s1, 2) }), { created: true })
  })

  t.test('a mirror that is none is refused', async t => {
    const draft = draftWith('red')
    t.match(putNetwork(draft, 'blue', { mirror: { dpid: 'x', port: 1 } }), { refused: 'bad-dpid' })
    t.match(setMirror(draft, 'red', { dpid: s1, port: 0 }), { refused: 'bad-port' })
  })
})

t.test('declared links', async t => {
  const link = { from: at(s1, 40), to: at(s2, 41) }
  const back = { from: at(s2, 41), to: at(s1, 40) }

  t.test('a link is declared both ways at once, from either end', async t => {
    const draft = draftWith()
    t.strictSame(putDeclaredLink(draft, link), { created: true })
    t.strictSame(putDeclaredLink(draft, back), { created: false })
    t.strictSame([...draft.declaredLinks.values()], [link, back])
    t.strictSame(deleteDeclaredLink(draft, back), { deleted: true })
    t.strictSame(deleteDeclaredLink(draft, link), { deleted: false })
    t.equal(draft.declaredLinks.size, 0)
    t.match(putDeclaredLink(draft, { from: at(s1, 40), to: at(s3, 1) }), { created: true }, 'its ports are free again')
  })

  t.test('a port is an end of one link', async t => {
    const draft = draftWith()
    putDeclaredLink(draft, link)
    const elsewhere = at(s3, 1)
    for (const taken of [link.from, link.to]) {
      t.match(putDeclaredLink(draft, { from: taken, to: elsewhere }), { refused: 'link-conflict' })
      t.match(putDeclaredLink(draft, { from: elsewhere, to: taken }), { refused: 'link-conflict' })
    }
    t.equal(draft.declaredLinks.size, 2)
  })

  t.test('a link joins two switches', async t => {
    const draft = draftWith()
    t.match(putDeclaredLink(draft, { from: at(s1, 1), to: at(s1, 2) }), { refused: 'bad-link' })
    t.match(putDeclaredLink(draft, { from: at(s1, 0), to: at(s2, 2) }), { refused: 'bad-port' })
    t.match(deleteDeclaredLink(draft, { from: at(s1, 1), to: at('x', 2) }), { refused: 'bad-dpid' })
  })

  t.test('an end of a link is not in a network, nor a mirror', async t => {
    const draft = draftWith('red')
    putDeclaredLink(draft, link)
    for (const end of [link.from, link.to]) {
      t.match(attach(draft, { network: 'red', ...end }), { refused: 'link-port-attached' })
      t.match(setMirror(draft, 'red', end), { refused: 'link-port-attached' })
    }
    attach(draft, { network: 'red', ...at(s1, 1) })
    setMirror(draft, 'red', at(s1, 2))
    for (const port of [1, 2]) {
      t.match(putDeclaredLink(draft, { from: at(s1, port), to: at(s3, 1) }), { refused: 'link-port-attached' })
      t.match(putDeclaredLink(draft, { from: at(s3, 1), to: at(s1, port) }), { refused: 'link-port-attached' })
    }
  })
})

t.test('every refusal has a status, a title and a sentence that names what it was given', async t => {
  for (const [code, { status, title, sentence }] of Object.entries(refusals)) {
    t.ok(status >= 400 && status < 600, code)
    t.match(title, /^[A-Z]/, code)
    const names = ['first', 'second', 'third', 'fourth'].slice(0, sentence.length)
    const said = (sentence as (...about: string[]) => string)(...names)
    for (const name of names) t.ok(said.includes(name), `${code} names its ${name}`)
  }
})

t.test('a refusal shows control characters, and cuts what is long', async t => {
  const refused = putNetwork(draftWith(), `\u001b[31m${'x'.repeat(1000)}`)
  t.ok(isRefusal(refused) && refused.detail.length < 300 && !refused.detail.includes('\u001b'))
})

t.test('what probes say of a link stays said, whatever is written about the link', async t => {
  const draft = draftWith()
  const link = { from: at(s1, 1), to: at(s2, 1) }
  const key = `${s1}/1/${s2}/1`
  draft.putDiscoveredLink(link)
  draft.setDead(key, true)
  t.strictSame(putDeclaredLink(draft, { ...link, cost: 2 }), { created: true })
  t.equal(draft.deadLinks.has(key), true, 'the first word of an operator does not heal it')
  t.strictSame(putDeclaredLink(draft, link), { created: false })
  t.equal(draft.deadLinks.has(key), true)
  draft.setDead(key, false)
  putDeclaredLink(draft, { ...link, cost: 3 })
  t.equal(draft.deadLinks.has(key), false)
})

t.test(
  'a port that moves has the level of its new network, unless it has one of its own, and none is weaker unasked',
  async t => {
    const mac = '02:00:00:00:00:01'
    const moved = (from: 'strict' | undefined, to: 'strict' | 'learn' | undefined, own?: 'mac' | 'strict') => {
      const draft = draftWith()
      putNetwork(draft, 'red', { guard: from })
      putNetwork(draft, 'blue', { guard: to })
      attach(draft, { network: 'red', ...at(s1, 1), mac, ips: ['10.0.0.1'], guard: own })
      for (const _ of ['once', 'again']) {
        const answer = moveAttachment(draft, 'red', at(s1, 1), 'blue')
        if (isRefusal(answer)) return answer.refused
      }
      return draft.attachments.get(`${s1}/1`)!.guard
    }
    t.equal(moved(undefined, 'strict'), 'strict')
    t.equal(moved('strict', undefined), 'strict')
    t.equal(moved('strict', 'learn'), 'learn', 'it says so')
    t.equal(moved(undefined, undefined), 'mac')
    t.equal(moved('strict', 'strict', 'mac'), 'mac')
    t.equal(moved(undefined, 'learn', 'strict'), 'strict')
  },
)
