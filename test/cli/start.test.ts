import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { l2sm, run, startController } from './command.ts'

// Only for a machine that is busy with something else; the runner gives up after 30 s.
t.setTimeout(180_000)

const nowhere = ['--openflow', 'tcp:127.0.0.1:0', '--store', 'memory']

const occupy = async (t: { teardown(end: () => unknown): void }) => {
  const server: Server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as { port: number }).port
}

t.test('a port that is taken, or a store that can not be opened, is told in words, with exit code 1', async t => {
  const port = await occupy(t)
  const http = await run(['controller', '--http', `127.0.0.1:${port}`, ...nowhere])
  t.match(http, {
    code: 1,
    stderr: new RegExp(`^l2sm controller: can not listen on 127.0.0.1:${port}: something else does[^\\n]*\\n$`),
  })
  t.notMatch(http.stdout, /"level":60|stack/, 'one plain sentence, and that is all')
  const openflow = ['--http', '127.0.0.1:0', '--store', 'memory', '--openflow', `tcp:127.0.0.1:${port}`]
  t.match(await run(['controller', ...openflow]), {
    code: 1,
    stderr: new RegExp(`listen.*127.0.0.1:${port}`),
  })
  const path = join(t.testdir(), 'folder')
  mkdirSync(path)
  const store = ['--http', '127.0.0.1:0', '--openflow', 'tcp:127.0.0.1:0', '--store', `sqlite:${path}`]
  t.match(await run(['controller', ...store]), {
    code: 1,
    stderr: /^l2sm controller: the store can not be opened[^\n]*\n$/,
  })
  const place = join(path, 'missing', 'x.db')
  const missing = await run(['controller', ...store.slice(0, -1), `sqlite:${place}`])
  t.match(missing, {
    code: 1,
    stderr: new RegExp(`^l2sm controller: .*there is no folder ${join(path, 'missing')}[^\\n]*\\n$`),
  })
  t.notOk(existsSync(join(path, 'missing')), 'and none is made')
})

t.test('SIGTERM and SIGINT end it cleanly, with what it was told on disk', async t => {
  const store = ['--store', `sqlite:${join(t.testdir(), 'l2sm.db')}`]
  const args = ['--http', '127.0.0.1:0', '--openflow', 'tcp:127.0.0.1:0', ...store]
  for (const [signal, id] of [
    ['SIGTERM', 'a'],
    ['SIGINT', 'b'],
  ] as const) {
    const { base, log, stop } = await startController(t, args)
    t.equal((await fetch(`${base}/v1/networks/${id}`, { method: 'PUT' })).status, 201)
    const port = `/v1/networks/${id}/attachments/00000000000000a1/${id === 'a' ? 1 : 2}`
    const waiting = fetch(`${base}${port}?wait=60s`, { method: 'PUT' })
    while ((await fetch(`${base}${port}`)).status === 404);
    t.equal(await stop(signal), 0)
    t.match(await (await waiting).text(), '"state":"pending"', 'who waits is answered')
    t.equal(log.at(-1)?.msg, 'stopped')
  }
  const { base, log } = await startController(t, args)
  t.match(log.at(-1), { msg: 'ready', store: store[1], isNew: false }, 'it says which store, and that it was there')
  const networks = JSON.parse(await (await fetch(`${base}/v1/networks`)).text())
  t.match(networks, {
    networks: [
      { id: 'a', attachments: 1 },
      { id: 'b', attachments: 1 },
    ],
  })
})

t.test('its log is JSON lines', async t => {
  const { log, http, openflow } = await startController(t, ['--http', '127.0.0.1:0', ...nowhere])
  t.match(log.at(-1), {
    level: 30,
    msg: 'ready',
    store: 'memory',
    isNew: true,
    http,
    openflow,
    version: /^\d/,
    instance: /^[0-9a-f]{10}$/,
  })
  t.match(http, /^127\.0\.0\.1:[1-9]/, 'with the port that it really has')
  t.match(openflow, [/^tcp:127\.0\.0\.1:[1-9]/])
})

t.test('on a terminal its log is lines to read', async t => {
  const command = [process.execPath, l2sm, 'controller', '--http', '127.0.0.1:0', ...nowhere].join(' ')
  // script(1) runs it on a terminal of its own, and ends when the command does.
  const child = spawn('script', ['-qec', `timeout -s TERM 30 ${command}`, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  t.teardown(() => child.kill())
  let text = ''
  for await (const chunk of child.stdout) {
    text += chunk
    if (text.includes('ready')) child.stdin.end('\x03')
  }
  t.match(text, /INFO.*ready/)
  t.notMatch(text, '"msg"')
})
