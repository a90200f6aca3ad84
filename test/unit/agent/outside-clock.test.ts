import t from 'tap'
import { createOutsideClock } from '../../../agent/adapters/outside-clock.ts'
import { createVirtualClock, turnOfLoop } from '../../../shared/lib/clock.ts'

t.test('time stands until it is moved, and its one wall clock is itself', async (t) => {
  const host = createVirtualClock(0)
  const clock = createOutsideClock(5_000_000, { host, settle: turnOfLoop })
  const fired: number[] = []
  clock.every(50, () => fired.push(clock.nowUs()))
  await host.advance(60_000_000)
  t.same([clock.nowUs(), clock.monotonicUs(), clock.wallUs(), clock.aheadUs()], [5_000_000, 0, 5_000_000, null])
  await clock.sleep(0)
  await clock.moveTo(5_120_000)
  t.same(fired, [5_050_000, 5_100_000])
  t.equal(clock.monotonicUs(), 120_000)
  await clock.moveTo(1)
  t.equal(clock.nowUs(), 5_120_000, 'it does not go back')
})

t.test('let run, it goes on with time of the machine, whatever is under way, until it is halted', async (t) => {
  const host = createVirtualClock(0)
  const clock = createOutsideClock(5_000_000, { host, settle: () => new Promise(() => undefined) })
  let rung = false
  clock.after(200, () => {
    rung = true
  })
  clock.letRun()
  await host.advance(150_000)
  t.notOk(rung)
  await host.advance(100_000)
  t.ok(rung)
  clock.halt()
  const atUs = clock.nowUs()
  await host.advance(1_000_000)
  t.equal(clock.nowUs(), atUs)
})
