/** The cluster's DNS, as far as a test needs it: A records of Services, `NAME.NAMESPACE.svc.cluster.local` (RFC 1035, over UDP). */

import { createSocket } from 'node:dgram'

/** The address of a Service; undefined: there is none. */
export type Resolve = (namespace: string, name: string) => Promise<string | undefined>

export type Dns = { close(): Promise<void> }

const suffix = /^([a-z0-9-]+)\.([a-z0-9-]+)\.svc\.cluster\.local$/

export const serveDns = async (host: string, resolve: Resolve): Promise<Dns> => {
  const socket = createSocket('udp4')
  socket.on('message', async (query, from) => {
    const question = readQuestion(query)
    if (!question) return
    const [, name, namespace] = suffix.exec(question.name) ?? []
    const address = name && namespace ? await resolve(namespace, name).catch(() => undefined) : undefined
    socket.send(answer(query, question, address), from.port, from.address)
  })
  await new Promise<void>((done, reject) => {
    socket.once('error', reject)
    socket.bind(53, host, done)
  })
  return { close: () => new Promise(done => socket.close(() => done())) }
}

type Question = { readonly name: string; readonly type: number; readonly end: number }

const readQuestion = (query: Buffer): Question | undefined => {
  const labels: string[] = []
  let at = 12
  while (at < query.length && query[at] !== 0) {
    const length = query[at]!
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return at + 5 > query.length
    ? undefined
    : { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 }
}

/** RFC 1035 §4.1: the question again, and a record of type A if it was asked for; a name that is not there is NXDOMAIN. */
const answer = (query: Buffer, { type, end }: Question, address: string | undefined): Buffer => {
  const isAddress = address !== undefined && type === 1
  const header = Buffer.from(query.subarray(0, 12))
  header.writeUInt16BE(address === undefined ? 0x8583 : 0x8580, 2)
  header.writeUInt16BE(isAddress ? 1 : 0, 6)
  header.writeUInt32BE(0, 8)
  const record = isAddress
    ? Buffer.from([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, ...address.split('.').map(Number)])
    : Buffer.alloc(0)
  return Buffer.concat([header, query.subarray(12, end), record])
}
