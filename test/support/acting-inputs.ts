import type { RigSettings } from '../../agent/core/settings.ts'
import type { EvaluatorInput } from '../../agent/core/step.ts'
import type { PolicyOrder } from '../../shared/model/action-input.ts'
import type { MetricProvenance, Rule } from '../../shared/model/actions-policy.ts'
import { withBuiltIn } from '../../shared/model/alarm-built-in.ts'
import {
  collected,
  configInput,
  evaluatorSettings,
  feed,
  frameInput,
  frameOf,
  metricBaseline,
  metricSettings,
  RIG,
  rigSettings,
  T0,
  tickInput,
  windowBaseline,
} from './evaluator-rig.ts'
import { hazard, over, policy, rule, target } from './safety-rig.ts'

/** What makes the rule of {@link actingRig} one on the fast path. */
export const EARLY: Partial<Rule> = {
  fastPath: true,
  conditions: ['p_a', 'p_b', 'p_c'].map((metric) =>
    over(metric, { look: { kind: 'window', metric, windowUs: 250_000, of: 'max', op: '>', value: 8 } }),
  ),
}

/** Three transmitters and a flow meter, each on a card of its own. */
export const LOOP = ['flow', 'p_a', 'p_b', 'p_c'] as const
const CONFIG = 'c0ffee'

/** A rig that may be shut down when two of three pressures are high, with a golden baseline. */
export function actingRig(config = CONFIG, change: Partial<Rule> = {}): RigSettings {
  const basis = { kind: 'golden', segments: 20, minSegments: 5, hardSegments: 19, confidence: 0.95, decay: 1 } as const
  const known = LOOP.map((m) => metricBaseline(m, { mean: m === 'flow' ? 10 : 5, spread: 5, limit: 10 }))
  const trails = LOOP.map(
    (metric): MetricProvenance => ({ metric, leaves: [`T-${metric}`], groups: [`daq:${metric}`], declared: true }),
  )
  const ruled = policy({
    rig: RIG,
    rules: [rule({ params: { ramp_s: 2 }, clearUs: 500_000, rearm: 'auto', ...change })],
    hazards: [hazard(change.action ?? 'shutdown', 'pump')],
    targets: [target('pump')],
  })
  return rigSettings(
    LOOP.map((m) => metricSettings(m)),
    {
      baseline: {
        ...windowBaseline(new Uint8Array(32).fill(8), known),
        ...{ kind: 'golden', confidence: 0.95, basis: { ...basis, breakGlass: false } },
      },
      safety: { policy: ruled, trails, config, alarms: { definitions: withBuiltIn([], 1_000_000), notify: null } },
    },
  )
}

const order = (nowUs: number, said: PolicyOrder): EvaluatorInput => ({
  ...{ kind: 'policy', nowUs, rig: RIG, order: said, statements: [] },
})

/** What people order, by the time of the tick after which it comes. */
function orderAt(atUs: number): EvaluatorInput[] {
  const second = (atUs - T0) / 1_000_000
  const untilUs = T0 + 3_600_000_000
  const arm = { kind: 'arm', config: CONFIG, untilUs } as const
  const inhibit = { kind: 'inhibit', rule: 'over_pressure', action: null, untilUs: T0 + 8_000_000 } as const
  if (second === 2) return [order(atUs, { ...arm, by: ['ada'] }), order(atUs, { ...arm, by: ['ada', 'bob'] })]
  if (second === 6) return [order(atUs, { ...inhibit, by: ['ada', 'bob'], reason: 'a valve is changed' })]
  if (second === 9) return [order(atUs, { kind: 'disarm', by: 'zoe', reason: 'the shift ends' })]
  return []
}

const ANSWERS = ['accepted', 'started', 'completed'] as const

/**
 * Inputs of fixed numbers: two people arm the rig, its pressure rises twice, the pump is asked and does what it is asked the
 * first time; the second time the rule is inhibited. Then somebody disarms, and another configuration comes.
 */
export function actingInputs(change: Partial<Rule> = {}): EvaluatorInput[] {
  const out = collected()
  const inputs: EvaluatorInput[] = []
  const take = (input: EvaluatorInput): void => {
    inputs.push(input)
    const before = out.safety.length
    feed(out, input)
    for (const change of out.safety.slice(before)) {
      if (change.kind !== 'action' || change.from === change.state) continue
      const { key, state } = change
      const about = { nowUs: input.nowUs, rig: RIG }
      if (state === 'GATE_PASSED') take({ kind: 'action_transition', ...about, step: { kind: 'release', key } })
      if (state !== 'RELEASED') continue
      take({ kind: 'action_transition', ...about, step: { kind: 'sent', key } })
      for (const status of ANSWERS) take({ kind: 'ack', ...about, key, status, from: 'pump', message: '' })
    }
  }
  take(configInput(T0, evaluatorSettings([actingRig(CONFIG, change)])))
  let seq = 0
  for (let atUs = T0 + 50_000; atUs <= T0 + 11_000_000; atUs += 50_000) {
    const times = [0, 1, 2, 3, 4].map((k) => atUs - 50_000 + k * 10_000)
    for (const metric of LOOP) {
      const values = [times.map((time) => readingAt(metric, (time - T0) / 1_000_000))]
      take(frameInput(atUs, frameOf({ times, values, channels: [metric], source: `pub-${metric}`, seq })))
    }
    seq += 1
    take(tickInput(atUs))
    for (const said of orderAt(atUs)) take(said)
  }
  const nowUs = T0 + 11_000_000
  take(configInput(nowUs, evaluatorSettings([actingRig('decaf', change)], 2)))
  take({ kind: 'operator', nowUs, command: 'agent_stop', bootId: '', version: '' })
  return inputs
}

function readingAt(metric: (typeof LOOP)[number], second: number): number {
  const isHigh = (second >= 3 && second < 4) || (second >= 7 && second < 7.5)
  if (metric === 'flow') return second >= 3.5 && second < 5 ? 0 : 10
  return isHigh ? 12 : 5
}
