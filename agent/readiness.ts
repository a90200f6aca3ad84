import { HbError } from '../shared/errors/hb-error.ts'
import type { Micros } from '../shared/units.ts'
import type { AgentLoop } from './loop.ts'

/** A refusal of the journal makes the agent unready for this long after the last one. */
const REFUSED_LATELY_US: Micros = 5_000_000

/** Why an agent should be looked at; empty when all is well. */
export function reasonsNotReady(loop: AgentLoop, nowUs: Micros): { code: string; detail: string }[] {
  const { last, lastUs } = loop.intake.refusals
  const refused = nowUs - lastUs < REFUSED_LATELY_US ? last : null
  const { inputs, full } = loop.behind
  const behind = full ? new HbError('EVALUATION_BEHIND', { waiting: inputs }) : null
  const links = loop.links.map(({ link }) => link.trouble)
  const found = [refused, loop.batchFailure, behind, loop.clockWatch.reason(), ...links].filter(
    (e): e is HbError => e !== null,
  )
  const reasons: { code: string; detail: string }[] = found.map(({ code, message }) => ({ code, detail: message }))
  if (loop.evaluation.state.settings === null)
    reasons.push({ code: 'STARTING', detail: 'no configuration is in force yet' })
  return reasons
}
