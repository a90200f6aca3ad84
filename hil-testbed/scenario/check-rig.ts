import type { Path } from '../../shared/config/document.ts'
import { plantNamed } from '../core/plants/models.ts'
import { inputProblems, plantProblems } from '../plant-problems.ts'
import { METRIC_WITHOUT } from './check-words.ts'
import { lookAtCondition, lookUp, type RowContext } from './row-context.ts'

/** Signals of a built-in plant; null where they are known only when it has said hello. */
export function signalsOf({ plant, recorded }: RowContext): readonly string[] | null {
  if (plant !== null && plant.file !== null) return recorded
  const model = plant === null || plant.command !== null ? undefined : plantNamed(plant.model)
  return model === undefined ? null : Object.keys(model.signals)
}

/** What is wrong with the rig as its file and the scenario together say. */
export function checkRig(context: RowContext): void {
  const { notes, rig, plant, policy } = context
  if (rig === null) return
  if (plant === null) notes.add(['plant'], 'nothing', '`model`, a built-in plant, or `command`, a program')
  else if (plant.file === null) notes.addAll(['plant'], plantProblems(plant))
  else checkRecording(context)
  if (plant?.hazard === '' && plant.command !== null)
    notes.add(['plant', 'hazard'], 'nothing', 'where an external plant does harm, as `p_bar > 10`')
  if (plant !== null && plant.hazard !== '')
    lookAtCondition(context, ['plant', 'hazard'], plant.hazard, signalsOf(context))
  checkSensors(context)
  for (const [target, { effect }] of Object.entries(rig.actuators ?? {})) {
    const path: Path = ['actuators', target]
    if (context.hasPolicy) lookUp(notes, path, target, policy?.targets ?? null, 'a target of the policy')
    if (effect === undefined) notes.add([...path, 'effect'], 'nothing', 'what it sets on the plant, as `{pump: 0}`')
    else checkInputs(context, [...path, 'effect'], effect)
  }
  checkOperators(context)
  if (rig.collector === true && rig.keys?.program !== undefined)
    notes.add(
      ['keys', 'program'],
      `\`${rig.keys.program}\``,
      'none beside `collector`, which knows that of the bench alone',
    )
  if ((rig.baseline?.kind === 'file') !== (rig.baseline?.file !== undefined))
    notes.add(['baseline', 'kind'], 'one of `kind: file` and `file`', 'both, or neither')
}

/** A recording is what was: nothing else is said of it. */
function checkRecording({ notes, rig }: RowContext): void {
  for (const key of ['model', 'command', 'params', 'init'] as const)
    if (Object.keys(rig?.plant?.[key] ?? {}).length > 0)
      notes.add(['plant', key], `\`${key}\` and \`file\``, 'one of them: a recording is of what was')
}

function checkSensors(context: RowContext): void {
  const { notes, sensors, registry } = context
  if (sensors.length === 0) notes.add(['sensors'], 'none', '1 or more')
  const signals = signalsOf(context)
  for (const { channel, of, source, rateHz } of sensors) {
    const path: Path = ['sensors', channel]
    const known = registry?.metrics == null ? null : [...registry.channels.keys()]
    lookUp(notes, path, channel, known, METRIC_WITHOUT)
    if (of === '') notes.add([...path, 'of'], 'nothing', 'a signal of the plant')
    else lookUp(notes, [...path, 'of'], of, signals, 'a signal of the plant')
    if (source === '' && known !== null)
      notes.add([...path, 'source'], 'nothing', 'an acquisition, here or as `publisher` in the registry')
    if (rateHz === 0) notes.add([...path, 'rate_hz'], 'nothing', 'samples a second')
  }
}

/** Inputs that a step or an actuator sets. */
export function checkInputs({ notes, plant }: RowContext, path: Path, inputs: Readonly<Record<string, number>>): void {
  if (plant !== null && plant.file !== null && Object.keys(inputs).length > 0)
    notes.add(path, Object.keys(inputs).join(', '), 'nothing: a recording has no inputs')
  if (plant === null || plant.command !== null || plantNamed(plant.model) === undefined) return
  notes.addAll(
    path,
    inputProblems('', plant.model, inputs).map((one) => ({ ...one, key: one.key.slice(1) })),
  )
}

/** A golden baseline is proposed, reviewed and approved by one person each. */
const BASELINE_PEOPLE = 3

function checkOperators({ notes, rig }: RowContext): void {
  const names = rig?.operators ?? []
  if (names.length < BASELINE_PEOPLE && rig?.baseline?.kind !== 'none')
    notes.add(
      ['operators'],
      `${names.length} people`,
      `${BASELINE_PEOPLE}, for a golden baseline; or \`baseline: {kind: none}\``,
    )
  names.forEach((name, k) => {
    if (names.indexOf(name) !== k) notes.add(['operators', k], `\`${name}\` a second time`, 'every person once')
  })
}
