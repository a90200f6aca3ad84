import { dirname } from 'node:path'
import type { CheckedFile, Path } from '../../shared/config/document.ts'
import type { NoFile } from '../../shared/config/files.ts'
import { cannotRead, didYouMean, type Problem } from '../../shared/config/problems.ts'
import { expectedOf, fits, type Schema } from '../../shared/config/schema-terms.ts'
import type { ScenarioRow } from '../core/scenario.ts'
import { expectationOf } from './build-expectations.ts'
import { actsOf, timedSteps } from './build-steps.ts'
import { checkExpectations } from './check-expectations.ts'
import { checkRig } from './check-rig.ts'
import { checkSteps } from './check-steps.ts'
import { Notes, pathKey } from './notes.ts'
import { type Combination, MATRIX_KEYS } from './params.ts'
import { nearestAbove, RIG_FILE, type RigFile, type RigFileValue, type RigReader } from './rig-file.ts'
import type { PolicyWords, RegistryNames } from './rig-names.ts'
import { filesOf, mergedParts, plantSpec, type RigParts, rigSpec, sensorSpec } from './rig-spec.ts'
import { lookUp, type RowContext, type ScenarioValue } from './row-context.ts'
import { ClockSchema, SeedSchema } from './scenario-schema.ts'
import { FaultParamSchema, InjectSchema } from './step-schema.ts'
import { microsOfMillis, microsOfSeconds, timeText } from './time-text.ts'

export type RowOptions = Readonly<{
  /** As it is opened from here, and as rows name it. */
  path: string
  rigs: RigReader
  /** Ids of requirements and hazards; null: they are not looked up. */
  requirements: ReadonlySet<string> | null
  seed: number | undefined
}>

/** One combination of a file: its row, or everything that is wrong with it. */
export function readRow(
  file: CheckedFile,
  combination: Combination,
  options: RowOptions,
): { row: ScenarioRow | null; problems: readonly Problem[] } {
  const value = structuredClone((file.value ?? {}) as Partial<ScenarioValue>)
  const moved = new Map<string, Path>()
  const notes = new Notes(file, moved)
  for (const change of combination.changes) putIn(value, change, { notes, moved })
  const { rig, context } = contextOf(value, notes, options)
  checkClock(context)
  checkRig(context)
  checkExpectations(context, checkSteps(context))
  value.verifies?.forEach((id, k) => {
    const known = options.requirements === null ? null : [...options.requirements]
    if (id !== undefined) lookUp(notes, ['verifies', k], id, known, 'a requirement or hazard')
  })
  const problems = [...file.problems, ...(rig?.problems ?? []), ...notes.problems]
  if (problems.length > 0 || rig?.value == null) return { row: null, problems }
  return { row: rowOf(value as ScenarioValue, { rig: { ...rig, value: rig.value }, combination, options }), problems }
}

type Put = Readonly<{ notes: Notes; moved: Map<string, Path> }>

/** Puts a value of the matrix where it belongs, or notes that there is no such place. */
function putIn(
  value: Partial<ScenarioValue>,
  { key, value: given, from }: Combination['changes'][number],
  { notes, moved }: Put,
): void {
  const own = MATRIX_KEYS.get(key)
  if (own !== undefined) {
    const schema = (own.length === 1 ? SeedSchema : ClockSchema.properties[key as 'quantum_ms']) as unknown as Schema
    if (!fits(schema, given)) notes.add(from, String(given), expectedOf(schema))
    else if (own.length === 1) value.seed = given as number
    else if (value.clock !== undefined) Object.assign(value.clock, { [key]: given })
    moved.set(pathKey(own), from)
    return
  }
  const [id = '', param = ''] = key.split('.')
  const steps = value.steps ?? []
  const ids = steps.flatMap((step) => (step?.inject?.id === undefined ? [] : [step.inject.id]))
  const k = steps.findIndex((step) => step?.inject?.id === id)
  if (k < 0) {
    notes.add(from.slice(0, -1), `\`${key}\``, 'a parameter of a fault, as `F1.value`', didYouMean(id, ids))
    return
  }
  const part = Object.hasOwn(InjectSchema.properties, param)
    ? InjectSchema.properties[param as 'onset']
    : FaultParamSchema
  const schema = part as unknown as Schema
  const isFit = schema.anyOf === undefined ? fits(schema, given) : schema.anyOf.some((one) => fits(one, given))
  if (!isFit || param === 'id')
    notes.add(from, String(given), param === 'id' ? 'another parameter' : expectedOf(schema))
  else Object.assign(steps[k]!.inject!, { [param]: given })
  moved.set(pathKey(['steps', k, 'inject', param]), from)
}

function contextOf(
  value: Partial<ScenarioValue>,
  notes: Notes,
  options: RowOptions,
): { rig: RigFile | null; context: RowContext } {
  const { file } = notes
  const { rigs } = options
  const rig = file.isSound(['rig']) && value.rig !== undefined ? findRig(value.rig, notes, options) : null
  notes.rig = rig?.file ?? null
  const isSound = rig?.value != null && PARTS.every((part) => file.isSound([part]))
  const parts = isSound ? mergedParts(rig!.value!, value as RigParts) : null
  const files = isSound
    ? filesOf({ folder: rig!.folder, value: rig!.value! }, { ...(value as RigParts), folder: dirname(options.path) })
    : null
  const registry = files === null ? null : registryOf(files.registry, notes, options)
  const policy = files?.policy == null ? null : policyOf(files.policy, notes, options)
  if (files !== null && files.registry === null) notes.add(['registry'], 'nothing', 'the registry of the rig')
  const recorded = files?.recording == null ? null : rigs.recording(files.recording)
  notes.problems.push(...(recorded?.problems ?? []))
  if (files?.baseline != null && parts?.baseline?.kind === 'file') notes.problems.push(...rigs.baseline(files.baseline))
  const { plant } = parts ?? {}
  const isPlant = [plant?.model, plant?.command, plant?.file].some((one) => one !== undefined)
  const clock = value.clock
  const isClockSound = clock !== undefined && file.isSound(['clock'])
  return {
    rig,
    context: {
      notes,
      value,
      clock: isClockSound
        ? {
            durationUs: microsOfSeconds(clock.duration_s),
            quantumUs: microsOfMillis(clock.quantum_ms),
            isLockstep: clock.mode === 'lockstep',
          }
        : null,
      rig: parts,
      plant: plant === undefined || !isPlant ? null : plantSpec(plant),
      recorded: recorded?.channels ?? null,
      sensors: Object.entries(parts?.sensors ?? {}).map(([channel, one]) => sensorSpec(channel, one, registry)),
      registry,
      policy,
      hasPolicy: files === null || files.policy !== null,
    },
  }
}

const PARTS = [
  'plant',
  'sensors',
  'actuators',
  'registry',
  'policy',
  'baseline',
  'peer',
  'collector',
  'operators',
] as const

function findRig(name: string, notes: Notes, { path, rigs }: RowOptions): RigFile | null {
  const found = nearestAbove(dirname(path), `rigs/${name}/${RIG_FILE}`)
  const rig = found === null ? null : rigs.rig(found)
  if (rig !== null && 'file' in rig) return rig
  notes.add(
    ['rig'],
    `\`${name}\``,
    `a rig: \`rigs/${name}/${RIG_FILE}\` in a folder above${rig === null ? '' : `, which can be read (${rig.reason})`}`,
  )
  return null
}

function registryOf(path: string | null, notes: Notes, { rigs }: RowOptions): RegistryNames | null {
  return path === null ? null : named(rigs.registry(path), ['registry'], path, notes)
}

function policyOf(path: string, notes: Notes, { rigs }: RowOptions): PolicyWords | null {
  return named(rigs.policy(path), ['policy'], path, notes)?.names ?? null
}

/** A file that a rig or scenario names, with its own mistakes beside the others. */
function named<T extends Readonly<{ problems: readonly Problem[] }>>(
  found: T | NoFile,
  path: Path,
  name: string,
  notes: Notes,
): T | null {
  if ('reason' in found) {
    const { found: what, expected } = cannotRead(name, found.reason)
    notes.add(path, what, expected)
    return null
  }
  notes.problems.push(...found.problems)
  return found
}

function checkClock({ notes, clock, value }: RowContext): void {
  if (clock === null) return
  if (value.clock?.begin_us !== undefined && !clock.isLockstep)
    notes.add(['clock', 'begin_us'], 'a start of its own', '`mode: lockstep`: in free run it is now')
  const { durationUs, quantumUs } = clock
  const quantum: Path = ['clock', 'quantum_ms']
  if (durationUs % quantumUs !== 0) {
    const isOfQuantum = notes.isFromMatrix(quantum)
    if (isOfQuantum) notes.add(quantum, timeText(quantumUs), `a divisor of the run, ${timeText(durationUs)}`)
    else
      notes.add(
        ['clock', 'duration_s'],
        timeText(durationUs),
        `a whole multiple of the quantum, ${timeText(quantumUs)}`,
      )
  }
}

type Sound = Readonly<{
  rig: RigFile & Readonly<{ value: RigFileValue }>
  combination: Combination
  options: RowOptions
}>

function rowOf(value: ScenarioValue, { rig, combination, options }: Sound): ScenarioRow {
  const { rigs, path, seed } = options
  const registry = (of: string | null): RegistryNames | null => {
    const found = of === null ? null : rigs.registry(of)
    return found === null || 'reason' in found ? null : found
  }
  return {
    id: value.id,
    title: value.title,
    file: path,
    row: combination.row,
    params: combination.params,
    verifies: value.verifies,
    tags: value.tags,
    skip: value.skip ?? '',
    xfail: value.xfail ?? '',
    rig: rigSpec({ rig, own: value, folder: dirname(path) }, registry),
    seed: seed ?? value.seed,
    clock: {
      mode: value.clock.mode,
      quantumUs: microsOfMillis(value.clock.quantum_ms),
      durationUs: microsOfSeconds(value.clock.duration_s),
      beginUs: value.clock.begin_us ?? null,
    },
    setup: value.setup.flatMap((step) => actsOf(step, 0)),
    steps: timedSteps(value.steps),
    expect: value.expect.map(expectationOf),
    teardown: value.teardown.flatMap((step) => actsOf(step, 0)),
  }
}
