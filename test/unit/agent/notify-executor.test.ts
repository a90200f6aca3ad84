import t from 'tap'
import { createNotifyExecutor } from '../../../agent/adapters/notify-executor.ts'
import { createVirtualClock } from '../../../shared/lib/clock.ts'
import { plainText } from '../../../shared/log/plain-text.ts'
import type { Notice, NotifyChannel } from '../../../shared/notify/notice.ts'
import { actionRequest } from '../../support/actuator-process.ts'
import { noteAcks } from '../../support/noted-acks.ts'

const START_US = 1_700_000_000_000_000
const MINUTE_US = 60_000_000

type FakeChannel = NotifyChannel & { told: Notice[]; isWell: boolean; tries: number }

function channel(name: string): FakeChannel {
  return {
    name,
    told: [],
    isWell: true,
    tries: 0,
    async deliver(notice) {
      this.tries += 1
      if (!this.isWell) throw new Error(`${name} is down`)
      this.told.push(notice)
    },
    async probe() {
      return this.isWell
    },
    close() {},
  }
}

async function notifier(names: readonly string[], perMinuteMax = 10) {
  const clock = createVirtualClock(START_US)
  const channels = names.map(channel)
  const options = { target: 'crew', channels, perMinuteMax, timeoutMs: 1000, clock, random: () => 0 }
  const executor = createNotifyExecutor(options)
  const noted = await noteAcks(executor)
  const notify = (key: string, params = {}): Promise<void> =>
    executor.send(actionRequest({ key, action: 'notify', target: 'crew', params }))
  return { clock, channels, executor, noted, notify }
}

t.test('a notice goes to every channel, as plain lines, once for its key', async (t) => {
  const { clock, channels, executor, noted, notify } = await notifier(['log', 'mail'])
  await notify('key-0001', { message: 'p high\r\nBcc: all@example.com', b: '\u001b[31mred', a: 1 })
  await clock.advance(0)
  t.same(noted.stages('key-0001'), ['accepted', 'completed'])
  for (const { told } of channels) {
    t.equal(told.length, 1)
    t.equal(told[0]!.title, 'bench: p high Bcc: all@example.com')
    t.same(told[0]!.facts, [
      { name: 'a', value: '1' },
      { name: 'b', value: '[31mred' },
      { name: 'message', value: 'p high Bcc: all@example.com' },
    ])
  }
  await notify('key-0001')
  t.equal(noted.acks.at(-1)!.status, 'completed')
  t.equal(channels[0]!.told.length, 1)
  t.match(await executor.query('key-0001', 1), { status: 'completed' })
  t.equal(await executor.query('key-0002', 1), 'no_answer')
})

t.test('above so many a minute the rest is told in one summary that says how many of what', async (t) => {
  const { clock, channels, noted, notify } = await notifier(['mail'], 3)
  for (let k = 0; k < 10; k += 1) await notify(`key-00${k}-many`)
  await clock.advance(MINUTE_US - 1)
  t.equal(channels[0]!.told.length, 3)
  t.same(noted.stages('key-009-many'), ['accepted'])
  await clock.advance(1)
  t.equal(channels[0]!.told.length, 4)
  t.match(channels[0]!.told[3], {
    title: '7 more notices in this minute',
    facts: [{ name: 'bench: notify crew', value: '7' }],
  })
  t.same(noted.stages('key-009-many'), ['accepted', 'completed'])
  await notify('key-next-minute')
  await clock.advance(0)
  t.equal(channels[0]!.told.length, 5, 'the next minute has room again')
})

t.test('what waits for a summary has a bound, and is told when the agent stops', async (t) => {
  const { clock, channels, executor, noted, notify } = await notifier(['mail'], 1)
  for (let k = 0; k < 1002; k += 1) await notify(`key-${String(k).padStart(4, '0')}`)
  await clock.advance(0)
  t.same(noted.stages('key-1000'), ['accepted'])
  t.same(noted.stages('key-1001'), ['rejected'])
  await executor.stop()
  t.match(channels[0]!.told[1], { title: '1000 more notices in this minute' })
  t.same(noted.stages('key-1000'), ['accepted', 'completed'])
  await t.rejects(notify('key-too-late'), { code: 'EXECUTOR_UNREACHABLE' })
  await executor.stop()
})

t.test(
  'one channel is enough, the others are named, and one that keeps failing is left alone for a while',
  async (t) => {
    const { clock, channels, executor, noted, notify } = await notifier(['log', 'mail'], 100)
    const [log, mail] = channels
    mail!.isWell = false
    for (let k = 0; k < 5; k += 1) {
      await notify(`key-mail-${k}`)
      await clock.advance(0)
      t.match(noted.acks.at(-1), { status: 'completed', message: /^mail: / })
    }
    t.equal(mail!.tries, 3, 'not asked again after three failures')
    t.equal(await executor.proof(100), true, 'a way to people is well')
    log!.isWell = false
    await notify('key-nobody')
    await clock.advance(0)
    t.match(noted.acks.at(-1), {
      status: 'failed',
      message: /log: log is down; mail: mail: failed too often|log is down/,
    })
    t.equal(noted.links.at(-1)?.startsWith('down: '), true)
    t.equal(await executor.proof(100), false)
    mail!.isWell = true
    await clock.advance(MINUTE_US)
    await notify('key-again')
    await clock.advance(0)
    t.equal(mail!.told.at(-1)?.key, 'key-again', 'one trial after a minute, and it went through')
    t.equal(noted.links.at(-1), 'up')
  },
)

t.test('text on one line', async (t) => {
  t.equal(plainText(' a\u0000b\u2028c\u202ed\u0085e '), 'a b c d e')
  t.equal(plainText('x'.repeat(600)).length, 513)
})
