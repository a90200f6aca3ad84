import t from 'tap'
import type { RunFacts } from '../../../hil-testbed/core/run-record.ts'
import type { ScenarioRow } from '../../../hil-testbed/core/scenario.ts'
import { type Run, readRun } from '../../../hil-testbed/oracle/run-folder.ts'
import type { Measured } from '../../../scripts/figures/collect.ts'
import { COLUMNS, documentOf } from '../../../scripts/figures/document.ts'
import { quietOf, type Trial, trialOf } from '../../../scripts/figures/measure.ts'
import { rateOf } from '../../../scripts/figures/rate.ts'
import { detectionOf, figuresOf } from '../../../scripts/figures/summary.ts'
import { VARIANTS } from '../../../scripts/figures/variants.ts'
import { faultSeen, type RunParts, runFolder } from '../../support/hil-run-folder.ts'
import { SignedOutbox } from '../../support/signed-outbox.ts'

const S = 1_000_000
const SENSORS = [{ channel: 'p_a' }, { channel: 'p_b' }]

/** A run of so many seconds, with one fault that was first seen at 12 s. */
function ran(
  t: Parameters<typeof runFolder>[0],
  outbox: SignedOutbox,
  parts: RunParts & { lastsS?: number } = {},
): Run {
  const durationUs = (parts.lastsS ?? 40) * S
  const row = {
    clock: { mode: 'lockstep', quantumUs: 50_000, durationUs, beginUs: null },
    rig: { name: 'vessel', sensors: SENSORS } as unknown as ScenarioRow['rig'],
  } as const
  const facts: Partial<RunFacts> = { simulated_us: durationUs, faults: [faultSeen('F1', 12 * S)], ...parts.facts }
  return readRun(runFolder(t, [], { ...parts, row, facts, outbox }))
}

const quietUntil = (count: number, toUs: number): SignedOutbox =>
  new SignedOutbox().decide(50_000, 'PASS').repeat(count, 100_000, toUs)

t.test('a record that names the channel is a detection, one that names another is only told', (t) => {
  const outbox = quietUntil(240, 12_050_000)
    .decide(12_100_000, 'PASS_WITH_DRIFT', [['p_a', 'DRIFT', 'level']])
    .decide(12_400_000, 'FAIL', [
      ['p_a', 'DRIFT', 'level'],
      ['p_b', 'FAIL', 'fail_max'],
    ])
    .seal({ counters: { late: 3 } })
  const trial = trialOf(ran(t, outbox), ['p_b'])
  t.match(trial, { broken: '', injected: true, told_us: 100_000, alarmed_before: false, trips: 0, counted: ['late'] })
  t.strictSame(trial.named, { after_us: 400_000, metric: 'p_b', verdict: 'FAIL', ground: 'fail_max' })
  t.end()
})

t.test('what was said of the channel before the fault is no detection of it, something new is', (t) => {
  const before = (): SignedOutbox =>
    quietUntil(220, 11_050_000).decide(11_100_000, 'PASS_WITH_DRIFT', [['p_b', 'DRIFT', 'level']])
  const same = before().repeat(500, 11_150_000, 36_100_000, 'PASS_WITH_DRIFT').seal()
  t.match(trialOf(ran(t, same), ['p_b']), { told_us: null, named: null, alarmed_before: true })
  const more = before()
    .decide(13_000_000, 'PASS_WITH_DRIFT', [
      ['p_b', 'DRIFT', 'level'],
      ['p_b', 'DRIFT', 'spike'],
    ])
    .seal()
  t.match(trialOf(ran(t, more), ['p_b']), { told_us: S, named: { after_us: S, ground: 'spike' } })
  t.end()
})

t.test('what comes after the watch is a miss', (t) => {
  const outbox = (atUs: number): SignedOutbox =>
    quietUntil(240, 12_050_000)
      .decide(atUs, 'FAIL', [['p_b', 'FAIL', 'fail_max']])
      .seal()
  t.match(trialOf(ran(t, outbox(27_000_000)), ['p_b']), { told_us: 15 * S, named: { after_us: 15 * S } })
  t.match(trialOf(ran(t, outbox(27_050_000)), ['p_b']), { told_us: null, named: null })
  t.end()
})

t.test('a fault that changed nothing is not injected, and a run that broke or cannot be believed is said', (t) => {
  const outbox = quietUntil(240, 12_050_000).seal()
  const unseen = ran(t, outbox, { facts: { faults: [faultSeen('F1', 12 * S, 0)] } })
  t.match(trialOf(unseen, ['p_b']), { broken: '', injected: false, told_us: null, named: null })
  const broken = { verdict: 'ERROR', code: 'AGENT_SILENT', detail: 'no answer' } as const
  t.match(trialOf(ran(t, outbox, { facts: { broken } }), ['p_b']), { broken: 'AGENT_SILENT: no answer' })
  t.match(trialOf(ran(t, new SignedOutbox()), ['p_b']), { broken: 'no signed record' })
  t.end()
})

t.test('a hard action that is released is a trip, a message to people is none', (t) => {
  const outbox = quietUntil(240, 12_050_000)
    .action(12_500_000, 'notify', 'RELEASED', { key: 'n1' })
    .action(12_600_000, 'shutdown', 'PROPOSED', { key: 'k1' })
    .action(12_650_000, 'shutdown', 'RELEASED', { key: 'k1' })
    .seal()
  t.match(trialOf(ran(t, outbox), ['p_b']), { told_us: 500_000, named: null, trips: 1 })
  t.end()
})

t.test('of a nominal run every departure from PASS is counted once, from when the windows are full', (t) => {
  const outbox = new SignedOutbox()
    .decide(50_000, 'NO_TEST', [['p_a', 'INSUFFICIENT', 'window_not_filled']])
    .decide(100_000, 'PASS')
    .repeat(398, 150_000, 20_000_000)
    .decide(20_050_000, 'PASS_WITH_DRIFT', [['p_b', 'DRIFT', 'level']])
    .decide(20_100_000, 'PASS_WITH_DRIFT', [['p_b', 'DRIFT', 'spike']])
    .decide(21_050_000, 'PASS')
    .alarm(22_000_000, 'protection_lost:x')
    .alarm(23_000_000, 'protection_lost:x', false)
    .decide(30_000_000, 'FAIL', [['p_a', 'FAIL', 'fail_max']])
    .seal()
  const events = [
    { t_us: 24 * S, kind: 'alarm', id: 'high', severity: 'WARNING', change: 'raised', active: true },
  ] as const
  const quiet = quietOf(ran(t, outbox, { lastsS: 41, events }))
  t.strictSame(quiet.alarms, [
    { at_us: 20_050_000, for_us: 1_000_000, found: ['p_b DRIFT level'] },
    { at_us: 30_000_000, for_us: 0, found: ['p_a FAIL fail_max'] },
  ])
  t.strictSame(quiet.signals, ['protection_lost:x', 'high'])
  t.match(quiet, { watched_us: 30 * S, spans: 2, spans_told: 2, spans_named: { p_a: 1, p_b: 1 }, trips: 0 })
  t.end()
})

function trial(seed: number, change: Partial<Trial> = {}): Trial {
  return {
    ...{ seed, broken: '', injected: true, told_us: null, named: null, alarmed_before: false, counted: [], trips: 0 },
    ...change,
  }
}

const namedAfter = (seed: number, ms: number, ground = 'level'): Trial =>
  trial(seed, { told_us: ms * 1000, named: { after_us: ms * 1000, metric: 'p_b', verdict: 'DRIFT', ground } })

t.test('shares are of what was injected and can be counted, and latencies of what was named', (t) => {
  const detection = detectionOf([
    ...Array.from({ length: 8 }, (_, k) => namedAfter(k, 100 * (k + 1))),
    namedAfter(8, 900, 'spike'),
    trial(9, { told_us: 50_000, trips: 2, alarmed_before: true, counted: ['late'] }),
    trial(10, { injected: false }),
    { ...namedAfter(11, 1), broken: 'AGENT_SILENT: x' },
  ])
  t.match(detection, { runs: 12, injected: 10, broken: { 'AGENT_SILENT: x': 1 }, alarmedBefore: 1, trips: 2 })
  t.match(detection.named, { count: 9, of: 10 })
  // Wilson (1927) for 1 of 10, to four digits.
  t.match(detection.missed, { count: 1, of: 10, share: 0.1 })
  t.ok(Math.abs(detection.missed.low - 0.0179) < 5e-5 && Math.abs(detection.missed.high - 0.4042) < 5e-5)
  t.strictSame(detection.namedAfter, { count: 9, p50: 500_000, p95: 900_000, max: 900_000 })
  t.match(detection.told, { count: 10, of: 10 })
  t.strictSame(detection.said, ['DRIFT level ×8', 'DRIFT spike ×1'])
  t.strictSame(detection.counted, ['late ×1'])
  t.end()
})

t.test('nothing injected is no share, and says nothing of misses', (t) => {
  const { missed, namedAfter: after } = detectionOf([trial(1, { injected: false })])
  t.match(missed, { of: 0, low: 0, high: 1 })
  t.equal(after, null)
  t.end()
})

t.test('the interval of a rate is that of Garwood (1936)', (t) => {
  // Tables of exact Poisson limits: 0, 1 and 10 events.
  for (const [count, low, high] of [
    [0, 0, 3.6889],
    [1, 0.0253, 5.5716],
    [10, 4.7954, 18.3904],
  ] as const) {
    const rate = rateOf(count, 2)
    t.ok(Math.abs(rate.low * 2 - low) < 1e-4 && Math.abs(rate.high * 2 - high) < 1e-4, `${count}`)
    t.equal(rate.perHour, count / 2)
  }
  t.end()
})

const MEASURED: Measured = {
  ...{ v: 1, commit: 'c'.repeat(40), clean: false, date: '2026-01-01', command: 'npm run', machine: 'one' },
  ...{ host_s: 61, rig: 'vessel', seeds: 20, minutes: 3, complete: true },
  faults: VARIANTS.map((variant) => ({ variant, trials: variant.borne ? [trial(1)] : [namedAfter(1, 100), trial(2)] })),
  quiet: [
    {
      ...{ seed: 1, broken: '', watched_us: 1_800 * S, signals: [], trips: 0 },
      alarms: [{ at_us: 12 * S, for_us: 18 * S, found: ['p_b DRIFT level'] }],
      ...{ spans: 120, spans_told: 2, spans_named: { p_b: 1 } },
    },
  ],
}

t.test('what is to be borne is in no class, and false alarms have their hours', (t) => {
  const { classes, borne, quiet } = figuresOf(MEASURED)
  const borneCount = VARIANTS.filter((variant) => variant.borne).length
  t.strictSame(
    classes.map(({ class: name }) => name),
    ['sensor', 'comms', 'time'],
  )
  t.equal(classes.reduce((sum, { variants }) => sum + variants, 0) + borneCount, VARIANTS.length)
  t.match(borne, { variants: borneCount, injected: borneCount, named: { count: 0 } })
  t.match(quiet, { hours: 0.5, alarmedShare: 0.01, alarms: { count: 1, perHour: 2 }, named: { count: 1, of: 120 } })
  t.end()
})

t.test('the document has a row for each, and a word on each that is missed', (t) => {
  const text = documentOf(MEASURED)
  t.match(text, /with changes/)
  t.equal(text.split('\n').filter((line) => line.startsWith('| `')).length, VARIANTS.length)
  t.equal(text.split('\n').filter((line) => line === `| ${COLUMNS.join(' | ')} |`).length, 3)
  t.equal(text.match(/: 1 of 2\. /g)?.length, VARIANTS.filter((variant) => !variant.borne).length)
  t.match(text, /1, 2\.00\/h \(0\.05–11\.14\)/)
  t.match(documentOf({ ...MEASURED, complete: false }), /broken off/)
  t.equal(documentOf(MEASURED), text)
  t.end()
})
