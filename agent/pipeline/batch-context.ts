import type { RuntimeConfig } from '../../shared/config/types.ts'
import type { LedgerCounts } from '../../shared/model/telemetry.ts'
import { missingOf } from '../core/accept.ts'
import { addCounts } from '../core/ledger.ts'
import { baselinesIn } from '../core/settings.ts'
import { totalCounts } from '../core/totals.ts'
import type { BatchContext } from './batcher.ts'
import type { Evaluation } from './evaluation.ts'

const NOTHING: LedgerCounts = { received: 0, evaluated: 0, late: 0, duplicate: 0, rejected: 0, shed: 0, pending: 0 }

/** What a batch header says of the agent at the moment it is sealed: sums over all rigs. */
export function batchContext({ state, journalSeq }: Evaluation, config: RuntimeConfig): BatchContext {
  const counts = state.rigs.reduce((sum, rig) => addCounts(sum, totalCounts(rig)), NOTHING)
  const { pending: _, ...settled } = counts
  const closed = state.rigs.map((rig) => rig.closedUs).filter((us) => us >= 0)
  const watermarkUs = closed.length === 0 ? 0 : Math.min(...closed)
  const runs = new Set(state.rigs.map((rig) => rig.run?.run ?? ''))
  return {
    span: {
      firstUs: Math.min(...state.rigs.map((rig) => Math.max(0, rig.originUs)), state.nowUs),
      lastUs: closed.length === 0 ? 0 : Math.max(...closed),
      watermarkUs,
    },
    config: state.settings?.configDigest ?? new Uint8Array(32),
    baselines: state.rigs.flatMap((rig) => baselinesIn(rig.settings, rig.mode).baseline?.digest ?? []),
    counters: { ...settled, missing: state.rigs.reduce((sum, rig) => sum + missingOf(rig), 0) },
    flags: {
      breakGlass: false,
      simulation: config.clock !== 'system' || config.rigs.some(isSimulated),
      degraded: state.rigs.some((rig) => rig.mode === 'degraded' || rig.mode === 'fallback'),
    },
    // Rigs of one agent may be in different runs; a batch names one only when it is of that one alone.
    run: runs.size === 1 ? [...runs][0]! : '',
    journalSeq,
  }
}

/** Tells whether samples of a rig were measured by no sensor, or may have been, as in a testbed. */
export function isSimulated({ testbed, sources }: RuntimeConfig['rigs'][number]): boolean {
  if (testbed) return true
  return sources.some(
    (source) => 'provenance' in source && ['simulated', 'injected', 'overridden'].includes(source.provenance),
  )
}
