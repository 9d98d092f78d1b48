// HTTPS with real certificates and real clients.
import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import t, { type Test } from 'tap'
import { createClient, UnreachableError } from '../../../api/contract/client.ts'
import type { Auth } from '../../../api/http/auth.ts'
import { limits } from '../../../api/http/connections.ts'
import { authority, missingOpenssl } from '../../openflow/certificates.ts'
import { startApi } from '../harness.ts'

// Only for a machine that is busy with something else; the runner gives up after 30 s.
t.setTimeout(180_000)

const skip = missingOpenssl() ?? false

const make = (t: Test) => {
  const folder = mkdtempSync(join(tmpdir(), 'l2sm-https-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return async (name: string) => {
    const { ca, sign } = await authority(folder, name)
    const signed = async (commonName: string, usage: 'server' | 'client') => {
      const { key, cert } = await sign({ commonName, names: ['IP:127.0.0.1'], usage })
      return { key, cert }
    }
    return { ca, sign: signed }
  }
}

const urlOf = (port: number) => new URL(`https://127.0.0.1:${port}`)

t.test('our client asks over TLS, and trusts only the CA that it was given', { skip }, async t => {
  const signer = make(t)
  const [ours, theirs] = [await signer('ours'), await signer('theirs')]
  const tls = await ours.sign('controller', 'server')
  const { port } = await startApi(t, { tls })
  const client = createClient({ url: urlOf(port), ca: ours.ca })
  t.teardown(client.close)
  t.match(await client.putNetwork({ network: 'a', body: {} }), { id: 'a' })
  const wary = createClient({ url: urlOf(port), ca: theirs.ca })
  t.teardown(wary.close)
  t.ok((await wary.getState().catch((error: unknown) => error)) instanceof UnreachableError)
  const plain = createClient({ url: new URL(`http://127.0.0.1:${port}`), timeout: 5_000 })
  t.teardown(plain.close)
  t.ok((await plain.getState().catch((error: unknown) => error)) instanceof UnreachableError, 'clear text is no way in')
})

t.test('another certificate counts for who connects next, and connections stay', { skip }, async t => {
  const signer = make(t)
  const [before, after] = [await signer('before'), await signer('after')]
  const { port, api } = await startApi(t, { tls: await before.sign('controller', 'server') })
  const old = createClient({ url: urlOf(port), ca: before.ca })
  t.teardown(old.close)
  await old.getState()
  api.renewTls(await after.sign('controller', 'server'))
  t.match(await old.getState(), { complete: false }, 'over the connection that is there')
  const fresh = createClient({ url: urlOf(port), ca: after.ca })
  t.teardown(fresh.close)
  t.match(await fresh.getState(), { complete: false })
})

t.test("a client's certificate is a credential when our CA signed it", { skip }, async t => {
  const signer = make(t)
  const [ours, clients, others] = [await signer('ours'), await signer('clients'), await signer('others')]
  const auth: Auth = {
    token: {
      is: 'credentials',
      credentials: [{ name: 'operator', role: 'write', proof: { is: 'certificate', commonName: 'op' } }],
    },
    login: { is: 'nobody' },
  }
  const tls = { ...(await ours.sign('controller', 'server')), clientCa: clients.ca }
  const { port } = await startApi(t, { auth, tls })
  const status = (path: string, shown: object) =>
    new Promise<number>((resolve, reject) => {
      const options = { ca: ours.ca, ...shown, agent: false }
      request(new URL(path, urlOf(port)), options, answer => {
        answer.resume()
        resolve(answer.statusCode!)
      })
        .on('error', reject)
        .end()
    })
  t.equal(await status('/v1/networks', await clients.sign('op', 'client')), 200)
  t.equal(await status('/v1/networks', await clients.sign('stranger', 'client')), 401, 'a name that is not listed')
  t.equal(await status('/v1/networks', await others.sign('op', 'client')), 401, 'the right name, of another CA')
  t.equal(await status('/v1/networks', {}), 401)
  t.equal(await status('/livez', {}), 200)
})

t.test('requests at once over TLS are bounded too, and large bodies arrive whole', { skip }, async t => {
  const signer = await make(t)('ca')
  const { port } = await startApi(t, { tls: await signer.sign('controller', 'server') })
  const socket = connect({ port, host: '127.0.0.1', ca: signer.ca })
  t.teardown(() => socket.destroy())
  let text = ''
  socket.on('error', () => {})
  socket.on('data', more => {
    text += more
  })
  const closed = new Promise(resolve => socket.once('close', resolve))
  socket.write('GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(1200))
  await closed
  t.equal(text.match(/HTTP\/1\.1 200/g)?.length, limits.pipelined)
  const client = createClient({ url: urlOf(port), ca: signer.ca })
  t.teardown(client.close)
  const nodes = Array.from({ length: 3_000 }, (_, i) => ({ name: `node-${i}`, address: `10.0.${i >> 8}.${i & 255}` }))
  t.match(await client.putMesh({ body: { nodes, links: [] } }), { nodes: { length: 3_000 } })
})
