import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import {
  attach,
  deleteDeclaredLink,
  deleteNetwork,
  detach,
  putDeclaredLink,
  putNetwork,
  setMirror,
} from '../../store/desired.ts'
import { isRefusal } from '../../store/refusals.ts'
import type { Draft, Store } from '../../store/store.ts'
import { deleteVlink, putVlink } from '../../store/vlinks.ts'
import { type Endpoint, endpointKey } from '../../topology/topology.ts'
import { backends, dpid, snapshot } from './backends.ts'

t.setTimeout(120_000)

/**
 * The rules of desired state said a second time, as slowly and plainly as possible: flat lists, searched
 * each time. Numbers and revisions are left out; the contract tests have them.
 */
type Model = {
  networks: { id: string; mirror: string | undefined; ends: readonly string[] | undefined }[]
  ports: { at: string; network: string; mac: string | undefined }[]
  links: [string, string][]
  access: Set<string>
}

type Step =
  | { do: 'put'; id: string; mirror: number | null | undefined }
  | { do: 'delete'; id: string }
  | { do: 'mirror'; id: string; mirror: number | null }
  | { do: 'attach'; id: string; at: number; mac: string | undefined; move: boolean }
  | { do: 'detach'; id: string; at: number }
  | { do: 'link' | 'unlink'; from: number; to: number }
  | { do: 'vlink'; id: string; from: number; to: number }
  | { do: 'unvlink'; id: string }

/** Eight ports: four on each of two switches. */
const named = (n: number) => ({ dpid: dpid(1 + (n >> 2)), port: 1 + (n & 3) })
const key = (n: number) => `${named(n).dpid}/${named(n).port}`

const id = fc.constantFrom('a', 'b', 'c', '..')
const at = fc.nat(7)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('put' as const), id, mirror: fc.constantFrom(undefined, undefined, null, 0, 5) }),
  fc.record({ do: fc.constant('delete' as const), id }),
  fc.record({ do: fc.constant('mirror' as const), id, mirror: fc.option(at) }),
  fc.record({
    do: fc.constant('attach' as const),
    id,
    at,
    mac: fc.constantFrom(undefined, '02:00:00:00:00:01', '02:00:00:00:00:02'),
    move: fc.boolean(),
  }),
  fc.record({ do: fc.constant('detach' as const), id, at }),
  fc.record({ do: fc.constantFrom('link' as const, 'unlink' as const), from: at, to: at }),
  fc.record({ do: fc.constant('vlink' as const), id, from: at, to: at }),
  fc.record({ do: fc.constant('unvlink' as const), id }),
)

const pathOf = (from: number, to: number) => [...new Set([named(from).dpid, named(to).dpid])]
const mirrorAt = (n: number | null) => (n === null ? null : named(n))

const ask = (draft: Draft, s: Step): unknown => {
  switch (s.do) {
    case 'put':
      return putNetwork(draft, s.id, { mirror: s.mirror === undefined ? undefined : mirrorAt(s.mirror) })
    case 'delete':
      return deleteNetwork(draft, s.id)
    case 'mirror':
      return setMirror(draft, s.id, mirrorAt(s.mirror))
    case 'attach':
      return attach(draft, { network: s.id, ...named(s.at), mac: s.mac }, { move: s.move })
    case 'detach':
      return detach(draft, s.id, named(s.at).dpid, named(s.at).port)
    case 'link':
      return putDeclaredLink(draft, { from: named(s.from), to: named(s.to) })
    case 'unlink':
      return deleteDeclaredLink(draft, { from: named(s.from), to: named(s.to) })
    case 'vlink':
      return putVlink(draft, s.id, { from: named(s.from), to: named(s.to), path: pathOf(s.from, s.to) })
    case 'unvlink':
      return deleteVlink(draft, s.id)
  }
}

const linkedAt = (m: Model, at: string) => m.links.some(ends => ends.includes(at))
const others = (m: Model, at: string, id: string) =>
  m.networks.some(n => (n.mirror === at || n.ends?.includes(at)) && n.id !== id) ||
  m.ports.some(p => p.at === at && p.network !== id)

/** Whether the model takes the step; it is refused otherwise. */
const take = (m: Model, s: Step): boolean => {
  switch (s.do) {
    case 'put':
    case 'mirror': {
      const network = m.networks.find(n => n.id === s.id)
      if (s.id === '..' || (s.do === 'mirror' && !network) || network?.ends) return false
      const mirror = typeof s.mirror === 'number' ? key(s.mirror) : undefined
      if (mirror !== undefined && (linkedAt(m, mirror) || others(m, mirror, s.id))) return false
      if (!network) m.networks.push({ id: s.id, mirror, ends: undefined })
      else if (s.mirror !== undefined) network.mirror = mirror
      if (mirror !== undefined) m.access.add(mirror)
      return true
    }
    case 'delete':
      m.networks = m.networks.filter(n => n.id !== s.id)
      m.ports = m.ports.filter(p => p.network !== s.id)
      return true
    case 'attach': {
      const at = key(s.at)
      const elsewhere = m.ports.some(p => p.at === at && p.network !== s.id)
      if (!m.networks.some(n => n.id === s.id) || linkedAt(m, at) || (elsewhere && !s.move)) return false
      if (m.networks.some(n => n.mirror === at && n.id !== s.id)) return false
      if (m.networks.some(n => n.ends && (n.id === s.id || n.ends.includes(at)))) return false
      if (s.mac && m.ports.some(p => p.network === s.id && p.mac === s.mac && p.at !== at)) return false
      m.ports = m.ports.filter(p => p.at !== at)
      m.ports.push({ at, network: s.id, mac: s.mac })
      m.access.add(at)
      return true
    }
    case 'detach':
      m.ports = m.ports.filter(p => p.at !== key(s.at) || p.network !== s.id)
      return true
    case 'link': {
      const ends: [string, string] = [key(s.from), key(s.to)]
      if (s.from >> 2 === s.to >> 2) return false
      if (ends.some(end => others(m, end, ''))) return false
      const same = m.links.some(l => ends.every(end => l.includes(end)))
      if (!same && ends.some(end => linkedAt(m, end))) return false
      if (!same) m.links.push(ends)
      return true
    }
    case 'vlink': {
      const ends = [key(s.from), key(s.to)]
      const network = m.networks.find(n => n.id === s.id)
      if (s.id === '..' || s.from === s.to || (network && !network.ends)) return false
      if (ends.some(end => linkedAt(m, end) || others(m, end, s.id))) return false
      if (network) network.ends = ends
      else m.networks.push({ id: s.id, mirror: undefined, ends })
      for (const end of ends) m.access.add(end)
      return true
    }
    case 'unvlink':
      m.networks = m.networks.filter(n => n.id !== s.id || !n.ends)
      return true
    case 'unlink':
      if (s.from >> 2 === s.to >> 2) return false
      m.links = m.links.filter(l => !(l.includes(key(s.from)) && l.includes(key(s.to))))
      return true
  }
}

/** The state in the model's words. */
const modelOf = (store: Store) => {
  const s = snapshot(store)
  const at = (port: Endpoint | undefined) => port && endpointKey(port)
  return {
    networks: [...s.networks.values()]
      .map(n => `${n.id} ${at(n.mirror)} ${at(n.vlink?.from)} ${at(n.vlink?.to)}`)
      .sort(),
    ports: [...s.attachments.values()].map(a => `${a.dpid}/${a.port} ${a.network} ${a.mac}`).sort(),
    members: [...s.members].flatMap(([id, of]) => [...of].map(([at, a]) => `${at} ${id} ${a.mac}`)).sort(),
    links: [...s.declaredLinks.values()].map(l => `${l.from.dpid}/${l.from.port} ${l.to.dpid}/${l.to.port}`).sort(),
    access: [...s.accessPorts].sort(),
  }
}
const spell = (m: Model): ReturnType<typeof modelOf> => {
  const ports = m.ports.map(p => `${p.at} ${p.network} ${p.mac}`).sort()
  return {
    networks: m.networks.map(n => `${n.id} ${n.mirror} ${n.ends?.[0]} ${n.ends?.[1]}`).sort(),
    ports,
    members: ports,
    links: m.links.flatMap(([a, b]) => [`${a} ${b}`, `${b} ${a}`]).sort(),
    access: [...m.access].sort(),
  }
}

/** Writes of one round are asked at once; each is one step, or several that stand or fall together. */
const round = fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 12 })

for (const { name, open, survives } of backends) {
  t.test(`a ${name} store does what the plain rules say, across restarts`, async t => {
    let folder = 0
    const root = t.testdir()
    const run = async (rounds: Step[][][]) => {
      const place = `${root}/${folder++}`
      mkdirSync(place)
      let store = await open(place)
      let model: Model = { networks: [], ports: [], links: [], access: new Set() }
      try {
        for (const writes of rounds) {
          const answers = writes.map(steps =>
            store.write(draft => {
              for (const s of steps) {
                const answer = ask(draft, s)
                if (isRefusal(answer)) return answer
              }
              return 'taken'
            }),
          )
          for (const [i, answer] of (await Promise.all(answers)).entries()) {
            const next = structuredClone(model)
            const taken = writes[i]!.every(s => take(next, s))
            if (taken) model = next
            assert.equal(!isRefusal(answer), taken, JSON.stringify([writes[i], answer]))
          }
          if (survives) {
            const { revision } = store.state()
            await store.close()
            store = await open(place)
            assert.equal(store.state().revision, revision)
          }
          assert.deepEqual(modelOf(store), spell(model))
        }
      } finally {
        await store.close()
      }
    }
    const numRuns = survives ? 12 : 300
    await fc.assert(fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 5 }), run), { numRuns })
  })
}
