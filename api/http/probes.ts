import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Controller } from '../../controller/view/view.ts'
import type { Store } from '../../store/store.ts'

// Not by `import`: Node would load its fetch with it, a twentieth of our start.
const { createServer } = process.getBuiltinModule('node:http')

export type Address = { readonly host: string; readonly port: number }

/** Milliseconds that a probe may take to ask. */
const arrival = 2_000
/** Connections at once; a probe takes one for a moment. */
const most = 256

/**
 * /livez and /readyz on a listener of their own, for who probes from where the API shall not be reached, or without
 * a certificate: whatever happens to the connections of the API, these are others. One answer a connection, in clear text.
 */
export const listenForProbes = async (
  address: Address,
  { store, controller }: { readonly store: Store; readonly controller: Controller },
): Promise<Address & { close(): Promise<void> }> => {
  const answers: { readonly [path: string]: () => readonly [number, object] } = {
    '/livez': () => [200, { live: true }],
    '/readyz': () => {
      const { ready, reasons } = controller.ready()
      return [ready ? 200 : 503, { ready, reasons, revision: store.state().revision }]
    },
  }
  const answer = ({ method, url = '' }: IncomingMessage, response: ServerResponse) => {
    const known = answers[url.split('?', 1)[0]!]
    const [status, body] = known && (method === 'GET' || method === 'HEAD') ? known() : ([404, {}] as const)
    response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
    response.end(JSON.stringify(body))
  }
  const options = { headersTimeout: arrival, requestTimeout: arrival, connectionsCheckingInterval: 500 }
  const server = createServer(options, answer)
  server.maxConnections = most
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(address.port, address.host, resolve)
  })
  const bound = server.address()
  return {
    host: address.host,
    port: typeof bound === 'object' && bound ? bound.port : address.port,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
