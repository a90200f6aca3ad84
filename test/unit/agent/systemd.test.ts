import t from 'tap'
import { createSystemd, type SystemdState } from '../../../agent/adapters/systemd.ts'
import { createVirtualClock } from '../../../shared/lib/clock.ts'

const SOCKET = { NOTIFY_SOCKET: '/run/systemd/notify' }

function told(env: Record<string, string>, notify?: (state: SystemdState) => Promise<void>) {
  const clock = createVirtualClock(0)
  const [states, failures]: [SystemdState[], string[]] = [[], []]
  const taking = async (state: SystemdState): Promise<void> => {
    states.push(state)
    await notify?.(state)
  }
  const failed = (reason: string): void => void failures.push(reason)
  const systemd = createSystemd({ env, pid: 42, clock, failed, notify: taking })
  /** Tokens that come through, twenty a second. */
  const tokens = async (count: number): Promise<void> => {
    for (let k = 0; k < count; k += 1) {
      systemd!.watchdog.alive()
      await clock.advance(50_000)
    }
  }
  return { clock, states, failures, systemd, tokens }
}

t.test('which process is to be watched, and how long it may be silent', async (t) => {
  t.equal(told({}).systemd, null, 'nobody asked')
  t.equal(told({ NOTIFY_SOCKET: '' }).systemd, null)
  const table: readonly [Record<string, string>, number | null][] = [
    [{}, null],
    [{ WATCHDOG_USEC: '10000000' }, 10_000],
    [{ WATCHDOG_USEC: '10000000', WATCHDOG_PID: '42' }, 10_000],
    [{ WATCHDOG_USEC: '10000000', WATCHDOG_PID: '43' }, null],
    [{ WATCHDOG_USEC: '0' }, null],
    [{ WATCHDOG_USEC: '-1' }, null],
    [{ WATCHDOG_USEC: 'NaN' }, null],
    [{ WATCHDOG_USEC: '' }, null],
  ]
  for (const [env, everyMs] of table)
    t.equal(told({ ...SOCKET, ...env }).systemd?.watchdog.everyMs, everyMs, JSON.stringify(env))
})

// verifies SE-33
t.test('ready and alive are said for a token that came through, and never by time', async (t) => {
  const { clock, states, systemd, tokens } = told({ ...SOCKET, WATCHDOG_USEC: '10000000' })
  await tokens(40)
  t.same(states, [], 'not before all parts of the agent run')
  systemd!.started('system')
  await clock.advance(3_600_000_000)
  t.same(states, [], 'nor by an hour of nothing but time')
  await tokens(200)
  t.same(states, ['READY=1', ...Array(4).fill('WATCHDOG=1')], 'ten seconds of tokens: ready once, four signs of life')
  await clock.advance(3_600_000_000)
  t.equal(states.length, 5)
  await systemd!.stopping()
  await tokens(200)
  t.equal(states.at(-1), 'STOPPING=1', 'and no sign of life after that')
})

// verifies SE-33
t.test('where nobody counts the seconds, ready is all that is said', async (t) => {
  const { states, systemd, tokens } = told(SOCKET)
  systemd!.started('system')
  await tokens(200)
  t.same(states, ['READY=1'])
})

t.test('a manager that cannot be told is said once, and tried again once a second', async (t) => {
  let isThere = false
  const notify = async (): Promise<void> => {
    if (!isThere) throw new Error('ENOENT')
  }
  const { states, failures, systemd, tokens } = told(SOCKET, notify)
  systemd!.started('system')
  await tokens(60)
  t.same(states, Array(3).fill('READY=1'))
  t.same(failures, ['ENOENT'])
  isThere = true
  await tokens(60)
  t.equal(states.length, 4, 'taken')
  isThere = false
  await systemd!.stopping()
  t.equal(failures.length, 2)
})

t.test('under the clock of a recording there is no sign of life, and that is said', async (t) => {
  const { failures, systemd } = told(SOCKET)
  systemd!.started('recording')
  t.match(failures, [/clock: recording/])
})
