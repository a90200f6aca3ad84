import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { HbError } from '../../shared/errors/hb-error.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { stopSignals } from '../../shared/lib/stop-signals.ts'
import { createExternalPlant } from '../bench/external-plant.ts'
import type { PlantHello } from '../bench/plant-protocol.ts'
import { servePlant } from '../bench/plant-server.ts'
import type { ParamSpec, Plant, PlantModel } from '../core/plant.ts'
import { PLANT_MODELS, plantNamed } from '../core/plants/models.ts'
import { plantProblems, withUnit } from '../plant-problems.ts'
import { numberIn, say } from './options.ts'

const HOUR_S = 3_600
const STEP_MAX_US = 60_000_000

/** Adds `hb hil plant`. */
export function plantCommands(hil: Command): void {
  const plant = hil.command('plant').description('plants of the bench: those built in, and one of your own')
  plant
    .command('list')
    .description('built-in plants with their parameters, inputs, signals and hazards')
    .option('--json', 'as JSON')
    .action(({ json }: Readonly<{ json?: boolean }>) => {
      if (json === true) process.stdout.write(`${JSON.stringify({ v: 1, plants: PLANT_MODELS })}\n`)
      else process.stdout.write(PLANT_MODELS.map(described).join('\n'))
    })
  plant
    .command('serve')
    .description('a built-in plant as an external one, to rehearse a bench against')
    .argument('<model>', 'its name')
    .requiredOption('--endpoint <address>', 'where the bench listens')
    .option('--json', 'errors as JSON too; what it writes is JSON lines anyway')
    .action(async (name: string, { endpoint }: Readonly<{ endpoint: string }>) => {
      const model = plantNamed(name)
      if (model === undefined) {
        const names = PLANT_MODELS.map((one) => one.name)
        throw new HbError('USAGE', { found: name, expected: names.join(', ') })
      }
      say({ event: 'ended', reason: await servePlant(model, endpoint) })
    })
  plant
    .command('check')
    .description(
      'try an external plant: it is run twice, and must answer as the protocol says, the same each time, and end safe',
    )
    .argument('<command...>', 'program and arguments after --, with {endpoint} where it is to connect')
    .option('--step-us <us>', 'step at which it is asked', '10000')
    .option('--seconds <s>', 'length of each run, in its time', '5')
    .option('--set <input=value>', 'set half way; may be repeated', withInput, {} as Readonly<Record<string, number>>)
    .option('--json', 'errors as JSON too; what it writes is JSON lines anyway')
    .action(check)
}

type CheckOptions = Readonly<{ stepUs: string; seconds: string; set: Readonly<Record<string, number>> }>

async function check(command: readonly string[], options: CheckOptions): Promise<void> {
  const stepUs = numberIn(options.stepUs, '--step-us', { min: 1, max: STEP_MAX_US })
  const seconds = numberIn(options.seconds, '--seconds', { min: stepUs / 1_000_000, max: HOUR_S })
  const [problem] = plantProblems({ model: '', params: {}, init: {}, command, stepUs })
  if (problem !== undefined) throw new HbError('USAGE', { found: problem.found, expected: problem.expected })
  const trial = { command, stepUs, steps: Math.floor((seconds * 1_000_000) / stepUs), set: options.set }
  const stopped = stopSignals(systemClock()).first.then(() => {
    throw new HbError('PLANT_ENDED', { reason: 'stopped by a signal' })
  })
  const first = await run(trial, stopped)
  const second = await run(trial, stopped)
  const different = first.readings.findIndex((value, k) => !Object.is(value, second.readings[k]))
  if (different >= 0) {
    const names = Object.keys(first.hello.signals)
    const [step, name] = [Math.floor(different / names.length), names[different % names.length]!]
    const found = `${name} is ${first.readings[different]}, then ${second.readings[different]} at ${step * stepUs} µs`
    throw new HbError('PLANT_ANSWER', { found, expected: 'the same in both runs' })
  }
  const { model, signals, inputs } = first.hello
  say({
    ...{ event: 'fit', model, signals: Object.keys(signals), inputs: Object.keys(inputs), step_us: stepUs },
    ...{
      answers: 2 * (trial.steps + 1),
      us_an_answer: Math.floor(first.hostUs / trial.steps),
      repeatable: true,
      safe: true,
    },
  })
}

type Trial = Readonly<{
  command: readonly string[]
  stepUs: number
  steps: number
  set: Readonly<Record<string, number>>
}>
/** `readings`: every signal at every step, in the order of the hello. */
type Tried = Readonly<{ hello: PlantHello; readings: readonly number[]; hostUs: number }>

/** Runs it from its start to its end. @throws HbError of the plant, also when it did not end safe. */
async function run(trial: Trial, stopped: Promise<never>): Promise<Tried> {
  const clock = systemClock()
  const folder = mkdtempSync(join(tmpdir(), 'hb-plant-'))
  const needs = { stepUs: trial.stepUs, signals: [], inputs: Object.keys(trial.set) }
  const external = createExternalPlant({ command: trial.command, cwd: process.cwd(), folder, needs, clock })
  const tried = async (): Promise<Tried> => {
    const hello = await external.start()
    const fromUs = clock.monotonicUs()
    const readings = await readAll(external.plant, Object.keys(hello.signals), trial)
    return { hello, readings, hostUs: clock.monotonicUs() - fromUs }
  }
  const outcome = await Promise.race([tried(), stopped]).catch((error: unknown) => ({ error }))
  const ended = await external.stop('the trial is over')
  rmSync(folder, { recursive: true, force: true })
  if ('error' in outcome) throw outcome.error
  if (!ended.safe) throw new HbError('PLANT_ENDED', { found: ended.how, expected: 'exit code 0 after `end`' })
  return outcome
}

async function readAll(plant: Plant, names: readonly string[], { stepUs, steps, set }: Trial): Promise<number[]> {
  const readings = names.map((name) => plant.read(name))
  for (let k = 1; k <= steps; k += 1) {
    if (k === Math.ceil(steps / 2)) for (const [name, value] of Object.entries(set)) plant.set(name, value)
    await plant.advance(k * stepUs)
    for (const name of names) readings.push(plant.read(name))
  }
  return readings
}

function withInput(text: string, before: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  const [, name, value] = /^([a-z][a-z0-9_]*)=(.+)$/.exec(text) ?? []
  if (name === undefined || value === undefined || !Number.isFinite(Number(value)))
    throw new HbError('USAGE', { option: '--set', found: text, expected: 'INPUT=NUMBER' })
  return { ...before, [name]: Number(value) }
}

function described({ name, about, params, init, inputs, signals, hazard, stepUs }: PlantModel): string {
  const ranges = (specs: Readonly<Record<string, ParamSpec>>): string[] =>
    Object.entries(specs).map(
      ([key, { initial, minimum, maximum, unit, about }]) =>
        `    ${key} = ${withUnit(initial, unit)}, ${minimum} to ${maximum}: ${about}`,
    )
  const parts = [`${name}: ${about}`, `  step ${stepUs} us, harm at ${hazard}`]
  parts.push('  params', ...ranges(params), '  init', ...ranges(init), '  inputs', ...ranges(inputs), '  signals')
  parts.push(...Object.entries(signals).map(([key, spec]) => `    ${key} [${spec.unit}]: ${spec.about}`))
  return `${parts.join('\n')}\n`
}
