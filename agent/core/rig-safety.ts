import { type AlarmState, createAlarms } from '../../shared/model/alarms/state.ts'
import { decayOf } from '../../shared/model/baseline-decay.ts'
import type { Canonical } from '../../shared/model/decision.ts'
import type { Frame } from '../../shared/model/telemetry.ts'
import type { Micros } from '../../shared/units.ts'
import { kindAt, type Slide } from './decide.ts'
import { earlyFacts, earlyPanes, type FastRule, fastRulesOf, mayDemand } from './early.ts'
import type { Judgement } from './judge.ts'
import { type LastSlide, lastSlideOf, type MetricFacts } from './last-slide.ts'
import { type Origins, provenanceSince, publisherSince } from './origins.ts'
import { alarmsOnInput, alarmsOnSlide, alarmsUnder } from './rig-alarms.ts'
import type { RigChange } from './rig-change.ts'
import { carryOver } from './safety/carry-over.ts'
import type { ActionChange, SafetyChange, SafetyInput } from './safety/changes.ts'
import { safetyAtArrival, safetyAtInput, safetyAtSlide } from './safety/engine.ts'
import { type InjectedNote, noteInjected } from './safety/injected.ts'
import type { KeyOf, MetricSeen, Seen } from './safety/seen.ts'
import { createSafety, type SafetyState } from './safety/state.ts'
import { type Baseline, baselinesIn, type Digests, type RigSettings, type RuledSettings } from './settings.ts'
import type { RigState } from './state.ts'

/** What is remembered for the actions of one rig: what the kernel knows, and the slide that it last looked at. */
export type RigSafety = {
  kernel: SafetyState
  alarms: AlarmState
  last: LastSlide | null
  /** When the clock was last stepped; −1 for never. */
  steppedUs: Micros
  /** Rules on the fast path. Derived from the settings. */
  readonly fast: readonly FastRule[]
  /** Newest frame of the input being taken, for rules on the fast path. Scratch: '' between inputs. */
  arrival: string
}

/** null for a rig without a policy: nothing is ever done there. */
export function createRigSafety({ safety, metrics }: Pick<RigSettings, 'safety' | 'metrics'>): RigSafety | null {
  if (safety === undefined) return null
  const { policy, alarms } = safety
  const kernel = createSafety(policy)
  const fast = fastRulesOf(safety.policy, metrics)
  return { kernel, alarms: createAlarms(alarms.definitions), last: null, steppedUs: -1, fast, arrival: '' }
}

/** Takes over what was remembered under another configuration; what that ends is said. */
export function actUnder(rig: RigState, old: RigState, nowUs: Micros): readonly RigChange[] {
  const [before, now] = [old.settings.safety, rig.settings.safety]
  if (old.safety === null || before === undefined) return []
  const policy = now?.policy ?? { ...before.policy, rules: [], interlocks: [], budgets: [], hazards: [], targets: [] }
  const { kernel, changes } = carryOver(old.safety.kernel, { before: before.policy, now: policy, nowUs })
  if (rig.safety !== null) Object.assign(rig.safety, { kernel, steppedUs: old.safety.steppedUs })
  return [...changes, ...alarmsUnder(rig, old, changes, nowUs)]
}

/** Hands the slide that was just decided to the kernel, then to the alarms. Call it while its windows are there. */
export function actOnSlide(
  rig: RigState,
  { slide, judgements, nowUs }: { slide: Slide; judgements: readonly Judgement[]; nowUs: Micros },
  digests: Digests,
): RigChange[] {
  const { safety, settings } = rig
  if (safety === null || settings.safety === undefined) return []
  const last = lastSlideOf(rig, slide, judgements)
  safety.last = last
  const seen = seenOf(rig, { last, ruled: settings.safety, nowUs })
  const said = safetyAtSlide(safety.kernel, settings.safety.policy, seen, keyWith(digests))
  return [...said, ...alarmsOnSlide(rig, { last, seen, said })]
}

/** Hands an input about actions to the kernel. Before the first slide nothing is known, and it says so itself. */
export function actOnInput(rig: RigState, input: SafetyInput, nowUs: Micros, digests: Digests): RigChange[] {
  const { safety, settings } = rig
  if (safety === null || settings.safety === undefined) return []
  const last = safety.last ?? NOTHING_DECIDED
  const seen = seenOf(rig, { last, ruled: settings.safety, nowUs })
  const said = safetyAtInput(safety.kernel, settings.safety.policy, input, seen, keyWith(digests))
  return [...said, ...alarmsOnInput(rig, said, nowUs)]
}

/** Remembers which frame came, where rules are judged by what has arrived. */
export function noteArrival({ safety }: RigState, { source, epoch, seq }: Frame): void {
  if (safety !== null && safety.fast.length > 0) safety.arrival = `${source}/${epoch}#${seq}`
}

/** Says that injected samples came which this rig does not take. Nothing for a rig without a policy, which has no alarms. */
export function tellInjected(rig: RigState, note: InjectedNote): RigChange[] {
  if (rig.safety === null) return []
  const said: SafetyChange[] = []
  noteInjected({ state: rig.safety.kernel, out: said }, note)
  return [...said, ...alarmsOnInput(rig, said, note.nowUs)]
}

/** Hands what arrived to the rules on the fast path, when something of it may ask for an action. */
export function actOnArrival(rig: RigState, nowUs: Micros, digests: Digests): RigChange[] {
  const { safety, settings } = rig
  if (safety === null || settings.safety === undefined) return []
  const { arrival } = safety
  safety.arrival = ''
  if (!safety.fast.some((rule) => mayDemand(rig, rule))) return []
  const seen = seenOf(rig, { last: safety.last ?? NOTHING_DECIDED, ruled: settings.safety, nowUs })
  const said = safetyAtArrival(safety.kernel, settings.safety.policy, arrival, seen, keyWith(digests))
  return said.length === 0 ? [] : [...said, ...alarmsOnInput(rig, said, nowUs)]
}

const NOTHING_DECIDED: LastSlide = { endUs: -1, verdict: 'NO_TEST', event: null, metrics: [] }

/** Actions that the kernel has open, as they stand: what the shell takes up after a start. */
export function openActions({ safety, settings }: RigState, nowUs: Micros): ActionChange[] {
  if (safety === null) return []
  return safety.kernel.open.map((open) => {
    const { key, rule, episode, action, target, params, state, endUs, deadlineUs, attempt } = open
    return {
      ...{ kind: 'action', key, rig: settings.rig, rule, episode, action, target, params, state, reasons: [] },
      ...{ endUs, nowUs, deadlineUs, attempt, from: state, note: '', conditions: [] },
    }
  })
}

type Looking = Readonly<{ last: LastSlide; ruled: RuledSettings; nowUs: Micros }>

function seenOf(rig: RigState, { last, ruled, nowUs }: Looking): Seen {
  const { settings, mode, origins, safety } = rig
  const steppedUs = safety?.steppedUs ?? -1
  const { baseline } = baselinesIn(settings, mode)
  const seen: Seen = {
    endUs: last.endUs,
    nowUs,
    mode,
    verdict: last.verdict,
    event: last.event,
    config: ruled.config,
    clockStepped: steppedUs >= 0 && nowUs - steppedUs < CLOCK_STEP_DISTRUST_US,
    // Before the first slide it is as old as the input is late.
    baseline: baseline === null ? null : baselineSeen(baseline, last.endUs < 0 ? nowUs : last.endUs),
    metric(name) {
      const m = settings.metrics.findIndex(({ metric }) => metric === name)
      const facts = last.metrics[m]
      if (facts === undefined || origins === null) return null
      return metricSeen(facts, { origins, m, ruled, endUs: last.endUs, nowUs })
    },
  }
  if (safety === null || safety.fast.length === 0) return seen
  return { ...seen, early: (rule) => earlyPanes(rig, rule).map((pane) => earlySeen(rig, pane, { ruled, nowUs, seen })) }
}

/**
 * What a baseline is worth at a time: what its gate gave it and what was said of it since, times what age and wander leave of it
 * (SE-11). Where the levels of the rig are counts for people alone: a rig in trouble must not lower what it is stopped by.
 */
export function baselineSeen(baseline: Baseline, atUs: Micros): NonNullable<Seen['baseline']> {
  const { about, toUs, confidence, basis = null } = baseline
  const { factor } = decayOf({ ...about, toUs }, { nowUs: atUs, current: null }, about.policy)
  return {
    kind: kindAt(baseline, atUs),
    confidence: confidence * factor,
    basis: basis === null ? null : { ...basis, decay: basis.decay * factor },
  }
}

type LookingEarly = Readonly<{ ruled: RuledSettings; nowUs: Micros; seen: Seen }>

/** What would be seen if the slide of an open pane closed now; what is not of one metric is that of the closed slide. */
function earlySeen(rig: RigState, pane: number, { ruled, nowUs, seen }: LookingEarly): Seen {
  const { settings, origins } = rig
  const endUs = (pane + 1) * settings.slideUs
  const known = new Map<string, MetricSeen | null>()
  function look(name: string): MetricSeen | null {
    const m = settings.metrics.findIndex(({ metric }) => metric === name)
    if (m < 0 || origins === null) return null
    return metricSeen(earlyFacts(rig, m, pane), { origins, m, ruled, endUs, nowUs })
  }
  return {
    ...seen,
    endUs,
    metric(name) {
      if (!known.has(name)) known.set(name, look(name))
      return known.get(name)!
    },
  }
}

/** After a step of the clock nothing is believed for as long as a window may hold samples from before it (SE-08). */
export const CLOCK_STEP_DISTRUST_US: Micros = 60_000_000

type Metric = Readonly<{ origins: Origins; m: number; ruled: RuledSettings; endUs: Micros; nowUs: Micros }>

function metricSeen(facts: MetricFacts, { origins, m, ruled, endUs, nowUs }: Metric): MetricSeen {
  let widestUs = 0
  for (const { windowUs } of facts.windows) widestUs = Math.max(widestUs, windowUs)
  const sinceUs = endUs - widestUs
  const arrivedUs = origins.arrivedUs[m]!
  return {
    verdict: facts.verdict,
    windows: facts.windows,
    ageUs: facts.newestUs < 0 ? null : Math.max(0, endUs - facts.newestUs),
    arrivalAgeUs: arrivedUs < 0 ? null : nowUs - arrivedUs,
    provenance: provenanceSince(origins, m, sinceUs),
    publisher: publisherSince(origins, m, sinceUs),
    trail: ruled.trails[m]!,
  }
}

/** A key is the digest of what it names, in hex (SE-14). */
function keyWith(digests: Digests): KeyOf {
  return (value: Canonical) => {
    let hex = ''
    for (const byte of digests.bytes('action', digests.encode(value))) hex += (byte + 256).toString(16).slice(1)
    return hex
  }
}
