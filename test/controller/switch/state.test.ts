// Which switches lack something of a network is counted as it changes.
import fc from 'fast-check'
import t from 'tap'
import {
  confirm,
  doubt,
  has,
  leave,
  leaveAll,
  newLacking,
  newSwitch,
  refuse,
  type Switch,
  want,
} from '../../../controller/switch/state.ts'

type Event = readonly [what: number, sw: number, network: number]

t.test('after any history, who lacks a network is who has not confirmed it, or refused it', async t => {
  const event: fc.Arbitrary<Event> = fc.tuple(fc.nat(6), fc.nat(2), fc.nat(2))
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), events => {
      const lacking = newLacking()
      const switches = [0, 1, 2].map((n): Switch => {
        const sw = newSwitch(`${n}`, lacking)
        sw.session = {} as NonNullable<Switch['session']>
        sw.phase = { is: 'live' }
        return sw
      })
      for (const [serial, [what, n, network]] of events.entries()) {
        const sw = switches[n]!
        if (what === 0) want(sw, network, serial, 1)
        if (what === 1) confirm(sw, network, serial)
        if (what === 2) confirm(sw, network, serial - 5)
        if (what === 3) doubt(sw, network, serial, 1)
        if (what === 4) leave(sw, network)
        if (what === 5) leaveAll(sw)
        if (what === 6) refuse(sw, network, serial % 2 === 0 ? { by: 'switch', words: 'table full' } : undefined)
        for (const number of [0, 1, 2]) {
          const counted = [...lacking.of(number)].map(({ dpid }) => dpid).sort()
          const asked = switches.filter(one => !has(one, number)).map(({ dpid }) => dpid)
          if (counted.join() !== asked.join()) throw new Error(`network ${number}: ${counted} counted, ${asked} asked`)
        }
      }
    }),
  )
  t.pass('all the same')
})
