import { gatesOfRule } from '../../agent/core/safety/gate.ts'
import { viewOf } from '../../agent/core/safety/grounds.ts'
import type { Run } from '../../agent/core/safety/run.ts'
import type { Seen } from '../../agent/core/safety/seen.ts'
import { armedRig, budget, HIGH, hazard, keyOf, metricSeen, over, policy, rule } from '../../test/support/safety-rig.ts'
import type { Measure } from './measure.ts'

const WARM = 20_000
const CALLS = 100_000

/** All gates of one demand, in this process. */
export function gate(): Measure[] {
  return [
    {
      names: ['gate_evaluation_p50_us', 'gate_evaluation_p99_us'],
      what: 'all gates of one demand: a 2oo3 vote over three transmitters, independence and freshness of its members, baseline, mode, arming, two interlocks, an exclusion, three budgets; one call after the other in a warm process',
      run: async ({ short, say }) => {
        const times = timesUs(short ? CALLS / 5 : CALLS)
        say(`${times.length} evaluations, the longest ${times.at(-1)!.toFixed(0)} µs`)
        const at = (q: number): number => times[Math.floor(q * (times.length - 1))]!
        return { gate_evaluation_p50_us: at(0.5), gate_evaluation_p99_us: at(0.99) }
      },
    },
  ]
}

/** Ascending. */
function timesUs(calls: number): number[] {
  const evaluate = demand()
  for (let k = 0; k < WARM; k += 1) evaluate()
  const times = new Float64Array(calls)
  for (let k = 0; k < calls; k += 1) {
    const startMs = performance.now()
    evaluate()
    times[k] = (performance.now() - startMs) * 1000
  }
  return Array.from(times.sort())
}

/** A rig that two people armed, two of whose three pressures have been high for long enough. */
function demand(): () => void {
  const shutdown = rule()
  const rig = armedRig(
    policy({
      rules: [shutdown, rule({ id: 'relief', action: 'isolate', target: 'valve' })],
      hazards: [hazard('shutdown', 'pump'), hazard('isolate', 'valve')],
      interlocks: ['p_a', 'p_b'].map((metric) => ({
        id: `relief ${metric}`,
        assume: over(metric),
        guarantee: over('p_c', { id: 'p_c_low', look: { ...over('p_c').look, op: '<' } as never }),
        blocks: [{ action: 'shutdown', target: 'pump' }],
      })),
      exclusions: [
        [
          { action: 'shutdown', target: 'pump' },
          { action: 'isolate', target: 'valve' },
        ],
      ],
      budgets: [budget(), budget({ action: 'shutdown' }), budget({ action: 'isolate', target: '' })],
    }),
  )
  rig.slides(2, { ...HIGH, p_c: 5 }, { verdict: 'FAIL' })
  const metrics = new Map(
    Object.entries({ p_a: 9, p_b: 9, p_c: 5 }).map(([name, value]) => [name, metricSeen(name, { value })]),
  )
  const seen: Seen = { ...rig.seen(), metric: (name) => metrics.get(name) ?? null }
  const run: Run = { state: rig.state, policy: rig.policy, seen, keyOf, out: [] }
  const open = rig.state.open.find((one) => one.action === 'shutdown') ?? null
  const memory = rig.state.rules[0]!
  const declared = rig.policy.hazards[0]!
  const asked = { action: 'shutdown', target: 'pump', hazard: declared, self: open } as const
  const evaluate = (): string[] => {
    const gates = gatesOfRule(run, viewOf(shutdown, memory, declared, seen), memory, asked)
    return [...gates.denied, ...gates.passive, ...(gates.warrant === null ? ['NO_WARRANT'] : [])]
  }
  const against = evaluate()
  if (open === null || against.length > 0)
    throw new Error(`the demand must pass every gate, so that none is left out: ${against.join(', ')}`)
  return evaluate
}
