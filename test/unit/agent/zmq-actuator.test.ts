import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createOpenQuestions } from '../../../agent/adapters/open-questions.ts'
import { type Actuator, createActuator } from '../../../hil-testbed/actuator.ts'
import { openActuatorBook } from '../../../hil-testbed/actuator-book.ts'
import { createVirtualClock, type VirtualClock } from '../../../shared/lib/clock.ts'
import { SESSION_US_MAX } from '../../../shared/protocol/actuator.ts'
import { actionRequest, type NotingExecutor, startExecutor } from '../../support/actuator-process.ts'

const KEY = new Uint8Array(32).fill(5)
const SECOND_US = 1_000_000

type Pair = Readonly<{ link: NotingExecutor; actuator: Actuator; clock: VirtualClock; said: { event: string }[] }>

/** Both ends in this process, on one clock that stands still: a message takes no time unless it is told to. */
async function pair(t: Test, pingMs: number): Promise<Pair> {
  const clock = createVirtualClock(0)
  const said: { event: string }[] = []
  const book = openActuatorBook(join(t.testdir(), 'actuator.jsonl'), 'actuator')
  const actuator = createActuator({
    ...{ id: 'actuator', agent: 'agent', endpoint: 'tcp://127.0.0.1:0', key: KEY, book, clock },
    ...{ testbed: true, idempotent: true, lossEffect: 'de_energise' },
    say: (event, facts) => said.push({ event, ...facts }),
  })
  const link = await startExecutor({ endpoint: await actuator.start(), key: KEY, clock, pingMs })
  t.teardown(async () => {
    await link.executor.stop()
    await actuator.stop()
    book.close()
  })
  await link.until('up', () => link.ups.length === 1)
  return { link, actuator, clock, said }
}

t.test('a session is followed by another before it is too old to tell ages, without a gap', async (t) => {
  const { link, clock, said } = await pair(t, 60_000)
  // A tenth of 90 % of a session each time, so that a greeting is said at the end of a step and time stands still for it.
  const stepUs = (SESSION_US_MAX * 0.9) / 10
  for (let us = 0; us < 2.5 * SESSION_US_MAX; us += stepUs) {
    await clock.advance(stepUs)
    t.equal(await link.executor.query('key-none', 10_000), 'unknown_key', `after ${us / SECOND_US} s`)
  }
  t.equal(said.filter(({ event }) => event === 'session').length, 3)
  t.same(link.downs, [])
  t.same(
    said.filter(({ event }) => event === 'message_refused'),
    [],
  )
})

t.test('a peer that says nothing any more is lost after three pings without a receipt', async (t) => {
  const { link, actuator, clock } = await pair(t, 100)
  await actuator.stop()
  const waiting = link.executor.query('key-none', 60_000)
  await clock.advance(200_000)
  t.same(link.downs, [], 'two may be lost')
  await clock.advance(200_000)
  t.match(link.downs, [/no receipt for 3 pings/])
  t.equal(await waiting, 'no_answer', 'what was asked is given up with the link')
  t.ok(link.executor.linkErrors.lose > 0)
})

t.test('more than may be on its way is refused, and the rest goes', async (t) => {
  const { link, said } = await pair(t, 60_000)
  const sent = await Promise.allSettled(
    Array.from({ length: 300 }, (_, k) => link.executor.send(actionRequest({ key: `key-${k}-many` }))),
  )
  const refused = sent.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[]
  t.ok(refused.length >= 40 && refused.length < 60, `${refused.length} of 300`)
  for (const { reason } of refused) t.match(reason, { code: 'EXECUTOR_BUSY' })
  const done = (): number => link.acks.filter(({ status }) => status === 'completed').length
  await link.until('the rest', () => done() === 300 - refused.length)
  t.equal(said.filter(({ event }) => event === 'effect').length, 300 - refused.length)
})

t.test('what cannot be written is refused before anything is sent', async (t) => {
  const { link, said } = await pair(t, 60_000)
  for (const change of [{ key: 'k' }, { budgetMs: 0 }, { budgetMs: Number.NaN }, { params: { a: Number.NaN } }])
    await t.rejects(link.executor.send(actionRequest(change)), { code: 'EXECUTOR_REQUEST' })
  t.equal(await link.executor.query('not a key', 1000), 'no_answer')
  t.equal(await link.executor.query('key-none', Number.NaN), 'no_answer')
  t.notOk(said.some(({ event }) => event === 'request'))
})

t.test('an address where nobody is is tried with growing pauses, and after five failures left alone', async (t) => {
  const clock = createVirtualClock(0)
  const link = await startExecutor({ endpoint: 'tcp://127.0.0.1:9', key: KEY, clock, random: () => 0 })
  t.teardown(() => link.executor.stop())
  const triedUs: number[] = []
  for (let us = 0; us < 90 * SECOND_US; us += SECOND_US / 10) {
    if (link.executor.connections > triedUs.length) triedUs.push(us)
    await clock.advance(SECOND_US / 10)
  }
  const pauses = triedUs.slice(1).map((us, k) => Math.round((us - triedUs[k]!) / (SECOND_US / 10)) / 10)
  // Four seconds for each greeting, then the pause: 0.1, 0.2, 0.4, 0.8, and 10 and more.
  t.same(pauses.slice(0, 4), [4.1, 4.2, 4.4, 4.8])
  t.ok(pauses.length > 5)
  t.ok(
    pauses.slice(4).every((pause) => pause >= 14),
    `pauses ${pauses.join(', ')}`,
  )
  t.equal(link.downs.length, 1, 'the same reason is told once')
  await t.rejects(link.executor.send(actionRequest()), { code: 'EXECUTOR_UNREACHABLE' })
})

t.test('questions: one answer for who asks the same, none when there is no room or no time', async (t) => {
  const clock = createVirtualClock(0)
  const questions = createOpenQuestions<string>({ clock, max: 2 })
  let sent = 0
  const ask = (name: string): Promise<string | null> => questions.ask(name, 100, () => (sent += 1))
  const [first, same, other] = [ask('a'), ask('a'), ask('b')]
  t.equal(await ask('c'), null)
  t.equal(sent, 2)
  questions.answered('a', 'yes')
  questions.answered('a', 'no')
  t.same(await Promise.all([first, same]), ['yes', 'yes'])
  await clock.advance(100_000)
  t.equal(await other, null)
  const last = ask('d')
  questions.giveUp()
  t.equal(await last, null)
  t.equal(questions.open, 0)
})
