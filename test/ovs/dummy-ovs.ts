// Open vSwitch with its "dummy" devices and datapath: all of its own code, no kernel, no root, no network. Frames are put
// in by its control socket, and what it sends is found in capture files. Made by its developers for its own tests.
import { execFile } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { decodeLenient, encode, framing, type Message } from '../../openflow/index.ts'

const run = promisify(execFile)
const schema = '/usr/share/openvswitch/vswitch.ovsschema'

/** Address of this switch on the underlay, and of the other end of tunnel port 100 + n. */
export const underlay = (n: number): string => `10.99.0.${n}`
export const remoteMac = (n: number): string => `aa:00:00:00:00:${n.toString(16).padStart(2, '0')}`

export type DummyOvs = {
  readonly directory: string
  /** Asks ovs-vswitchd what `ovs-appctl` would; many questions may wait in line. */
  ask(method: string, ...params: string[]): Promise<string>
  /** A connection to br0, or another bridge, that gets packet-ins too. */
  channel(bridge?: string): Promise<Channel>
  /** What has left by a device since the last call. */
  sent(device: string): Promise<Buffer[]>
  readonly localMac: string
  close(): Promise<void>
}

/** Whether the programs are there; else why not. */
export async function missingOvs(): Promise<string | undefined> {
  try {
    await run('ovs-vswitchd', ['--version'])
    await run('ovsdb-tool', ['--version'])
    await readFile(schema)
    return undefined
  } catch (error) {
    return `Open vSwitch is not installed (${(error as Error).message.split('\n')[0]})`
  }
}

/** br0 with access ports `a<n>` of that OpenFlow number and VXLAN tunnels to `underlay(n - 100)`, over a bridge br-phy with device p0. */
export async function startDummyOvs(access: readonly number[], tunnels: readonly number[]): Promise<DummyOvs> {
  const directory = await mkdtemp(join(tmpdir(), 'l2sm-ovs-'))
  const at = (name: string) => join(directory, name)
  const env = {
    ...process.env,
    OVS_RUNDIR: directory,
    OVS_LOGDIR: directory,
    OVS_DBDIR: directory,
    PATH: `${process.env['PATH']}:/usr/sbin:/sbin`,
  }
  const daemon = (name: string, ...args: string[]) =>
    run(
      name,
      [
        ...args,
        `--pidfile=${at(`${name}.pid`)}`,
        `--unixctl=${at(`${name}.ctl`)}`,
        `--log-file=${at(`${name}.log`)}`,
        '--detach',
        '--no-chdir',
        '-vconsole:off',
      ],
      { env },
    )
  const forget = onExit(() => {
    for (const name of daemons) killNow(at(`${name}.pid`))
    rmSync(directory, { recursive: true, force: true })
  })
  const stop = async () => {
    for (const name of daemons) await endDaemon(at(`${name}.pid`))
    await rm(directory, { recursive: true, force: true })
    forget()
  }
  try {
    await run('ovsdb-tool', ['create', at('conf.db'), schema], { env })
    await daemon('ovsdb-server', at('conf.db'), `--remote=punix:${at('db.sock')}`)
    const database = `--db=unix:${at('db.sock')}`
    await run('ovs-vsctl', [database, '--no-wait', 'init'], { env })
    await daemon(
      'ovs-vswitchd',
      `unix:${at('db.sock')}`,
      '--enable-dummy',
      '--disable-system',
      '--disable-system-route',
    )
    await run('ovs-vsctl', [database, '--timeout=20', ...bridges(at, access, tunnels)], { env })
    const control = await openControl(at('ovs-vswitchd.ctl'))
    await control.ask('netdev-dummy/ip4addr', 'br-phy', `${underlay(1)}/24`)
    await control.ask('ovs/route/add', `${underlay(0)}/24`, 'br-phy')
    for (const port of tunnels)
      await control.ask('tnl/neigh/set', 'br-phy', underlay(port - 100), remoteMac(port - 100))
    await run('ovs-ofctl', ['-O', 'OpenFlow13', 'add-flow', `unix:${at('br-phy.mgmt')}`, 'actions=normal'], { env })
    const { stdout } = await run('ovs-vsctl', [database, 'get', 'interface', 'br-phy', 'mac_in_use'], { env })
    return {
      directory,
      ask: control.ask,
      channel: (bridge = 'br0') => openChannel(at(`${bridge}.mgmt`)),
      sent: newReader(device => at(`${device}.pcap`)),
      localMac: stdout.trim().replaceAll('"', ''),
      close: async () => {
        control.close()
        await stop()
      },
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function bridges(at: (name: string) => string, access: readonly number[], tunnels: readonly number[]): string[] {
  const bridge = (name: string) => [
    'add-br',
    name,
    '--',
    'set',
    'bridge',
    name,
    'datapath_type=dummy',
    'fail_mode=secure',
    'protocols=OpenFlow13',
  ]
  const device = (bridge: string, name: string, ofport: number) => [
    '--',
    'add-port',
    bridge,
    name,
    '--',
    'set',
    'interface',
    name,
    'type=dummy',
    `ofport_request=${ofport}`,
    `options:tx_pcap=${at(`${name}.pcap`)}`,
  ]
  const tunnel = (port: number) => [
    '--',
    'add-port',
    'br0',
    `vx${port}`,
    '--',
    'set',
    'interface',
    `vx${port}`,
    'type=vxlan',
    `ofport_request=${port}`,
    'options:key=flow',
    `options:remote_ip=${underlay(port - 100)}`,
  ]
  return [
    ...bridge('br-phy'),
    ...device('br-phy', 'p0', 1),
    '--',
    ...bridge('br0'),
    ...access.flatMap(port => device('br0', `a${port}`, port)),
    ...tunnels.flatMap(tunnel),
  ]
}

const daemons = ['ovs-vswitchd', 'ovsdb-server'] as const

/** Runs when this process ends by itself, by an exception that nobody catches, or by a signal; until it is forgotten. */
function onExit(run: () => void): () => void {
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const
  const end = () => process.exit(1)
  process.once('exit', run)
  for (const signal of signals) process.once(signal, end)
  return () => {
    process.removeListener('exit', run)
    for (const signal of signals) process.removeListener(signal, end)
  }
}

function killNow(pidfile: string): void {
  try {
    const pid = Number(readFileSync(pidfile, 'utf8'))
    if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(pidfile)) process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended, or never began.
  }
}

/** Asked to, and after 5 s made to: one that spins does not listen. */
async function endDaemon(pidfile: string): Promise<void> {
  const pid = Number(await readFile(pidfile, 'utf8').catch(() => ''))
  if (!(pid > 1)) return
  process.kill(pid, 'SIGTERM')
  for (let i = 0; i < 500; i++) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    if (!command.includes(pidfile)) return
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  killNow(pidfile)
}

/** JSON-RPC 1.0 on one connection. Replies come in order, so a closing brace at depth 0 ends one. */
async function openControl(path: string): Promise<{ ask: DummyOvs['ask']; close(): void }> {
  const socket = await connected(path)
  const waiting: { question: string; resolve(text: string): void; reject(error: Error): void }[] = []
  const pending = newObjects()
  socket.setEncoding('utf8')
  socket.on('data', (text: string) => {
    for (const reply of pending(text)) {
      const { result, error } = JSON.parse(reply) as { result?: string | null; error?: string | null }
      const asked = waiting.shift()!
      if (error) asked.reject(new Error(`${asked.question}: ${error}`))
      else asked.resolve(result ?? '')
    }
  })
  socket.on('close', () => {
    for (const asked of waiting.splice(0)) asked.reject(new Error(`${asked.question}: ovs-vswitchd hung up`))
  })
  let id = 0
  return {
    ask: (method, ...params) =>
      new Promise((resolve, reject) => {
        waiting.push({ question: `${method} ${params.join(' ')}`, resolve, reject })
        socket.write(JSON.stringify({ id: id++, method, params }))
      }),
    close: () => socket.destroy(),
  }
}

/** Cuts a stream of JSON objects into objects. */
function newObjects(): (text: string) => string[] {
  let held = ''
  let depth = 0
  let quoted = false
  let escaped = false
  return text => {
    const whole: string[] = []
    let from = 0
    for (let i = 0; i < text.length; i++) {
      const c = text[i]
      if (escaped) escaped = false
      else if (c === '\\') escaped = true
      else if (c === '"') quoted = !quoted
      else if (!quoted && c === '{') depth++
      else if (!quoted && c === '}' && --depth === 0) {
        whole.push(held + text.slice(from, i + 1))
        held = ''
        from = i + 1
      }
    }
    held += text.slice(from)
    return whole
  }
}

const connected = (path: string): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(path, () => resolve(socket))
    socket.on('error', reject)
  })

export type Channel = {
  /** Sends messages, then a barrier, and returns what came before the barrier's reply. */
  exchange(messages: readonly (Message | Buffer)[]): Promise<Message[]>
  close(): void
}

async function openChannel(path: string): Promise<Channel> {
  const socket = await connected(path)
  const frames = framing()
  let received: Message[] = []
  let waiting: { xid: number; resolve(messages: Message[]): void; reject(error: Error): void } | undefined
  socket.on('data', chunk => {
    frames.push(chunk, bytes => {
      const message = decodeLenient(Buffer.from(bytes))
      if (message.type === 'echo_request') socket.write(encode({ ...message, type: 'echo_reply' }))
      else if (message.type === 'barrier_reply' && message.xid === waiting?.xid) {
        const { resolve } = waiting
        waiting = undefined
        resolve(received.splice(0))
      } else received.push(message)
    })
  })
  socket.on('close', () => waiting?.reject(new Error(`${path}: Open vSwitch hung up`)))
  let xid = 0x7000_0000
  const channel: Channel = {
    exchange: messages =>
      new Promise((resolve, reject) => {
        waiting = { xid: ++xid, resolve, reject }
        for (const message of messages) socket.write(Buffer.isBuffer(message) ? message : encode(message))
        socket.write(encode({ type: 'barrier_request', xid }))
      }),
    close: () => socket.destroy(),
  }
  socket.write(encode({ type: 'hello', xid: 0, elements: [{ type: 'versionbitmap', versions: [4] }] }))
  // With a length to send on a miss, a connection of this kind is told of packets as well.
  socket.write(encode({ type: 'set_config', xid: 0, flags: 0, missSendLen: 0xffff }))
  await channel.exchange([])
  received = []
  return channel
}

/** Frames of capture files (pcap), each from where the last call ended. */
function newReader(path: (device: string) => string): DummyOvs['sent'] {
  const read = new Map<string, number>()
  return async device => {
    const file = await open(path(device))
    try {
      const from = read.get(device) ?? 24
      const { size } = await file.stat()
      const bytes = Buffer.alloc(Math.max(size - from, 0))
      await file.read(bytes, 0, bytes.length, from)
      const frames: Buffer[] = []
      let at = 0
      while (at + 16 <= bytes.length && at + 16 + bytes.readUInt32LE(at + 8) <= bytes.length) {
        const end = at + 16 + bytes.readUInt32LE(at + 8)
        frames.push(bytes.subarray(at + 16, end))
        at = end
      }
      read.set(device, from + at)
      return frames
    } finally {
      await file.close()
    }
  }
}
