import type { Path } from '../../shared/config/document.ts'
import { ERRORS } from '../../shared/errors/catalog.ts'
import type { Within } from '../core/scenario.ts'
import { EXPECTATION_WORDS, type ExpectationValue } from './build-expectations.ts'
import { signalsOf } from './check-rig.ts'
import type { Anchors } from './check-steps.ts'
import { METRIC_WITHOUT, oneWordOf } from './check-words.ts'
import { alarmsUnder } from './rig-names.ts'
import { lookAtCondition, lookAtFormula, lookUp, type RowContext } from './row-context.ts'
import { microsOf, timeText, withinOf } from './time-text.ts'

/** What is wrong with what must come of a run. */
export function checkExpectations(context: RowContext, anchors: Anchors): void {
  const { value, notes } = context
  const items = (value.expect ?? []) as ExpectationValue[]
  items.forEach((item, k) => {
    const path: Path = ['expect', k]
    if (!notes.file.isSound(path)) return
    const word = oneWordOf(notes, path, item, EXPECTATION_WORDS)
    if (word === null) return
    checkWithin(context, [...path, word], item, anchors)
    checkNamed(context, path, item)
    checkExpressions(context, path, item, anchors)
    checkParts(context, path, item)
  })
}

function checkWithin({ notes, clock }: RowContext, path: Path, item: ExpectationValue, anchors: Anchors): void {
  const { verdict, alarm, action, arm, refused, told, never, always } = item
  const text = (verdict ?? alarm ?? action ?? arm ?? refused ?? told)?.within
  if (text !== undefined) {
    const within: Within = withinOf(text)
    lookUp(notes, [...path, 'within'], within.of, [...anchors.keys()], '`start`, a fault or a mark')
    const fromUs = anchors.get(within.of)
    if (clock !== null && fromUs != null && fromUs + within.us > clock.durationUs)
      notes.add(
        [...path, 'within'],
        `until ${timeText(fromUs + within.us)}`,
        `no later than the end of the run, ${timeText(clock.durationUs)}`,
      )
  }
  const span = never ?? always
  if (span === undefined) return
  const fromUs = span.from === undefined ? 0 : microsOf(span.from)
  const toUs = span.to === undefined ? clock?.durationUs : microsOf(span.to)
  if (span.to !== undefined && clock !== null && toUs! > clock.durationUs)
    notes.add([...path, 'to'], timeText(toUs!), `no later than the end of the run, ${timeText(clock.durationUs)}`)
  if (toUs !== undefined && fromUs >= toUs)
    notes.add([...path, 'from'], timeText(fromUs), `before its end, ${timeText(toUs)}`)
}

/** Metrics, alarms, actions, targets and actuators. */
function checkNamed({ notes, registry, policy, hasPolicy, rig }: RowContext, path: Path, item: ExpectationValue): void {
  const { verdict, alarm, action, never, count } = item
  const none = hasPolicy ? null : []
  const alarms = policy === null ? none : alarmsUnder(policy)
  const actions = policy === null ? none : [...new Set(policy.actions.map((one) => one.action))]
  const targets = policy === null ? none : policy.targets
  if (verdict?.metric !== undefined)
    lookUp(notes, [...path, 'verdict', 'metric'], verdict.metric, registry?.metrics ?? null, METRIC_WITHOUT)
  if (alarm !== undefined) lookUp(notes, [...path, 'alarm', 'name'], alarm.name, alarms, 'an alarm of the policy')
  if (action !== undefined) {
    lookUp(notes, [...path, 'action', 'kind'], action.kind, actions, 'an action of the policy')
    if (action.target !== undefined)
      lookUp(notes, [...path, 'action', 'target'], action.target, targets, 'a target of the policy')
  }
  for (const [word, part] of [
    ['never', never],
    ['count', count],
  ] as const) {
    if (part?.alarm !== undefined) lookUp(notes, [...path, word, 'alarm'], part.alarm, alarms, 'an alarm of the policy')
    if (part?.action !== undefined)
      lookUp(notes, [...path, word, 'action'], part.action, actions, 'an action of the policy')
    if (part?.target !== undefined)
      lookUp(notes, [...path, word, 'target'], part.target, targets, 'a target of the policy')
  }
  const actuators = rig === null ? null : Object.keys(rig.actuators ?? {})
  if (count?.effect !== undefined)
    lookUp(notes, [...path, 'count', 'effect'], count.effect, actuators, 'an actuator of the rig')
}

function checkExpressions(context: RowContext, path: Path, item: ExpectationValue, anchors: Anchors): void {
  const { notes, clock } = context
  const { never, stl, fhti, start_refused: code } = item
  if (never?.plant !== undefined) lookAtCondition(context, [...path, 'never', 'plant'], never.plant, signalsOf(context))
  if (stl !== undefined) lookAtFormula(context, [...path, 'stl'], stl, signalsOf(context))
  if (code !== undefined) lookUp(notes, [...path, 'start_refused'], code, Object.keys(ERRORS), 'the code of an error')
  if (fhti === undefined) return
  const begins = [...anchors.keys()].filter((name) => name !== 'start')
  lookUp(notes, [...path, 'fhti', 'from'], fhti.from, begins, 'a fault or a mark')
  if (fhti.max_ms > fhti.ftti_ms)
    notes.add([...path, 'fhti', 'max_ms'], `${fhti.max_ms} ms`, `at most the fault tolerant time, ${fhti.ftti_ms} ms`)
  const fromUs = anchors.get(fhti.from)
  if (clock !== null && fromUs != null && fromUs + fhti.max_ms * 1000 > clock.durationUs)
    notes.add(
      [...path, 'fhti', 'max_ms'],
      `until ${timeText(fromUs + fhti.max_ms * 1000)}`,
      `no later than the end of the run, ${timeText(clock.durationUs)}`,
    )
}

/** What of several keys must be there once, and numbers that contradict each other. */
function checkParts(
  { notes, rig }: RowContext,
  path: Path,
  { never, count, counter, collected }: ExpectationValue,
): void {
  if (never !== undefined) oneWordOf(notes, [...path, 'never'], never, ['plant', 'verdict', 'alarm', 'action'])
  if (count !== undefined) oneWordOf(notes, [...path, 'count'], count, ['action', 'effect', 'alarm'])
  for (const [word, part] of [
    ['never', never],
    ['count', count],
  ] as const)
    for (const key of ['target', 'state'] as const)
      if (part?.[key] !== undefined && part.action === undefined)
        notes.add([...path, word, key], `\`${key}\` without \`action\``, 'both, or neither')
  for (const [word, part] of [
    ['count', count],
    ['counter', counter],
  ] as const) {
    if (part === undefined) continue
    const { is, least, most } = part
    if (is === undefined && least === undefined && most === undefined)
      notes.add([...path, word], 'no number', '`is`, `least` or `most`')
    if (is !== undefined && (least !== undefined || most !== undefined))
      notes.add([...path, word, 'is'], '`is` beside `least` or `most`', 'one or the other')
    if (least !== undefined && most !== undefined && least > most)
      notes.add([...path, word, 'least'], String(least), `at most \`most\`, ${most}`)
  }
  if (collected !== undefined && rig !== null && rig.collector !== true)
    notes.add([...path, 'collected'], '`all` without a collector', '`collector: true`, in the rig or here')
}
