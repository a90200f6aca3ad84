import type { LoadedRuntime } from '../shared/config/load.ts'
import { toHex } from '../shared/crypto/digest.ts'
import type { Micros } from '../shared/units.ts'
import { type BundleInForce, toldOf } from './bundle-activation.ts'
import { missingOf } from './core/accept.ts'
import type { RigState } from './core/state.ts'
import { metricCounts, totalCounts } from './core/totals.ts'
import { type AgentDetail, DETAIL_VERSION, type RigDetail } from './detail-json.ts'
import { type AgentLoop, ITEMS_WAITING_MAX } from './loop.ts'
import { glassShown } from './pipeline/glass-view.ts'
import { WAITING_INPUTS_MAX } from './pipeline/sharded-evaluator.ts'
import type { AgentStorage } from './storage.ts'

/** `uplink` is the state it is in; null when there is none. */
export type StatusOptions = Readonly<{
  loop: AgentLoop
  storage: AgentStorage
  uplink: string | null
  bundle: BundleInForce | null
}>
export type DetailOptions = StatusOptions & Readonly<{ loaded: LoadedRuntime; nowUs: Micros }>

/** The short of it, as `/ready` says it. */
export function agentStatus({ loop, storage, uplink, bundle }: StatusOptions): Record<string, unknown> {
  const { journal, outbox, outboxWatch } = storage
  const { state } = loop.evaluation
  const fill = outboxWatch.fill()
  return {
    agent: loop.identity.agent,
    version: loop.identity.code.version,
    node: loop.identity.code.node,
    epoch: outbox.epoch,
    config: state.settings === null ? null : toHex(state.settings.configDigest),
    /** Signed bundle that the agent runs under; null: the files of its disk. */
    bundle: bundle === null ? null : toldOf(bundle),
    decision_seq: state.decisionSeq,
    journal_seq: journal.lastSeq,
    journal_bytes: journal.bytes,
    not_journaled: loop.intake.refusals.count,
    outbox: {
      ...outbox.pending(),
      /** Decisions that no batch holds yet. */
      to_sign: loop.batcher.waiting,
      held_bytes: fill.heldBytes,
      held_percent: Math.floor(fill.percent),
      days_left: fill.daysLeft,
      thinned: outbox.thinnedWaiting,
    },
    warnings: outboxWatch.warnings(),
    uplink,
    clock_back: state.clockBack.count,
    gaps: loop.gaps,
    rigs: state.rigs.map((rig) => ({
      rig: rig.settings.rig,
      mode: rig.mode,
      run: rig.run?.run ?? null,
      verdict: loop.live.verdictOf(rig.settings.rig),
      evaluated_through_us: rig.closedUs,
      counters: { ...totalCounts(rig), missing: missingOf(rig) },
      ...(rig.slower === null ? {} : { revisions: rig.slower.counts }),
      refused: [...rig.ledger.refusals.entries()].map(([reason, { count, firstUs, example }]) => ({
        reason,
        count,
        first_us: firstUs,
        example,
      })),
    })),
  }
}

/** Everything that `hb top` shows. */
export function agentDetail({ loop, loaded: { config }, storage, nowUs, uplink }: DetailOptions): AgentDetail {
  const { journal, outbox } = storage
  const latency = (quantile: number): number | null => {
    const us = loop.latency.quantileUs(quantile)
    return us === null || !Number.isFinite(us) ? null : us / 1000
  }
  const { state } = loop.evaluation
  const pending = outbox.pending()
  return {
    v: DETAIL_VERSION,
    now_us: nowUs,
    agent: config.agent,
    deployment: config.deployment,
    version: loop.identity.code.version,
    epoch: outbox.epoch,
    decision_seq: state.decisionSeq,
    journal_seq: journal.lastSeq,
    not_journaled: loop.intake.refusals.count,
    uplink,
    outbox: { batches: pending.batches, bytes: pending.bytes, oldest_us: pending.oldestUs },
    latency_ms: { p50: latency(0.5), p99: latency(0.99) },
    fills: [
      { name: 'journal', is: journal.bytes, max: config.journal.bytes_max, unit: 'bytes' },
      { name: 'outbox', is: outbox.bytes, max: config.outbox.bytes_max, unit: 'bytes' },
      { name: 'to be signed', is: loop.batcher.waiting, max: ITEMS_WAITING_MAX, unit: 'decisions' },
      ...(config.evaluation.threads === 0
        ? []
        : [{ name: 'for threads', is: loop.behind.inputs, max: WAITING_INPUTS_MAX, unit: 'inputs' as const }]),
    ],
    rigs: state.rigs.map((rig) => rigDetail(loop, rig)),
  }
}

function rigDetail(loop: AgentLoop, rig: RigState): RigDetail {
  const name = rig.settings.rig
  const vitals = loop.live.lastVitals(name)
  const seen = new Map(vitals?.channels.map((channel) => [channel.metric, channel]))
  return {
    rig: name,
    mode: rig.mode,
    run: rig.run?.run ?? null,
    verdict: loop.live.verdictOf(name),
    limits_only: vitals?.limits_only ?? null,
    break_glass: glassShown(rig.safety?.kernel.glass ?? null),
    evaluated_through_us: rig.closedUs,
    counters: { ...totalCounts(rig), missing: missingOf(rig) },
    refused: [...rig.ledger.refusals].map(([reason, { count }]) => ({ reason, count })),
    channels: rig.settings.metrics.map(({ metric, unit }, index) => ({
      metric,
      unit,
      verdict: seen.get(metric)?.verdict ?? null,
      value: seen.get(metric)?.value ?? null,
      newest_us: rig.newestSeenUs[index]! < 0 ? null : rig.newestSeenUs[index]!,
      counters: metricCounts(rig, index),
    })),
    sources: rig.sources.slots.map(({ name: source, first, highest, missing, lastUs }) => ({
      source,
      frames: highest < 0 ? null : highest - first + 1 - missing,
      missing,
      last_us: lastUs,
    })),
  }
}
