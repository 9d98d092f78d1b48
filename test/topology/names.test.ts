import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import t from 'tap'
import { bridgeName, datapathOf, interfaceNames, tunnelName } from '../../topology/names.ts'

/** sha256 as somebody else computes it. */
const sha256 = (text: string) => execFileSync('sha256sum', { input: text, encoding: 'utf8' }).slice(0, 64)

t.test('a bridge and its datapath are named as today’s L2S-M names them', async t => {
  const bridge = `br-${sha256('worker-1l2sm-controller').slice(0, 8)}`
  t.equal(bridgeName('worker-1'), bridge)
  t.equal(bridgeName('worker-1', 'other'), `br-${sha256('worker-1other').slice(0, 8)}`)
  t.equal(datapathOf(bridge), sha256(bridge).slice(0, 16))
  t.equal(interfaceNames(bridge).bridgePrefix, `ls${sha256(bridge).slice(0, 5)}`)
})

t.test('every name is one that Linux takes for a device', async t => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.integer({ min: 1, max: 10_000 }), (node, peer, number) => {
      const bridge = bridgeName(node)
      const { bridgePrefix, podPrefix } = interfaceNames(bridge)
      return [bridge, `${bridgePrefix}${number}`, `${podPrefix}${number}`, tunnelName(bridge, peer)].every(name =>
        /^[a-z0-9-]{1,15}$/.test(name),
      )
    }),
  )
  t.pass()
})
