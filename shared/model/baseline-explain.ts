import type { Micros } from '../units.ts'
import { type Action, HARD_ACTIONS } from './action.ts'
import type { BaselineGate, BaselineKind } from './baseline.ts'
import { type CertificateBasis, mayArm } from './baseline-arming.ts'
import type { BaselineRequest } from './baseline-book.ts'
import type { BaselineSubject } from './baseline-statement.ts'

/** Everything that is known of a baseline, for whoever asks what it may do. */
export type BaselineCase = Readonly<{
  digest: string
  subject: BaselineSubject
  /** What it is meant to be; what it counts as stands in `basis`. */
  as: BaselineKind
  basis: CertificateBasis
  gate: BaselineGate
  request: BaselineRequest | null
  decayReason: string
  /** Why it counts for less than it is meant to be. */
  problems: readonly string[]
  nameOf(key: string): string
  utc(us: Micros): string
}>

/** Characters of a digest that people read. */
const DIGEST_SHOWN = 12

/**
 * Says in three sentences whether a baseline may arm an action: who stands for it, what its confidence is made of, and
 * what is missing.
 */
export function explainBaseline(known: BaselineCase, action: Action): readonly [string, string, string] {
  return [whoSentence(known), confidenceSentence(known), armingSentence(known, action)]
}

function whoSentence(known: BaselineCase): string {
  const { digest, subject: s, as, basis } = known
  const whose = s.family === '' ? `rig ${s.rig}` : `family ${s.family}`
  const head = `Baseline ${digest.slice(0, DIGEST_SHOWN)} of ${whose} (programme ${s.program}, mode ${s.mode})`
  const counts = basis.kind === 'draft' ? `is meant to be ${as} and counts as a draft` : `counts as ${basis.kind}`
  return `${head} ${counts}: ${peopleOf(known)} (keys distinct, persons unproven).`
}

function peopleOf({ request, nameOf, utc, problems }: BaselineCase): string {
  if (request === null) return problems.length === 0 ? 'nobody proposed it' : problems.join(', ')
  const did = [`${nameOf(request.proposer)} proposed it`]
  if (request.reviewer !== '') did.push(`${nameOf(request.reviewer)} reviewed it`)
  if (request.approvers.length > 0) did.push(`${listed(request.approvers.map(nameOf))} approved it`)
  if (request.breakGlass !== null) {
    const { by, operator, untilUs, reason } = request.breakGlass
    const who = operator === '' || operator === nameOf(by) ? nameOf(by) : `${nameOf(by)} for ${operator}`
    did.push(`${who} broke the glass around its gate until ${utc(untilUs)} ("${reason}")`)
  }
  if (['rejected', 'withdrawn', 'expired'].includes(request.status))
    did.push(`it is ${request.status} ("${request.reason}")`)
  if (request.status === 'proposed') did.push('its review is missing')
  if (request.status === 'reviewed') did.push('an approval is missing')
  return listed(did)
}

function confidenceSentence({ gate, basis, decayReason }: BaselineCase): string {
  const short = gate.inputs.filter(({ score }) => score < 1)
  const terms = short.map(
    ({ name, value, bound, score }) => `${shown(score)} for ${name} ${shown(value)} (bound ${shown(bound)})`,
  )
  const rest = gate.inputs.length - short.length
  if (rest > 0) terms.push(`1 for each of the other ${rest} inputs`)
  const decay = basis.decay < 1 ? `, of which decay leaves ${shown(basis.decay)} (${decayReason})` : ''
  const passed = gate.passed ? 'its gate was passed' : `its gate was not passed: ${gate.reasons.join('; ')}`
  const product = terms.length === 0 ? 'with no inputs' : `the product of ${listed(terms)}`
  return `Its confidence is ${shown(gate.confidence)}, ${product}${decay}, and ${passed}.`
}

function armingSentence({ basis, problems }: BaselineCase, action: Action): string {
  const one = mayArm(basis, action, 1)
  const what = `${/^[aeiou]/.test(action) ? 'an' : 'a'} ${action}`
  if (one.allowed) {
    const ground = HARD_ACTIONS.includes(action)
      ? `: ${basis.segments} nominal segments were replayed, of ${basis.hardSegments} asked for`
      : ''
    return `It may arm ${what}${ground}.`
  }
  const missing: string[] = [...problems]
  const wanted = HARD_ACTIONS.includes(action) ? basis.hardSegments : basis.minSegments
  if (basis.segments < wanted && wanted < Number.MAX_SAFE_INTEGER)
    missing.push(`${wanted - basis.segments} more replayed nominal segments`)
  const two = mayArm(basis, action, 2).allowed ? ', or a second independent stream that says the same' : ''
  const lacks = missing.length === 0 && two === '' ? '' : `; what is missing: ${listed(missing)}${two}`
  return `It may not arm ${what}, because ${one.text}${lacks}.`
}

function listed(parts: readonly string[]): string {
  if (parts.length < 2) return parts.join('')
  return `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`
}

function shown(value: number): string {
  return String(Number(value.toPrecision(3)))
}
