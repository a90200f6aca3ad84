import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, extname, join } from 'node:path'
import { didYouMean } from '../../shared/config/problems.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { injectFile, readLayout } from './files.ts'
import type { Layout } from './layout.ts'
import type { RowChanges } from './row-faults.ts'
import { type Wish, wishProblems } from './wishes.ts'

/** A file of values in what was given: the file itself, or those of the folder of a run. */
type Part = Readonly<{ name: string; path: string; layout: Layout }>
export type Input = Readonly<{ path: string; isRun: boolean; parts: readonly Part[] }>

/** What was done to one file; `left`: why it is as it was. */
export type FileChanges = Readonly<{ file: string }> & (RowChanges | Readonly<{ left: string }>)
export type Injection = Readonly<{ fault: string; output: string; files: readonly FileChanges[] }>

export type InjectionOptions = Readonly<{
  seed: number
  channels: readonly string[] | null
  /** The fault as it is for a file of this layout. */
  wish: (layout: Layout) => Wish
  /** Parameters that were typed. */
  given: readonly string[]
}>

const META = 'run_meta.json'
const METRICS = 'metrics.csv'
const SIGNALS = 'signals.csv'
const EVENTS = 'events.jsonl'
/** Longest id of a run. */
const RUN_ID_MAX = 128

/** @throws HbError INJECT_INPUT, CSV_HEADER */
export async function readInput(path: string, timeColumn: string | undefined): Promise<Input> {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true)
    return { path, isRun: false, parts: [{ name: basename(path), path, layout: await readLayout(path, timeColumn) }] }
  const missing = [META, METRICS].filter((name) => !existsSync(join(path, name)))
  if (missing.length > 0)
    throw new HbError('INJECT_INPUT', { path, found: `a folder without ${missing.join(' and ')}` })
  const names = [METRICS, ...(existsSync(join(path, SIGNALS)) ? [SIGNALS] : [])]
  const parts: Part[] = []
  for (const name of names) {
    const file = join(path, name)
    parts.push({ name, path: file, layout: await readLayout(file, name === SIGNALS ? timeColumn : undefined) })
  }
  return { path, isRun: true, parts }
}

/** What is wrong with a wish for each of the files; none: at least one of them can have it. */
export function problemsOf({ parts }: Input, { wish, channels, given }: InjectionOptions): string[] {
  const all = parts.map(({ layout }) => [
    ...channelProblems(layout, channels),
    ...wishProblems(wish(layout), layout, given),
  ])
  return all.some((problems) => problems.length === 0) ? [] : [...new Set(all.flat())]
}

function channelProblems(layout: Layout, channels: readonly string[] | null): string[] {
  if (layout.kind === 'table') return []
  const names = layout.channels.map(({ name }) => name)
  return (channels ?? [])
    .filter((name) => !names.includes(name))
    .map((name) => `there is no channel ${name}${hintOf(name, names)}`)
}

function hintOf(name: string, names: readonly string[]): string {
  const hint = didYouMean(name, names)
  return hint === undefined ? '' : `: ${hint}`
}

/**
 * Writes one fault into a new file, or a new folder of a run. What was begun is taken back when it fails.
 *
 * @throws HbError INJECT_INPUT, INJECT_NOTHING, USAGE, DISK_…
 */
export async function inject(input: Input, output: string, options: InjectionOptions): Promise<Injection> {
  if (existsSync(output))
    throw new HbError('USAGE', { option: '--output', found: `${output} exists`, expected: 'a new file or folder' })
  const files: FileChanges[] = []
  const name = options.wish(input.parts[0]!.layout).name
  try {
    if (input.isRun) mkdirSync(output)
    for (const part of input.parts)
      files.push(await injectPart(part, input.isRun ? join(output, part.name) : output, options))
    const seen = files.flatMap((file) => ('seen' in file ? file.seen : [])).reduce((sum, { count }) => sum + count, 0)
    if (seen === 0) throw new HbError('INJECT_NOTHING', { path: input.path, fault: name })
    if (input.isRun) writeRest(input.path, output, { name, seed: options.seed })
  } catch (error) {
    rmSync(output, { recursive: true, force: true })
    throw error
  }
  return { fault: name, output, files }
}

async function injectPart(part: Part, to: string, options: InjectionOptions): Promise<FileChanges> {
  const { layout, path, name } = part
  const wish = options.wish(layout)
  const problems = [...channelProblems(layout, options.channels), ...wishProblems(wish, layout, options.given)]
  if (problems.length > 0) {
    copyFileSync(path, to)
    return { file: name, left: problems.join('; ') }
  }
  const { seed, channels } = options
  const changes = await injectFile(path, to, {
    ...{ layout, seed, channels, faults: wish.faults, rowClock: wish.rowClock },
  })
  return { file: name, ...changes }
}

/** The other files of a run. It is another run now, and says so: compared with itself it would prove nothing. */
function writeRest(from: string, to: string, injected: { name: string; seed: number }): void {
  if (existsSync(join(from, EVENTS))) copyFileSync(join(from, EVENTS), join(to, EVENTS))
  const meta = readMeta(join(from, META))
  const runId = meta['run_id']
  const other = typeof runId === 'string' ? { run_id: `${runId}.${injected.name}`.slice(0, RUN_ID_MAX) } : {}
  const said = { ...meta, ...other, injected: { fault: injected.name, seed: injected.seed } }
  writeFileSync(join(to, META), `${JSON.stringify(said, null, 2)}\n`)
}

function readMeta(path: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // What the parser says may quote the file; that it is no object says enough.
  }
  throw new HbError('INJECT_INPUT', { path, found: 'no JSON object' })
}

/** Name of the result for one fault among many. */
export function resultName(input: Input, fault: string): string {
  return input.isRun ? fault : `${fault}${extname(input.path)}`
}
