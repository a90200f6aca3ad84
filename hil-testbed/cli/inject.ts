import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Command, Option } from 'commander'
import { HbError, isHbError } from '../../shared/errors/hb-error.ts'
import { printResult, writeNew } from '../../shared/lib/command-output.ts'
import { FAULT_SHAPES, type FaultShape } from '../core/fault.ts'
import {
  type Injection,
  type InjectionOptions,
  type Input,
  inject,
  problemsOf,
  readInput,
  resultName,
} from '../inject/injection.ts'
import { PREDECESSOR_FAULTS, type PredecessorOptions, predecessorWish } from '../inject/predecessor-names.ts'
import { fileFaults, type Timing, type WishOptions, wishOf } from '../inject/wishes.ts'

type Options = Readonly<{
  fault: string
  input: string
  output: string
  param?: readonly string[]
  channel?: readonly string[]
  metric?: readonly string[]
  seed: string
  timeColumn?: string
  onsetS: string
  durationS?: string
  shape: FaultShape
  pulseS: string
  periodS: string
  noiseScale?: string
  offset?: string
  value?: string
  scale?: string
  skewSeconds?: string
  driftPerRow?: string
  count?: string
  repeatSpike?: boolean
  json?: boolean
}>

const INDEX = 'index.json'
/** Mistakes that are told at once. */
const TOLD_MAX = 20
/** Longest recording a time on the command line may reach into: ten years. */
const SECONDS_MAX = 315_360_000

/** Adds `hb inject`. */
export function injectCommand(program: Command): void {
  const several = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]
  program
    .command('inject')
    .description('write a fault into a recording or the folder of a run; every row it touched says so in `hb_injected`')
    .requiredOption('--fault <name>', 'a fault of docs/reference/faults.md, one of the Python system, or `all`')
    .requiredOption('--input <path>', 'CSV file, or folder of a run')
    .requiredOption('--output <path>', 'new file; new folder for a run, and for `all`')
    .option('--param <name=value>', 'parameter of the fault; may be given several times', several)
    .option('--channel <name>', 'only this channel; may be given several times', several)
    .option('--metric <name>', 'the same', several)
    .option('--seed <n>', 'seed of its chances', '1')
    .option('--time-column <name>', 'column of the time; else t_us, timestamp, ts, datetime or time')
    .option('--onset-s <s>', 'begins so long after the first row', '0')
    .option('--duration-s <s>', 'and lasts so long; else to the end')
    .addOption(new Option('--shape <shape>', 'how it acts over time').choices(FAULT_SHAPES).default('step'))
    .option('--pulse-s <s>', 'length of a pulse', '1')
    .option('--period-s <s>', 'from one pulse to the next', '10')
    .option('--noise-scale <x>', 'of value_corruption (0.1)')
    .option('--offset <x>', 'of value_corruption (0)')
    .option('--value <x>', 'of stuck_at (its last value)')
    .option('--scale <x>', 'of spike (2)')
    .option('--repeat-spike', 'of spike: every row, not the first alone')
    .option('--skew-seconds <s>', 'of time_skew')
    .option('--drift-per-row <x>', 'of sensor_drift (0.01)')
    .option('--count <n>', 'of duplication (2)')
    .option('--json', 'one JSON object')
    .action(run)
}

async function run(options: Options): Promise<void> {
  const mistakes: string[] = []
  const wish = wishOptions(options, mistakes)
  const old = predecessorOptions(options, mistakes)
  const seed = wholeOf(options.seed, '--seed', mistakes)
  const input = await readInput(options.input, options.timeColumn)
  const given = Object.keys(wish.params)
  const isOld = options.fault in PREDECESSOR_FAULTS
  const asked: InjectionOptions = {
    seed,
    channels: wish.channels,
    given,
    wish: (layout) =>
      isOld ? predecessorWish(options.fault, old, { layout, wish }) : wishOf(options.fault, layout, wish),
  }
  const isAll = options.fault === 'all'
  // A fault of the Python system is not looked at before its options are right: they are its parameters.
  if (!isAll && (mistakes.length === 0 || !isOld)) mistakes.push(...problemsOf(input, asked))
  if (mistakes.length > 0) throw refused(mistakes)
  if (isAll) {
    await injectAll(input, options, { ...asked, wish }, given)
    return
  }
  const done = await inject(input, options.output, asked)
  printResult(options.json, { seed, ...done }, linesOf(done))
}

/** The mistakes of a command line, all of them. */
function refused(mistakes: readonly string[]): HbError {
  const told = mistakes.slice(0, TOLD_MAX).map((text, k) => [`mistake_${k + 1}`, text])
  return new HbError('USAGE', { mistakes: mistakes.length, ...Object.fromEntries(told) })
}

type All = Omit<InjectionOptions, 'wish'> & Readonly<{ wish: WishOptions }>

/** One result for each fault that the input can have, and an index of what was changed where. */
async function injectAll(
  input: Input,
  options: Options,
  { wish, ...rest }: All,
  given: readonly string[],
): Promise<void> {
  const kinds = fileFaults()
  const unknown = given.filter((name) => !kinds.some(({ params }) => params.some((param) => param.name === name)))
  if (unknown.length > 0) throw refused(unknown.map((name) => `--param ${name}: no fault has it`))
  try {
    mkdirSync(options.output)
  } catch (cause) {
    throw new HbError('USAGE', { option: '--output', found: options.output, expected: 'a new folder' }, { cause })
  }
  const faults: Injection[] = []
  const leftOut: { fault: string; reason: string }[] = []
  try {
    for (const { name } of kinds) {
      const one: InjectionOptions = { ...rest, given: [], wish: (layout) => wishOf(name, layout, wish) }
      const problems = problemsOf(input, one)
      if (problems.length > 0) leftOut.push({ fault: name, reason: problems.join('; ') })
      else await injectOne(name, one)
    }
    const index = { v: 1, input: options.input, seed: rest.seed, faults, left_out: leftOut }
    writeNew(join(options.output, INDEX), `${JSON.stringify(index, null, 2)}\n`, 0o644)
  } catch (error) {
    rmSync(options.output, { recursive: true, force: true })
    throw error
  }
  printResult(options.json, { output: options.output, seed: rest.seed, faults, left_out: leftOut }, [
    ...faults.flatMap(linesOf),
    ...leftOut.map(({ fault, reason }) => `left out: ${fault}: ${reason}`),
    `${faults.length} faults, ${leftOut.length} left out: ${join(options.output, INDEX)}`,
  ])

  async function injectOne(name: string, one: InjectionOptions): Promise<void> {
    const file = resultName(input, name)
    try {
      const done = await inject(input, join(options.output, file), one)
      faults.push({ ...done, output: file })
    } catch (error) {
      if (!isHbError(error, 'INJECT_NOTHING')) throw error
      leftOut.push({ fault: name, reason: 'it changes nothing here' })
    }
  }
}

function linesOf({ fault, output, files }: Injection): string[] {
  return files.map((file) => {
    if ('left' in file) return `${output}: ${file.file} is as it was: ${file.left}`
    const { rows_in: rowsIn, rows_out: rowsOut, rows_marked: marked, first_row: first, last_row: last } = file
    const where = marked === 0 ? '' : ` from row ${first} to ${last}`
    return `${output}: ${fault} in ${marked} of ${rowsOut} rows (${rowsIn} before)${where}`
  })
}

function wishOptions(options: Options, mistakes: string[]): WishOptions {
  const channels = [...(options.channel ?? []), ...(options.metric ?? [])]
  return {
    params: paramsOf(options.param ?? [], mistakes),
    channels: channels.length === 0 ? null : [...new Set(channels)],
    timing: timingOf(options, mistakes),
    rowClock: false,
  }
}

function paramsOf(texts: readonly string[], mistakes: string[]): Record<string, number | string> {
  const params: Record<string, number | string> = {}
  for (const text of texts) {
    const at = text.indexOf('=')
    const name = text.slice(0, Math.max(at, 0))
    const value = text.slice(at + 1)
    if (name === '' || value === '') mistakes.push(`--param ${text}: expected name=value`)
    else if (name in params) mistakes.push(`--param ${name}: given twice`)
    else params[name] = value.trim() !== '' && Number.isFinite(Number(value)) ? Number(value) : value
  }
  return params
}

function timingOf({ onsetS, durationS, shape, pulseS, periodS }: Options, mistakes: string[]): Timing {
  const us = (text: string, option: string): number =>
    Math.round(numberOf(text, option, { mistakes, min: 0, max: SECONDS_MAX }) * 1_000_000)
  return {
    onsetUs: us(onsetS, '--onset-s'),
    durationUs: durationS === undefined ? null : us(durationS, '--duration-s'),
    shape,
    pulseUs: us(pulseS, '--pulse-s'),
    periodUs: us(periodS, '--period-s'),
  }
}

/** Options of the Python system, which only its own names take. */
function predecessorOptions(options: Options, mistakes: string[]): PredecessorOptions {
  const alias = PREDECESSOR_FAULTS[options.fault]
  const read = { noiseScale: 'x', offset: 'x', value: 'x', scale: 'x', skewSeconds: 's', driftPerRow: 'x', count: 'n' }
  const numbers: Record<string, number> = {}
  for (const name of [...Object.keys(read), 'repeatSpike']) {
    const text = options[name as keyof Options]
    const option = `--${name.replace(/[A-Z]/g, '-$&').toLowerCase()}`
    if (text === undefined) continue
    if (alias?.options.includes(name) !== true)
      mistakes.push(`${option}: ${options.fault} does not take it; parameters of a fault are given by --param`)
    else if (name === 'count') numbers[name] = wholeOf(String(text), option, mistakes, 2)
    else if (name !== 'repeatSpike')
      numbers[name] = numberOf(String(text), option, { mistakes, min: -1e150, max: 1e150 })
  }
  if (alias?.needsMetric === true && (options.metric ?? options.channel) === undefined)
    mistakes.push(`--metric: ${options.fault} needs one`)
  if (alias !== undefined && options.param !== undefined)
    mistakes.push(`--param: ${options.fault} takes options of its own: ${alias.options.join(', ') || 'none'}`)
  return { ...numbers, repeatSpike: options.repeatSpike }
}

type Range = Readonly<{ mistakes: string[]; min: number; max: number }>

function numberOf(text: string, option: string, { mistakes, min, max }: Range): number {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (value >= min && value <= max) return value
  mistakes.push(`${option}: found ${JSON.stringify(text)}, expected a number from ${min} to ${max}`)
  return min
}

function wholeOf(text: string, option: string, mistakes: string[], min = 0): number {
  const value = numberOf(text, option, { mistakes, min, max: 4_294_967_295 })
  if (!Number.isInteger(value)) mistakes.push(`${option}: found ${text}, expected a whole number`)
  return value
}
