import { chmodSync, chownSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { stringify } from 'yaml'
import { tlsFault } from '../../agent/machine/tls-files.ts'
import { checkPlan, followPlanFile, planFileFault, readPlan, readPlanFile } from '../../agent/plan-file.ts'
import { until } from '../controller/watching.ts'
import { link, plan } from './plans.ts'

t.test('a plan may be JSON or YAML; what is wrong with it is said with its place', async t => {
  const whole = plan({ links: [link(2)] })
  t.same(await readPlan('p', JSON.stringify(whole)), whole)
  t.same(await readPlan('p', stringify(whole)), whole)
  await t.rejects(
    readPlan('p', JSON.stringify({ ...whole, dpid: 'xyz' })),
    /p: plan\/dpid: expected a datapath id, .*got "xyz"/,
  )
  await t.rejects(readPlan('p', JSON.stringify({ ...whole, brigde: 'x' })), /plan.*brigde/)
  await t.rejects(readPlan('p', '{"node": "n1",\n "links": [}\n'), /p:2: not YAML/)
  await t.rejects(readPlan('p', ''), /p: plan: expected .*got null/)
})

t.test('a file that is replaced, however, is read again; one that is of no use changes nothing', async t => {
  const folder = t.testdir()
  const path = join(folder, 'plan')
  writeFileSync(path, JSON.stringify(plan()))
  const told: string[] = []
  const complaints: string[] = []
  const source = followPlanFile(
    path,
    ({ version }) => void told.push(version),
    why => void complaints.push(why),
  )
  t.teardown(() => source.close())
  const version = (n: number) => String(n).padStart(16, '0')
  const text = (n: number) => JSON.stringify(plan({ version: version(n) }))
  await until('the first', () => told.length === 1)
  writeFileSync(path, text(1))
  await until('written over', () => told.at(-1) === version(1))
  writeFileSync(`${path}.new`, text(2))
  renameSync(`${path}.new`, path)
  await until('renamed', () => told.at(-1) === version(2))
  writeFileSync(path, '{')
  await until('it is complained of', () => complaints.length > 0)
  t.equal(told.at(-1), version(2))
  rmSync(path)
  const secret = 'node: a-secret-of-somebody'
  writeFileSync(join(folder, 'secret'), secret)
  symlinkSync('secret', path)
  await until('a link is refused', () => complaints.some(why => /plan is not read, as it is a link/.test(why)))
  rmSync(path)
  writeFileSync(path, text(3))
  await until('the file itself is read again', () => told.at(-1) === version(3))
  t.notMatch(complaints.join('\n'), /secret/)
  t.equal(new Set(told).size, told.length, 'and each was told once')
})

t.test('a file that somebody else could have written is refused before a line of it is read', async t => {
  const folder = t.testdir()
  const path = join(folder, 'plan')
  writeFileSync(path, 'root:a-hash-of-a-password')
  const refused = (why: RegExp) => {
    t.throws(() => readPlanFile(path), why)
    t.notMatch(planFileFault(path), /hash/)
  }
  chmodSync(path, 0o666)
  refused(/others may write it: chmod go-w/)
  chmodSync(path, 0o644)
  if (process.geteuid?.() === 0) {
    chownSync(path, 12345, 12345)
    refused(/belongs to user 12345.*chown 0/)
    chownSync(path, 0, 0)
  }
  t.equal(readPlanFile(path), 'root:a-hash-of-a-password')
  t.throws(() => readPlanFile(folder), /no regular file/)
  t.throws(() => readPlanFile(join(folder, 'nothing')), /can not be read/)
})

t.test('a plan says nothing of devices that an agent would not make', async t => {
  const refused = (over: object, why: RegExp) => t.throws(() => checkPlan({ ...plan(), ...over }, 'p'), why)
  const interfaces = plan().interfaces
  refused(
    { interfaces: { ...interfaces, bridgePrefix: 'vhost' } },
    /interfaces\/bridgePrefix: expected .*ls and 5 lower-case hex/,
  )
  refused({ interfaces: { ...interfaces, podPrefix: 'eth' } }, /podPrefix: expected .*lp and 5/)
  refused({ bridge: 'docker0' }, /bridge: expected .*br- and 8/)
  refused({ links: [{ ...link(2), name: 'eth1' }] }, /links\/0\/name: expected .*vx and 10/)
})

t.test('TLS files are those below one folder', async t => {
  const folder = t.testdir({ own: { key: 'k', cert: 'c', ca: 'a' }, key: 'of somebody' })
  const own = join(folder, 'own')
  const at = (key: string) => ({ key, cert: join(own, 'cert'), ca: join(own, 'ca') })
  t.equal(tlsFault(undefined, own), undefined)
  t.equal(tlsFault(at(join(own, 'key')), own), undefined)
  t.match(tlsFault(at('/etc/shadow'), own), /\/etc\/shadow lies outside .*--tls-folder/)
  t.match(tlsFault(at(join(own, '..', 'key')), own), /lies outside/)
  symlinkSync(join(folder, 'key'), join(own, 'link'))
  t.match(tlsFault(at(join(own, 'link')), own), /lies outside/)
  t.match(tlsFault(at(join(own, 'none')), own), /does not exist/)
  t.match(tlsFault(at(join(own, '.')), own), /lies outside|is no file/)
})
