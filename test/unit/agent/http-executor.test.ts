import { createHmac } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { createHttpExecutor } from '../../../agent/adapters/http-executor.ts'
import { createDevCa } from '../../../shared/crypto/certificates.ts'
import { systemClock } from '../../../shared/lib/clock.ts'
import { actionRequest } from '../../support/actuator-process.ts'
import { noteAcks } from '../../support/noted-acks.ts'
import { serverCertificate } from '../../support/server-certificate.ts'

const SECRET = new TextEncoder().encode('a secret of sixteen bytes')

type Asked = Readonly<{ headers: IncomingMessage['headers']; text: string; body: Record<string, unknown> }>
type Answer = (asked: Asked, response: ServerResponse) => void

async function peer(t: Test, answer: Answer): Promise<{ url: string; asked: Asked[] }> {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const text = Buffer.concat(parts).toString('utf8')
      const one = { headers: request.headers, text, body: JSON.parse(text) as Record<string, unknown> }
      asked.push(one)
      answer(one, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/act`, asked }
}

const say =
  (status: number, body: unknown, headers = {}): Answer =>
  (_, response) =>
    response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body))

function executor(url: string, change: { monotonicUs?(): number; ca?: string; timeoutMs?: number } = {}) {
  const { monotonicUs, ca = null, timeoutMs = 2000 } = change
  const clock = { ...systemClock(), ...(monotonicUs === undefined ? {} : { monotonicUs }) }
  return createHttpExecutor({ target: 'hook', url, secret: SECRET, ca, timeoutMs, clock, random: () => 0 })
}

t.test('a request is posted whole, signed and under its key', async (t) => {
  const { url, asked } = await peer(t, say(200, { key: 'key-0001', stage: 'completed', detail: 'done\nand over' }))
  const hook = executor(url)
  const noted = await noteAcks(hook)
  await hook.send(actionRequest())
  await noted.count('key-0001', 1)
  t.match(noted.acks[0], { status: 'completed', from: new URL(url).host, message: 'done and over' })
  const { headers, text, body } = asked[0]!
  t.same(body, {
    v: 1,
    type: 'request',
    key: 'key-0001',
    rig: 'bench',
    action: 'shutdown',
    target: 'relief',
    params: { open: true, rate: 0.5 },
    attempt: 1,
    budget_ms: 5000,
  })
  t.equal(headers['idempotency-key'], 'key-0001')
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${text}`
  t.equal(headers['webhook-signature'], `v1,${createHmac('sha256', SECRET).update(signed).digest('base64')}`)
})

t.test('what an answer means, and what means nothing', async (t) => {
  const table: readonly [string, Answer, readonly string[]][] = [
    ['a stage', say(200, { key: 'key-0001', stage: 'started' }), ['started']],
    ['nothing in it', say(204, ''), ['accepted']],
    ['a refusal', say(422, 'no such valve'), ['rejected']],
    ['not now', say(429, ''), []],
    ['a fault of the peer, who may have done it', say(500, ''), []],
    ['elsewhere', say(307, '', { location: 'http://127.0.0.1:1/' }), []],
    ['of another key', say(200, { key: 'key-0002', stage: 'completed' }), []],
    ['a stage that there is not', say(200, { key: 'key-0001', stage: 'exploded' }), []],
    ['no JSON', say(200, 'fine'), []],
    ['too long', say(200, 'x'.repeat(20_000)), []],
    ['cut off', (_, response) => response.destroy(), []],
  ]
  for (const [what, answer, stages] of table) {
    const { url } = await peer(t, answer)
    const hook = executor(url)
    const noted = await noteAcks(hook)
    await hook.send(actionRequest())
    // What would be made of the first answer has been made when a later question is answered.
    await hook.query('key-0001', 1000)
    await noted.count('key-0001', stages.length)
    t.same(noted.stages('key-0001'), stages, what)
  }
})

t.test('queries and proofs', async (t) => {
  const { url } = await peer(t, ({ body }, response) => {
    const known = body['key'] === 'key-0001'
    const stage = body['type'] === 'proof' ? 'completed' : known ? 'failed' : 'unknown_key'
    say(200, { key: body['key'], stage })({} as Asked, response)
  })
  const hook = executor(url)
  await noteAcks(hook)
  t.match(await hook.query('key-0001', 1000), { key: 'key-0001', status: 'failed' })
  t.equal(await hook.query('key-0002', 1000), 'unknown_key')
  t.equal(await hook.proof(1000), true)
  const silent = await peer(t, () => undefined)
  const waiting = executor(silent.url)
  await noteAcks(waiting)
  t.equal(await waiting.query('key-0001', 30), 'no_answer')
  t.equal(await waiting.proof(30), false)
})

t.test('nobody there is said at once, and after some failures nobody is asked for a while', async (t) => {
  let nowUs = 0
  let isWell = false
  const { url, asked } = await peer(t, (one, response) => say(isWell ? 204 : 503, '')(one, response))
  const gone = executor('http://127.0.0.1:9/')
  await noteAcks(gone)
  await t.rejects(gone.send(actionRequest()), { code: 'EXECUTOR_UNREACHABLE' })

  const hook = executor(url, { monotonicUs: () => nowUs })
  const noted = await noteAcks(hook)
  for (let k = 0; k < 5; k += 1) t.equal(await hook.query('key-0001', 1000), 'no_answer')
  t.equal(asked.length, 5)
  await t.rejects(hook.send(actionRequest()), { code: 'EXECUTOR_UNREACHABLE', message: /too often/ })
  t.equal(asked.length, 5, 'nobody was asked')
  t.same(noted.links, ['up', 'down: status 503'])
  isWell = true
  nowUs = 10_000_000
  await hook.send(actionRequest())
  await noted.count('key-0001', 1)
  t.equal(asked.length, 6)
  t.same(noted.links.at(-1), 'up')
  await t.rejects(hook.send(actionRequest({ budgetMs: Number.NaN })), { code: 'EXECUTOR_REQUEST' })
  await hook.stop()
  await t.rejects(hook.send(actionRequest()), { code: 'EXECUTOR_UNREACHABLE' })
})

t.test('at most so many are on their way at once', async (t) => {
  const { url } = await peer(t, () => undefined)
  const hook = executor(url, { timeoutMs: 300 })
  await noteAcks(hook)
  const sent = await Promise.allSettled(
    Array.from({ length: 34 }, (_, k) => hook.send(actionRequest({ key: `key-${k}-many` }))),
  )
  const refused = sent.flatMap((one) => (one.status === 'rejected' ? [one.reason.code as string] : []))
  t.same(refused, ['EXECUTOR_BUSY', 'EXECUTOR_BUSY'])
})

t.test('over TLS the other end must prove its name to the authority that was named', async (t) => {
  const ca = createDevCa()
  const certificate = serverCertificate(ca)
  const server = createTlsServer({ cert: certificate.certPem, key: certificate.keyPem }, (_, response) =>
    response.writeHead(204).end(),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const trusting = executor(url, { ca: ca.certPem })
  const noted = await noteAcks(trusting)
  await trusting.send(actionRequest())
  await noted.count('key-0001', 1)
  t.same(noted.stages('key-0001'), ['accepted'])
  const strict = executor(url)
  const refused = await noteAcks(strict)
  await t.rejects(strict.send(actionRequest()), { code: 'EXECUTOR_UNREACHABLE' })
  t.same(refused.acks, [])
})

t.test('an agent that stops waits for the answer to what is on its way', async (t) => {
  let answer = (): void => undefined
  const { url, asked } = await peer(t, (one, response) => {
    answer = () => say(200, { key: 'key-0001', stage: 'completed' })(one, response)
  })
  const hook = executor(url)
  const noted = await noteAcks(hook)
  await hook.send(actionRequest())
  for (let k = 0; k < 400 && asked.length === 0; k += 1) await new Promise((resolve) => setTimeout(resolve, 5))
  const stopped = hook.stop()
  answer()
  await stopped
  t.same(noted.stages('key-0001'), ['completed'])
})
