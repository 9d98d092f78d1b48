// Switches that connect by TLS: real sockets, real certificates, and openssl at the far end for what Node refuses to speak.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { encode, flowMod } from '../../../openflow/index.ts'
import { type Named, scopeOf, scopeShown } from '../../../openflow/session/tls.ts'
import { issue } from '../../../pki/certificates.ts'
import { authority, missingOpenssl, type Pem } from '../certificates.ts'
import { fakeSwitch } from '../fake-switch.ts'
import { failure, type Listening, listening } from '../listening.ts'

// Only for a machine that is busy with something else; the runner gives up after 30 s.
t.setTimeout(180_000)

const one = '00000000000000aa'

t.test('a certificate is for the datapaths that it names, one or several', async t => {
  const of = (CN: string | string[] | undefined, subjectaltname?: string) => {
    const found = scopeOf({ subject: { CN }, subjectaltname })
    return 'wrong' in found ? found.wrong : [...found.scope].join()
  }
  t.equal(of('a switch'), '')
  t.equal(of(undefined), '')
  t.equal(of('a switch', 'DNS:a, IP Address:192.0.2.1, URI:https://l2sm.example/'), '')
  t.equal(of('a switch', `URI:l2sm:dpid:${one}`), one)
  t.equal(
    of('a switch', 'DNS:a, URI:L2SM:DPID:00000000000000AA, URI:l2sm:dpid:00000000000000bb'),
    `${one},00000000000000bb`,
  )
  t.equal(of('00000000000000AA'), one)
  t.equal(of([one, 'b']), one)
  t.equal(of('00000000000000bb', `URI:l2sm:dpid:${one}`), `${one},00000000000000bb`)
  t.equal(of('a', 'DNS:"a, URI:l2sm:dpid:00000000000000aa"'), '', 'a name in quotes is one name')
  t.equal(of('a', 'URI:"l2sm:dpid:00000000000000aa"'), one)
  for (const wrong of [
    'l2sm:dpid:aa',
    'l2sm:dpid:',
    'l2sm:dpid:00000000000000aa0',
    'l2sm:dpid:000000000000000g',
    'l2sm:*',
  ])
    t.match(of('a', `URI:${wrong}`), `"${wrong}", expected l2sm:dpid: and 16 hex digits`)
})

t.test('a certificate that almost names a datapath admits nothing, and says what it has instead', async t => {
  const shown = (certificate: Named, anyDpid = false) =>
    scopeShown({ authorized: true, getPeerCertificate: () => certificate }, anyDpid)
  const near: readonly (readonly [Named, string])[] = [
    [{ subject: { CN: '0000000000000aa' } }, 'CN "0000000000000aa" (15 hex digits, a datapath id has 16)'],
    [{ subject: { CN: '000000000000000aa' } }, 'CN "000000000000000aa" (17 hex digits, a datapath id has 16)'],
    [{ subject: { CN: '0x00000000000000aa' } }, `CN "0x00000000000000aa" (write URI:l2sm:dpid:${one})`],
    [{ subject: { CN: '00:00:00:00:00:00:00:AA' } }, `CN "00:00:00:00:00:00:00:AA" (write URI:l2sm:dpid:${one})`],
    [{ subject: { CN: ' 00000000000000aa' } }, `CN " 00000000000000aa" (write URI:l2sm:dpid:${one})`],
    [{ subject: { CN: 'of:00000000000000aa' } }, `CN "of:00000000000000aa" (write URI:l2sm:dpid:${one})`],
    [{ subject: { OU: one } }, `OU "${one}" (write URI:l2sm:dpid:${one})`],
    [{ subject: { CN: 's1', serialNumber: one } }, `serialNumber "${one}"`],
    [{ subject: { CN: 's1' }, subjectaltname: `DNS:l2sm:dpid:${one}` }, `DNS "l2sm:dpid:${one}"`],
    [
      { subject: { CN: 's1' }, subjectaltname: `URI:spiffe://l2sm.example/dpid/${one}` },
      `URI "spiffe://l2sm.example/dpid/${one}" (write URI:l2sm:dpid:${one})`,
    ],
    [{ subject: { CN: 's1' }, subjectaltname: `URI:urn:l2sm:dpid:${one}` }, `URI "urn:l2sm:dpid:${one}"`],
  ]
  for (const [certificate, words] of near) {
    const refused = shown(certificate)
    t.match('wrong' in refused ? refused.wrong : '', words)
    t.match(refused, { wrong: /its certificate is for no datapath: expected a URI l2sm:dpid: and 16 hex digits/ })
    t.same(shown(certificate, true), { scope: 'any' }, 'unless all datapaths are open to every certificate')
  }
  t.same(shown({ subject: { CN: 'node-1.example' } }), {
    wrong: 'its certificate is for no datapath: expected a URI l2sm:dpid: and 16 hex digits',
  })
  t.same(shown({ subject: { CN: one } }), { scope: new Set([one]) })
  t.match(shown({ subject: { CN: 'a' }, subjectaltname: 'URI:l2sm:dpid:aa' }, true), { wrong: /"l2sm:dpid:aa"/ })
})

const missing = missingOpenssl()
if (missing !== undefined && process.env['CI']) t.fail(`openssl is needed in CI: ${missing}`)
else if (missing !== undefined) t.test(`SKIPPED: ${missing}`, { skip: missing }, () => undefined)
else {
  const ours = await authority(t.testdir())
  const server = await ours.sign({ usage: 'server', commonName: 'controller' })
  const any = await ours.sign({})
  const named = (...dpids: readonly string[]) => ours.sign({ names: dpids.map(dpid => `URI:l2sm:dpid:${dpid}`) })

  /** A server for TLS, and why it has refused whom. */
  const secured = async (t: Test, given: Parameters<typeof listening>[1] = {}) => {
    const refusals: string[] = []
    const nothing = () => undefined
    const warn = (details: object) => void refusals.push((details as { readonly reason: string }).reason)
    const c = await listening(t, {
      tls: server,
      log: { debug: nothing, info: nothing, error: nothing, warn },
      anyDpid: true,
      ...given,
    })
    return { ...c, refusals }
  }

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
    t.test(`a switch with a certificate of the CA goes live by ${version}, and takes what it is sent`, async t => {
      const c = await secured(t)
      const { fake, session } = await c.live({ tls: { ...any, minVersion: version, maxVersion: version } })
      t.match(session.remote, /^127\.0\.0\.1:\d+$/)
      const changes = Array.from({ length: 2_000 }, (_, i) => flowMod({ priority: i }))
      t.same(await session.bundle(changes), [])
      t.equal(fake.flows().length, 2_000)
      t.equal((await session.flows()).length, 2_000)
      fake.end()
      await c.until(() => c.endings.length === 2)
      t.same(c.endings, ['up', 'closed'])
    })

  t.test('a conversation means the same however its bytes are cut', async t => {
    const c = await secured(t)
    for (const piece of [1, 7, 64]) {
      const { session } = await c.live({ dpid: BigInt(piece), piece, tls: any })
      t.same(await session.apply([flowMod({}), flowMod({ priority: 1 })]), [])
    }
  })

  t.test('a switch whose certificate names no datapath is refused, unless every certificate may be any', async t => {
    const c = await secured(t, { anyDpid: false })
    const fake = await c.connect({ tls: any })
    await fake.closed
    t.same(c.endings, ['certificate'])
    t.match(c.refusals[0], 'its certificate is for no datapath')
    t.same(fake.received, [])
  })

  t.test('one certificate lets several datapaths in, each once', async t => {
    const c = await secured(t, { anyDpid: false })
    const tls = await named('0000000000000001', '0000000000000002')
    await c.live({ dpid: 1n, tls })
    await c.live({ dpid: 2n, tls })
    const third = await c.connect({ dpid: 3n, tls })
    await third.closed
    t.same(c.endings, ['up', 'up', 'wrong_dpid'])
  })

  t.test('a switch whose certificate names its datapath goes live', async t => {
    const c = await secured(t)
    const dpid = 0xabcdef0123456789n
    const digits = 'abcdef0123456789'
    const certificates = [
      await named(digits),
      await named('0000000000000001', digits.toUpperCase()),
      await ours.sign({ commonName: digits }),
    ]
    for (const tls of certificates) {
      const { fake } = await c.live({ dpid, tls })
      fake.end()
      await c.until(() => !c.server.sessions().has(digits))
    }
    t.same(c.endings, ['up', 'closed', 'up', 'closed', 'up', 'closed'])
  })

  t.test(
    'a switch whose certificate names other datapaths is refused, and the one that it posed as is not asked',
    async t => {
      const c = await secured(t, { limits: { echo: 60_000 } })
      const { fake, session } = await c.live({ dpid: 0xaan, tls: await named('00000000000000aa') })
      const before = fake.received.length
      const impostor = await c.connect({ dpid: 0xaan, tls: await named('00000000000000bb', '00000000000000cc') })
      await impostor.closed
      t.same(c.endings, ['up', 'wrong_dpid'])
      t.same(c.refusals, [
        'says that it is datapath 00000000000000aa; its certificate is for 00000000000000bb, 00000000000000cc',
      ])
      t.equal(fake.received.length, before, 'it is sent nothing, not even a question whether it lives')
      t.same(
        impostor.received.map(({ type }) => type),
        ['hello', 'features_request'],
        'nor does the other one learn anything',
      )
      t.equal(c.server.sessions().get('00000000000000aa'), session)
      t.same(await session.apply([flowMod({})]), [])
      t.same(c.downs, [])
    },
  )

  t.test(
    'who has no certificate of the CA that is valid now, and for a switch, is refused with the reason',
    async t => {
      const other = await authority(t.testdir(), 'other')
      const refused: { readonly [reason: string]: ConnectionOptions } = {
        'shows no certificate': {},
        UNABLE_TO_VERIFY_LEAF_SIGNATURE: pick(await other.sign({})),
        DEPTH_ZERO_SELF_SIGNED_CERT: await selfSigned(t),
        CERT_HAS_EXPIRED: pick(await ours.sign({ days: -1 })),
        INVALID_PURPOSE: pick(server),
        'names "l2sm:dpid:aa", expected': pick(await named('aa')),
      }
      for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
        const c = await secured(t)
        const reasons = Object.entries(refused)
        for (const [i, [reason, tls]] of reasons.entries()) {
          const end = await outcome(c.address, { ...tls, minVersion: version, maxVersion: version })
          await c.until(() => c.endings.length > i)
          t.match(c.refusals[i], reason)
          t.notOk(end.includes('\x04\x00'), 'and is sent no OpenFlow')
        }
        t.same(
          c.endings,
          reasons.map(() => 'certificate'),
        )
        await c.live({ tls: any })
      }
    },
  )

  t.test('what is older than TLS 1.2, or without encryption, is refused', async t => {
    const c = await secured(t)
    const attempts: { readonly [what: string]: readonly string[] } = {
      'TLS 1.0': ['-tls1', '-cipher', 'ALL:@SECLEVEL=0'],
      'TLS 1.1': ['-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'],
      'a null cipher': ['-tls1_2', '-cipher', 'eNULL:@SECLEVEL=0'],
      'a cipher without authentication': ['-tls1_2', '-cipher', 'aNULL:@SECLEVEL=0'],
      'a cipher without forward secrecy': ['-tls1_2', '-cipher', 'AES128-GCM-SHA256'],
    }
    const files = await placed(t, any)
    for (const [i, [what, args]] of Object.entries(attempts).entries()) {
      const { code, output } = await sClient(c, files, args)
      t.not(code, 0, what)
      t.match(output, /alert (protocol version|handshake failure)/, what)
      await c.until(() => c.endings.length > i)
    }
    t.same(
      c.endings,
      Object.keys(attempts).map(() => 'tls_failed'),
    )
    t.match(c.refusals[0], 'the TLS handshake failed: unsupported protocol')
    const good = await sClient(c, files, ['-tls1_2'])
    t.match(good.output, /Cipher is ECDHE/, 'so it is not openssl that refuses')
  })

  t.test('plain OpenFlow on a port for TLS is closed, and so is other rubbish', async t => {
    const c = await secured(t)
    const plain = await fakeSwitch(c.address)
    await plain.closed
    t.same(plain.received, [])
    for (const bytes of [Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.alloc(100), Buffer.alloc(100, 0xff)]) {
      const socket = connect(c.address)
      socket.write(bytes)
      await ended(socket)
    }
    t.same(c.endings, ['tls_failed', 'tls_failed', 'tls_failed', 'tls_failed'])
  })

  t.test('TLS on a port without is closed', async t => {
    const c = await listening(t)
    await failure(fakeSwitch(c.address, { tls: any }))
    await c.until(() => c.endings.length > 0)
    t.same(c.endings, ['tls_on_tcp'])
  })

  t.test('first bytes of TLS cut off or changed anywhere end that connection only', async t => {
    const c = await secured(t)
    const { session } = await c.live({ tls: any })
    const hello = await clientHello()
    await fc.assert(
      fc.asyncProperty(
        fc.nat(hello.length),
        fc.array(fc.tuple(fc.nat(hello.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 3 }),
        fc.boolean(),
        async (length, changes, rude) => {
          const bytes = Buffer.from(hello)
          for (const [at, value] of changes) bytes[at] = value
          const socket = connect(c.address)
          await once(socket, 'connect')
          socket.write(bytes.subarray(0, length))
          if (rude) socket.resetAndDestroy()
          else socket.end()
          await ended(socket)
        },
      ),
      { numRuns: 60 },
    )
    await c.until(() => c.endings.length === 61)
    t.ok(
      c.endings.slice(1).every(ending => ending === 'tls_failed' || ending === 'closed'),
      [...new Set(c.endings)].join(),
    )
    t.same(await session.apply([flowMod({})]), [])
  })

  t.test(
    'a TLS handshake that stands still, or goes on too slowly, is cut off; others are served meanwhile',
    async t => {
      const c = await secured(t, { limits: { tls: 1_000 } })
      const hello = await clientHello()
      const still = connect(c.address).resume()
      const slow = connect(c.address).resume()
      let sent = 0
      const drip = setInterval(() => slow.write(hello.subarray(sent, ++sent)), 20)
      t.teardown(() => clearInterval(drip))
      for (const socket of [still, slow]) socket.on('error', () => undefined)
      await c.live({ tls: any })
      await Promise.all([ended(still), ended(slow)])
      clearInterval(drip)
      t.same([...c.endings].sort(), ['tls_timeout', 'tls_timeout', 'up'])
      t.ok(sent > 1, 'bytes came all the time')
      t.same(c.downs, [])
    },
  )

  t.test('a switch that says nothing after TLS has the time for HELLO, and no more', async t => {
    const c = await secured(t, { limits: { hello: 50 } })
    const fake = await c.connect({ tls: any, hello: Buffer.alloc(0) })
    await fake.closed
    t.same(c.endings, ['hello_timeout'])
  })

  t.test('new certificates count for whoever connects next, and whoever is connected stays', async t => {
    const c = await secured(t)
    const { fake, session } = await c.live({ dpid: 1n, tls: any })
    const next = await authority(t.testdir(), 'next')
    const renewed = await next.sign({ usage: 'server' })
    c.server.renew(renewed)
    const newcomer = await c.live({ dpid: 2n, tls: await next.sign({}) })
    t.type(newcomer.fake.shown, 'string')
    t.not(newcomer.fake.shown, fake.shown)
    await outcome(c.address, any)
    await c.until(() => c.endings.length === 3)
    t.same(c.endings, ['up', 'up', 'certificate'], 'the old CA counts no more')
    for (const broken of [
      { ...renewed, key: any.key },
      { ...renewed, cert: 'none' },
      { ...renewed, key: '' },
      { ...renewed, ca: '' },
    ])
      t.throws(() => c.server.renew(broken))
    const last = await c.live({ dpid: 3n, tls: await next.sign({}) })
    t.equal(last.fake.shown, newcomer.fake.shown, 'what is of no use changes nothing')
    t.same(await session.apply([flowMod({})]), [])
    t.same(c.downs, [])
  })

  t.test('no TLS session is resumed: each connection shows its certificate', async t => {
    const c = await secured(t)
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const options = { ...c.address, ...any, rejectUnauthorized: false, minVersion: version, maxVersion: version }
      const first = connectTls(options)
      let ticket: Buffer | undefined
      first.on('session', session => {
        ticket = session
      })
      // After the controller's HELLO all that TLS has to say has been said.
      await once(first, 'data')
      const session = ticket ?? first.getSession()
      first.destroy()
      const second = connectTls({ ...options, ...(session && { session }) })
      await once(second, 'secureConnect')
      t.notOk(second.isSessionReused(), version)
      second.destroy()
    }
  })

  t.test('a switch that does not read by TLS either is cut off', async t => {
    const c = await secured(t, { limits: { queued: 256 * 1024, tick: 5 } })
    const { fake, session } = await c.live({ tls: any })
    fake.deafen(true)
    const payload = Buffer.alloc(60_000)
    while (c.downs.length === 0) {
      session.send({ type: 'echo_request', payload })
      await new Promise(resolve => setImmediate(resolve))
    }
    t.match(c.downs, [/does not read: \d+ bytes wait for it/])
    t.same(c.endings, ['up', 'not_reading'])
    fake.deafen(false)
    t.type(await fake.closed, Error, 'and its connection is reset')
  })

  t.test('a server that stops ends handshakes and sessions alike', async t => {
    const c = await secured(t)
    const { fake } = await c.live({ tls: any })
    const waiting = connect(c.address).resume()
    waiting.on('error', () => undefined)
    await once(waiting, 'connect')
    // Only when a later one is served is it sure that this one was taken.
    await c.live({ dpid: 2n, tls: any })
    await c.server.close()
    await Promise.all([fake.closed, ended(waiting)])
    t.same(c.endings, ['up', 'up', 'stopped', 'stopped', 'stopped'])
  })

  t.test('a port for TLS that is taken is told as such', async t => {
    const c = await secured(t)
    const again = listening(t, { tls: server })
    await again
    const { listen } = await import('../../../openflow/session/server.ts')
    const events = { up() {}, down() {}, portStatus() {}, packetIn() {}, flowRemoved() {} }
    const metrics = { message() {}, error() {}, connection() {} }
    const error = await failure(listen({ listeners: [{ ...c.address, tls: server }], events, metrics }))
    t.match(error.message, /^cannot listen for switches on tls:127\.0\.0\.1:\d+: another program listens there/)
  })
}

async function selfSigned(t: Test): Promise<ConnectionOptions> {
  const folder = t.testdir()
  const place = { key: `${folder}/key`, cert: `${folder}/cert` }
  await issue(folder, place, { commonName: 'one', signer: 'self', usage: 'client', days: 1 })
  return { key: readFileSync(place.key), cert: readFileSync(place.cert) }
}

const pick = ({ key, cert }: Pem): ConnectionOptions => ({ key, cert })

/** Resolves when a socket is closed, whatever ended it. */
const ended = (socket: Socket): Promise<void> =>
  new Promise(resolve => {
    if (socket.closed) return resolve()
    socket.on('error', () => undefined)
    socket.resume().once('close', () => resolve())
  })

/** Connects, says HELLO, and waits for the end; answers what the other side said. */
async function outcome(
  address: { readonly host: string; readonly port: number },
  tls: ConnectionOptions,
): Promise<string> {
  const socket: TLSSocket = connectTls({ ...address, ...tls, rejectUnauthorized: false })
  let said = ''
  socket.on('data', chunk => {
    said += chunk.toString('latin1')
  })
  socket.on('error', () => undefined)
  socket.write(encode({ type: 'hello', xid: 0, elements: [] }))
  await ended(socket)
  return said
}

/** The first bytes of a switch that speaks TLS. */
async function clientHello(): Promise<Buffer> {
  const catcher = createServer()
  catcher.listen(0, '127.0.0.1')
  await once(catcher, 'listening')
  const { port } = catcher.address() as { readonly port: number }
  const client = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false })
  client.on('error', () => undefined)
  const [socket] = (await once(catcher, 'connection')) as [Socket]
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  client.destroy()
  socket.destroy()
  catcher.close()
  return bytes
}

async function placed(t: Test, { key, cert }: Pem): Promise<readonly [key: string, cert: string]> {
  const folder = t.testdir({ key, cert })
  return [`${folder}/key`, `${folder}/cert`]
}

/** `openssl s_client`, whose library still speaks what Node's does not. */
async function sClient(
  { address: { host, port } }: Pick<Listening, 'address'>,
  [key, cert]: readonly [key: string, cert: string],
  args: readonly string[],
): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = spawn('openssl', ['s_client', '-connect', `${host}:${port}`, '-key', key, '-cert', cert, ...args])
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString('latin1')
      if (output.includes('Cipher is') && !output.includes('(NONE)')) child.stdin.end()
    })
  child.stdin.on('error', () => undefined)
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output }
}
