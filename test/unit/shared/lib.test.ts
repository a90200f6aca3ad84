import t from 'tap'
import { createBoundedQueue } from '../../../shared/lib/bounded-queue.ts'
import { createBreaker } from '../../../shared/lib/circuit-breaker.ts'
import { createVirtualClock } from '../../../shared/lib/clock.ts'
import { createLifecycle } from '../../../shared/lib/lifecycle.ts'
import { createPrng, createXoshiro, noiseAt, streamOf, uniformAt } from '../../../shared/lib/prng.ts'
import { createRetrySchedule } from '../../../shared/lib/retry-schedule.ts'
import { createLogger } from '../../../shared/log/logger.ts'

t.test('a queue at its bound refuses, or drops the oldest, and counts either', async (t) => {
  const refusing = createBoundedQueue<number>({ max: 2, name: 'q', overflow: 'refuse' })
  t.same(
    [1, 2, 3].map((n) => refusing.push(n)),
    [true, true, false],
  )
  t.match(refusing, { length: 2, dropped: 1 })
  const dropping = createBoundedQueue<number>({ max: 3, name: 'q', overflow: 'drop_oldest' })
  for (let n = 1; n <= 40; n += 1) dropping.push(n)
  t.same([dropping.shift(), dropping.shift(), dropping.shift(), dropping.shift()], [38, 39, 40, undefined])
  t.equal(dropping.dropped, 37)
})

t.test('the generator gives the published numbers of xoshiro128**, and the same for the same seed', async (t) => {
  // First outputs for the state 1, 2, 3, 4, as in the reference implementation's tests.
  const reference = createXoshiro([1, 2, 3, 4])
  t.same([reference.nextUint32(), reference.nextUint32(), reference.nextUint32()], [11520, 0, 5927040])
  const [a, b] = [createPrng(7), createPrng(7)]
  t.same(
    Array.from({ length: 100 }, () => a.next()),
    Array.from({ length: 100 }, () => b.next()),
  )
  const many = Array.from({ length: 20_000 }, (_, k) => noiseAt(3, 1, k))
  const mean = many.reduce((x, y) => x + y, 0) / many.length
  const variance = many.reduce((x, y) => x + (y - mean) ** 2, 0) / many.length
  t.ok(Math.abs(mean) < 0.03 && Math.abs(variance - 1) < 0.05, `mean ${mean}, variance ${variance}`)
  t.equal(noiseAt(3, 1, 5), many[5], 'in whatever order it is asked for')
  const even = Array.from({ length: 20_000 }, (_, k) => uniformAt(3, 1, k))
  const below = even.filter((value) => value < 0.25).length / even.length
  t.ok(even.every((value) => value >= 0 && value < 1) && Math.abs(below - 0.25) < 0.02, `${below} below a quarter`)
  t.equal(uniformAt(3, 1, 5), even[5])
  t.not(uniformAt(3, streamOf('a'), 5), uniformAt(3, streamOf('b'), 5))
  t.not(uniformAt(3, 1, 2 ** 32 + 5), even[5], 'far places are other places')
})

t.test('delays grow to their maximum, with jitter below, and start over', async (t) => {
  const schedule = createRetrySchedule({ firstMs: 100, maxMs: 1000, factor: 2, jitter: 0, random: () => 0.5 })
  t.same(
    Array.from({ length: 6 }, () => schedule.next()),
    [100, 200, 400, 800, 1000, 1000],
  )
  schedule.reset()
  t.equal(schedule.next(), 100)
  const jittered = createRetrySchedule({ firstMs: 100, maxMs: 1000, factor: 2, jitter: 0.5, random: () => 1 })
  t.equal(jittered.next(), 50)
})

// verifies REQ-LNK-005
t.test('a breaker opens at its failures, lets one trial through, and closes by a success', async (t) => {
  const breaker = createBreaker({ failures: 3, windowMs: 1000, openMs: 500, jitter: 0, random: () => 0 })
  for (const us of [0, 100, 200]) breaker.failed(us)
  t.equal(breaker.state, 'open')
  t.notOk(breaker.mayTry(400_000))
  t.ok(breaker.mayTry(600_000), 'the trial')
  t.notOk(breaker.mayTry(600_001), 'and only one')
  breaker.failed(700_000)
  t.equal(breaker.state, 'open')
  t.ok(breaker.mayTry(1_300_000))
  breaker.succeeded(1_300_000)
  t.equal(breaker.state, 'closed')
  const slow = createBreaker({ failures: 3, windowMs: 1000, openMs: 500, jitter: 0, random: () => 0 })
  for (const us of [0, 2_000_000, 4_000_000]) slow.failed(us)
  t.equal(slow.state, 'closed', 'failures far apart are none')
})

t.test('a virtual clock fires timers in order of their time', async (t) => {
  const clock = createVirtualClock(1_000_000)
  const fired: string[] = []
  clock.after(20, () => fired.push('b'))
  clock.after(10, () => fired.push('a'))
  const cancel = clock.every(15, () => fired.push('e'))
  clock.after(5, () => fired.push('never'))()
  await clock.advance(31_000)
  cancel()
  await clock.advance(100_000)
  t.same(fired, ['a', 'e', 'b', 'e'])
  t.equal(clock.nowUs(), 1_131_000)
})

t.test('parts stop in reverse, a part that fails or hangs does not keep the others, and twice is fine', async (t) => {
  const clock = createVirtualClock(0)
  const said: string[] = []
  const lifecycle = createLifecycle({ clock, stopMs: 1000 })
  lifecycle.add({ name: 'a', start: () => void said.push('+a'), stop: () => void said.push('-a') })
  lifecycle.add({ name: 'b', stop: () => Promise.reject(new Error('no')) })
  lifecycle.add({ name: 'c', start: () => void said.push('+c'), stop: () => void said.push('-c') })
  await lifecycle.start()
  const report = await lifecycle.stop()
  t.same(said, ['+a', '+c', '-c', '-a'])
  t.same(
    report.failed.map(({ name }) => name),
    ['b'],
  )
  t.equal(await lifecycle.stop(), report)
})

t.test('a log never shows what is named like a secret', async (t) => {
  const lines: string[] = []
  const log = createLogger({
    name: 'x',
    level: 'info',
    destination: { write: (line: string) => void lines.push(line) },
  })
  log.info({ event: 'x', private_key: 'hush', tls: { key: 'hush', token: 'hush' }, rig: 'water-loop' }, 'hello')
  t.notMatch(lines.join(''), /hush/)
  t.match(JSON.parse(lines[0]!), { rig: 'water-loop', level: 'info', msg: 'hello' })
})

t.test('a log line has each name once, whatever is said', async (t) => {
  const lines: string[] = []
  const destination = { write: (line: string) => void lines.push(line) }
  const log = createLogger({ name: 'x', level: 'info', destination })
  const names = ['level', 'time', 'msg', 'name', 'pid', 'hostname']
  // What a type keeps out comes all the same in the fields of foreign objects.
  const foreign = Object.fromEntries(names.map((name) => [name, 'forged']))
  log.warn({ ...(foreign as object), event: 'y', rig: 'loop' }, 'said')
  // @ts-expect-error such a name is not free
  log.warn({ event: 'y', level: 'failed' }, 'said')
  for (const line of lines) {
    const found = [...line.matchAll(/"([a-z_]+)":/g)].map(([, name]) => name!)
    t.same(found, [...new Set(found)], line)
    t.match(JSON.parse(line), { level: 'warn', name: 'x', msg: 'said', event: 'y' })
  }
  t.match(JSON.parse(lines[0]!), Object.fromEntries(names.map((name) => [`fact_${name}`, 'forged'])))
  t.match(JSON.parse(lines[1]!), { fact_level: 'failed' })
})
