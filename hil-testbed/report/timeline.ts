import type { Micros } from '../../shared/units.ts'
import type { CaseResult, LaneSpan } from '../core/result.ts'
import type { BenchEvent } from '../core/run-record.ts'

/** A line below the plots on which things are so for a while. */
export type Lane = Readonly<{ label: string; spans: readonly LaneMark[]; omitted: number }>
/** `tone` chooses how it is drawn; what it is stands beside it in words. */
export type LaneMark = Readonly<{ fromUs: Micros; toUs: Micros; text: string; tone: Tone }>
export type Tone = 'good' | 'drift' | 'bad' | 'unknown' | 'fault' | 'step'
export type Happening = Readonly<{ atUs: Micros; what: string; who: string }>

/** Lanes of one kind (verdicts, alarms, actions) in a plot; the rest are in the table of what happened. */
const LANES_OF_KIND_MAX = 8
const HAPPENINGS_MAX = 120

const TONES: Readonly<Record<string, Tone>> = {
  ...{ PASS: 'good', VERIFIED: 'good', COMPLETED: 'good', NORMAL: 'good' },
  ...{ PASS_WITH_DRIFT: 'drift', DRIFT: 'drift', WARNING: 'drift' },
  ...{ FAIL: 'bad', CRITICAL: 'bad', VERIFY_FAILED: 'bad', FAILED: 'bad', TIMED_OUT: 'bad', GATE_DENIED: 'bad' },
  ...{ REJECTED: 'bad', UNKNOWN_OUTCOME: 'bad', EXPIRED: 'bad', REVOKED: 'bad' },
  ...{ NO_TEST: 'unknown', NO_BASELINE: 'unknown', STALE: 'unknown', INVALID: 'unknown', INSUFFICIENT: 'unknown' },
}

/** The lanes of a case: what the bench did to it, and what the signed records say. */
export function lanesOf(one: CaseResult, events: readonly BenchEvent[]): Lane[] {
  const { lanes, simulated_us: endUs } = one
  const kinds = [
    ['verdict', lanes?.verdicts ?? []],
    ['alarm', lanes?.alarms ?? []],
    ['action', lanes?.actions ?? []],
  ] as const
  return [
    ...faultLanes(one, events),
    ...kinds.flatMap(([kind, spans]) => recordLanes(kind, spans, endUs)),
    ...agentLane(events, endUs),
  ]
}

function faultLanes(one: CaseResult, events: readonly BenchEvent[]): Lane[] {
  const named = new Map(one.faults.map(({ id, class: name, target }) => [id, `${name} on ${target}`]))
  for (const event of events)
    if (event.kind === 'fault_begun' && !named.has(event.id)) named.set(event.id, `${event.class} on ${event.target}`)
  const lanes = [...named].map(([id, text]) => {
    const onset = one.faults.find((fault) => fault.id === id)?.onset_us ?? null
    const spans = spansOf(events, id, one.simulated_us)
    const seen = onset === null ? [] : [{ fromUs: onset, toUs: one.simulated_us }]
    return {
      label: `fault ${id}`,
      spans: (spans.length > 0 ? spans : seen).map((span) => ({ ...span, text, tone: 'fault' as const })),
      omitted: 0,
    }
  })
  return bounded(lanes)
}

function spansOf(events: readonly BenchEvent[], id: string, endUs: Micros): { fromUs: Micros; toUs: Micros }[] {
  const spans: { fromUs: Micros; toUs: Micros }[] = []
  let openUs: Micros | null = null
  for (const event of events) {
    if (event.kind === 'fault_begun' && event.id === id) openUs ??= event.t_us
    if (event.kind !== 'fault_ended' || event.id !== id || openUs === null) continue
    spans.push({ fromUs: openUs, toUs: event.t_us })
    openUs = null
  }
  return openUs === null ? spans : [...spans, { fromUs: openUs, toUs: endUs }]
}

function recordLanes(kind: string, spans: readonly LaneSpan[], endUs: Micros): Lane[] {
  const names = [...new Set(spans.map(({ name }) => name))]
  const lanes = names.map((name) => ({
    label: name === '' ? kind : `${kind} ${name}`,
    spans: spans
      .filter((span) => span.name === name)
      .map(({ from_us: fromUs, to_us: toUs, is }) => ({
        ...{ fromUs, toUs: toUs ?? Math.max(fromUs, endUs), text: is },
        tone: TONES[is] ?? ('step' as const),
      })),
    omitted: 0,
  }))
  return bounded(lanes)
}

/** Spans in which the agent did not run, or was held. */
function agentLane(events: readonly BenchEvent[], endUs: Micros): Lane[] {
  const spans: LaneMark[] = []
  let open: Readonly<{ fromUs: Micros; text: string }> | null = null
  for (const event of events) {
    if (event.kind !== 'agent') continue
    if (open !== null) spans.push({ ...open, toUs: event.t_us, tone: 'unknown' })
    open = event.is === 'started' || event.is === 'resumed' ? null : { fromUs: event.t_us, text: event.is }
  }
  // That it was stopped at the end is how every run ends.
  if (open !== null && open.text !== 'stopped' && open.fromUs < endUs)
    spans.push({ ...open, toUs: endUs, tone: 'unknown' })
  return spans.length === 0 ? [] : [{ label: 'agent', spans, omitted: 0 }]
}

function bounded(lanes: readonly Lane[]): Lane[] {
  const shown = lanes.slice(0, LANES_OF_KIND_MAX)
  const last = shown.at(-1)
  const omitted = lanes.length - shown.length
  return last === undefined || omitted === 0 ? shown : [...shown.slice(0, -1), { ...last, omitted }]
}

/** What happened, in order; the text of a plot for whoever cannot see it. `more` is how much was left out. */
export function happeningsOf(one: CaseResult, events: readonly BenchEvent[]): { all: Happening[]; more: number } {
  const said = (kind: string, spans: readonly LaneSpan[]): Happening[] =>
    spans.map(({ from_us: atUs, name, is }) => ({
      atUs,
      who: 'agent',
      what: `${kind}${name === '' ? '' : ` ${name}`}: ${is}`,
    }))
  const all = [
    ...events.flatMap(eventHappening),
    ...said('verdict', one.lanes?.verdicts ?? []),
    ...said('alarm', one.lanes?.alarms ?? []),
    ...said('action', one.lanes?.actions ?? []),
    ...one.outcomes.flatMap(({ is, text, at_us: atUs }) =>
      is === 'missed' && atUs !== null ? [{ atUs, who: 'oracle', what: `missed: ${text}` }] : [],
    ),
  ].sort((a, b) => a.atUs - b.atUs)
  return {
    all: all.slice(0, HAPPENINGS_MAX),
    more: Math.max(0, all.length - HAPPENINGS_MAX) + (one.lanes?.thinned ?? 0),
  }
}

function eventHappening(event: BenchEvent): Happening[] {
  const { t_us: atUs } = event
  const by = (who: string, what: string): Happening[] => [{ atUs, who, what }]
  switch (event.kind) {
    case 'fault_begun':
    case 'fault_ended':
      return by(
        'bench',
        `fault ${event.id} (${event.class} on ${event.target}) ${event.kind === 'fault_begun' ? 'begins' : 'ends'}`,
      )
    case 'mark':
      return by('bench', `mark ${event.name}`)
    case 'stimulus':
      return by(
        'bench',
        `stimulus ${Object.entries(event.inputs)
          .map(([name, value]) => `${name} = ${value}`)
          .join(', ')}`,
      )
    case 'request':
    case 'effect':
      return by('actuator', `${event.actuator}: ${event.kind}`)
    case 'plant_effect':
      return by('plant', `${event.actuator}: effect`)
    case 'agent':
      return by('bench', `agent ${event.is}${event.code === null ? '' : ` (${event.code})`}`)
    case 'told':
      return by('agent', `${event.event}: ${event.why}`)
    case 'order':
      return by(event.by.join(', '), `order ${event.order}: ${event.answer}`)
    default:
      return 'text' in event ? by('bench', String(event.text)) : []
  }
}

/** Marks of the bench: a line through the whole plot. */
export function marksOf(events: readonly BenchEvent[]): Readonly<{ atUs: Micros; name: string }>[] {
  return events.flatMap((event) => (event.kind === 'mark' ? [{ atUs: event.t_us, name: event.name }] : []))
}
