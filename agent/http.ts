/** Serves /metrics, /livez and /readyz. Read only. */

import { createServer } from 'node:http'

export type Pages = {
  readonly [path: string]: () => Promise<{ readonly status: number; readonly type: string; readonly text: string }>
}

export type Http = { readonly port: number; close(): Promise<void> }

/** Port 0 is any free one. Rejects when it can't listen there. */
export function serve(pages: Pages, host: string, port: number): Promise<Http> {
  const server = createServer(
    { headersTimeout: 8_000, requestTimeout: 8_000, maxHeaderSize: 8_192 },
    async (asked, answer) => {
      const [path = ''] = (asked.url ?? '').split('?')
      const page = Object.hasOwn(pages, path) ? pages[path] : undefined
      asked.resume()
      if (asked.method !== 'GET' && asked.method !== 'HEAD')
        return void answer.writeHead(405, { allow: 'GET, HEAD' }).end()
      if (!page) return void answer.writeHead(404).end()
      try {
        const { status, type, text } = await page()
        answer.writeHead(status, { 'content-type': type }).end(asked.method === 'HEAD' ? undefined : text)
      } catch {
        answer.writeHead(500).end()
      }
    },
  )
  server.maxConnections = 64
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      const bound = server.address()
      resolve({
        port: typeof bound === 'object' && bound ? bound.port : port,
        close: () =>
          new Promise<void>(done => {
            server.close(() => done())
            server.closeAllConnections()
          }),
      })
    })
  })
}

export const json = (status: number, value: object) => ({
  status,
  type: 'application/json',
  text: `${JSON.stringify(value)}\n`,
})
