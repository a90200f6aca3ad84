import type { ActionChange, SafetyChange, SafetyInput } from '../../agent/core/safety/changes.ts'
import { safetyAtArrival, safetyAtInput, safetyAtSlide } from '../../agent/core/safety/engine.ts'
import type { MetricSeen, Seen } from '../../agent/core/safety/seen.ts'
import { createSafety, type SafetyState } from '../../agent/core/safety/state.ts'
import { ACTION_PRIORITY, type Action } from '../../shared/model/action.ts'
import type { Budget, Condition, Hazard, RigPolicy, Rule, Target } from '../../shared/model/actions-policy.ts'
import type { Canonical } from '../../shared/model/decision.ts'

/** A pressure loop: three transmitters on three cards sent by three publishers, a flow meter on a fourth, and a pump. */

export const T0 = 1_700_000_000_000_000
export const SLIDE_US = 50_000
export const WINDOW_US = 250_000
export const FRESH_US = 500_000
export const FTTI_US = 2_000_000

/** Keys that tests can read; equal values give equal keys. */
export const keyOf = (value: Canonical): string => JSON.stringify(value)

export function over(metric: string, change: Partial<Condition> = {}): Condition {
  return {
    id: `${metric}_high`,
    look: { kind: 'window', metric, windowUs: WINDOW_US, of: 'mean', op: '>', value: 8 },
    persistence: { k: 2, n: 3 },
    freshUs: FRESH_US,
    ...change,
  }
}

export const flowGone: Condition = {
  id: 'flow_gone',
  look: { kind: 'window', metric: 'flow', windowUs: WINDOW_US, of: 'mean', op: '<', value: 1 },
  persistence: { k: 1, n: 1 },
  freshUs: FRESH_US,
}

export function rule(change: Partial<Rule> = {}): Rule {
  return {
    id: 'over_pressure',
    action: 'shutdown',
    target: 'pump',
    vote: '2oo3',
    conditions: [over('p_a'), over('p_b'), over('p_c')],
    params: {},
    coincidenceUs: 200_000,
    minConfidence: 0.9,
    modes: ['nominal', 'degraded', 'emergency'],
    rearm: 'operator',
    clearUs: 500_000,
    vetoUs: 0,
    fastPath: false,
    dryRun: false,
    escalation: null,
    ...change,
  }
}

export function hazard(action: Action, target: string, change: Partial<Hazard> = {}): Hazard {
  return {
    action,
    target,
    inadvertent: 'critical',
    omission: 'critical',
    reason: 'the loop bursts',
    fttiUs: FTTI_US,
    safeState: 'pump off',
    verify: { condition: flowGone, withinUs: 1_000_000 },
    lossOfPermit: 'de_energise',
    secondLayer: 'relief valve',
    onUnknown: 'alarm',
    ...change,
  }
}

export function target(name: string, change: Partial<Target> = {}): Target {
  return {
    name,
    executor: 'actuator',
    nonIdempotent: false,
    stages: { sendUs: 100_000, acceptUs: 200_000, startUs: 300_000, completeUs: 1_000_000 },
    retries: 2,
    backOffUs: 100_000,
    ...change,
  }
}

export function policy(change: Partial<RigPolicy> = {}): RigPolicy {
  const rules = change.rules ?? [rule()]
  const pairs = [...rules, ...rules.flatMap(({ escalation }) => (escalation === null ? [] : [escalation]))]
  return {
    rig: 'loop',
    testbed: false,
    rules,
    hazards: pairs.map((one) => hazard(one.action, one.target)),
    interlocks: [],
    exclusions: [],
    budgets: [],
    priority: ACTION_PRIORITY,
    targets: [...new Set(pairs.map((one) => one.target))].map((name) => target(name)),
    releasesMax: 4,
    ...change,
  }
}

/** What one metric reads; everything else of it is well unless it is said. */
export type Reading = Partial<MetricSeen> & { value?: number; filled?: boolean }

const CARDS: Readonly<Record<string, string>> = { p_a: '1', p_b: '2', p_c: '3', flow: '4' }

export function metricSeen(name: string, { value = 5, filled = true, ...change }: Reading = {}): MetricSeen {
  const card = CARDS[name] ?? name
  return {
    verdict: 'PASS',
    windows: [{ windowUs: WINDOW_US, filled, mean: value, min: value, max: value }],
    ageUs: 10_000,
    arrivalAgeUs: 15_000,
    provenance: 'live',
    publisher: `pub-${card}`,
    trail: { metric: name, leaves: [`T-${name}`], groups: [`daq:${card}`, `host:${card}`], declared: true },
    ...change,
  }
}

/** Readings by metric; null: never seen. */
export type Readings = Readonly<Record<string, Reading | number | null>>

export function seenAt(endUs: number, readings: Readings = {}, change: Partial<Seen> = {}): Seen {
  return {
    endUs,
    nowUs: endUs + 30_000,
    mode: 'nominal',
    verdict: 'PASS',
    event: 'nominal',
    metric: (name) => {
      const reading = readings[name]
      if (reading === null) return null
      return metricSeen(name, typeof reading === 'number' ? { value: reading } : reading)
    },
    baseline: { kind: 'golden', confidence: 0.95 },
    config: 'c0ffee',
    clockStepped: false,
    ...change,
  }
}

/** A kernel with its policy, driven slide by slide. */
export class SafetyRig {
  state: SafetyState
  readonly policy: RigPolicy
  endUs = T0
  readings: Readings = {}
  change: Partial<Seen> = {}
  readonly said: SafetyChange[] = []

  constructor(of: RigPolicy = policy()) {
    this.policy = of
    this.state = createSafety(of)
  }

  seen(change: Partial<Seen> = {}): Seen {
    return seenAt(this.endUs, this.readings, { ...this.change, ...change })
  }

  /** Closes slides with these readings. @returns what the last of them said. */
  slides(count: number, readings: Readings = this.readings, change: Partial<Seen> = this.change): SafetyChange[] {
    this.readings = readings
    this.change = change
    let last: SafetyChange[] = []
    for (let i = 0; i < count; i += 1) {
      this.endUs += SLIDE_US
      last = safetyAtSlide(this.state, this.policy, this.seen(), keyOf)
      this.said.push(...last)
    }
    return last
  }

  /** What is seen while slides behind the closed one are open: readings of each, oldest first. */
  seenEarly(open: readonly Readings[], change: Partial<Seen> = {}): Seen {
    const early = open.map((readings, k) =>
      seenAt(this.endUs + (k + 1) * SLIDE_US, readings, { nowUs: this.seen().nowUs, ...this.change, ...change }),
    )
    return { ...this.seen(change), early: () => early }
  }

  /** Samples of slides that have not closed arrive. @returns what was said */
  arrive(open: readonly Readings[], change: Partial<Seen> = {}, arrival = 'daq/e1#7'): SafetyChange[] {
    const said = safetyAtArrival(this.state, this.policy, arrival, this.seenEarly(open, change), keyOf)
    this.said.push(...said)
    return said
  }

  input(input: SafetyInput, change: Partial<Seen> = {}): SafetyChange[] {
    const said = safetyAtInput(this.state, this.policy, input, this.seen(change), keyOf)
    this.said.push(...said)
    return said
  }

  /** The order of two people for what is in force now. */
  arm(): SafetyChange[] {
    const { config, nowUs } = this.seen()
    return this.input({ kind: 'arm', config, untilUs: nowUs + 3_600_000_000, by: ['ada', 'bob'] })
  }

  /** The key of the only open action. */
  key(): string {
    const [open, ...others] = this.state.open
    if (open === undefined || others.length > 0) throw new Error(`${this.state.open.length} actions are open`)
    return open.key
  }

  ack(
    status: 'accepted' | 'rejected' | 'started' | 'progress' | 'completed' | 'failed',
    from = 'pump',
  ): SafetyChange[] {
    return this.input({ kind: 'ack', key: this.key(), status, from, message: '' })
  }

  /** From a demand to STARTED. */
  start(readings: Readings): void {
    this.slides(3, readings)
    this.input({ kind: 'release', key: this.key() })
    this.input({ kind: 'sent', key: this.key() })
    this.ack('accepted')
    this.ack('started')
  }
}

/** A rig that is armed and has seen nothing wrong. */
export function armedRig(of: RigPolicy = policy()): SafetyRig {
  const rig = new SafetyRig(of)
  rig.slides(5)
  rig.arm()
  return rig
}

export function actionsIn(said: readonly SafetyChange[]): ActionChange[] {
  return said.filter((one) => one.kind === 'action')
}

/** The states that actions went through, in order. */
export function statesIn(said: readonly SafetyChange[]): string[] {
  return actionsIn(said).map(({ state }) => state)
}

/** Alarms as `+id SEVERITY` and `-id`. */
export function alarmsIn(said: readonly SafetyChange[]): string[] {
  return said.flatMap((one) => {
    if (one.kind !== 'alarm') return []
    return [one.active ? `+${one.id} ${one.severity}` : `-${one.id}`]
  })
}

export function refusalsIn(said: readonly SafetyChange[]): string[] {
  return said.flatMap((one) => (one.kind === 'refused' ? one.reasons : []))
}

/** Two of three pressures are high. */
export const HIGH: Readings = { p_a: 9, p_b: 9 }
/** The same, and the flow has stopped. */
export const DONE: Readings = { ...HIGH, flow: 0 }
/** Slides until two of three are no longer high, and then until it is clear. */
export const CLEAR = 2 + 10

/** Has the open action carried out and seen. */
export function carryOut(rig: SafetyRig, who = 'pump'): void {
  rig.input({ kind: 'release', key: rig.key() })
  rig.input({ kind: 'sent', key: rig.key() })
  rig.ack('started', who)
  rig.slides(6, DONE)
}

/** An armed rig with an action in one of its states. */
export function rigIn(state: string, of: RigPolicy = policy()): SafetyRig {
  const rig = armedRig(of)
  rig.slides(2, HIGH)
  const key = rig.key()
  const steps: [string, () => unknown][] = [
    ['GATE_PASSED', () => undefined],
    ['RELEASED', () => rig.input({ kind: 'release', key })],
    ['SENT', () => rig.input({ kind: 'sent', key })],
    ['ACCEPTED', () => rig.ack('accepted')],
    ['STARTED', () => rig.ack('started')],
    ['COMPLETED', () => rig.ack('completed')],
  ]
  if (state === 'UNKNOWN_OUTCOME') {
    for (const [, step] of steps.slice(0, 3)) step()
    rig.input({ kind: 'unknown', key })
  } else
    for (const [name, step] of steps) {
      step()
      if (name === state) break
    }
  if (rig.state.open[0]?.state !== state) throw new Error(`${rig.state.open[0]?.state} is not ${state}`)
  rig.said.length = 0
  return rig
}

export const budget = (change: Partial<Budget> = {}): Budget => ({
  action: 'failover',
  target: 'pump',
  most: 2,
  windowUs: 1_000,
  spacingUs: 0,
  latchUs: 0,
  ...change,
})
