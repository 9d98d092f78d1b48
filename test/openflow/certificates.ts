// A CA and certificates in a folder of the test's own, made as `l2sm pki` makes them.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { issue, type Place, type Wish } from '../../pki/certificates.ts'

export type Pem = { readonly key: string; readonly cert: string; readonly ca: string }

export type Authority = {
  /** What it is itself. */
  readonly ca: string
  readonly place: Place
  /** A key and a certificate that it has signed. */
  sign(wish: Omit<Partial<Wish>, 'signer'>): Promise<Pem>
}

/** Why no certificate can be made here; undefined: they can. */
export function missingOpenssl(): string | undefined {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' })
    return undefined
  } catch (error) {
    return `the openssl command is missing (${(error as Error).message})`
  }
}

export async function authority(folder: string, name = 'ca'): Promise<Authority> {
  const placeOf = (file: string): Place => ({ key: join(folder, `${file}.key`), cert: join(folder, `${file}.crt`) })
  const place = placeOf(name)
  await issue(folder, place, { commonName: name, signer: 'self', usage: 'ca', days: 1000 })
  const ca = readFileSync(place.cert, 'utf8')
  let serial = 0
  return {
    ca,
    place,
    async sign(wish) {
      const own = placeOf(`${name}-${serial++}`)
      await issue(folder, own, { commonName: 'one', usage: 'client', days: 1, ...wish, signer: place })
      return { key: readFileSync(own.key, 'utf8'), cert: readFileSync(own.cert, 'utf8'), ca }
    },
  }
}
