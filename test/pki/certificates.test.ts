// Certificates that are made from requests: what counts is who signs, not what was asked for.
import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { issuePem, makeRequest, signRequest } from '../../pki/certificates.ts'
import { missingOpenssl } from '../openflow/certificates.ts'

const lacks = missingOpenssl() ?? false

t.test('a request is signed with the names that the signer gives, and for its own key', { skip: lacks }, async t => {
  const ca = await issuePem({ commonName: 'ca', usage: 'ca', days: 10, signer: 'self' })
  const { key, request } = await makeRequest('somebody-else')
  const names = ['URI:l2sm:dpid:00000000000000a1', 'URI:l2sm:dpid:00000000000000a2']
  const cert = new X509Certificate(
    await signRequest(request, { commonName: 'node:n1', names, usage: 'client', days: 1, signer: ca }),
  )
  t.equal(cert.subject, 'CN=node:n1')
  t.equal(cert.subjectAltName, names.join(', '))
  t.ok(cert.verify(new X509Certificate(ca.cert).publicKey))
  t.notOk(cert.ca)
  const { createPrivateKey } = await import('node:crypto')
  t.ok(cert.checkPrivateKey(createPrivateKey(key)))
})

t.test('a request that was changed on its way, or is none, is refused', { skip: lacks }, async t => {
  const ca = await issuePem({ commonName: 'ca', usage: 'ca', days: 10, signer: 'self' })
  const sign = (request: string) =>
    signRequest(request, { commonName: 'node:n1', usage: 'client', days: 1, signer: ca })
  const { request } = await makeRequest('n1')
  const bytes = Buffer.from(request.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
  // The last byte is of the signature.
  bytes[bytes.length - 1]! ^= 1
  const changed = `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString('base64').replaceAll(/(.{64})/g, '$1\n')}\n-----END CERTIFICATE REQUEST-----\n`
  await t.rejects(sign(changed))
  await t.rejects(sign('no PEM'))
})
