import type { Measure, MetricSource } from '../shared/lib/metrics.ts'
import { SESSION_STATES } from '../shared/protocol/session.ts'
import type { Uplink } from './adapters/ws-uplink.ts'
import { alarmMetrics } from './alarm-metrics.ts'
import { baselineMetrics } from './baseline-metrics.ts'
import { missingOf } from './core/accept.ts'
import type { RevisionCounts } from './core/state.ts'
import { totalCounts } from './core/totals.ts'
import type { AgentLoop } from './loop.ts'
import type { SourceLink } from './ports.ts'
import type { AgentStorage } from './storage.ts'

const OUTCOMES = ['evaluated', 'late', 'duplicate', 'rejected', 'shed'] as const

/** What `/metrics` shows, read from where it is counted anyway. Labels are rigs, verdicts and reasons: closed sets. */
export function agentMetrics(loop: AgentLoop, storage: AgentStorage, uplink: Uplink | null): MetricSource[] {
  return [
    ...sampleMetrics(loop),
    ...linkMetrics(loop),
    ...decisionMetrics(loop),
    ...revisionMetrics(loop),
    ...baselineMetrics(loop),
    ...alarmMetrics(loop),
    ...loopMetrics(loop, storage),
    ...outboxMetrics(storage, uplink),
    ...fillMetrics(storage),
    ...deadManMetrics(loop),
  ]
}

function sampleMetrics(loop: AgentLoop): MetricSource[] {
  const rigs = () => loop.evaluation.state.rigs
  return [
    {
      name: 'hb_samples_received_total',
      help: 'Samples received, by rig.',
      kind: 'counter',
      labels: ['rig'],
      read: () => rigs().map((rig) => ({ value: totalCounts(rig).received, labels: { rig: rig.settings.rig } })),
    },
    {
      name: 'hb_samples_total',
      help: 'What became of samples, by rig and outcome.',
      kind: 'counter',
      labels: ['rig', 'outcome'],
      read: () =>
        rigs().flatMap((rig) => {
          const counts = totalCounts(rig)
          return OUTCOMES.map((outcome) => ({ value: counts[outcome], labels: { rig: rig.settings.rig, outcome } }))
        }),
    },
    {
      name: 'hb_frames_missing',
      help: 'Frames that publishers numbered and that never came, by rig.',
      kind: 'gauge',
      labels: ['rig'],
      read: () => rigs().map((rig) => ({ value: missingOf(rig), labels: { rig: rig.settings.rig } })),
    },
    {
      name: 'hb_refused_total',
      help: 'Frames and samples that were refused, by rig and reason.',
      kind: 'counter',
      labels: ['rig', 'reason'],
      read: () =>
        rigs().flatMap((rig) =>
          [...rig.ledger.refusals].map(([reason, { count }]) => ({
            value: count,
            labels: { rig: rig.settings.rig, reason },
          })),
        ),
    },
  ]
}

/** Of sources with a broker only. */
function linkMetrics(loop: AgentLoop): MetricSource[] {
  const read = (value: (link: SourceLink) => number) => (): Measure[] =>
    loop.links.map(({ rig, source, link }) => ({ value: value(link), labels: { rig, source } }))
  const labels = ['rig', 'source']
  return [
    {
      name: 'hb_source_connected',
      help: '1 while the broker of a source is connected and subscribed to, by rig and source.',
      ...{ kind: 'gauge', labels, read: read(({ trouble }) => (trouble === null ? 1 : 0)) },
    },
    {
      name: 'hb_source_connections_total',
      help: 'Connections to the broker of a source since the start, by rig and source.',
      ...{ kind: 'counter', labels, read: read(({ counts }) => counts.connections) },
    },
    {
      name: 'hb_source_messages_total',
      help: 'Messages from the broker of a source since the start, by rig and source.',
      ...{ kind: 'counter', labels, read: read(({ counts }) => counts.messages) },
    },
    {
      name: 'hb_source_retained_total',
      help: 'Messages that a broker had retained and that were skipped, by rig and source.',
      ...{ kind: 'counter', labels, read: read(({ counts }) => counts.retained) },
    },
  ]
}

function decisionMetrics(loop: AgentLoop): MetricSource[] {
  return [
    {
      name: 'hb_decisions_total',
      help: 'Decisions since the start, by rig and verdict.',
      kind: 'counter',
      labels: ['rig', 'verdict'],
      read: () =>
        [...loop.live.counts].map(([key, value]) => {
          const [rig, verdict] = key.split(' ') as [string, string]
          return { value, labels: { rig, verdict } }
        }),
    },
    {
      name: 'hb_decision_latency_seconds',
      help: 'From the end of lateness of a slide until it was decided, over the last minute or two, by quantile.',
      kind: 'gauge',
      labels: ['quantile'],
      read: () =>
        ['0.5', '0.99', '0.999', '1'].map((quantile) => ({
          value: (loop.latency.quantileUs(Number(quantile)) ?? Number.NaN) / 1_000_000,
          labels: { quantile },
        })),
    },
    {
      name: 'hb_decision_seq',
      help: 'Last decision.',
      kind: 'gauge',
      read: () => [{ value: loop.evaluation.state.decisionSeq }],
    },
  ]
}

const OUTCOMES_OF_REVISION = ['revised', 'confirmed', 'unknown'] as const satisfies readonly (keyof RevisionCounts)[]

/** Of rigs with `late_policy: revise` only. */
function revisionMetrics(loop: AgentLoop): MetricSource[] {
  const rigs = () =>
    loop.evaluation.state.rigs.flatMap(({ settings: { rig }, slower }) =>
      slower === null ? [] : [{ rig, counts: slower.counts }],
    )
  return [
    {
      name: 'hb_samples_revised_total',
      help: 'Late samples that were evaluated a second time, by rig; they stay late in hb_samples_total.',
      kind: 'counter',
      labels: ['rig'],
      read: () => rigs().map(({ rig, counts }) => ({ value: counts.samples, labels: { rig } })),
    },
    {
      name: 'hb_slides_revised_total',
      help: 'What the second look at a slide came to, by rig; unknown: it could not be compared.',
      kind: 'counter',
      labels: ['rig', 'outcome'],
      read: () =>
        rigs().flatMap(({ rig, counts }) =>
          OUTCOMES_OF_REVISION.map((outcome) => ({ value: counts[outcome], labels: { rig, outcome } })),
        ),
    },
  ]
}

function loopMetrics(loop: AgentLoop, { journal }: AgentStorage): MetricSource[] {
  return [
    {
      name: 'hb_gaps_total',
      help: 'Spans of time since the start that were never evaluated.',
      kind: 'counter',
      read: () => [{ value: loop.gaps }],
    },
    {
      name: 'hb_inputs_waiting',
      help: 'Journaled inputs that wait for the threads that evaluate.',
      kind: 'gauge',
      read: () => [{ value: loop.behind.inputs }],
    },
    {
      name: 'hb_not_journaled_total',
      help: 'Inputs since the start that the journal refused.',
      kind: 'counter',
      read: () => [{ value: loop.intake.refusals.count }],
    },
    {
      name: 'hb_journal_unreadable_records',
      help: 'Journal records that were found unreadable since the start; those of a loss are in its log line.',
      kind: 'gauge',
      read: () => [{ value: loop.damage.unreadable }],
    },
    {
      name: 'hb_clock_ahead_seconds',
      help: 'How far the wall clock is ahead of the time of the agent; 0 while it is followed.',
      kind: 'gauge',
      read: () => [{ value: (loop.clockWatch.aheadUs ?? 0) / 1e6 }],
    },
    {
      name: 'hb_receipts_total',
      help: 'Verified receipts of the collector since the start.',
      kind: 'counter',
      read: () => [{ value: loop.receipts }],
    },
    {
      name: 'hb_journal_bytes',
      help: 'Size of the input journal.',
      kind: 'gauge',
      read: () => [{ value: journal.bytes }],
    },
    {
      name: 'hb_journal_seq',
      help: 'Last record of the input journal.',
      kind: 'gauge',
      read: () => [{ value: journal.lastSeq }],
    },
  ]
}

function outboxMetrics({ outbox }: AgentStorage, uplink: Uplink | null): MetricSource[] {
  return [
    {
      name: 'hb_signed_seq',
      help: 'Last decision that is in a signed batch on disk.',
      kind: 'gauge',
      read: () => [{ value: outbox.lastDecisionSeq }],
    },
    {
      name: 'hb_outbox_batches',
      help: 'Signed batches without a receipt.',
      kind: 'gauge',
      read: () => [{ value: outbox.pending().batches }],
    },
    {
      name: 'hb_outbox_bytes',
      help: 'Size of the outbox, receipted batches included.',
      kind: 'gauge',
      read: () => [{ value: outbox.bytes }],
    },
    {
      name: 'hb_vitals_dropped_total',
      help: 'Vitals since the start for which a congested link had no room.',
      kind: 'counter',
      read: () => [{ value: uplink?.vitalsDropped ?? 0 }],
    },
    {
      name: 'hb_uplink_state',
      help: '1 for the state the uplink is in.',
      kind: 'gauge',
      labels: ['state'],
      read: () => SESSION_STATES.map((state) => ({ value: uplink?.state === state ? 1 : 0, labels: { state } })),
    },
  ]
}

function fillMetrics({ outbox, outboxWatch }: AgentStorage): MetricSource[] {
  return [
    {
      name: 'hb_outbox_held_bytes',
      help: 'Bytes of the outbox that only receipts can free.',
      kind: 'gauge',
      read: () => [{ value: outbox.held }],
    },
    {
      name: 'hb_outbox_alarm_percent',
      help: 'Share of outbox.bytes_max past which an alarm is on: 80, 95, or 0 for none.',
      kind: 'gauge',
      read: () => [{ value: outboxWatch.fill().alarm }],
    },
    {
      name: 'hb_outbox_days_left',
      help: 'Days until the outbox is at its bound at the rate of the last hour; NaN while that is not known.',
      kind: 'gauge',
      read: () => [{ value: outboxWatch.fill().daysLeft ?? Number.NaN }],
    },
    {
      name: 'hb_outbox_thinned_batches',
      help: 'Signed batches without a receipt of which only the header is kept.',
      kind: 'gauge',
      read: () => [{ value: outbox.thinnedWaiting }],
    },
    {
      name: 'hb_pass_detail_thinned_total',
      help: 'Batches since the start that repeated PASS and whose detail made room.',
      kind: 'counter',
      read: () => [{ value: outboxWatch.thinned }],
    },
  ]
}

function deadManMetrics({ deadMan, actions }: AgentLoop): MetricSource[] {
  if (deadMan === null) return []
  const proofs = () => actions?.proofs.standing() ?? []
  return [
    {
      name: 'hb_dead_man_tokens_total',
      help: 'Tokens since the start that came through journal, workers, windows and gates in time.',
      kind: 'counter',
      read: () => [{ value: deadMan.vitals.through }],
    },
    {
      name: 'hb_dead_man_age_seconds',
      help: 'Age of the newest token that came through; permits are dropped at hb_dead_man_deadline_seconds.',
      kind: 'gauge',
      read: () => [{ value: deadMan.vitals.ageUs / 1_000_000 }],
    },
    {
      name: 'hb_dead_man_deadline_seconds',
      help: 'Deadline of a token.',
      kind: 'gauge',
      read: () => [{ value: deadMan.vitals.deadlineUs / 1_000_000 }],
    },
    {
      name: 'hb_permit_held',
      help: '1 while the actuator has the permit of this agent.',
      kind: 'gauge',
      labels: ['target'],
      read: () => deadMan.permits.map(({ target, state }) => ({ value: state === 'held' ? 1 : 0, labels: { target } })),
    },
    {
      name: 'hb_proof_overdue',
      help: '1 for a target whose proof test is overdue.',
      kind: 'gauge',
      labels: ['target'],
      read: () => proofs().map(({ target, overdue }) => ({ value: overdue ? 1 : 0, labels: { target } })),
    },
  ]
}
