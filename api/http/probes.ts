import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Services } from './services.ts'

// Not by `import`: Node would load its fetch with it, a twentieth of our start.
const { createServer } = process.getBuiltinModule('node:http')

export type Address = { readonly host: string; readonly port: number }

/** Milliseconds that a probe may take to ask. */
const arrival = 2_000
/** Connections at once; a probe takes one for a moment. */
const most = 256

/** What /readyz answers, on either listener. */
export const readyAnswer = ({ controller, store }: Pick<Services, 'controller' | 'store'>) => {
  const { ready, reasons, concerns } = controller.ready()
  return {
    ...{ ready, reasons: [...reasons], revision: store.state().revision },
    concerns: concerns.map(concern => ({ ...concern, since: concern.since.toISOString() })),
  }
}

/**
 * /livez and /readyz on a listener of their own, for who probes from where the API shall not be reached, or without
 * a certificate: whatever happens to the connections of the API, these are others. One answer a connection, in clear text.
 */
export const listenForProbes = async (
  address: Address,
  services: Pick<Services, 'controller' | 'store'>,
): Promise<Address & { close(): Promise<void> }> => {
  const answers: { readonly [path: string]: () => readonly [number, object] } = {
    '/livez': () => [200, { live: true }],
    '/readyz': () => {
      const answer = readyAnswer(services)
      return [answer.ready ? 200 : 503, answer]
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
