import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import type { Command } from 'commander'
import { HbError } from '../../shared/errors/hb-error.ts'
import { numberOption, printable, printResult, utc } from '../../shared/lib/command-output.ts'
import type { Micros } from '../../shared/units.ts'
import { ownHb } from '../bench/agent-process.ts'
import { runCampaign, shardOf } from '../bench/campaign.ts'
import { hostTime } from '../bench/host-time.ts'
import { createWatch } from '../bench/watch.ts'
import type { CampaignResult, CaseResult } from '../core/result.ts'
import { HOST_WAIT_MS, type ScenarioRow } from '../core/scenario.ts'
import { readCampaign, writeJson } from '../report/campaign-file.ts'
import { writeHtml } from '../report/campaign-html.ts'
import { caseName, isGood, paramsText } from '../report/case-name.ts'
import { type Comparison, compareCampaigns, comparisonLines } from '../report/compare-campaigns.ts'
import { writeJunit } from '../report/junit.ts'
import { writeCsv } from '../report/measures-csv.ts'
import { campaignExit, readQuarantine, type Standing, standingLines } from '../report/quarantine.ts'
import { type Requirements, readRequirements } from '../report/requirements.ts'
import { loadScenarios } from '../scenario/load.ts'
import { nearestAbove } from '../scenario/rig-file.ts'
import { isFolder, openOutputs } from './run-outputs.ts'

type RunCliOptions = Readonly<{
  seed?: string
  speed: string
  tag: readonly string[]
  only?: string
  junit?: string
  html?: string
  csv?: string
  evidence?: string
  watch?: boolean
  jobs?: string
  shard?: string
  against?: string
  quarantine?: string
  hostWait: string
  wait: string
  /** A file for the report; true for the report on standard output. */
  json?: string | true
}>

const SHARDS_MAX = 1024
const JOBS_MAX = 64
const WAIT_S_MAX = 86_400
const HOST_WAIT_S_MAX = 3_600
const HOST_WAIT = String(HOST_WAIT_MS / 1000)
/** What ends a campaign in order; a terminal that is closed, too. */
const STOPS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Adds `hb hil run`. */
export function runCommand(hil: Command): void {
  hil
    .command('run')
    .description('run scenarios with the real agent, judge what came of them, and report it')
    .argument('<paths...>', 'scenario files, or folders of them')
    .option('--seed <n>', 'instead of the seeds of the files')
    .option('--speed <how>', 'max, or real: time in lock-step goes on no faster than on the wall', 'max')
    .option('--tag <tag>', 'only scenarios with this tag; may be repeated', collect, [] as readonly string[])
    .option('--only <params>', 'only rows with these parameters, as reports name them')
    .option('--junit <file>', 'report as JUnit XML')
    .option('--html <file>', 'report as one HTML file')
    .option(
      '--json [file]',
      'report as JSON, which the others are made from; without a file on standard output',
      reportFile,
    )
    .option('--csv <file>', 'measures as CSV')
    .option('--evidence <dir>', 'keep the folder of every run here; else only those that are not green are kept')
    .option('--watch', 'show the run while it goes; one at a time')
    .option('--jobs <n>', 'runs at once; as many as there are cores without it')
    .option('--shard <i/n>', 'the i-th of n parts of all rows')
    .option('--against <report>', 'say what is better or worse than in an earlier report')
    .option('--quarantine <file>', 'cases that may be red until a date, with who mends them')
    .option(
      '--host-wait <s>',
      `longest single wait for an agent or a plant; for its start ${HOST_WAIT} at least`,
      HOST_WAIT,
    )
    .option('--wait <s>', 'how long to wait for a place that somebody else has reserved', '0')
    .addHelpText(
      'after',
      '\nExit code: 0 all green; 20 something failed; 30 something is not known or was not run; 78 a file is wrong, nothing was started.',
    )
    .action(run)
}

function collect(text: string, before: readonly string[]): readonly string[] {
  return [...before, text]
}

/**
 * `--json` takes the word behind it. A scenario there was meant to be run, and would be overwritten.
 *
 * @throws HbError USAGE for a folder and for YAML
 */
function reportFile(text: string): string {
  if (!/\.ya?ml$/.test(text) && !isFolder(text)) return text
  const expected = 'a file for the report; `--json` for standard output stands behind the scenarios'
  throw new HbError('USAGE', { option: '--json', found: text, expected })
}

function jsonFile({ json }: RunCliOptions): string | undefined {
  return json === true ? undefined : json
}

async function run(paths: readonly string[], options: RunCliOptions): Promise<void> {
  const host = hostTime(numberOption(options.hostWait, '--host-wait', { min: 1, max: HOST_WAIT_S_MAX }) * 1000)
  const waitMs = numberOption(options.wait, '--wait', { min: 0, max: WAIT_S_MAX }) * 1000
  const rows = chosen(paths, options)
  const requirements = requirementsAbove(paths)
  const quarantine = options.quarantine === undefined ? [] : readQuarantine(options.quarantine)
  const base = options.against === undefined ? null : readCampaign(options.against)
  const jobs = options.watch === true ? 1 : jobsOf(options.jobs)
  const { junit, html, csv, evidence } = options
  const reports = [junit, html, csv, jsonFile(options)].filter((file) => file !== undefined)
  const folder = openOutputs({ reports, evidence })
  const kept = evidence !== undefined
  const ending = new AbortController()
  const stop = (): void => ending.abort()
  for (const signal of STOPS) process.on(signal, stop)
  // A file has no use for pictures.
  const watch =
    options.watch === true && process.stdout.isTTY
      ? createWatch(process.stdout, { noColor: process.env['NO_COLOR'] !== undefined, host })
      : null
  const unseen: string[] = []
  const startedUs = host.monotonicUs()
  const result = await runCampaign({
    ...{ rows, folder, jobs, hb: ownHb(), host, commit: commitOf(), keep: kept, signal: ending.signal },
    ...{ real: options.speed === 'real', waitMs },
    ...(watch === null ? {} : { watch: watch.show }),
    told: (one, done, of) => {
      const text = linesOfCase(one, { done, of, spentUs: host.monotonicUs() - startedUs })
      if (watch === null) process.stderr.write(text)
      else unseen.push(text)
    },
  })
  watch?.close()
  process.stderr.write(unseen.join(''))
  for (const signal of STOPS) process.off(signal, stop)
  const standing = campaignExit(result, quarantine, utc(host.nowUs()).slice(0, 10))
  report(result, { options, folder, base, standing, requirements })
  const comparison = base === null ? null : compareCampaigns(base, result)
  say(options, { result, comparison, lines: standingLines(standing, result) })
  if (!kept && result.cases.every(({ verdict }) => isGood(verdict))) rmSync(folder, { recursive: true, force: true })
  else process.stderr.write(`runs: ${folder}\n`)
  // One of many runners may have nothing to do.
  const isIdle = rows.length === 0 && standing.exit === 30
  process.exitCode = isIdle ? 0 : standing.exit
}

/** Everything is read and checked before anything is started. @throws HbError SCENARIO_INVALID, USAGE */
function chosen(paths: readonly string[], { seed, speed, tag, only, shard }: RunCliOptions): readonly ScenarioRow[] {
  if (speed !== 'max' && speed !== 'real')
    throw new HbError('USAGE', { option: '--speed', found: speed, expected: 'max or real' })
  const seeded = seed === undefined ? {} : { seed: numberOption(seed, '--seed', { min: 0, max: 2 ** 32 - 1 }) }
  const { rows } = loadScenarios(paths, seeded)
  const named = only === undefined ? rows : rows.filter(({ params }) => paramsText(params) === only)
  const tagged = tag.length === 0 ? named : named.filter(({ tags }) => tag.some((one) => tags.includes(one)))
  if (tagged.length === 0)
    throw new HbError('USAGE', { found: 'no scenario', expected: 'at least one', paths: paths.join(' ') })
  if (shard === undefined) return tagged
  const [, part, of] = /^(\d{1,4})\/(\d{1,4})$/.exec(shard) ?? []
  if (part === undefined || Number(part) < 1 || Number(part) > Number(of) || Number(of) > SHARDS_MAX)
    throw new HbError('USAGE', { option: '--shard', found: shard, expected: 'i/n with 1 ≤ i ≤ n' })
  return shardOf(tagged, Number(part), Number(of))
}

function jobsOf(text: string | undefined): number {
  return text === undefined ? availableParallelism() : numberOption(text, '--jobs', { min: 1, max: JOBS_MAX })
}

/** Commit of the sources that are tested; '' where nobody can say. */
function commitOf(): string {
  try {
    return execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return ''
  }
}

type Told = Readonly<{ done: number; of: number; spentUs: Micros }>

/** Last lines of the log that are shown with what broke. */
const TAIL_SHOWN = 5

/** One line a case, with how long the rest may take; more of one that broke. */
function linesOfCase(one: CaseResult, { done, of, spentUs }: Told): string {
  const leftS = ((spentUs / done) * (of - done)) / 1_000_000
  const eta = done === of ? '' : `  (${Math.ceil(leftS)} s left)`
  const why = isGood(one.verdict) ? '' : `  ${one.reason}`
  const count = `${String(done).padStart(String(of).length)}/${of}`
  const tail = one.verdict === 'ERROR' ? one.log_tail.slice(-TAIL_SHOWN) : []
  const lines = [
    `${count} ${one.verdict.padEnd(12)} ${caseName(one)}${why}${eta}`,
    ...tail.map((text) => `      ${text}`),
  ]
  return lines.map((text) => `${printable(text)}\n`).join('')
}

type Reported = Readonly<{
  options: RunCliOptions
  folder: string
  base: CampaignResult | null
  standing: Standing
  requirements: Requirements | null
}>

/** What the scenarios say they verify, for the page; scenarios of somebody without such a list have none. */
function requirementsAbove(paths: readonly string[]): Requirements | null {
  const file = nearestAbove(dirname(paths[0]!), 'requirements.yaml')
  return file === null ? null : readRequirements(file)
}

/** Also after an end before the last run: whoever looks must see how far it came. */
function report(result: CampaignResult, { options, folder, base, standing, requirements }: Reported): void {
  const { junit, html, csv, evidence } = options
  const json = jsonFile(options)
  if (json !== undefined) writeJson(result, json, folder)
  if (evidence !== undefined) writeJson(result, join(folder, 'report.json'))
  if (junit !== undefined) writeJunit(result, junit, standing)
  if (csv !== undefined) writeCsv(result, csv)
  if (html !== undefined)
    writeHtml(result, {
      ...{ folder, file: html, standing },
      ...(base === null ? {} : { against: base }),
      ...(requirements === null ? {} : { requirements }),
    })
}

type Said = Readonly<{ result: CampaignResult; comparison: Comparison | null; lines: readonly string[] }>

function say({ json }: RunCliOptions, { result, comparison, lines }: Said): void {
  printResult(json === true, { ...result, ...(comparison === null ? {} : { comparison }) }, [
    ...(comparison === null ? [] : comparisonLines(comparison)),
    ...lines,
  ])
}
