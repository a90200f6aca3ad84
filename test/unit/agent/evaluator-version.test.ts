import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { fitDetectors } from '../../../agent/core/detectors/replay-limits.ts'
import { EVALUATOR_VERSION } from '../../../agent/core/settings.ts'
import type { EvaluatorInput } from '../../../agent/core/step.ts'
import { canonicalBytes } from '../../../shared/codec/canonical.ts'
import { sha256, toHex } from '../../../shared/crypto/digest.ts'
import { noiseAt } from '../../../shared/lib/prng.ts'
import type { Canonical } from '../../../shared/model/decision.ts'
import { actingInputs, EARLY } from '../../support/acting-inputs.ts'
import {
  type Collected,
  collected,
  configInput,
  digestOfRun,
  evaluatorSettings,
  feed,
  metricBaseline,
  metricSettings,
  rigSettings,
  steadyInputs,
  T0,
  ticks,
  windowBaseline,
} from '../../support/evaluator-rig.ts'
import { hostileInputs } from '../../support/hostile-inputs.ts'

/** One file a version; a file that is there is never written again. */
const FILE = `test/vectors/decisions-${EVALUATOR_VERSION}.json`

type Vectors = {
  evaluator_version: number
  cases: Record<string, { decisions: number; items: string; decided: string; chain: string }>
}

/** Two drifting channels, one that fails for a while and one that goes silent: from fixed numbers. */
function steadyCase(): EvaluatorInput[] {
  const level = { mean: 10, spread: 0.25, limit: 4, widthsUs: [250_000] }
  const names = ['drift', 'fail', 'fine', 'rubbish']
  const known = names.map((m) => metricBaseline(m, level))
  const baseline = windowBaseline(new Uint8Array(32).fill(5), known)
  const metrics = names.map((m) =>
    metricSettings(m, { baselineRequired: true, ...(m === 'fail' ? { invariantMax: 20 } : {}) }),
  )
  const value = (c: number, at: number) => {
    const second = Math.floor((at - T0) / 1_000_000)
    const ripple = ((at / 10_000) % 7) / 16
    if (c === 0) return 10 + ripple + (second >= 2 ? 2 : 0)
    if (c === 1) return second === 3 ? 32 : 10 + ripple
    return c === 3 && second === 5 ? Number.NaN : 10 + ripple
  }
  return [
    configInput(T0, evaluatorSettings([rigSettings(metrics, { baseline })])),
    ...steadyInputs({ fromUs: T0, toUs: T0 + 6_000_000, channels: names, value }),
    ...ticks(T0 + 6_000_000, T0 + 9_000_000),
    { kind: 'operator', nowUs: T0 + 9_000_000, command: 'agent_stop', bootId: '', version: '' },
  ]
}

const WATCHED = ['flow', 'level', 'pressure'] as const
const STEP_US = 100_000

/** A reading of a rig that detectors watch: noise of fixed numbers, and a flow that falls after ten seconds. */
function readingAt(c: number, step: number): number {
  return 10 * (c + 1) + 0.2 * noiseAt(7, c, step) + (c === 0 && step >= 100 ? -3 : 0)
}

/** Detectors fitted to steps of fixed numbers, and a fault that they tell. */
function watchedCase(): EvaluatorInput[] {
  const channels = WATCHED.length
  const column = Float64Array.from({ length: 400 * channels }, (_, k) =>
    readingAt(k % channels, Math.floor(k / channels) - 400),
  )
  const timeUs = Float64Array.from({ length: 400 }, (_, row) => row * STEP_US)
  const table = { channels, rows: 400, timeUs, mean: column, min: column, max: column, first: column, last: column }
  const fitted = fitDetectors([table], channels)
  const known = WATCHED.map((m, c) => ({
    ...metricBaseline(m, { mean: 10 * (c + 1), spread: 1, limit: 50 }),
    detectors: fitted.channels[c]!,
  }))
  const baseline = {
    ...windowBaseline(new Uint8Array(32).fill(6), known),
    rigDetectors: fitted.rig,
    rigMaxima: fitted.rigMaxima,
  }
  const metrics = WATCHED.map((m) => metricSettings(m, { baselineRequired: true }))
  const value = (c: number, at: number) => readingAt(c, Math.floor((at - T0) / STEP_US))
  return [
    configInput(T0, evaluatorSettings([rigSettings(metrics, { baseline, stepUs: STEP_US, settleUs: 1_000_000 })])),
    ...steadyInputs({ fromUs: T0, toUs: T0 + 15_000_000, channels: [...WATCHED], value }),
    { kind: 'operator', nowUs: T0 + 16_000_000, command: 'agent_stop', bootId: '', version: '' },
  ]
}

function outcomeOf(inputs: readonly EvaluatorInput[]) {
  const out: Collected = collected()
  for (const input of inputs) feed(out, input)
  const decided = toHex(
    sha256(canonicalBytes(out.decisions.map((d) => [d.seq, d.verdict, d.values]) as unknown as Canonical)),
  )
  return { decisions: out.decisions.length, items: digestOfRun(out), decided, chain: toHex(out.state.chain) }
}

const CASES = {
  steady: steadyCase,
  watched: watchedCase,
  acting: () => actingInputs(),
  early: () => actingInputs(EARLY),
  'hostile-1': () => hostileInputs(1, 600),
  'hostile-2': () => hostileInputs(2, 600),
}

t.test('the decisions of fixed inputs are those that this version of the evaluator is known by', async (t) => {
  const found: Vectors['cases'] = Object.fromEntries(
    Object.entries(CASES).map(([name, make]) => [name, outcomeOf(make())]),
  )
  if (process.env['HB_WRITE_VECTORS'] === '1' && !existsSync(FILE))
    writeFileSync(FILE, `${JSON.stringify({ evaluator_version: EVALUATOR_VERSION, cases: found }, null, 2)}\n`)
  const known = JSON.parse(readFileSync(FILE, 'utf8')) as Vectors
  const note = 'decisions changed: raise EVALUATOR_VERSION and write new vectors with HB_WRITE_VECTORS=1'
  t.equal(known.evaluator_version, EVALUATOR_VERSION)
  t.same(found, known.cases, note)
  t.ok(found['steady']!.decisions > 100)
})

t.test('the pinned recording that is watched has an event with its driver in it', async (t) => {
  const out = collected()
  for (const input of watchedCase()) feed(out, input)
  const grounds = new Set(out.decisions.flatMap((d) => d.findings.map((f) => `${f.metric} ${f.ground}`)))
  t.ok(grounds.has('flow level') || grounds.has('flow multivariate'), [...grounds].join(', '))
  t.notOk(out.decisions.some((d) => d.timeUs <= T0 + 10_000_000 && d.verdict === 'PASS_WITH_DRIFT'))
})

t.test('the pinned recording has a pass, drift, a failure and no test in it', async (t) => {
  const out = collected()
  for (const input of steadyCase()) feed(out, input)
  t.same([...new Set(out.decisions.map((d) => d.verdict))].sort(), ['FAIL', 'NO_TEST', 'PASS', 'PASS_WITH_DRIFT'])
  t.ok(out.decisions.every((d) => (d.values[0] as { code: number }).code === EVALUATOR_VERSION))
})
