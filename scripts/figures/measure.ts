import { detectedUs } from '../../hil-testbed/oracle/detection.ts'
import type { Run } from '../../hil-testbed/oracle/run-folder.ts'
import { decisionsOf, runTime } from '../../hil-testbed/oracle/run-times.ts'
import type { Finding, Said } from '../../hil-testbed/oracle/said.ts'
import type { Micros } from '../../shared/units.ts'
import { quietMoments, SETTLED_US, WATCHED_US } from './rows.ts'

/** What a record said about a channel first, and how long after the fault had its first effect. */
export type Naming = Readonly<{ after_us: Micros; metric: string; verdict: string; ground: string }>

/** What one run of a fault came to. */
export type Trial = Readonly<{
  seed: number
  /** Why it cannot be counted; '' when it can. */
  broken: string
  /** Whether it changed anything on its way to the agent. */
  injected: boolean
  /** To the first signed record that says anything else than before; null: none within the watch. */
  told_us: Micros | null
  named: Naming | null
  /** Whether the rig was not PASS at the first effect. */
  alarmed_before: boolean
  /** Counters of the signed headers that are not nothing at the end. */
  counted: readonly string[]
  /** Hard actions that were released. */
  trips: number
}>

/** What one run without a fault came to, from when the windows were full. */
export type Quiet = Readonly<{
  seed: number
  broken: string
  watched_us: Micros
  /** Times at which the rig stopped being PASS, with what was found. */
  alarms: readonly Readonly<{ at_us: Micros; for_us: Micros; found: readonly string[] }>[]
  /** Alarms of policy and safety that became active, and what people were told. */
  signals: readonly string[]
  trips: number
  /** Spans as long as the watch of a fault; those in which there was anything new, and anything about a channel, by its name. */
  spans: number
  spans_told: number
  spans_named: Readonly<Record<string, number>>
}>

/** Counters of a header that say that telemetry was not as it should be. */
const COUNTERS = ['late', 'duplicate', 'rejected', 'shed', 'missing'] as const
/** Shutdown, abort and isolate are hard (decisions 12). */
const HARD: readonly string[] = ['shutdown', 'abort', 'isolate']

export function trialOf(run: Run, channels: readonly string[]): Trial {
  const { facts, evidence, row } = run
  const [fault] = facts.faults
  const onsetUs = fault?.first_us ?? null
  const counters = evidence.counters
  const about = {
    seed: row.seed,
    broken: brokenIn(run),
    counted: COUNTERS.filter((name) => (counters?.[name] ?? 0) > 0),
  }
  const trips = tripsIn(run, 0)
  if (fault === undefined || onsetUs === null || fault.count === 0)
    return { ...about, injected: false, told_us: null, named: null, alarmed_before: false, trips }
  const atUs = detectedUs(run, onsetUs)
  const told = atUs !== null && atUs - onsetUs <= WATCHED_US ? atUs - onsetUs : null
  return {
    ...{ ...about, injected: true, told_us: told, named: namedAfter(run, onsetUs, channels), trips },
    alarmed_before: before(run, onsetUs)?.verdict !== 'PASS',
  }
}

export function quietOf(run: Run): Quiet {
  const toUs = run.row.clock.durationUs
  const moments = quietMoments(toUs)
  const isTold = (atUs: Micros): boolean => {
    const told = detectedUs(run, atUs)
    return told !== null && told - atUs <= WATCHED_US
  }
  const named = run.row.rig.sensors.map(({ channel }) => [
    channel,
    moments.filter((atUs) => namedAfter(run, atUs, [channel]) !== null).length,
  ])
  return {
    ...{ seed: run.row.seed, broken: brokenIn(run), watched_us: toUs - SETTLED_US, alarms: alarmsIn(run) },
    ...{ signals: signalsIn(run), trips: tripsIn(run, SETTLED_US), spans: moments.length },
    ...{ spans_told: moments.filter(isTold).length, spans_named: Object.fromEntries(named) },
  }
}

/**
 * The first decision after a moment with a finding about one of these channels that was not among those of the last decision
 * up to it: what somebody would have to read to know where to look.
 */
function namedAfter(run: Run, fromUs: Micros, channels: readonly string[]): Naming | null {
  const last = before(run, fromUs)
  const known = new Set((last?.findings ?? []).map(keyOf))
  for (const decision of decisionsOf(run)) {
    const afterUs = runTime(run, decision.atUs) - fromUs
    if (afterUs <= 0) continue
    if (afterUs > WATCHED_US) return null
    const found = decision.findings?.find((one) => channels.includes(one.metric) && !known.has(keyOf(one)))
    if (found !== undefined) return { after_us: afterUs, ...found }
  }
  return null
}

function before(run: Run, atUs: Micros) {
  return decisionsOf(run).findLast((decision) => runTime(run, decision.atUs) <= atUs) ?? null
}

function keyOf({ metric, verdict, ground }: Finding): string {
  return `${metric} ${verdict} ${ground}`
}

function alarmsIn(run: Run): Quiet['alarms'] {
  const alarms: { at_us: Micros; for_us: Micros; found: readonly string[] }[] = []
  let open: (typeof alarms)[number] | null = null
  for (const decision of decisionsOf(run)) {
    const atUs = runTime(run, decision.atUs)
    if (open !== null) open.for_us = Math.max(0, atUs - open.at_us)
    if (decision.verdict === 'PASS') open = null
    else if (open === null && atUs > SETTLED_US) {
      open = { at_us: atUs, for_us: 0, found: (decision.findings ?? []).map(keyOf) }
      alarms.push(open)
    }
  }
  return alarms
}

function signalsIn(run: Run): string[] {
  const isActive = (said: Said): boolean => said.kind === 'alarm' && said.active && runTime(run, said.atUs) > SETTLED_US
  const signed = run.evidence.said.filter(isActive).map((said) => (said.kind === 'alarm' ? said.id : ''))
  const told = run.events.flatMap((event) =>
    event.kind === 'alarm' && event.active && event.t_us > SETTLED_US ? [event.id] : [],
  )
  return [...signed, ...told]
}

function tripsIn(run: Run, fromUs: Micros): number {
  return run.evidence.said.filter(
    (said) =>
      said.kind === 'action' &&
      said.state === 'RELEASED' &&
      HARD.includes(said.action) &&
      runTime(run, said.atUs) >= fromUs,
  ).length
}

/** What keeps a run from being counted: it broke off, or its records do not hold. */
function brokenIn({ facts, evidence }: Run): string {
  if (facts.broken !== null) return `${facts.broken.code}: ${facts.broken.detail}`
  if (evidence.batches === 0) return 'no signed record'
  return evidence.problems[0] ?? evidence.unknown[0]?.why ?? ''
}
