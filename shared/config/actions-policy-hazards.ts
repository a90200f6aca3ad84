import type { Hazard } from '../model/actions-policy.ts'
import { isAtLeast, voteFor } from '../model/hazard-vote.ts'
import { sharedCauses, trailOf } from '../model/provenance.ts'
import { compileCondition, conditionProblems, knownTarget, type PolicyCheck } from './actions-policy-conditions.ts'
import type { HazardConfig } from './actions-policy-schema.ts'
import type { Path } from './document.ts'

export function targetProblems({ policy, add }: PolicyCheck): void {
  const names = new Set<string>()
  policy.targets?.forEach((target, k) => {
    if (target?.name === undefined) return
    if (names.has(target.name)) add(['targets', k, 'name'], `\`${target.name}\` a second time`, 'every target once')
    names.add(target.name)
  })
}

export function hazardProblems(check: PolicyCheck): void {
  const { file, policy, add } = check
  const seen = new Set<string>()
  policy.hazards?.forEach((hazard, k) => {
    const path = ['hazards', k]
    if (hazard?.action !== undefined && hazard.target !== undefined) {
      const name = `${hazard.action} on \`${hazard.target}\``
      if (seen.has(name)) add(path, `${name} a second time`, 'one hazard of an action on a target')
      seen.add(name)
    }
    if (file.has([...path, 'verify']) && file.isSound([...path, 'verify']))
      conditionProblems(check, [...path, 'verify'], hazard?.verify as NonNullable<HazardConfig['verify']>, false)
    if (!file.isSound(path)) return
    const sound = hazard as HazardConfig
    if (knownTarget(check, path, sound)) executorProblems(check, path, sound)
    unknownProblems(check, path, sound)
    permitProblems(check, path, sound)
    verifyProblems(check, path, sound)
  })
  proofProblems(check)
}

function executorProblems({ policy, add }: PolicyCheck, path: Path, { action, target }: HazardConfig): void {
  const executor = policy.targets?.find((one) => one?.name === target)?.executor
  if (executor === 'notify' && action !== 'notify')
    add([...path, 'action'], `${action} on \`${target}\`, which only tells people`, '`notify`, or another target')
  if (executor === 'actuator' && action === 'notify')
    add([...path, 'action'], `notify on \`${target}\`, an actuator`, 'a target that tells people')
}

/** What losing the permit does, where the policy leaves it out too (SE-34). */
export function lossOfPermit({ omission, loss_of_permit: said }: HazardConfig): Hazard['lossOfPermit'] {
  return said ?? (isAtLeast(omission, 'critical') ? 'de_energise' : 'none')
}

/** Slides that a permit holds at least: tokens come once a slide, and half of the hold is the deadline that they are late at half of. */
const HOLD_SLIDES_MIN = 8

/** The hardware must be on its own before harm, and only an actuator drops by itself (SE-34). */
function permitProblems({ policy, about, add }: PolicyCheck, path: Path, hazard: HazardConfig): void {
  const { target, ftti_ms: fttiMs } = hazard
  const loss = lossOfPermit(hazard)
  const k = policy.targets?.findIndex((one) => one?.name === target) ?? -1
  const named = policy.targets?.[k]
  if (named === undefined || loss === 'none') return
  const { executor, permit_hold_ms: holdMs } = named
  if (executor === 'webhook' || executor === 'command' || executor === 'peer')
    add([...path, 'loss_of_permit'], `${loss} on \`${target}\`, a ${executor}`, '`none`, or an actuator')
  const leastMs = HOLD_SLIDES_MIN * about.rig.slide_ms
  const slides = `${HOLD_SLIDES_MIN} slides of the rig: each carries a sign of life`
  if (!(fttiMs >= leastMs))
    add(
      [...path, 'ftti_ms'],
      `${fttiMs} ms, with ${loss}`,
      `${leastMs} ms or more, or \`loss_of_permit: none\``,
      slides,
    )
  if (holdMs === undefined) return
  const at = ['targets', k, 'permit_hold_ms']
  if (!(holdMs >= leastMs)) add(at, `${holdMs} ms`, `${leastMs} ms or more`, slides)
  if (!(holdMs <= fttiMs))
    add(
      at,
      `${holdMs} ms, with an ftti_ms of ${fttiMs}`,
      `${fttiMs} ms or less`,
      'the hardware must be on its own before there is harm',
    )
}

/** A target that has no rehearsal would be overdue for ever, and its rigs never armed (SE-42). */
function proofProblems({ policy, add }: PolicyCheck): void {
  policy.targets?.forEach((one, k) => {
    if (one?.executor === 'peer' && one.proof_every_h !== undefined)
      add(['targets', k, 'proof_every_h'], 'a proof test of a peer', 'nothing: the contract with a peer has none')
  })
}

/** What must work says what is done when nobody can tell (SE-03). */
function unknownProblems({ add }: PolicyCheck, path: Path, hazard: HazardConfig): void {
  const vote = voteFor(hazard)
  if (hazard.on_unknown !== undefined || vote === null || vote === '2oo2' || hazard.action === 'notify') return
  add(
    [...path, 'on_unknown'],
    'nothing',
    '`safe_state` or `alarm`',
    `${hazard.action} must work: say what follows when too few conditions are known`,
  )
}

/** Seen by a channel of its own: not by what the target feeds, nor by one nobody knows the way of (SE-17). */
function verifyProblems({ about, add }: PolicyCheck, path: Path, { action, target, verify }: HazardConfig): void {
  const at = [...path, 'verify']
  if (verify === undefined) {
    if (action !== 'notify')
      add(
        at,
        'nothing',
        'a condition that shows that it had its effect',
        'an acknowledgement says what was tried, not what happened',
      )
    return
  }
  const { metric } = verify
  if (metric === undefined) {
    if (verify.overall !== undefined || verify.event !== undefined)
      add(at, 'a verdict of the whole rig', 'one `metric` that the target has no hand in')
    return
  }
  if (!about.metrics.some((m) => m.metric === metric)) return
  if (
    verify.verdict === undefined &&
    (verify.window_ms === undefined || verify.value === undefined || verify.op === undefined)
  )
    return
  const trail = trailOf(compileCondition('verify', verify).look, about.provenance)
  if (!trail.declared)
    add(
      [...at, 'metric'],
      `\`${metric}\`, which does not say where it comes from`,
      '`source`, `publisher` and every kind of `ccg` in the registry',
      'whether the target has a hand in it is unknown, and unknown is never good',
    )
  const peer = { leaves: [], groups: [`peer:${target}`], declared: true }
  if (sharedCauses(trail, peer).includes(`peer:${target}`))
    add(
      [...at, 'metric'],
      `\`${metric}\`, which \`${target}\` has a hand in`,
      'a channel that shares no group with the target',
      'who acknowledges an action is no witness of it',
    )
}
