import type { Config } from './options.ts'

/** Where the parts of the credentials are; the names are those of the options. */
export type TlsFiles = { readonly [Part in 'key' | 'cert' | 'ca']: string }

export const optionOf = { key: 'openflow-key', cert: 'openflow-cert', ca: 'openflow-ca' } as const

/** The files for listeners with TLS; undefined when there is no such listener. The options are complete: readConfig sees to it. */
export const tlsFiles = (config: Config): TlsFiles | undefined => {
  const { 'openflow-key': key, 'openflow-cert': cert, 'openflow-ca': ca } = config
  if (!config.openflow.some(({ scheme }) => scheme === 'tls')) return undefined
  return key === undefined || cert === undefined || ca === undefined ? undefined : { key, cert, ca }
}
