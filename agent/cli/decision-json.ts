import { utc } from '../../shared/lib/command-output.ts'
import type { Decision } from '../../shared/model/decision.ts'
import { findingJson } from '../pipeline/vitals.ts'

/** Number of a decision given as such, or as AGENT:NUMBER; NaN for anything else, which no decision has. */
export function decisionNumber(id: string): number {
  return Number(id.slice(id.lastIndexOf(':') + 1))
}

/** A decision for programs. */
export function decisionJson(d: Decision): Record<string, unknown> {
  return {
    seq: d.seq,
    rig: d.rig,
    time_us: d.timeUs,
    time: utc(d.timeUs),
    verdict: d.verdict,
    mode: d.mode,
    limits_only: d.limitsOnly,
    run: d.run?.run ?? null,
    findings: d.findings.map(findingJson),
  }
}
