import { readdirSync, writeFileSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  giveBack,
  type Reservation,
  release,
  reservations,
  reserve,
} from '../../../../hil-testbed/bench/reservations.ts'
import { createVirtualClock } from '../../../../shared/lib/clock.ts'

const NOW_US = 1_780_272_000_000_000
/** No process has a number as high (`/proc/sys/kernel/pid_max`). */
const NOBODY = 2 ** 30

/** A folder of places, and a clock. */
function places(t: Test) {
  const folder = t.testdir({})
  process.env['HB_HIL_RESERVATIONS'] = folder
  t.teardown(() => delete process.env['HB_HIL_RESERVATIONS'])
  const clock = createVirtualClock(NOW_US)
  const take = (change: Partial<Parameters<typeof reserve>[1]> = {}): Promise<Reservation> =>
    reserve('rack-1', {
      ...{ forMs: 60_000, waitMs: 0, comment: 'a run', pid: process.pid, host: clock },
      ...change,
    })
  const put = (text: string): void => writeFileSync(join(folder, 'rack-1.json'), text)
  return { folder, clock, take, put }
}

t.test('one has a place, and the others are told who', async (t) => {
  const { clock, take, folder } = places(t)
  const held = await take()
  t.match(held, { by: userInfo().username, host: hostname(), since_utc: '2026-06-01T00:00:00.000Z' })
  const found = `${userInfo().username}@${hostname()}, a run`
  await t.rejects(take(), {
    code: 'RIG_RESERVED',
    context: { place: 'rack-1', found, until: '2026-06-01T00:01:00.000Z' },
  })
  t.same(reservations(clock.nowUs()), [held])
  t.same(readdirSync(folder), ['rack-1.json'], 'nothing else lies there')
  giveBack(held)
  t.same(reservations(clock.nowUs()), [])
  await take()
})

t.test('whoever waits gets it when it is free, and not after his time', async (t) => {
  const { clock, take } = places(t)
  const held = await take()
  const late = t.rejects(take({ waitMs: 1000 }), { code: 'RIG_RESERVED' })
  for (let k = 0; k < 3; k += 1) await clock.advance(500_000)
  await late
  const waiting = take({ waitMs: 5000, comment: 'the next' })
  await clock.advance(1_000_000)
  giveBack(held)
  await clock.advance(500_000)
  t.match(await waiting, { comment: 'the next' })
  const ending = new AbortController()
  const left = t.rejects(take({ waitMs: 5000, signal: ending.signal }), { name: 'AbortError' })
  ending.abort()
  await left
})

t.test('a place is free after its end, without the run that has it, and when nobody can read who has it', async (t) => {
  const { clock, take, put } = places(t)
  await take({ comment: 'the first' })
  await clock.advance(60_000_000)
  t.match(await take({ comment: 'the second' }), { comment: 'the second' })
  release('rack-1')
  await take({ pid: NOBODY, comment: 'one that is gone' })
  t.match(await take({ comment: 'the third' }), { comment: 'the third' })
  for (const text of ['', 'null', '{"place":"rack-1"}', '\0']) {
    put(text)
    t.match(await take({ comment: 'the fourth' }), { comment: 'the fourth' }, JSON.stringify(text))
  }
})

t.test('a person keeps a place without a process, and a run of another machine is believed', async (t) => {
  const { take, put } = places(t)
  const person = await take({ pid: null })
  await t.rejects(take(), { code: 'RIG_RESERVED' })
  put(`${JSON.stringify({ ...person, pid: NOBODY, host: 'elsewhere' })}\n`)
  await t.rejects(take(), { code: 'RIG_RESERVED', context: { found: /@elsewhere/ } })
})

t.test('whoever comes too late gives back nothing that is not his', async (t) => {
  const { clock, take } = places(t)
  const first = await take()
  await clock.advance(61_000_000)
  const second = await take({ comment: 'the second' })
  giveBack(first)
  t.same(reservations(clock.nowUs()), [second])
})

t.test('a name that is none, and a folder that cannot be', async (t) => {
  const { clock, folder, take } = places(t)
  const wanted = { forMs: 1, waitMs: 0, comment: '', pid: null, host: clock }
  await t.rejects(reserve('../rack', wanted), { code: 'USAGE' })
  writeFileSync(join(folder, 'file'), '')
  process.env['HB_HIL_RESERVATIONS'] = join(folder, 'file')
  await t.rejects(take(), { code: 'REPORT_UNWRITABLE' })
  t.same(reservations(clock.nowUs()), [])
})
