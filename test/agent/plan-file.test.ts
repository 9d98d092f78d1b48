import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { stringify } from 'yaml'
import { followPlanFile, readPlan } from '../../agent/plan-file.ts'
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
  // As Kubernetes mounts a ConfigMap: what changes is a link beside it.
  mkdirSync(join(folder, 'a'))
  writeFileSync(join(folder, 'a', 'plan'), text(3))
  symlinkSync('a', join(folder, '..data'))
  symlinkSync('..data/plan', path)
  await until('linked', () => told.at(-1) === version(3))
  mkdirSync(join(folder, 'b'))
  writeFileSync(join(folder, 'b', 'plan'), text(4))
  symlinkSync('b', join(folder, '..new'))
  renameSync(join(folder, '..new'), join(folder, '..data'))
  await until('linked to another', () => told.at(-1) === version(4))
  t.equal(new Set(told).size, told.length, 'and each was told once')
})
