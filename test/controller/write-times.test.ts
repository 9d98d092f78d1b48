import t from 'tap'
import { newWriteTimes } from '../../controller/write-times.ts'
import { putNetwork, setMirror } from '../../store/desired.ts'
import { openMemory } from '../../store/memory.ts'
import type { Draft, Write } from '../../store/store.ts'

const timing = () => {
  const store = openMemory()
  let confirmed = 0
  let now = 0
  const told: { network: string; seconds: number; written: number }[] = []
  const times = newWriteTimes({
    isConfirmed: (_network, _number, serial) => serial <= confirmed,
    now: () => now,
    emit: event => event.kind === 'network-programmed' && told.push(event),
  })
  store.watch(({ writes }) => {
    for (const write of writes) times.written({ ...write, acceptedAt: now } satisfies Write)
  })
  const number = () => store.state().networks.get('red')!.number
  return {
    told,
    write: (decide: (draft: Draft) => unknown) => store.write(decide),
    at: (ms: number) => void (now = ms),
    compiled: (revision: number, serial: number) => times.compiled(number(), revision, serial),
    confirm(serial: number) {
      confirmed = serial
      times.look(number())
    },
  }
}

const mirrored = (port: number) => (draft: Draft) => setMirror(draft, 'red', { dpid: '00000000000000a1', port })

t.test('each write is timed from when it was accepted, whatever came after it', async t => {
  const { told, write, at, compiled, confirm } = timing()
  await write(draft => putNetwork(draft, 'red'))
  compiled(1, 1)
  at(1000)
  await write(mirrored(1))
  compiled(2, 2)
  at(3000)
  confirm(1)
  t.match(told, [{ network: 'red', written: 1, seconds: 3 }])
  at(4000)
  confirm(2)
  t.match(told.slice(1), [{ written: 2, seconds: 3 }])
  confirm(2)
  t.equal(told.length, 2, 'once each')
})

t.test('writes that one compile takes together are confirmed together', async t => {
  const { told, write, at, compiled, confirm } = timing()
  await write(draft => putNetwork(draft, 'red'))
  at(500)
  await write(mirrored(1))
  compiled(2, 7)
  at(1500)
  confirm(7)
  t.same(
    told.map(({ written, seconds }) => [written, seconds]),
    [
      [1, 1.5],
      [2, 1],
    ],
  )
})

t.test('a write that is not compiled yet is not confirmed by what was before it', async t => {
  const { told, write, compiled, confirm } = timing()
  await write(draft => putNetwork(draft, 'red'))
  confirm(5)
  t.same(told, [])
  compiled(1, 6)
  confirm(5)
  t.same(told, [])
  confirm(6)
  t.equal(told.length, 1)
})

t.test('what no client asked for is not timed', async t => {
  const { told, write, compiled, confirm } = timing()
  await write(draft => putNetwork(draft, 'red'))
  compiled(1, 1)
  confirm(1)
  await write(draft => draft.setPathVersion('red', { epoch: 1 }))
  compiled(1, 2)
  confirm(2)
  t.equal(told.length, 1)
})
