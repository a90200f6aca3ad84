import t from 'tap'
import { createShardThreads } from '../../../agent/adapters/shard-threads.ts'
import type { Effect } from '../../../agent/core/step.ts'
import { totalCounts } from '../../../agent/core/totals.ts'
import { createEvaluation, evaluate, restoreEvaluation } from '../../../agent/pipeline/evaluation.ts'
import { directEvaluator, type Evaluator, type Told } from '../../../agent/pipeline/evaluator.ts'
import { Shard } from '../../../agent/pipeline/shard.ts'
import {
  type ShardThread,
  shardedEvaluator,
  WAITING_BYTES_MAX,
  WAITING_INPUTS_MAX,
} from '../../../agent/pipeline/sharded-evaluator.ts'
import { vitalsOf } from '../../../agent/pipeline/vitals.ts'
import { canonicalBytes } from '../../../shared/codec/canonical.ts'
import { encodeJournalInput, type JournalInput } from '../../../shared/codec/journal-input.ts'
import { encodeFrame } from '../../../shared/codec/telemetry.ts'
import { sha256, toHex } from '../../../shared/crypto/digest.ts'
import { createPrng, type Prng } from '../../../shared/lib/prng.ts'
import type { Canonical } from '../../../shared/model/decision.ts'
import { bytesOf, REGISTRY } from '../../support/config-texts.ts'

const T0 = Date.UTC(2026, 10, 24) * 1000
const RIGS = ['alpha', 'beta', 'gamma', 'delta', 'epsilon']
const RUNTIME = `version: 1
deployment: demo
agent: bench-1
signing_key_file: sign.pem
evaluation: { threads: 2 }
rigs:
${RIGS.map(
  (rig, k) => `  - rig: ${rig}
    program: demo
    registry_file: loop.registry.yaml
    lateness_ms: ${50 + 40 * k}
    late_policy: ${['revise\n    revise_within_ms: 1000', 'side_output', 'drop'][k % 3]}
    windows_ms: [250, 1000]
    sources: [{ name: daq, type: zmq, endpoint: "tcp://127.0.0.1:${5555 + k}" }]
`,
).join('')}`
// Limits alone, so that a rig can pass, fail and fall silent without a baseline.
const LIMITS = `${REGISTRY.replace(
  'drift_percent: 5',
  'fail_max: 300\n    drift_persistence_of: 40\n    calibration: { offset: 1, source: lab, date: 2026-01-01 }',
).replaceAll('nominal_rate_hz', 'baseline_required: false\n    nominal_rate_hz')}mode_overrides:
  test: { metrics: { flow: { fail_max: 90 } } }
`
const FILES = [
  { name: 'runtime.yaml', bytes: bytesOf(RUNTIME) },
  { name: 'loop.registry.yaml', bytes: bytesOf(LIMITS) },
]

/** Frames, rubbish, ticks, modes, runs and jumps of time on five rigs, each in its own order. */
function inputsOf(seed: number, count: number): JournalInput[] {
  const prng = createPrng(seed)
  const inputs: JournalInput[] = []
  const seqs = RIGS.map(() => 0)
  let nowUs = T0
  for (let k = 0; k < count; k += 1) {
    const jump = prng.next() < 0.002
    nowUs += jump ? 15_000_000 : prng.int(12_000)
    const of = prng.int(RIGS.length)
    const what = prng.next()
    if (what < 0.8) {
      seqs[of]! += prng.next() < 0.98 ? 1 : 3
      inputs.push(frame({ prng, nowUs, rig: RIGS[of]!, seq: seqs[of]! }))
    } else if (what < 0.96) inputs.push({ kind: 'tick', nowUs })
    // A clock that is set back for a moment.
    else if (what < 0.97) inputs.push({ kind: 'tick', nowUs: nowUs - prng.int(5_000_000) })
    else if (what < 0.98)
      inputs.push(prng.next() < 0.5 ? modeInput(nowUs, RIGS[of]!, prng) : replaceInput(nowUs, RIGS[of]!))
    else if (what < 0.985) inputs.push(actionInput(nowUs, RIGS[of]!, prng))
    else
      inputs.push({
        kind: 'run',
        nowUs,
        rig: RIGS[of]!,
        command: prng.next() < 0.5 ? 'start' : 'stop',
        run: `run-${k}`,
        article: 'a',
        procedure: 'p',
        operator: 'o',
        note: '',
      })
  }
  inputs.push({ kind: 'operator', nowUs, command: 'agent_stop', bootId: 'b', version: '0' })
  return inputs
}

function modeInput(nowUs: number, rig: string, prng: Prng): JournalInput {
  const mode = prng.next() < 0.5 ? 'test' : 'nominal'
  return { kind: 'mode', nowUs, rig, mode, reason: 'r', operator: 'o', source: 'cli' }
}

/** Acknowledgements, orders and steps of the shell go the way of every input of a rig. */
function actionInput(nowUs: number, rig: string, prng: Prng): JournalInput {
  const about = { nowUs, rig }
  const kind = prng.int(3)
  if (kind === 0) return { kind: 'ack', ...about, key: 'k', status: 'accepted', from: 'plc', message: '' }
  if (kind === 1) return { kind: 'action_transition', ...about, step: { kind: 'release', key: 'k' } }
  return { kind: 'policy', ...about, order: { kind: 'disarm', by: 'Ada', reason: '' }, statements: [] }
}

function replaceInput(nowUs: number, rig: string): JournalInput {
  const sensor = { channel: 'flow', serial: 's', calDate: '2026-01-01', calDue: '2027-01-01' }
  return { kind: 'channel', nowUs, rig, command: 'replace', ...sensor, operator: 'o', reason: '' }
}

function frame({ prng, nowUs, rig, seq }: { prng: Prng; nowUs: number; rig: string; seq: number }): JournalInput {
  const times = Float64Array.from(
    { length: 1 + prng.int(4) },
    (_, i) => nowUs - 30_000 + i * 10_000 - prng.int(5) * 40_000,
  )
  const flow = prng.next() < 0.05 ? 500 : 100
  const message = encodeFrame({
    rig,
    source: 'daq',
    epoch: 'e1',
    seq,
    channels: ['flow', 'pressure'],
    cid: null,
    timeUs: times,
    value: Float64Array.from({ length: times.length * 2 }, () => flow + prng.normal()),
  })
  const rubbish = prng.next() < 0.02
  return {
    kind: 'frame',
    nowUs,
    rig,
    origin: 'daq',
    encoding: 'cbor',
    provenance: 'live',
    messages: rubbish ? [message, Uint8Array.of(1, 2, 3)] : [message],
  }
}

/** What was told, in order: everything of an effect but what is only for looking. */
function telling(into: string[], shown: { count: number }, kinds = new Set<string>()): Told {
  return (effects, input, seq) => {
    for (const effect of effects) {
      kinds.add(effect.kind)
      if (effect.kind === 'decided' && effect.judgements !== null) shown.count += 1
      into.push(`${seq} ${input.kind} ${toHex(sha256(canonicalBytes(plain(effect))))}`)
    }
  }
}

function plain(effect: Effect): Canonical {
  if (effect.kind === 'revised') return [effect.kind, effect.was, effect.decision.revises, effect.decision.values]
  if (effect.kind !== 'decided') return effect as unknown as Canonical
  const { seq, rig, timeUs, verdict, mode, limitsOnly, run, values } = effect.decision
  return ['decided', seq, rig, timeUs, verdict, mode, limitsOnly, run as unknown as Canonical, values]
}

/** A shard in this thread that answers after some turns of the loop, with copies, as a thread would. */
function slowThread(prng: Prng): ShardThread {
  let shard: Shard | null = null
  const turns = async (): Promise<void> => {
    for (let k = prng.int(4); k > 0; k -= 1) await new Promise((resolve) => setImmediate(resolve))
  }
  return {
    async start(start) {
      shard = new Shard(structuredClone(start))
    },
    async take(round) {
      await turns()
      const reply = structuredClone(shard!.take(structuredClone(round)))
      await turns()
      return reply
    },
    close: async () => undefined,
  }
}

function configured() {
  const evaluation = createEvaluation()
  evaluate(evaluation, 1, { kind: 'config', nowUs: T0, files: FILES })
  return evaluation
}

async function runOn(
  inputs: readonly JournalInput[],
  threads: ShardThread[] | null,
  { pauses = createPrng(1), saveAt = -1 } = {},
): Promise<{
  told: string[]
  body: string
  savedAt: { seq: number; body: Uint8Array } | null
  shown: number
  kinds: Set<string>
  counts: unknown
}> {
  const told: string[] = []
  const shown = { count: 0 }
  const kinds = new Set<string>()
  const evaluation = configured()
  let nowUs = 0
  const evaluator =
    threads === null
      ? directEvaluator(evaluation, telling(told, shown, kinds))
      : await shardedEvaluator({
          evaluation,
          threads,
          told: telling(told, shown, kinds),
          nowUs: () => nowUs,
          after: (_ms, run) => void setImmediate(run),
          broken: (cause) => t.fail(String(cause)),
        })
  let saving: ReturnType<Evaluator['save']> | null = null
  for (const [k, input] of inputs.entries()) {
    nowUs += 10_000
    evaluator.take(k + 2, input, encodeJournalInput(input))
    if (k === saveAt) saving = evaluator.save()
    if (pauses.next() < 0.2) await new Promise((resolve) => setImmediate(resolve))
  }
  await evaluator.settled()
  const saved = (await evaluator.save())!
  const at = saving === null ? null : (await saving)!
  const counts = evaluation.state.rigs.map((rig) => [
    rig.closedUs,
    totalCounts(rig),
    [...rig.ledger.refusals.keys()],
    rig.slower?.counts ?? null,
  ])
  await evaluator.close()
  return {
    told,
    body: toHex(sha256(saved.body)),
    savedAt: at === null ? null : { seq: at.journalSeq, body: at.body },
    shown: shown.count,
    kinds,
    counts,
  }
}

t.test('rigs on one, two, three or five threads decide, say and save what one evaluator does', async (t) => {
  for (const seed of [1, 2, 3, 4]) {
    const inputs = inputsOf(seed, 1500)
    const here = await runOn(inputs, null)
    t.ok(here.told.length > 800, `${here.told.length} effects`)
    t.ok(here.kinds.has('late') && here.kinds.has('revised') && here.kinds.has('gap'), [...here.kinds].join(', '))
    for (const count of [1, 2, 3, 5]) {
      const prng = createPrng(seed * 100 + count)
      const apart = await runOn(
        inputs,
        Array.from({ length: count }, () => slowThread(prng)),
        { pauses: createPrng(seed + count) },
      )
      t.same(apart.told, here.told, `seed ${seed}, ${count} threads: effects in order`)
      t.equal(apart.body, here.body, 'and the same saved state, byte for byte')
      t.same(apart.counts, here.counts, 'and the same counts are shown')
      t.ok(apart.shown > 0 && apart.shown < here.shown, 'people are shown some of it')
    }
  }
})

t.test('a state saved in the middle is one that a single evaluator goes on from', async (t) => {
  const inputs = inputsOf(9, 1200)
  const here = await runOn(inputs, null)
  for (const saveAt of [0, 3, 400, 777, 1199]) {
    const prng = createPrng(saveAt)
    const { savedAt } = await runOn(inputs, [slowThread(prng), slowThread(prng)], { saveAt, pauses: prng })
    const restored = restoreEvaluation(savedAt!.body)
    if ('refused' in restored) throw new Error(restored.refused)
    t.equal(restored.journalSeq, savedAt!.seq)
    const told: string[] = []
    const evaluator = directEvaluator(restored, telling(told, { count: 0 }))
    for (const [k, input] of inputs.entries())
      if (k + 2 > savedAt!.seq) evaluator.take(k + 2, input, encodeJournalInput(input))
    t.same(told, here.told.slice(here.told.length - told.length), `saved after input ${savedAt!.seq}`)
    t.equal(toHex(sha256((await evaluator.save())!.body)), here.body)
  }
})

t.test('real threads: the same again, and windows are shown with a change of verdict', async (t) => {
  const inputs = inputsOf(5, 3000)
  const here = await runOn(inputs, null)
  const apart = await runOn(inputs, createShardThreads(2))
  t.same(apart.told, here.told)
  t.equal(apart.body, here.body)

  const evaluation = configured()
  const windows: number[] = []
  const evaluator = await shardedEvaluator({
    evaluation,
    threads: createShardThreads(2),
    nowUs: () => 0,
    after: (_ms, run) => void setImmediate(run),
    broken: (cause) => t.fail(String(cause)),
    told: (effects) => {
      for (const effect of effects) {
        if (effect.kind !== 'decided' || effect.judgements === null) continue
        const rig = evaluation.state.rigs.find((r) => r.settings.rig === effect.decision.rig)!
        const vitals = vitalsOf(rig, effect.decision, effect.judgements, {
          program: 'demo',
          family: '',
          wallUs: 0,
          clock: 'system',
          simulation: false,
          samplesPerS: 0,
          outbox: { batches: 0, bytes: 0, oldestUs: null },
          decay: () => ({ factor: 1, reasons: [], terms: [] }),
        })
        windows.push(...vitals.channels.flatMap((c) => c.windows.map((w) => w.count)))
      }
    },
  })
  for (const [k, input] of inputs.entries()) evaluator.take(k + 2, input, encodeJournalInput(input))
  await evaluator.settled()
  await evaluator.close()
  t.ok(
    windows.some((count) => count > 0),
    'what people see has the windows of the slide',
  )
})

t.test('a thread that ends is told, and nothing is told after it', async (t) => {
  let rounds = 0
  const [broken, told]: [unknown[], string[]] = [[], []]
  const evaluator = await shardedEvaluator({
    evaluation: configured(),
    threads: [
      slowThread(createPrng(3)),
      {
        ...slowThread(createPrng(4)),
        async take() {
          rounds += 1
          throw new Error('the thread ended')
        },
      },
    ],
    told: telling(told, { count: 0 }),
    nowUs: () => 0,
    after: (_ms, run) => void setImmediate(run),
    broken: (cause) => void broken.push(cause),
  })
  for (const [k, input] of inputsOf(6, 50).entries()) evaluator.take(k + 2, input, encodeJournalInput(input))
  // Who waits for what is not evaluated any more leaves the process the turns that it needs to end.
  void Promise.all([evaluator.settled(), evaluator.told()])
  await new Promise((resolve) => setTimeout(resolve, 50))
  t.equal(broken.length, 1)
  t.equal(rounds, 1, 'no round is given to a thread that has lost its rigs')
  t.same(told, [])
})

/** An evaluator whose round goes on only when it is let: what is taken meanwhile waits. */
async function heldEvaluator() {
  let open: () => void = () => undefined
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  const shard = slowThread(createPrng(1))
  const evaluator = await shardedEvaluator({
    evaluation: configured(),
    threads: [{ ...shard, take: (round) => gate.then(() => shard.take(round)) }],
    told: () => undefined,
    nowUs: () => 0,
    after: (_ms, run) => void setImmediate(run),
    broken: (cause) => t.fail(String(cause)),
  })
  const take = (seq: number, body: Uint8Array): void => evaluator.take(seq, { kind: 'tick', nowUs: T0 }, body)
  take(2, encodeJournalInput({ kind: 'tick', nowUs: T0 }))
  await new Promise((resolve) => setImmediate(resolve))
  return { evaluator, take, open }
}

t.test(
  'what waits for the round before it is bounded in number: sources are held back, and let go again',
  async (t) => {
    const { evaluator, take, open } = await heldEvaluator()
    const body = encodeJournalInput({ kind: 'tick', nowUs: T0 })
    for (let k = 0; k < WAITING_INPUTS_MAX - 1; k += 1) take(3 + k, body)
    t.equal(evaluator.room(), null, 'one below the bound there is room')
    take(WAITING_INPUTS_MAX + 2, body)
    const room = evaluator.room()
    t.ok(room, 'at the bound there is none')
    t.equal(evaluator.room(), room, 'and everybody waits for the same')
    t.equal(evaluator.waiting, WAITING_INPUTS_MAX)
    open()
    await room
    t.equal(evaluator.room(), null, 'the next round makes room')
    await evaluator.settled()
  },
)

t.test('and in bytes', async (t) => {
  const { evaluator, take, open } = await heldEvaluator()
  const large = new Uint8Array(WAITING_BYTES_MAX / 4)
  for (let k = 0; k < 3; k += 1) take(3 + k, large)
  take(6, large.subarray(1))
  t.equal(evaluator.room(), null, 'one byte below the bound there is room')
  take(7, large.subarray(0, 1))
  const room = evaluator.room()
  t.ok(room, 'at the bound there is none')
  open()
  await room
  t.equal(evaluator.room(), null, 'the next round makes room')
  await evaluator.settled()
  t.comment('counted: caps driven, threads | 2 | sources wait, nothing is lost')
})
