import t from 'tap'
import { killAll } from '../../scripts/demo/processes.ts'
import { LINK_ERRORS, type LinkError, type LinkSide } from '../../shared/protocol/actuator.ts'
import { actionRequest, createActuatorFolder, startExecutor } from '../support/actuator-process.ts'
import { startActuatorProxy } from '../support/actuator-proxy.ts'

/** Longer than a request here is good for, and than the actuator says its answers are. */
const LATE_MS: Readonly<Record<LinkSide, number>> = { agent: 400, actuator: 2200 }
const BUDGET_MS = 300

// verifies SE-14, SE-41, REQ-LNK-003
t.test(
  'whatever goes wrong between the processes is named where it arrives, and an action is done exactly once',
  async (t) => {
    const folder = createActuatorFolder()
    const { endpoint, lines } = await folder.start('actuator')
    const proxy = await startActuatorProxy(endpoint, folder.key)
    // No heartbeat in between: what is spoiled is what is looked at.
    const link = await startExecutor({ endpoint: proxy.endpoint, key: folder.key, pingMs: 60_000 })
    t.teardown(async () => {
      await link.executor.stop()
      proxy.stop()
      killAll()
      folder.remove()
    })
    await link.until('up', () => link.ups.length === 1)
    const named = (side: LinkSide, kind: LinkError): number =>
      side === 'actuator' ? link.executor.linkErrors[kind] : lines.filter((line) => line['kind'] === kind).length
    const done = (key: string): boolean => link.acks.some((ack) => ack.key === key && ack.status === 'completed')

    for (const side of ['agent', 'actuator'] as const) {
      for (const kind of LINK_ERRORS) {
        const key = `key-${side}-${kind}`
        const before = named(side, kind)
        const injected = proxy.inject({ side, kind, t: side === 'agent' ? 'request' : 'ack', delayMs: LATE_MS[side] })
        await link.executor.send(actionRequest({ key, budgetMs: BUDGET_MS }))
        await injected
        await new Promise((resolve) => setTimeout(resolve, kind === 'delay' ? LATE_MS[side] + 200 : 50))
        // What the ledger does when its stage has timed out: the same key again.
        await link.executor.send(actionRequest({ key, budgetMs: 5000, attempt: 2 }))
        await link.until(`${kind} from the ${side}`, () => done(key) && named(side, kind) > before)
        t.ok(named(side, kind) > before, `${kind} from the ${side} has its name at the other end`)
        t.equal((await folder.count()).by_key[key]?.effects, 1, `${kind} from the ${side}: done once`)
      }
    }
    const { keys, effects, by_key } = await folder.count()
    t.equal(keys, 2 * LINK_ERRORS.length)
    t.equal(effects, keys)
    t.notOk('key-forged' in by_key, 'nothing was done that nobody asked for')
    t.notOk(
      link.acks.some(({ key }) => key === 'key-forged'),
      'and nothing was taken for done',
    )
    const late = link.acks.find(({ key }) => key === 'key-agent-delay')
    t.match(late, { status: 'rejected', message: /^delay: / }, 'what came too late is said to have had no effect')
    t.equal(link.downs.length, 0)
    t.comment(`counted: link errors between processes | ${keys} | each named, each action done exactly once`)
  },
)

t.test('a link that is cut comes back by itself, in another session', async (t) => {
  const folder = createActuatorFolder()
  const { endpoint, lines } = await folder.start('actuator')
  const proxy = await startActuatorProxy(endpoint, folder.key)
  const link = await startExecutor({ endpoint: proxy.endpoint, key: folder.key, pingMs: 50 })
  t.teardown(async () => {
    await link.executor.stop()
    killAll()
    folder.remove()
  })
  await link.until('up', () => link.ups.length === 1)
  proxy.stop()
  await link.until('down', () => link.downs.length === 1)
  t.match(link.downs[0], /no receipt|closed|unavailable/i)
  const port = Number(proxy.endpoint.split(':').at(-1))
  const again = await startActuatorProxy(endpoint, folder.key, port)
  t.teardown(() => again.stop())
  await link.until('up again', () => link.ups.length === 2)
  t.equal(lines.filter(({ event }) => event === 'session').length, 2)
  await link.executor.send(actionRequest())
  await link.until('done', () => link.acks.some(({ status }) => status === 'completed'))
})
