import fc from 'fast-check'
import t from 'tap'
import type { ActionChange, SafetyChange, SafetyInput } from '../../../../agent/core/safety/changes.ts'
import { ACTION_EVENTS, isCommitted, nextState } from '../../../../agent/core/safety/lifecycle.ts'
import { DONE_MAX, type SafetyState } from '../../../../agent/core/safety/state.ts'
import { canonicalBytes } from '../../../../shared/codec/canonical.ts'
import { decodeSigned } from '../../../../shared/codec/signed-cbor.ts'
import { type ActionState, HARD_ACTIONS, hasEnded } from '../../../../shared/model/action.ts'
import { ACK_STATUSES, TIMED_STAGES } from '../../../../shared/model/action-input.ts'
import type { RigPolicy } from '../../../../shared/model/actions-policy.ts'
import type { Canonical } from '../../../../shared/model/decision.ts'
import { actionsIn, hazard, over, policy, type Reading, rule, SafetyRig, target } from '../../../support/safety-rig.ts'

/** Runs of each property; the mutator asks for fewer, because it has many mutants to run them on. */
const RUNS = Number(process.env['HB_PROPERTY_RUNS'] ?? 400)

const ONE_SLIDE = { persistence: { k: 1, n: 2 } }
const METRICS = ['p_a', 'p_b', 'p_c', 'flow'] as const

/** One rule of each vote, on overlapping conditions, with an exclusion, a budget, an interlock and an escalation. */
const WORLD: RigPolicy = policy({
  rules: [
    rule({ vote: '2oo3', rearm: 'auto', clearUs: 100_000, escalation: { action: 'isolate', target: 'valve' } }),
    rule({
      id: 'both',
      action: 'abort',
      target: 'test',
      vote: '2oo2',
      conditions: [over('p_a', ONE_SLIDE), over('p_b', ONE_SLIDE)],
      rearm: 'auto',
      clearUs: 0,
    }),
    rule({
      id: 'any',
      action: 'failover',
      vote: '1ooN',
      conditions: [over('p_a', ONE_SLIDE), over('p_c', ONE_SLIDE)],
      rearm: 'auto',
      clearUs: 0,
      vetoUs: 60_000,
    }),
  ],
  hazards: [
    hazard('shutdown', 'pump'),
    hazard('isolate', 'valve'),
    hazard('abort', 'test', { omission: 'marginal' }),
    hazard('failover', 'pump', { inadvertent: 'marginal', onUnknown: 'safe_state' }),
  ],
  exclusions: [
    [
      { action: 'failover', target: 'pump' },
      { action: 'abort', target: 'test' },
      { action: 'isolate', target: 'valve' },
    ],
  ],
  budgets: [{ action: 'failover', target: '', most: 3, windowUs: 2_000_000, spacingUs: 50_000, latchUs: 0 }],
  targets: ['pump', 'valve', 'test'].map((name) => target(name, { nonIdempotent: name === 'valve' })),
})

type Step =
  | { do: 'slide'; readings: Record<string, Reading | null> }
  | { do: 'input'; pick: number; what: string; of: number }

const reading: fc.Arbitrary<Reading | null> = fc.oneof(
  { weight: 9, arbitrary: fc.constant({ value: 9 }) },
  { weight: 4, arbitrary: fc.constant({ value: 0 }) },
  { weight: 1, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.constant({ value: Number.NaN }) },
  { weight: 1, arbitrary: fc.constant({ value: 9, ageUs: 900_000 }) },
  { weight: 1, arbitrary: fc.constant({ value: 9, filled: false }) },
  { weight: 1, arbitrary: fc.constant({ value: 9, provenance: 'replay' as const }) },
)
const WHATS = [
  'release',
  'release',
  'sent',
  'ack',
  'ack',
  'timeout',
  'unknown',
  'answer',
  'cancel',
  'arm',
  'disarm',
] as const
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .tuple(reading, reading, reading, reading)
      .map((all): Step => ({ do: 'slide', readings: Object.fromEntries(all.map((one, k) => [METRICS[k]!, one])) })),
  },
  {
    weight: 5,
    arbitrary: fc
      .tuple(fc.nat(9), fc.constantFrom(...WHATS), fc.nat(9))
      .map(([pick, what, of]): Step => ({ do: 'input', pick, what, of })),
  },
)
const steps = fc.array(step, { minLength: 10, maxLength: 120 })

/** One of the open actions, or now and then one that has ended, or none that there ever was. */
function keyAt({ open, done }: SafetyState, pick: number): { key: string; target: string } {
  if (pick < 8 && open.length > 0) return open[pick % open.length]!
  return done[done.length - 1] ?? { key: 'never', target: 'pump' }
}

function inputOf(rig: SafetyRig, { pick, what, of }: Extract<Step, { do: 'input' }>): SafetyInput {
  const { key, target: to } = keyAt(rig.state, pick)
  if (what === 'ack')
    return { kind: 'ack', key, status: ACK_STATUSES[of % 6]!, from: of === 9 ? 'mallory' : to, message: '' }
  if (what === 'timeout') return { kind: 'timeout', key, stage: TIMED_STAGES[of % 4]! }
  if (what === 'answer') return { kind: 'answer', key, status: of < 5 ? 'unknown_key' : ACK_STATUSES[of % 6]! }
  if (what === 'cancel') return { kind: 'cancel', key, by: of < 5 ? 'agent' : 'ada', reason: '' }
  if (what === 'disarm') return { kind: 'disarm', by: 'ada', reason: '' }
  if (what === 'arm') {
    const { config, nowUs } = rig.seen()
    return { kind: 'arm', config, untilUs: nowUs + 60_000_000, by: ['ada', 'bob'] }
  }
  return { kind: what as 'release' | 'sent' | 'unknown', key }
}

function take(rig: SafetyRig, one: Step): SafetyChange[] {
  return one.do === 'slide' ? rig.slides(1, one.readings) : rig.input(inputOf(rig, one))
}

/** Runs the steps on an armed rig and shows every change to `look`. */
function walk(
  all: readonly Step[],
  look: (change: ActionChange, rig: SafetyRig) => void,
  after?: (rig: SafetyRig) => void,
) {
  const rig = new SafetyRig(WORLD)
  rig.slides(2)
  rig.arm()
  for (const one of all) {
    for (const change of actionsIn(take(rig, one))) look(change, rig)
    after?.(rig)
  }
  return rig
}

function holds(property: fc.IProperty<[Step[]]>): void {
  fc.assert(property, { numRuns: RUNS, seed: 5 })
}

// verifies SE-04, SE-05
t.test(
  'nothing hard is released on less than two TRUE members, nor what must not work with an unknown one',
  async (t) => {
    let released = 0
    holds(
      fc.property(steps, (all) => {
        walk(all, ({ state, from, action, rule: id, conditions, note }) => {
          if (state !== 'RELEASED' || from === 'RELEASED' || !HARD_ACTIONS.includes(action)) return
          released += 1
          if (note !== 'two_proofs') throw new Error(`${id} on ${note}`)
          const yes = conditions.filter(({ value }) => value === 'TRUE').length
          if (conditions.length > 0 && yes < 2) throw new Error(`${id} on ${yes}`)
          if (id === 'both' && conditions.some(({ value }) => value !== 'TRUE')) throw new Error('an unknown member')
        })
      }),
    )
    t.ok(released >= RUNS / 10, `${released} releases were looked at`)
  },
)

// verifies SE-10
t.test('of an exclusion set one action is under way at a time, in any order of events', async (t) => {
  let seen = 0
  const under: ActionState[] = ['COMPLETED', 'UNKNOWN_OUTCOME']
  holds(
    fc.property(steps, (all) => {
      walk(
        all,
        () => undefined,
        ({ state }) => {
          const open = state.open.filter((one) => isCommitted(one.state) && !under.includes(one.state))
          const inSet = open.filter((one) => WORLD.exclusions[0]!.some((item) => item.action === one.action))
          if (inSet.length > 1) throw new Error(inSet.map((one) => `${one.action} ${one.state}`).join(', '))
          seen += inSet.length
        },
      )
    }),
  )
  t.ok(seen >= RUNS, `${seen} times one was open`)
})

// verifies SE-18
t.test('no rule is released twice in an episode, unless what was released never left', async (t) => {
  let released = 0
  holds(
    fc.property(steps, (all) => {
      const shots = new Map<string, string>()
      walk(all, ({ state, from, rule: id, action, episode, key, reasons }) => {
        const shot = `${id} ${action} ${episode}`
        if (state === 'CANCELLED' && from === 'RELEASED' && reasons.includes('BY:agent')) shots.delete(shot)
        if (state !== 'RELEASED' || from === 'RELEASED') return
        if (shots.has(shot)) throw new Error(`${shot} twice`)
        shots.set(shot, key)
        released += 1
      })
    }),
  )
  t.ok(released >= RUNS / 5, `${released} releases were looked at`)
})

// verifies SE-16
t.test('whatever comes in whatever order, every action goes through legal states and stays in its end', async (t) => {
  let ended = 0
  holds(
    fc.property(steps, (all) => {
      const states = new Map<string, ActionState>()
      const rig = walk(all, (change) => {
        const { key, from, state } = change
        const known = states.get(key) ?? null
        if (from !== known) throw new Error(`${key} was ${known}, not ${from}`)
        const isLegal =
          from === null ? state === 'PROPOSED' : ACTION_EVENTS.some((event) => nextState(from, event) === state)
        if (!isLegal && from !== state) throw new Error(`${from} to ${state}`)
        if (from !== null && hasEnded(from) && from !== state) throw new Error(`${from} was no end`)
        states.set(key, state)
        if (hasEnded(state) && from !== state) ended += 1
      })
      for (const open of rig.state.open)
        if (hasEnded(open.state) || states.get(open.key) !== open.state) throw new Error(`${open.key} is not known`)
      if (rig.state.open.length > 2 * WORLD.rules.length || rig.state.done.length > DONE_MAX) throw new Error('bounds')
    }),
  )
  t.ok(ended >= RUNS, `${ended} ends were looked at`)
})

// verifies SE-19
t.test('no budget is ever overspent', async (t) => {
  let most = 0
  holds(
    fc.property(steps, (all) => {
      const times: number[] = []
      walk(all, ({ state, from, action, nowUs }) => {
        if (state !== 'RELEASED' || from === 'RELEASED' || action !== 'failover') return
        if (times.some((at) => nowUs - at < 50_000)) throw new Error('spacing')
        times.push(nowUs)
        const inWindow = times.filter((at) => nowUs - at < 2_000_000).length
        if (inWindow > 3) throw new Error(`${inWindow} in a window`)
        most = Math.max(most, inWindow)
      })
    }),
  )
  t.ok(most > 0)
})

/** What was decoded, with its maps as the records that they were. */
function plain(value: Canonical): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (!(value instanceof Map)) return value
  return Object.fromEntries([...value].map(([name, one]) => [String(name), plain(one)]))
}

// verifies SE-19
t.test('a rig cut at any point and taken up from its bytes says what the whole one says', async (t) => {
  fc.assert(
    fc.property(steps, fc.nat(119), (all, cut) => {
      const run = (at: number): SafetyRig => {
        const rig = new SafetyRig(WORLD)
        rig.slides(2)
        rig.arm()
        all.forEach((one, k) => {
          if (k === at)
            rig.state = plain(decodeSigned(canonicalBytes(rig.state as unknown as Canonical))) as SafetyState
          take(rig, one)
        })
        return rig
      }
      const [whole, taken] = [run(-1), run(cut % all.length)]
      if (JSON.stringify(taken.said) !== JSON.stringify(whole.said)) throw new Error('other changes')
      const bytes = (rig: SafetyRig): string => canonicalBytes(rig.state as unknown as Canonical).join()
      if (bytes(taken) !== bytes(whole)) throw new Error('another state')
    }),
    { numRuns: RUNS, seed: 6 },
  )
  t.pass('no cut shows')
})
