import t from 'tap'
import { OutboxWatch, RATE_MARKS_MAX, type WatchedOutbox } from '../../../agent/pipeline/outbox-watch.ts'
import { createPassDetail } from '../../../agent/pipeline/pass-detail.ts'
import { createVirtualClock } from '../../../shared/lib/clock.ts'
import type { DecisionItem } from '../../../shared/model/decision.ts'
import { buildRecords } from '../../../shared/protocol/batch-records.ts'

/** A record as it stands in a batch. */
function record(seq: number, verdict: string, more: { mode?: string; note?: string; rig?: string } = {}): DecisionItem {
  const { mode = 'nominal', note = '', rig = 'r' } = more
  const core = { v: 1, seq, rig, t_us: seq * 50_000, verdict, mode, run: null, slice: digest(seq), drivers: [] }
  return { kind: 'record', seq, values: [core, [], { channels: [] }, [], null, note], chain: digest(seq) }
}

function range(first: number, verdicts: readonly string[]): DecisionItem {
  const core = { v: 1, unchanged: verdicts.map((verdict, k) => [`r${k}`, 1, verdict]), t_first_us: 1, t_last_us: 2 }
  const values = [core, null, null, null, null, null] as const
  return { kind: 'range', first, last: first + 8, count: 9, values, chain: digest(first) }
}

function digest(n: number): Uint8Array {
  return new Uint8Array(32).fill(n)
}

t.test('only what says the same PASS again is detail that may go', async (t) => {
  const recordsOf = (...items: DecisionItem[]): Uint8Array => buildRecords(items, digest(1)).records
  const table: [string, DecisionItem[], boolean][] = [
    ['the first record of a rig says something', [record(1, 'PASS')], false],
    ['the same again does not', [record(11, 'PASS')], true],
    ['nor with the range between', [range(12, ['PASS']), record(21, 'PASS')], true],
    ['nor does a range alone', [range(22, ['PASS', 'PASS'])], true],
    ['a range in which one rig was anything else says something', [range(31, ['PASS', 'NO_TEST'])], false],
    ['a failure does', [record(40, 'FAIL')], false],
    ['a failure that lasts does', [record(41, 'FAIL')], false],
    ['the end of it does', [record(42, 'PASS')], false],
    ['another mode does', [record(43, 'PASS', { mode: 'test' })], false],
    ['and lasts', [record(44, 'PASS', { mode: 'test' })], true],
    ['a note does', [record(45, 'PASS', { mode: 'test', note: 'valve changed' })], false],
    ['one more rig does', [record(46, 'PASS', { rig: 'other' })], false],
    ['drift is no PASS', [record(47, 'PASS_WITH_DRIFT', { rig: 'other' })], false],
    ['a missing baseline is none', [record(48, 'NO_BASELINE', { rig: 'other' })], false],
    ['one of many is enough', [record(49, 'PASS', { mode: 'test', note: 'valve changed' }), record(50, 'FAIL')], false],
    ['a range of another shape stays', [{ ...range(51, []), values: [{ v: 1 }, null, null, null, null, null] }], false],
  ]
  const isRepetition = createPassDetail()
  for (const [name, items, repeats] of table) t.equal(isRepetition(recordsOf(...items)), repeats, name)
})

function watched() {
  const clock = createVirtualClock(0)
  const heard: string[] = []
  const gaps = { waiting: 0 }
  const outbox: WatchedOutbox & { held: number } = {
    held: 0,
    bytesMax: 1_000_000,
    thinnedWaiting: 0,
    watcher: null,
    thinner: { untold: [{ from: 3, to: 9 }], told: () => void heard.push('told'), oldest: async () => null },
  }
  const watch = new OutboxWatch(outbox, { thinAtPercent: 80 })
  watch.begin({
    clock,
    events: {
      outboxFilling: ({ alarm, days_left: days }) => void heard.push(`${alarm} ${days?.toFixed(4) ?? 'unknown'}`),
      outboxEased: ({ percent }) => void heard.push(`eased ${percent}`),
      detailThinned: () => undefined,
      thinningFailed: () => undefined,
    },
    batcher: {
      gap: ({ from, to, reason }) => void heard.push(`${reason} ${from} ${to}`),
      get gapsWaiting() {
        return gaps.waiting
      },
    },
  })
  const fillTo = async (held: number): Promise<void> => {
    await clock.advance(60_000_000)
    const bytes = Math.max(0, held - outbox.held)
    outbox.held = held
    outbox.watcher!.appended(bytes)
  }
  return { heard, gaps, outbox, watch, fillTo }
}

t.test('the alarms come in time, with the days that are left, and go when there is room', async (t) => {
  const { heard, gaps, outbox, watch, fillTo } = watched()
  t.same(heard.splice(0), ['pass_detail_thinned 3 9'], 'what a process before could not tell is told')
  gaps.waiting = 1
  outbox.watcher!.appended(0)
  t.same(heard.splice(0), [], 'and counts as told only when a durable batch has it')
  gaps.waiting = 0
  const news = (): string[] => heard.splice(0).filter((line) => line !== 'told')
  outbox.watcher!.appended(0)
  t.same(heard.splice(0), ['told'])
  for (let held = 100_000; held <= 700_000; held += 100_000) await fillTo(held)
  t.same(news(), [])
  t.ok(Math.abs(watch.fill().daysLeft! - 3 / 1440) < 1e-6, '100 kB a minute, 300 kB left: three minutes')
  await fillTo(800_000)
  t.same(news(), ['80 0.0014'])
  t.match(watch.warnings(), [
    { code: 'OUTBOX_FILLING', detail: /^80 % of outbox\.bytes_max .* about 2\.0 minutes left$/ },
  ])
  await fillTo(950_000)
  t.same(news().length, 1)
  await fillTo(940_000)
  await fillTo(960_000)
  t.same(news(), [], 'a batch more or less is no news')
  await fillTo(850_000)
  t.equal(watch.fill().alarm, 80)
  t.same(news(), [])
  await fillTo(740_000)
  t.same(news(), ['eased 74'])
  t.same(watch.warnings(), [])
  for (let k = 0; k < 500; k += 1) await fillTo(740_000)
  t.equal((Reflect.get(watch, 'marks') as unknown[]).length, RATE_MARKS_MAX, 'marks of an hour')
  t.equal(watch.fill().daysLeft, null, 'nothing is added: there is no last day')
})
