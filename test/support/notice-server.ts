import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One request that came, with its body as JSON; null for none. */
export type Came = Readonly<{
  path: string
  method: string
  id: string
  body: Record<string, unknown> | null
  atMs: number
}>

/** A web server that takes whatever is posted to it. */
export async function startNoticeServer() {
  const came: Came[] = []
  const state = { status: 204 }
  let arrived = (): void => {}
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const text = Buffer.concat(parts).toString('utf8')
      const body = text === '' ? null : (JSON.parse(text) as Record<string, unknown>)
      const id = String(request.headers['webhook-id'] ?? '')
      if (state.status < 300)
        came.push({ path: request.url ?? '', method: request.method ?? '', id, body, atMs: performance.now() })
      response.writeHead(state.status).end()
      arrived()
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo

  /** Settles when so many requests to a path have come. */
  async function count(path: string, many: number): Promise<readonly Came[]> {
    const deadlineMs = performance.now() + 8000
    for (;;) {
      const mine = came.filter((one) => one.path === path)
      if (mine.length >= many) return mine
      if (performance.now() > deadlineMs) throw new Error(`${mine.length} of ${many} requests to ${path}`)
      await new Promise<void>((done) => {
        const timer = setTimeout(done, 200)
        arrived = () => {
          clearTimeout(timer)
          done()
        }
      })
    }
  }
  return {
    came,
    state,
    count,
    url: (path: string) => `http://127.0.0.1:${port}${path}`,
    close: () => new Promise<void>((done) => void server.close(() => done())),
  }
}
