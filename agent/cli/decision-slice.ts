import { once } from 'node:events'
import { createWriteStream, mkdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Command } from 'commander'
import type { JournalFile } from '../../shared/codec/journal-input.ts'
import { decodeJournalInput } from '../../shared/codec/journal-input.ts'
import { toHex } from '../../shared/crypto/digest.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { printResult, progress, utc, writeNew } from '../../shared/lib/command-output.ts'
import { spanOption } from '../../shared/lib/span.ts'
import type { Decision } from '../../shared/model/decision.ts'
import type { Micros } from '../../shared/units.ts'
import { baselinesIn } from '../core/settings.ts'
import { SLICE_DELIMITER, type SliceFacts, SliceReader, type SliceSpan } from '../pipeline/recorded-slice.ts'
import { replay } from '../pipeline/replay.ts'
import { SLICE_SPAN_MAX_US } from '../pipeline/slice.ts'
import { createTimeIndex } from '../pipeline/time-index.ts'
import { type StorageView, viewStorage } from '../storage.ts'
import { decisionJson, decisionNumber } from './decision-json.ts'

/** Version of `decision.json`. */
const SLICE_VERSION = 1
/** Samples of one slice: 64 channels at 1 kHz for a minute. */
export const SLICE_VALUES_MAX = 4_000_000
/** Publishers say their channel lists every two seconds; a slice knows those of so long before it. */
const LISTS_US: Micros = 10_000_000
const SECOND_US: Micros = 1_000_000

type SliceOptions = Readonly<{ state: string; out: string; before: string; after: string; json?: boolean }>

/** Adds `hb decisions slice`. */
export function sliceCommand(group: Command): void {
  group
    .command('slice')
    .description('what a decision was made from, in a folder: samples as they came, configuration, mode')
    .argument('<id>', 'number of the decision, or AGENT:NUMBER')
    .requiredOption('--state <dir>', 'state folder')
    .requiredOption('--out <dir>', 'folder that is not there yet')
    .option('--before <span>', 'from so long before it', '30s')
    .option('--after <span>', 'to so long after it', '10s')
    .option('--json', 'one JSON object')
    .action(slice)
}

async function slice(id: string, { state, out, before, after, json }: SliceOptions): Promise<void> {
  const [beforeUs, afterUs] = [spanOption(before, '--before'), spanOption(after, '--after')]
  if (beforeUs + afterUs > SLICE_SPAN_MAX_US)
    throw new HbError('USAGE', {
      found: `${(beforeUs + afterUs) / SECOND_US} s`,
      expected: `--before and --after of ${SLICE_SPAN_MAX_US / SECOND_US} s together at most`,
    })
  const view = viewStorage(state)
  const found = await find(view, decisionNumber(id), { id, state })
  const span = await spanOf(view, found, { beforeUs, afterUs })
  const facts = await gather(view, span)
  mkdirNew(out)
  await writeRows(view, span, { path: join(out, 'slice.csv'), channels: facts.channels.map(({ channel }) => channel) })
  mkdirSync(join(out, 'config'))
  const files = found.files.map(({ name, bytes }, k) => {
    // Names lead where they led on the rig: here they are told apart by their place.
    const file = join('config', `${String(k).padStart(2, '0')}-${basename(name)}`)
    writeNew(join(out, file), bytes, 0o600)
    return { name, file }
  })
  const told = sliceJson(found, { span, facts, files })
  writeNew(join(out, 'decision.json'), `${JSON.stringify(told, null, 1)}\n`, 0o600)
  printResult(json, { folder: out, ...told }, [
    `${out}: decision ${found.decision.seq} of rig ${found.decision.rig}, ${found.decision.verdict} at ${utc(found.decision.timeUs)}`,
    `${facts.samples} samples of ${facts.channels.length} channels, ${utc(span.fromUs)} to ${utc(span.toUs)}; ${files.length} files of its configuration`,
    ...facts.leftOut.map(({ channel, reason }) => `left out: ${channel}, ${reason}`),
  ])
}

/** A decision with what was in force when it was made. */
type Found = Readonly<{
  decision: Decision
  /** When the input that made it was taken in. */
  nowUs: Micros
  config: string
  files: readonly JournalFile[]
  baseline: string | null
  rolling: string | null
  /** State of arming; null for a rig without a policy. */
  arm: string | null
  channels: ReadonlySet<string>
  seqBefore(timeUs: Micros): number | null
}>

/** @throws HbError DECISION_UNKNOWN; SLICE_GONE for one that was made before the journal begins */
async function find(view: StorageView, seq: number, about: { id: string; state: string }): Promise<Found> {
  const index = createTimeIndex()
  const report = progress('replaying')
  // Decisions up to here were made before the earliest point that the journal can be run again from.
  let before: number | null = null
  for await (const { seq: record, input, effects, evaluation } of replay(view)) {
    report(record, view.journal.lastSeq)
    index.note(input.nowUs, record)
    before ??= evaluation.state.decisionSeq - effects.filter(({ kind }) => kind === 'decided').length
    for (const effect of effects) {
      if (effect.kind !== 'decided') continue
      const { decision } = effect
      if (decision.seq !== seq) continue
      const rig = evaluation.state.rigs.find(({ settings }) => settings.rig === decision.rig)!
      const { baseline, rolling } = baselinesIn(rig.settings, decision.mode)
      return {
        decision,
        nowUs: input.nowUs,
        config: toHex(evaluation.state.settings!.configDigest),
        files: evaluation.files,
        baseline: baseline === null ? null : toHex(baseline.digest),
        rolling: rolling === null ? null : toHex(rolling.digest),
        arm: rig.safety?.kernel.arm.state ?? null,
        channels: new Set(rig.channelIndex.keys()),
        seqBefore: (timeUs) => index.before(timeUs),
      }
    }
  }
  if (seq >= 1 && seq <= (before ?? 0))
    throw new HbError('SLICE_GONE', { found: `decisions after ${before} alone`, expected: `decision ${seq}` })
  if (before === null && view.journal.firstSeq > 1)
    throw new HbError('SLICE_GONE', { found: 'nothing that can be run again', expected: `decision ${seq}` })
  throw new HbError('DECISION_UNKNOWN', about)
}

/** @throws HbError SLICE_GONE */
async function spanOf(
  { journal }: StorageView,
  { decision, nowUs, channels, seqBefore }: Found,
  { beforeUs, afterUs }: Readonly<{ beforeUs: Micros; afterUs: Micros }>,
): Promise<SliceSpan> {
  const wantedUs = Math.floor((nowUs - beforeUs) / SECOND_US) * SECOND_US
  let firstUs = wantedUs
  for await (const record of journal.read(journal.firstSeq, journal.firstSeq))
    if (record.kind !== 'damage') firstUs = decodeJournalInput(record.body).nowUs
  // What an agent that had just begun does not know is not missing.
  if (firstUs > wantedUs && journal.firstSeq > 1)
    throw new HbError('SLICE_GONE', { found: `from ${utc(firstUs)} on`, expected: `from ${utc(wantedUs)} on` })
  const fromUs = Math.max(wantedUs, Math.floor(firstUs / SECOND_US) * SECOND_US)
  let lastUs = nowUs
  for await (const record of journal.read(journal.lastSeq))
    if (record.kind !== 'damage') lastUs = decodeJournalInput(record.body).nowUs
  const fromSeq = seqBefore(fromUs - LISTS_US) ?? journal.firstSeq
  return { rig: decision.rig, channels, fromSeq, fromUs, toUs: Math.min(nowUs + afterUs, lastUs) }
}

/** What there is, before anything is written. @throws HbError SLICE_TOO_LARGE, SLICE_GONE without any sample */
async function gather({ journal }: StorageView, span: SliceSpan): Promise<SliceFacts> {
  const reader = new SliceReader()
  for await (const _ of reader.rows(journal, span))
    if (reader.samples > SLICE_VALUES_MAX)
      throw new HbError('SLICE_TOO_LARGE', {
        found: `more than ${SLICE_VALUES_MAX} samples`,
        expected: 'at most so many',
      })
  const { facts } = reader
  if (facts.samples === 0)
    throw new HbError('SLICE_GONE', {
      found: 'no sample that can be taken out',
      left_out: facts.leftOut.map(({ channel, reason }) => `${channel}: ${reason}`).join(', '),
    })
  return facts
}

async function writeRows(
  { journal }: StorageView,
  span: SliceSpan,
  { path, channels }: Readonly<{ path: string; channels: readonly string[] }>,
): Promise<void> {
  const out = createWriteStream(path, { flags: 'wx', mode: 0o600 })
  out.write(`${['t_us', 'taken_us', ...channels].join(SLICE_DELIMITER)}\n`)
  const cells = channels.map(() => '')
  for await (const { timeUs, takenUs, cells: said } of new SliceReader().rows(journal, span)) {
    for (const [column, text] of said) cells[column] = text
    const line = [timeUs - span.fromUs, takenUs - span.fromUs, ...cells].join(SLICE_DELIMITER)
    for (const [column] of said) cells[column] = ''
    if (!out.write(`${line}\n`)) await once(out, 'drain')
  }
  out.end()
  await once(out, 'close')
}

type Written = Readonly<{
  span: SliceSpan
  facts: SliceFacts
  files: readonly Readonly<{ name: string; file: string }>[]
}>

function sliceJson(
  { decision, nowUs, config, baseline, rolling, arm }: Found,
  { span, facts, files }: Written,
): Record<string, unknown> {
  return {
    v: SLICE_VERSION,
    decision: decisionJson(decision),
    taken_us: nowUs,
    begin_us: span.fromUs,
    end_us: span.toUs,
    ...{ config, baseline, rolling, arm, files },
    channels: facts.channels,
    samples: facts.samples,
    left_out: facts.leftOut,
    left_out_more: facts.leftOutMore,
    messages_refused: facts.refused,
    records_damaged: facts.damaged,
    modes: facts.modes.map(({ atUs, mode }) => ({ at_us: atUs, mode })),
    starts: facts.starts,
  }
}

/** @throws HbError USAGE for a folder that is there, or cannot be made */
function mkdirNew(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (cause) {
    const { code = 'unknown' } = cause as NodeJS.ErrnoException
    throw new HbError('USAGE', { option: '--out', found: path, expected: 'a new folder', errno: code }, { cause })
  }
}
