import type { Measure, MetricSource } from '../shared/lib/metrics.ts'
import type { Mode } from '../shared/model/verdict.ts'
import { BASELINE_ROLES, type BaselineRole } from '../shared/protocol/downlink.ts'
import type { BaselineVitals, Vitals } from '../shared/protocol/messages.ts'
import { baselinesIn, metricsIn, type RigSettings } from './core/settings.ts'
import type { AgentLoop } from './loop.ts'

const EVENT_STATES = ['warming_up', 'nominal', 'alarm'] as const

/** What rigs are compared with, how far that is to be believed, and what the detectors say. Of vitals, at most half a second old. */
export function baselineMetrics(loop: AgentLoop): MetricSource[] {
  const vitals = (): Vitals[] =>
    loop.evaluation.state.rigs.flatMap(({ settings }) => loop.live.lastVitals(settings.rig) ?? [])
  const labels = ['program', 'rig', 'role']
  const each = (value: (one: BaselineVitals) => number) => (): Measure[] =>
    vitals().flatMap(({ program, rig, baselines }) =>
      BASELINE_ROLES.flatMap((role: BaselineRole) => {
        const one = baselines[role]
        return one === null ? [] : [{ value: value(one), labels: { program, rig, role } }]
      }),
    )
  return [
    {
      name: 'hb_baseline_match_score',
      help: 'How well baselines fit the rigs of a programme, the least of them: share of the metrics that ask for one and have one in their unit, by the match of the environment; 0 without any.',
      kind: 'gauge',
      labels: ['program'],
      read: () => matchScores(loop),
    },
    {
      name: 'hb_baseline_confidence',
      help: 'Confidence that decisions carry for the baseline in force, by rig and role.',
      kind: 'gauge',
      labels,
      read: each(({ confidence }) => confidence),
    },
    {
      name: 'hb_baseline_decay_factor',
      help: 'What is left of a baseline by its age and by where the rig is now; decisions do not know of it until their configuration is taken again.',
      kind: 'gauge',
      labels,
      read: each(({ decay }) => decay),
    },
    {
      name: 'hb_baseline_decay_age_seconds',
      help: 'How old the data of the baseline in force is, in event time.',
      kind: 'gauge',
      labels,
      read: each(({ age_us }) => age_us / 1_000_000),
    },
    {
      name: 'hb_baseline_certified',
      help: '1 for a baseline that its operators certified, 0 for a draft.',
      kind: 'gauge',
      labels,
      read: each(({ kind }) => (kind === 'draft' ? 0 : 1)),
    },
    ...eventMetrics(vitals),
  ]
}

function eventMetrics(vitals: () => Vitals[]): MetricSource[] {
  const events = () => vitals().flatMap(({ program, rig, event }) => (event === null ? [] : [{ program, rig, event }]))
  return [
    {
      name: 'hb_event_score',
      help: 'Largest score of an event stream of a rig, in limits: above 1 it speaks.',
      kind: 'gauge',
      labels: ['program', 'rig'],
      read: () => events().map(({ program, rig, event }) => ({ value: event.score, labels: { program, rig } })),
    },
    {
      name: 'hb_event_confidence',
      help: 'How sure an event is, 1 − p; NaN while there is none.',
      kind: 'gauge',
      labels: ['program', 'rig'],
      read: () =>
        events().map(({ program, rig, event }) => ({
          value: event.confidence ?? Number.NaN,
          labels: { program, rig },
        })),
    },
    {
      name: 'hb_event_state',
      help: '1 for the state that the detectors of a rig are in.',
      kind: 'gauge',
      labels: ['program', 'rig', 'state'],
      read: () =>
        events().flatMap(({ program, rig, event }) =>
          EVENT_STATES.map((state) => ({ value: event.state === state ? 1 : 0, labels: { program, rig, state } })),
        ),
    },
  ]
}

/** By programme, as the predecessor has it. Rigs that ask for no baseline are none of it. */
function matchScores(loop: AgentLoop): Measure[] {
  const scores = new Map<string, number>()
  for (const { settings, mode } of loop.evaluation.state.rigs) {
    const score = matchScore(settings, mode)
    const program = loop.live.lastVitals(settings.rig)?.program
    if (score !== null && program !== undefined) scores.set(program, Math.min(scores.get(program) ?? 1, score))
  }
  return [...scores].map(([program, value]) => ({ value, labels: { program } }))
}

/** Null for a rig none of whose metrics asks for a baseline. */
export function matchScore(settings: RigSettings, mode: Mode): number | null {
  const { baseline } = baselinesIn(settings, mode)
  const asking = metricsIn(settings, mode).filter((m) => m.baselineRequired)
  if (asking.length === 0) return null
  const known = asking.filter((m) => baseline?.metrics.get(m.metric)?.unit === m.unit)
  const environment = baseline?.about.inputs.find(({ name }) => name === 'environment_match')?.score ?? 1
  return (known.length / asking.length) * environment
}
