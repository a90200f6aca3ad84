import type { Command } from 'commander'
import { decodeJournalInput, type JournalInput } from '../../shared/codec/journal-input.ts'
import { decodeTelemetry } from '../../shared/codec/telemetry.ts'
import { toHex } from '../../shared/crypto/digest.ts'
import { HbError, isHbError } from '../../shared/errors/hb-error.ts'
import { printResult, progress, utc } from '../../shared/lib/command-output.ts'
import { type StorageView, viewStorage } from '../storage.ts'
import { lateCommand } from './late.ts'

type VerifyOptions = Readonly<{ state: string; json?: boolean }>
type ExportOptions = Readonly<{ state: string; from?: string; to?: string }>

/** Spans of damage that are listed; the rest is counted. */
const DAMAGE_MAX = 100
/** Exit code when something is damaged (sysexits: data). */
const DAMAGED_EXIT = 65

/** Adds `hb journal verify|export|late`. */
export function journalCommands(program: Command): void {
  const group = program.command('journal').description('the input journal: everything that influenced a decision')
  group
    .command('verify')
    .description('read every record of journal and outbox and list what is damaged or missing')
    .requiredOption('--state <dir>', 'state folder')
    .option('--json', 'one JSON object')
    .action(verify)
  group
    .command('export')
    .description('journal records as JSON lines, telemetry decoded')
    .requiredOption('--state <dir>', 'state folder')
    .option('--from <seq>', 'first record')
    .option('--to <seq>', 'last record')
    .option('--json', 'errors as JSON too; what it writes is JSON lines anyway')
    .action(exportLines)
  lateCommand(group)
}

/** `declared`: a loss in the journal says so, and evaluation went on without these records. */
type Damage = { from_seq: number; to_seq: number; reason: string; declared: boolean }
type Counted = { records: number; from_us: number; to_us: number; kinds: Record<string, number>; damage: Damage[] }

async function countRecords(journal: StorageView['journal']): Promise<Counted> {
  const report = progress('reading')
  const counted: Counted = { records: 0, from_us: -1, to_us: -1, kinds: {}, damage: [] }
  for await (const record of journal.read(journal.firstSeq)) {
    if (record.kind === 'damage') {
      counted.damage.push(damageOf(journal, record.fromSeq, record.toSeq, record.reason))
      continue
    }
    report(record.seq, journal.lastSeq)
    const input = inputOf(record.body)
    if (typeof input === 'string') {
      counted.damage.push(damageOf(journal, record.seq, record.seq, input))
      continue
    }
    counted.records += 1
    counted.kinds[input.kind] = (counted.kinds[input.kind] ?? 0) + 1
    if (counted.from_us < 0) counted.from_us = input.nowUs
    counted.to_us = input.nowUs
  }
  return counted
}

function damageOf({ cuts }: StorageView['journal'], from: number, to: number, reason: string): Damage {
  const declared = cuts.some((cut) => cut.resumesAfter < from && to < cut.seq)
  return { from_seq: from, to_seq: to, reason, declared }
}

async function verify(options: VerifyOptions): Promise<void> {
  const { identity, journal, outbox } = viewStorage(options.state)
  const { damage, ...counted } = await countRecords(journal)
  let batches = 0
  for (const _ of outbox.all()) batches += 1
  const undeclared = damage.filter(({ declared }) => !declared)
  const ok = undeclared.length === 0 && outbox.damage.length === 0
  const result = {
    ok,
    ...counted,
    first_seq: journal.firstSeq,
    last_seq: journal.lastSeq,
    damage: damage.slice(0, DAMAGE_MAX),
    damaged_spans: damage.length,
    losses: journal.cuts.map(({ seq, resumesAfter }) => ({ seq, resumes_after: resumesAfter })),
    outbox_damage: outbox.damage,
    torn_tail: journal.torn,
    outbox_torn_tail: outbox.torn,
    batches,
    receipted_through: outbox.receiptedThrough,
  }
  const inputs = Object.entries(counted.kinds).map(([kind, n]) => `${kind} ${n}`)
  const span = `${counted.records} records ${journal.firstSeq}–${journal.lastSeq}, ${utc(counted.from_us)} to ${utc(counted.to_us)}`
  printResult(options.json, result, [
    `journal ${toHex(identity.journalId)}: ${span}`,
    `inputs  ${inputs.join(', ')}`,
    `outbox  ${batches} batches, receipted through ${outbox.receiptedThrough} of ${outbox.lastBatchSeq}`,
    ...tailLine('journal', journal.torn?.segment, journal.torn),
    ...tailLine('outbox', outbox.torn?.file, outbox.torn),
    ...damage
      .slice(0, DAMAGE_MAX)
      .map((d) => `${d.declared ? 'lost   ' : 'DAMAGE '} records ${d.from_seq}–${d.to_seq}: ${d.reason}`),
    ...outbox.damage.map((d) => `DAMAGE  ${d.bytes} bytes of outbox file ${d.file}: ${d.reason}`),
    ...journal.cuts.map(
      (cut) => `loss    declared in record ${cut.seq}, evaluation went on from record ${cut.resumesAfter}`,
    ),
    ok ? 'whole' : `${undeclared.length + outbox.damage.length} spans are damaged`,
  ])
  if (!ok) process.exitCode = DAMAGED_EXIT
}

/** Half a record at the end: somebody is writing, was killed while writing, or the last one is damaged. */
function tailLine(
  what: string,
  file: string | undefined,
  torn: Readonly<{ bytes: number; reason: string }> | null,
): string[] {
  return torn === null
    ? []
    : [`tail    ${torn.bytes} bytes at the end of ${what} ${file ?? ''} are no whole record (${torn.reason})`]
}

async function exportLines(options: ExportOptions): Promise<void> {
  const { journal } = viewStorage(options.state)
  const from = seqOption(options.from, '--from', journal.firstSeq)
  const to = seqOption(options.to, '--to', journal.lastSeq)
  for await (const record of journal.read(from, to)) {
    const line =
      record.kind === 'damage'
        ? { damage: { from_seq: record.fromSeq, to_seq: record.toSeq, reason: record.reason } }
        : { seq: record.seq, ...inputJson(decodeJournalInput(record.body)) }
    if (!process.stdout.write(`${JSON.stringify(line)}\n`))
      await new Promise((resolve) => process.stdout.once('drain', resolve))
  }
}

function inputOf(body: Uint8Array): JournalInput | string {
  try {
    return decodeJournalInput(body)
  } catch (error) {
    if (isHbError(error)) return error.code
    throw error
  }
}

function inputJson(input: JournalInput): Record<string, unknown> {
  const { nowUs, ...rest } = input
  const about = { now_us: nowUs, now: utc(nowUs) }
  if (input.kind === 'config')
    return { kind: input.kind, ...about, files: input.files.map((f) => ({ name: f.name, bytes: f.bytes.length })) }
  if (input.kind === 'operator')
    return { kind: input.kind, ...about, command: input.command, boot_id: input.bootId, version: input.version }
  if (input.kind === 'policy')
    return { ...rest, ...about, statements: input.statements.map((statement) => statement.length) }
  if (input.kind !== 'frame') return { ...rest, ...about }
  const { rig, origin, encoding, provenance, time = 'source' } = input
  const { messages, kind: _, ...telemetry } = input
  const frames = messages.map((message) => {
    const result = decodeTelemetry({ ...telemetry, message })
    if (!result.ok) return { refused: result.reason, detail: result.detail }
    const { source, epoch, seq, channels, cid, timeUs, value, quality, unit } = result.frame
    return {
      source,
      epoch,
      seq,
      channels,
      cid,
      time_us: [...timeUs],
      value: [...value],
      quality: quality === undefined ? undefined : [...quality],
      unit,
    }
  })
  return { kind: input.kind, ...about, rig, origin, encoding, provenance, time, frames }
}

function seqOption(text: string | undefined, option: string, otherwise: number): number {
  if (text === undefined) return otherwise
  const number = Number(text)
  if (!(Number.isSafeInteger(number) && number >= 1))
    throw new HbError('USAGE', { option, found: text, expected: 'the number of a journal record' })
  return number
}
