import fc from 'fast-check'
import t from 'tap'
import { missingOf } from '../../../agent/core/accept.ts'
import { type EvaluatorSettings, MISSING_MAX, SOURCES_MAX } from '../../../agent/core/settings.ts'
import { restoreState, snapshotState } from '../../../agent/core/snapshot.ts'
import { createState, type EvaluatorState } from '../../../agent/core/state.ts'
import { type Effect, type EvaluatorInput, step } from '../../../agent/core/step.ts'
import { evaluatorDigests } from '../../../agent/pipeline/digests.ts'
import { CHECKPOINT_CAPS, restoreEvaluation } from '../../../agent/pipeline/evaluation.ts'
import { canonicalBytes } from '../../../shared/codec/canonical.ts'
import { decodeSigned } from '../../../shared/codec/signed-cbor.ts'
import { equalBytes } from '../../../shared/crypto/digest.ts'
import type { Canonical } from '../../../shared/model/decision.ts'
import {
  evaluatorSettings,
  feed,
  frameInput,
  frameOf,
  metricSettings,
  rigOf,
  rigSettings,
  runEvaluator,
  T0,
} from '../../support/evaluator-rig.ts'
import { hostileInputs, hostileSettings } from '../../support/hostile-inputs.ts'

const LENGTH = 1200
/** A restored evaluator is followed for this many inputs; equal states there go on equally. */
const FOLLOWED = 25

/** Everything an uninterrupted evaluator did: effects of every input, and the bytes of its state after each. */
type Run = { inputs: EvaluatorInput[]; effects: Uint8Array[]; snapshots: Uint8Array[]; settings: EvaluatorSettings[] }

function effectBytes(effects: readonly Effect[]): Uint8Array {
  // Of a decision the six values that are signed and the verdicts: its findings are in them.
  const brief = effects.map((e) =>
    e.kind === 'decided'
      ? [e.decision.seq, e.decision.timeUs, e.decision.values, e.judgements!.map((j) => j.verdict)]
      : e,
  )
  return canonicalBytes(brief as unknown as Canonical)
}

function uninterrupted(seed: number, length: number): Run {
  const run: Run = { inputs: hostileInputs(seed, length), effects: [], snapshots: [], settings: [] }
  const state = createState()
  for (const input of run.inputs) {
    run.effects.push(effectBytes(step(state, input, evaluatorDigests)))
    run.snapshots.push(canonicalBytes(snapshotState(state)))
    run.settings.push(state.settings!)
  }
  return run
}

function restoredAt(run: Run, cut: number): EvaluatorState {
  const state = restoreState(decodeSigned(run.snapshots[cut]!), run.settings[cut]!)
  if (state === null) throw new Error(`no state after input ${cut}`)
  return state
}

/** Restores after input `cut` and goes on for `count` inputs. @returns what differs first, or null. */
function difference(run: Run, cut: number, count: number): string | null {
  const state = restoredAt(run, cut)
  if (Buffer.compare(canonicalBytes(snapshotState(state)), run.snapshots[cut]!) !== 0)
    return `snapshot of the restored state at ${cut}`
  const end = Math.min(cut + count, run.inputs.length - 1)
  for (let k = cut + 1; k <= end; k += 1) {
    if (!equalBytes(effectBytes(step(state, run.inputs[k]!, evaluatorDigests)), run.effects[k]!))
      return `effects of input ${k} (${run.inputs[k]!.kind}) after a cut at ${cut}`
  }
  return Buffer.compare(canonicalBytes(snapshotState(state)), run.snapshots[end]!) === 0
    ? null
    : `state ${end - cut} inputs after a cut at ${cut}`
}

t.test('an evaluator that is cut off at any input goes on as if it had not been', async (t) => {
  const run = uninterrupted(4242, LENGTH)
  const decided = run.effects.filter((bytes) => bytes.length > 1).length
  t.ok(decided > 300, `${decided} inputs had effects`)
  let cuts = 0
  for (let cut = 0; cut < LENGTH; cut += 1) {
    const differs = difference(run, cut, FOLLOWED)
    if (differs !== null) t.fail(differs)
    cuts += 1
  }
  t.ok(cuts >= 1000, `${cuts} cuts`)
  t.comment(`counted: cuts of the evaluation | ${cuts} | goes on as if it had not been cut`)
  for (let cut = 7; cut < LENGTH; cut += 197) t.equal(difference(run, cut, LENGTH), null)
})

t.test('and so with other inputs, cut twice', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 - 1 }), fc.integer({ min: 0, max: 149 }), (seed, cut) => {
      const run = uninterrupted(seed, 150)
      const differs = difference(run, cut, 150) ?? difference(run, Math.floor(cut / 2), 150)
      if (differs !== null) throw new Error(differs)
    }),
    { numRuns: 25, seed: 40 },
  )
})

t.test('a snapshot shares nothing with the evaluator it is of', async (t) => {
  const inputs = hostileInputs(9, 200)
  const state = createState()
  for (const input of inputs.slice(0, 120)) step(state, input, evaluatorDigests)
  const value = snapshotState(state)
  const before = canonicalBytes(value)
  for (const input of inputs.slice(120)) step(state, input, evaluatorDigests)
  t.ok(equalBytes(canonicalBytes(value), before))
  t.notOk(equalBytes(canonicalBytes(snapshotState(state)), before))
})

t.test('a state of other settings is not taken', async (t) => {
  const run = uninterrupted(9, 100)
  const settings = run.settings[99]!
  const value = decodeSigned(run.snapshots[99]!)
  t.ok(restoreState(value, settings))
  t.equal(
    restoreState(value, { ...settings, configDigest: new Uint8Array(32).fill(200) }),
    null,
    'another configuration',
  )
  t.equal(restoreState(value, { ...settings, rigs: settings.rigs.slice(1) }), null, 'fewer rigs')
  t.equal(restoreState(value, { ...settings, rigs: [...settings.rigs].reverse() }), null, 'rigs in another order')
  const shapes = [
    { metrics: hostileSettings(1).rigs[0]!.metrics.slice(1) },
    { windowsUs: [250_000, 2_000_000] },
    { windowsUs: [250_000] },
    { latenessUs: 900_000 },
  ]
  for (const shape of shapes)
    t.equal(
      restoreState(value, { ...settings, rigs: settings.rigs.map((rig) => ({ ...rig, ...shape })) }),
      null,
      Object.keys(shape)[0] ?? '',
    )
  t.equal(restoreState(snapshotState(createState()), evaluatorSettings([])), null, 'before any configuration')
})

t.test(
  'publishers that leap to 2^53 again and again leave counts that a header and a saved state can hold',
  async (t) => {
    const out = runEvaluator(evaluatorSettings([rigSettings([metricSettings('a')])]), [])
    for (let life = 0; life < 2 * SOURCES_MAX; life += 1)
      for (const seq of [0, Number.MAX_SAFE_INTEGER])
        feed(out, frameInput(T0 + life, frameOf({ seq, epoch: `life-${life}`, times: [T0], values: [[1]] })))
    t.equal(missingOf(rigOf(out)), MISSING_MAX)
    const restored = restoreState(decodeSigned(canonicalBytes(snapshotState(out.state))), out.state.settings!)
    t.equal(missingOf(restored!.rigs[0]!), MISSING_MAX)
  },
)

t.test('a saved state past its cap is passed over with the reason, and ends no start', (t) => {
  const deeper = Uint8Array.from([...Array.from({ length: CHECKPOINT_CAPS.depthMax + 2 }, () => 0x81), 0x00])
  const refused = restoreEvaluation(deeper)
  t.ok('refused' in refused && /deep|depth|nest/i.test(refused.refused), JSON.stringify(refused))
  t.same(restoreEvaluation(Uint8Array.of(0x80)), { refused: 'another shape' }, 'one that is within it is looked at')
  t.end()
})
