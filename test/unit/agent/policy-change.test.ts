import t from 'tap'
import { createEvaluation, type Evaluation, evaluate } from '../../../agent/pipeline/evaluation.ts'
import type { JournalFile } from '../../../shared/codec/journal-input.ts'
import { encodeFrame } from '../../../shared/codec/telemetry.ts'
import type { Decision } from '../../../shared/model/decision.ts'
import { changed, LOOP_ACTIONS, LOOP_REGISTRY, loopFiles } from '../../support/policy-texts.ts'

const T0 = 1_800_000_000_000_000
const FRAME_US = 50_000
const SAMPLES = 10

/** 200 Hz of every channel of the loop, at rest and then above the limit of its rules. */
function feed(evaluation: Evaluation, from: number, to: number, pressure: number): Decision[] {
  const decided: Decision[] = []
  for (let k = from; k < to; k += 1) {
    const startUs = T0 + k * FRAME_US
    const timeUs = Float64Array.from({ length: SAMPLES }, (_, i) => startUs + i * 5_000)
    for (const [source, channels] of [
      ['daq-1', ['p_a']],
      ['daq-2', ['p_b']],
      ['daq-4', ['p_c']],
      ['daq-3', ['flow']],
    ] as const) {
      const value = timeUs.map(() => (channels[0] === 'flow' ? 20 : pressure))
      const frame = { rig: 'pressure-loop', source, epoch: 'one', seq: k, channels, cid: null, timeUs, value }
      const effects = evaluate(evaluation, evaluation.journalSeq + 1, {
        ...{ kind: 'frame', nowUs: startUs + FRAME_US, rig: 'pressure-loop', origin: source, encoding: 'cbor' },
        ...{ provenance: 'simulated', messages: [encodeFrame(frame as never)] },
      })
      for (const effect of effects) if (effect.kind === 'decided') decided.push(effect.decision)
    }
  }
  return decided
}

const configure = (evaluation: Evaluation, k: number, files: readonly JournalFile[]) =>
  evaluate(evaluation, evaluation.journalSeq + 1, { kind: 'config', nowUs: T0 + k * FRAME_US, files })

const kernelOf = ({ state }: Evaluation) => state.rigs[0]!.safety!.kernel
const OTHER_NOTICE = changed(
  LOOP_ACTIONS,
  'op: ">", value: 6, persistence: 5 }\n      - { id: b',
  'op: ">", value: 5.9, persistence: 5 }\n      - { id: b',
)

// verifies SE-39
t.test(
  'another policy keeps windows, and the counters of the rules and budgets that stayed as they were',
  async (t) => {
    const evaluation = createEvaluation()
    configure(evaluation, 0, loopFiles())
    feed(evaluation, 0, 60, 5)
    feed(evaluation, 60, 80, 7.5)
    const [shutdown, notice] = structuredClone(kernelOf(evaluation).rules)
    const budgets = structuredClone(kernelOf(evaluation).budgets)
    t.ok(shutdown!.inEpisode, 'the pressures were high: an episode is open')
    t.ok(notice!.members.length > 0)
    configure(evaluation, 80, loopFiles({ actions: OTHER_NOTICE }))
    const [kept, fresh] = kernelOf(evaluation).rules
    t.same(kept, shutdown, 'the rule that is the same has everything it had')
    t.not(JSON.stringify(fresh), JSON.stringify(notice), 'the one that is another begins anew')
    t.same(kernelOf(evaluation).budgets, budgets)
    const after = feed(evaluation, 80, 86, 7.5)
    t.ok(after.length > 0)
    t.ok(
      after.every(({ verdict }) => verdict === 'PASS'),
      'windows are full: nobody waits for one because a rule changed',
    )
    t.equal(kernelOf(evaluation).rules[0]!.episode, shutdown!.episode, 'the same episode goes on')
  },
)

// verifies SE-39
t.test('other limits keep what the rules had counted as well', async (t) => {
  const evaluation = createEvaluation()
  configure(evaluation, 0, loopFiles())
  feed(evaluation, 0, 60, 5)
  feed(evaluation, 60, 80, 7.5)
  const before = structuredClone(kernelOf(evaluation).rules)
  const registry = changed(LOOP_REGISTRY, 'fail_max: 8\n    source: PT-101', 'fail_max: 7.9\n    source: PT-101')
  configure(evaluation, 80, loopFiles({ registry }))
  t.same(kernelOf(evaluation).rules, before)
})

// verifies SE-39
t.test('an alarm about a rule that is gone is over, and people see that it is', async (t) => {
  const evaluation = createEvaluation()
  configure(evaluation, 0, loopFiles())
  feed(evaluation, 0, 60, 5)
  feed(evaluation, 60, 80, 7.5)
  const kernel = kernelOf(evaluation)
  const [shutdown, notice] = kernel.rules.map(({ id }) => id)
  kernel.alarms.push({ id: `verify_failed:${shutdown}`, severity: 'CRITICAL' })
  kernel.alarms.push({ id: `verify_failed:${notice}`, severity: 'CRITICAL' })
  const renamed = changed(LOOP_ACTIONS, `id: ${notice}\n`, 'id: another\n')
  const said = configure(evaluation, 80, loopFiles({ actions: renamed }))
  const lowered = said.flatMap((effect) =>
    effect.kind === 'safety' && effect.change.kind === 'alarm' && !effect.change.active ? [effect.change.id] : [],
  )
  t.same(lowered, [`verify_failed:${notice}`])
  t.notOk(kernelOf(evaluation).alarms.some(({ id }) => id === `verify_failed:${notice}`))
  t.ok(
    kernelOf(evaluation).alarms.some(({ id }) => id === `verify_failed:${shutdown}`),
    'the other stands',
  )
})
