// What is known of addresses, whatever is claimed, moved and forgotten in whatever order.
import fc from 'fast-check'
import t from 'tap'
import { addressesPerPort, learnedAddresses } from '../../../controller/learning/learned-addresses.ts'

const dpid = '0000000000000001'
const mac = (n: number) => `02:00:00:00:00:${n.toString(16).padStart(2, '0')}`

t.test('the first claim of an address counts, and others learn where it is', async t => {
  const learned = learnedAddresses()
  const here = { mac: mac(1), dpid, port: 1 }
  t.equal(learned.claim(5, here), 'new')
  t.equal(learned.claim(5, here), 'known')
  t.strictSame(learned.claim(5, { ...here, port: 2 }), { elsewhere: here })
  t.equal(learned.claim(6, { ...here, port: 2 }), 'new', 'each network has its own')
  t.strictSame(learned.of(5), [here])
})

t.test('only the place that has an address can forget it', async t => {
  const learned = learnedAddresses()
  const here = { mac: mac(1), dpid, port: 1 }
  learned.claim(5, here)
  t.equal(learned.forget(5, { ...here, port: 2 }), false)
  t.equal(learned.forget(6, here), false)
  t.equal(learned.forget(5, here), true)
  t.strictSame(learned.of(5), [])
})

t.test(
  `a port has at most ${addressesPerPort} addresses, over all networks, and room again when one is forgotten`,
  async t => {
    const learned = learnedAddresses()
    const claims = Array.from({ length: addressesPerPort + 1 }, (_, i) =>
      learned.claim(i % 2, { mac: `02:00:00:00:01:${i.toString(16)}`, dpid, port: 1 }),
    )
    t.strictSame(claims.indexOf('full'), addressesPerPort)
    t.equal(learned.claim(0, { mac: mac(1), dpid, port: 2 }), 'new', 'another port is not concerned')
    learned.prune(0, () => false)
    t.equal(learned.claim(0, { mac: mac(2), dpid, port: 1 }), 'new')
  },
)

t.test('after any history an address is in one place, and as many are counted as there are', async () => {
  const place = fc.record({ mac: fc.integer({ min: 0, max: 5 }).map(mac), port: fc.integer({ min: 1, max: 3 }) })
  const step = fc.record({ does: fc.constantFrom('claim', 'move', 'forget', 'prune'), network: fc.nat(1), place })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const learned = learnedAddresses()
      const model = new Map<string, number>()
      for (const { does, network, place } of steps) {
        const at = { ...place, dpid }
        const key = `${network} ${at.mac}`
        if (does === 'claim') {
          const claim = learned.claim(network, at)
          const expected = !model.has(key) ? 'new' : model.get(key) === at.port ? 'known' : 'elsewhere'
          if ((typeof claim === 'object' ? 'elsewhere' : claim) !== expected) return false
          if (expected === 'new') model.set(key, at.port)
        } else if (does === 'move') {
          learned.move(network, at)
          model.set(key, at.port)
        } else if (does === 'forget') {
          if (learned.forget(network, at) !== (model.get(key) === at.port)) return false
          if (model.get(key) === at.port) model.delete(key)
        } else {
          learned.prune(network, l => l.port !== at.port)
          for (const [known, port] of model)
            if (known.startsWith(`${network} `) && port === at.port) model.delete(known)
        }
      }
      const found = [0, 1].flatMap(network => learned.of(network).map(l => `${network} ${l.mac} ${l.port}`))
      return JSON.stringify(found.sort()) === JSON.stringify([...model].map(([key, port]) => `${key} ${port}`).sort())
    }),
  )
})
