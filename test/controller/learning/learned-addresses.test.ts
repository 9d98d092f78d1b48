// What is known of addresses, whatever is claimed, moved and forgotten in whatever order.
import fc from 'fast-check'
import t from 'tap'
import { addressesPerPort, learnedAddresses } from '../../../controller/learning/learned-addresses.ts'
import { isSender, macNumber, macText, readMac } from '../../../controller/learning/mac.ts'

const dpid = '0000000000000001'
const mac = (n: number) => 0x0200_0000_0000 + n
const at = (port: number) => ({ dpid, port })
const where = (l: { mac: string; dpid: string; port: number }) => ({ mac: l.mac, dpid: l.dpid, port: l.port })
const make = (now = () => 0) => learnedAddresses(now)

t.test('the first claim of an address counts, and others learn where it is', async t => {
  const learned = make()
  t.equal(learned.claim(5, mac(1), dpid, 1), 'new')
  t.equal(learned.claim(5, mac(1), dpid, 1), 'known')
  t.match(learned.claim(5, mac(1), dpid, 2), at(1))
  t.equal(learned.claim(6, mac(1), dpid, 2), 'new', 'each network has its own')
  t.strictSame(learned.of(5).map(where), [{ mac: '02:00:00:00:00:01', dpid, port: 1 }])
})

t.test('only the place that has an address can forget it', async t => {
  const learned = make()
  learned.claim(5, mac(1), dpid, 1)
  t.equal(learned.forget(5, mac(1), at(2)), false)
  t.equal(learned.forget(6, mac(1), at(1)), false)
  t.equal(learned.forget(5, mac(1), at(1)), true)
  t.strictSame(learned.of(5), [])
})

t.test(
  `a port has at most ${addressesPerPort} addresses, over all networks, and room again when one is forgotten`,
  async t => {
    const learned = make()
    const claims = Array.from({ length: addressesPerPort + 1 }, (_, i) => learned.claim(i % 2, mac(256 + i), dpid, 1))
    t.strictSame(claims.indexOf('full'), addressesPerPort)
    t.equal(learned.claim(0, mac(1), dpid, 2), 'new', 'another port is not concerned')
    t.equal(learned.claim(0, mac(1), dpid, 1), 'full', 'nor can it take what another has')
    learned.prune(0, () => false)
    t.equal(learned.claim(0, mac(2), dpid, 1), 'new')
  },
)

t.test('what is another than before is told by its MAC, once', async t => {
  const learned = make()
  learned.claim(5, mac(1), dpid, 1)
  learned.claim(5, mac(2), dpid, 1)
  t.strictSame([...learned.takeChanged(5)].sort(), ['02:00:00:00:00:01', '02:00:00:00:00:02'])
  t.equal(learned.takeChanged(5).size, 0)
  learned.claim(5, mac(1), dpid, 1)
  t.equal(learned.takeChanged(5).size, 0, 'what is known is no change')
  learned.move(5, mac(1), at(2))
  t.equal(learned.watch(5, mac(2), true), true)
  t.equal(learned.watch(5, mac(2), true), false)
  t.strictSame([...learned.takeChanged(5)].sort(), ['02:00:00:00:00:01', '02:00:00:00:00:02'])
  t.match(learned.at(5, mac(2)), { watched: true })
  learned.forget(5, mac(1), at(2))
  t.strictSame([...learned.takeChanged(5)], ['02:00:00:00:00:01'])
  t.equal(learned.takeChanged(6).size, 0, 'other networks have their own')
})

t.test('what a switch was read to hold counts, but not against what was learned since', async t => {
  let now = 0
  const learned = make(() => now)
  learned.claim(5, mac(1), dpid, 1)
  learned.claim(5, mac(2), dpid, 1)
  learned.claim(5, mac(3), '0000000000000002', 1)
  now = 1000
  learned.claim(5, mac(4), dpid, 1)
  const found = [2, 3, 5].map(n => ({ network: 5, mac: macText(mac(n)), dpid, port: 1 }))
  const { changed, elsewhere } = learned.recall(dpid, found, 500)
  t.strictSame([...changed], [5])
  t.strictSame(elsewhere, [found[1]], 'who had it first keeps it')
  t.strictSame(
    learned.of(5).map(l => `${macNumber(l.mac) - mac(0)} ${Number(l.dpid)}`),
    ['2 1', '3 2', '4 1', '5 1'],
  )
  t.strictSame([...learned.recall(dpid, found, 500).changed], [], 'read again, nothing is new')
})

t.test('a frame that says an IPv4 address tells what its sender can be asked for', async t => {
  const learned = make()
  const frame = Buffer.alloc(60)
  frame.writeUInt16BE(0x0806, 12)
  frame.writeUInt32BE(0x0a00_0007, 28)
  learned.claim(5, mac(1), dpid, 1, frame)
  learned.claim(5, mac(2), dpid, 1, Buffer.alloc(60))
  t.strictSame([learned.ipv4Of(5, mac(1)), learned.ipv4Of(5, mac(2))], [0x0a00_0007, undefined])
  learned.move(5, mac(1), at(2))
  t.equal(learned.ipv4Of(5, mac(1)), 0x0a00_0007, 'wherever it is')
})

t.test('addresses are numbers and texts alike', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), bytes => {
      const frame = Buffer.concat([Buffer.alloc(6), bytes])
      const text = Buffer.from(bytes).toString('hex').replace(/../g, '$&:').slice(0, -1)
      const number = readMac(frame, 6)
      if (macText(number) !== text || macNumber(text) !== number) return false
      return isSender(number) === ((bytes[0]! & 1) === 0 && bytes.some(b => b > 0))
    }),
  )
})

t.test('after any history an address is in one place, and as many are counted as there are', async () => {
  const place = fc.record({ mac: fc.integer({ min: 0, max: 5 }), port: fc.integer({ min: 1, max: 3 }) })
  const step = fc.record({ does: fc.constantFrom('claim', 'move', 'forget', 'prune'), network: fc.nat(1), place })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const learned = make()
      const model = new Map<string, number>()
      const before = new Map<string, number>()
      for (const { does, network, place } of steps) {
        const { port } = place
        const text = macText(mac(place.mac))
        const key = `${network} ${text}`
        if (does === 'claim') {
          const claim = learned.claim(network, mac(place.mac), dpid, port)
          const expected = !model.has(key) ? 'new' : model.get(key) === port ? 'known' : 'elsewhere'
          if ((typeof claim === 'object' ? 'elsewhere' : claim) !== expected) return false
          if (expected === 'new') model.set(key, port)
        } else if (does === 'move') {
          learned.move(network, mac(place.mac), at(port))
          model.set(key, port)
        } else if (does === 'forget') {
          if (learned.forget(network, mac(place.mac), at(port)) !== (model.get(key) === port)) return false
          if (model.get(key) === port) model.delete(key)
        } else {
          learned.prune(network, l => l.port !== port)
          for (const [known, p] of model) if (known.startsWith(`${network} `) && p === port) model.delete(known)
        }
        if (steps.indexOf(steps.find(s => s.place === place)!) % 7 === 0)
          for (const n of [0, 1])
            for (const m of learned.takeChanged(n)) {
              const held = model.get(`${n} ${m}`)
              if (held === undefined) before.delete(`${n} ${m}`)
              else before.set(`${n} ${m}`, held)
            }
      }
      // Whoever follows the changes knows all of it.
      for (const n of [0, 1])
        for (const m of learned.takeChanged(n)) {
          const held = learned.at(n, macNumber(m))
          if (held) before.set(`${n} ${m}`, held.port)
          else before.delete(`${n} ${m}`)
        }
      const found = [0, 1].flatMap(network => learned.of(network).map(l => `${network} ${l.mac} ${l.port}`))
      const spelled = (m: Map<string, number>) => JSON.stringify([...m].map(([key, port]) => `${key} ${port}`).sort())
      return JSON.stringify(found.sort()) === spelled(model) && spelled(before) === spelled(model)
    }),
  )
})
