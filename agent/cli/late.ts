import type { Command } from 'commander'
import { parseTime } from '../../shared/codec/recording-text.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { numberOption, printResult, progress, table, utc } from '../../shared/lib/command-output.ts'
import type { Micros } from '../../shared/units.ts'
import type { LateSample } from '../core/late.ts'
import type { RigState } from '../core/state.ts'
import { totalCounts } from '../core/totals.ts'
import { replay } from '../pipeline/replay.ts'
import { viewStorage } from '../storage.ts'

type LateOptions = Readonly<{
  state: string
  rig?: string
  since?: string
  until?: string
  limit: string
  json?: boolean
}>

/** Most rows of one answer. */
const LIMIT_MAX = 100_000

/** Adds `hb journal late`. */
export function lateCommand(journal: Command): void {
  journal
    .command('late')
    .description('samples that came too late, from the journal itself, newest last')
    .requiredOption('--state <dir>', 'state folder')
    .option('--rig <id>', 'of one rig')
    .option('--since <time>', 'with an event time from here on: UTC as 2026-01-31T12:00:00, or whole µs')
    .option('--until <time>', 'with an event time before this')
    .option('--limit <n>', 'the last n', '50')
    .option('--json', 'one JSON object')
    .action(list)
}

type Listed = LateSample & Readonly<{ rig: string; record: number; nowUs: Micros }>

/** What the ledger counted of a rig in the journal that could be run again, and under which policy at the end. */
type Rig = { policy: string; late: number }

async function list(options: LateOptions): Promise<void> {
  const limit = numberOption(options.limit, '--limit', { min: 1, max: LIMIT_MAX })
  const sinceUs = timeOption(options.since, '--since') ?? Number.NEGATIVE_INFINITY
  const untilUs = timeOption(options.until, '--until') ?? Number.POSITIVE_INFINITY
  const view = viewStorage(options.state)
  const report = progress('replaying')
  const kept: Listed[] = []
  let found = 0
  let unlisted = 0
  let rigs: readonly RigState[] = []
  for await (const { seq, input, effects, evaluation } of replay(view)) {
    report(seq, view.journal.lastSeq)
    rigs = evaluation.state.rigs
    for (const effect of effects) {
      if (effect.kind !== 'late' || (options.rig !== undefined && effect.rig !== options.rig)) continue
      unlisted += effect.more
      for (const sample of effect.samples) {
        if (!(sample.timeUs >= sinceUs && sample.timeUs < untilUs)) continue
        found += 1
        kept.push({ ...sample, rig: effect.rig, record: seq, nowUs: input.nowUs })
        if (kept.length > limit) kept.shift()
      }
    }
  }
  const counted = Object.fromEntries(rigs.map((rig) => [rig.settings.rig, countedOf(rig)]))
  if (options.rig !== undefined && counted[options.rig] === undefined)
    throw new HbError('RIG_UNKNOWN', { rig: options.rig, known: Object.keys(counted).join(', ') })
  print(options, { kept, found, unlisted, counted })
}

function countedOf(rig: RigState): Rig {
  return { policy: rig.settings.latePolicy, late: totalCounts(rig).late }
}

type Outcome = Readonly<{ kept: readonly Listed[]; found: number; unlisted: number; counted: Record<string, Rig> }>

function print(options: LateOptions, { kept, found, unlisted, counted }: Outcome): void {
  const rows = [
    ['TIME (UTC)', 'RIG', 'CHANNEL', 'VALUE', 'SOURCE', 'FRAME', 'BEHIND', 'SLIDE', 'RECORD'],
    ...kept.map((s) => [
      utc(s.timeUs),
      s.rig,
      s.channel,
      s.value === null ? 'no number' : String(s.value),
      s.source,
      s.seq < 0 ? '-' : String(s.seq),
      `${s.behindUs / 1000} ms${s.revisable ? '' : ' *'}`,
      utc(s.slideEndUs),
      String(s.record),
    ]),
  ]
  const rigs = Object.entries(counted).filter(([rig]) => options.rig === undefined || rig === options.rig)
  printResult(options.json, { found, shown: kept.length, unlisted, rigs: counted, samples: kept.map(sampleJson) }, [
    ...(kept.length === 0 ? ['none'] : table(rows)),
    ...(kept.some((s) => !s.revisable) ? ['* too late for a revision as well'] : []),
    ...(found > kept.length ? [`${found - kept.length} earlier ones are not shown`] : []),
    ...(unlisted > 0 ? [`${unlisted} more came in inputs with too many of them to list`] : []),
    ...rigs.map(
      ([rig, { policy, late }]) =>
        `${rig}: ${late} late in the ledger, late_policy ${policy}${policy === 'drop' ? ' (counted, not listed)' : ''}`,
    ),
  ])
}

function sampleJson(s: Listed): Record<string, unknown> {
  return {
    rig: s.rig,
    metric: s.metric,
    channel: s.channel,
    time_us: s.timeUs,
    time: utc(s.timeUs),
    value: s.value,
    quality: s.quality,
    source: s.source,
    frame: s.seq,
    behind_us: s.behindUs,
    slide_end_us: s.slideEndUs,
    revisable: s.revisable,
    record: s.record,
    taken_in_us: s.nowUs,
  }
}

function timeOption(text: string | undefined, option: string): Micros | null {
  if (text === undefined) return null
  const timeUs = parseTime(text)
  if (timeUs === null)
    throw new HbError('USAGE', { option, found: text, expected: 'a UTC time as 2026-01-31T12:00:00, or whole µs' })
  return timeUs
}
