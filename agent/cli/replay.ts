import type { Command } from 'commander'
import { toHex } from '../../shared/crypto/digest.ts'
import { readPublicKey } from '../../shared/crypto/sign.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { printResult, progress, utc } from '../../shared/lib/command-output.ts'
import type { RigChange } from '../core/rig-change.ts'
import { seqRange } from '../pipeline/batcher.ts'
import { type Comparison, ItemComparison, replay } from '../pipeline/replay.ts'
import type { OutboxEntry } from '../ports.ts'
import { type StorageView, viewStorage } from '../storage.ts'

type ReplayOptions = Readonly<{ state: string; from?: string; to?: string; alarms?: boolean; json?: boolean }>

/** Alarms that are listed; more are counted. */
const ALARMS_LISTED_MAX = 10_000
/** Exit code when there was nothing to compare (sysexits: missing input). */
const NOTHING_COMPARED_EXIT = 66
/** Exit code when all that could be compared is equal, and records of journal or outbox are damaged (sysexits: data). */
const DAMAGED_EXIT = 65

/** Adds `hb replay`. */
export function replayCommand(program: Command): void {
  program
    .command('replay')
    .description('run the journal again and compare every decision with what was signed, byte for byte')
    .requiredOption('--state <dir>', 'state folder')
    .option('--from <seq>', 'first decision that is compared')
    .option('--to <seq>', 'last decision that is compared')
    .option('--alarms', `list what alarms came to as well: they follow from the journal and stand in no batch`)
    .option('--json', 'one JSON object')
    .action(compareAll)
}

/** @throws HbError REPLAY_DIFFERS naming the first difference, or what was signed and never came again. */
async function compareAll(options: ReplayOptions): Promise<void> {
  const view = viewStorage(options.state)
  const from = bound(options.from, '--from', 1)
  const to = bound(options.to, '--to', Number.MAX_SAFE_INTEGER)
  const { epoch, spki, realm } = view.identity
  const key = readPublicKey(spki, realm)
  const lost: NumberSpan[] = []
  const batches = batchesOf(view, { from, to }, lost)
  const comparison = new ItemComparison(batches, (of) => (of === epoch ? key : null))
  const report = progress('replaying')
  const totals: Totals = { records: 0, decisions: 0, digest: '', unreadable: [] }
  const alarms: Alarms = { count: 0, listed: [] }
  for await (const { seq, effects, evaluation, lostThrough, unreadable } of replay(view)) {
    if (unreadable !== null) totals.unreadable.push(unreadable)
    if (lostThrough > 0) comparison.passOver(lostThrough)
    report(seq, view.journal.lastSeq)
    totals.records += 1
    for (const effect of effects) {
      if (effect.kind === 'safety') list(alarms, effect.rig, effect.change)
      if (effect.kind !== 'item') continue
      const span = seqRange(effect.item)
      if (span.last >= from && span.first <= to) comparison.take(effect.item)
    }
    totals.decisions = evaluation.state.decisionSeq
    totals.digest = toHex(evaluation.state.chain)
  }
  const isWhole = options.from === undefined && options.to === undefined
  const result = isWhole ? comparison.finish() : comparison.result
  print(options, { result, totals, alarms, outbox: view.outbox, lost })
}

/** Batches `from` to `to`. */
type NumberSpan = { from: number; to: number }

/** Batches that hold decisions of a span. Numbers left out between two that are there are put into `lost`. */
function* batchesOf(view: StorageView, { from, to }: NumberSpan, lost: NumberSpan[]): Generator<OutboxEntry> {
  let before: OutboxEntry | null = null
  for (const entry of view.outbox.all()) {
    if (before !== null && before.epoch === entry.epoch && entry.batchSeq > before.batchSeq + 1)
      lost.push({ from: before.batchSeq + 1, to: entry.batchSeq - 1 })
    before = entry
    if (entry.firstSeq + entry.count > from && entry.firstSeq <= to) yield entry
  }
}

type Totals = {
  records: number
  decisions: number
  digest: string
  /** Damage that no loss declares; decisions between it and the next saved state are not compared. */
  unreadable: { fromSeq: number; toSeq: number; reason: string }[]
}

/** One change of an alarm, as the agent tells it in its log; `t_us` is the end of its slide. */
type Alarm = Readonly<{
  rig: string
  t_us: number
  alarm: string
  change: string
  severity: string | null
  to: string
  occurrence: number
}>
type Alarms = { count: number; listed: Alarm[] }

function list(alarms: Alarms, rig: string, change: RigChange): void {
  if (change.kind !== 'alarm_state') return
  alarms.count += 1
  if (alarms.listed.length >= ALARMS_LISTED_MAX) return
  const { id, kind, severity, to, occurrence, endUs } = change.change
  alarms.listed.push({ rig, t_us: endUs, alarm: id, change: kind, severity, to, occurrence })
}

function alarmLines({ count, listed }: Alarms): string[] {
  const lines = listed.map(
    ({ rig, t_us, alarm, change, severity, to }) =>
      `${utc(t_us)}  ${rig}  ${alarm === '' ? 'alarms' : alarm} ${change}, ${severity ?? 'no severity'}, now ${to}`,
  )
  return count === listed.length ? lines : [...lines, `${count - listed.length} more changes of alarms`]
}

type Outcome = Readonly<{
  result: Comparison
  totals: Totals
  alarms: Alarms
  outbox: Pick<StorageView['outbox'], 'torn' | 'damage'>
  lost: readonly NumberSpan[]
}>

function print(options: ReplayOptions, outcome: Outcome): void {
  const { result, totals, alarms, outbox, lost: lostBatches } = outcome
  const { torn, damage } = outbox
  const { compared, thinned, uncompared, batches, unverified, unsigned, missing, lost, difference } = result
  if (difference !== null) {
    const { seq: decision, batchSeq: batch, where, signed, replayed } = difference
    throw new HbError('REPLAY_DIFFERS', { decision, batch, where, signed, replayed })
  }
  if (missing > 0)
    throw new HbError('REPLAY_DIFFERS', {
      signed_and_not_replayed: missing,
      where: 'items of batches',
      ...(totals.unreadable.length === 0 ? {} : { unreadable_records: spansOf(totals.unreadable) }),
    })
  // Nothing that could have differed proves nothing.
  const equal = compared > 0
  const unreadable = totals.unreadable.map((u) => ({ from_seq: u.fromSeq, to_seq: u.toSeq, reason: u.reason }))
  const counts = { compared, thinned, uncompared, batches, unverified, unsigned, lost }
  const json = {
    equal,
    ...totals,
    ...counts,
    unreadable,
    outbox_damage: damage,
    lost_batches: lostBatches,
    outbox_torn_tail: torn,
    ...(options.alarms === true ? { alarms } : {}),
  }
  const whole = `${compared} decisions of ${batches - unverified} verified batches`
  printResult(options.json, json, [
    equal
      ? `equal: ${whole} came out again byte for byte, from ${totals.records} journal records`
      : 'nothing was compared: no signed decision here lies in what could be replayed',
    ...(thinned > 0 ? [`${thinned} of them were thinned: what came out comes to the roots that were signed`] : []),
    ...(uncompared > 0
      ? [`${uncompared} decisions of thinned batches did not all come out and were not compared`]
      : []),
    ...(unverified > 0 ? [`${unverified} batches are signed with an earlier key and were not looked at`] : []),
    ...(lost > 0 ? [`${lost} signed decisions cannot come out again: their inputs are lost`] : []),
    ...totals.unreadable.map((u) => `DAMAGE  records ${u.fromSeq}–${u.toSeq}: ${u.reason}`),
    ...damage.map((d) => `DAMAGE  ${d.bytes} bytes of outbox file ${d.file}: ${d.reason}`),
    ...lostBatches.map(
      ({ from, to }) =>
        `DAMAGE  ${from === to ? `batch ${from} is` : `batches ${from} to ${to} are`} not here any more`,
    ),
    ...(unsigned > 0 ? [`${unsigned} decisions are in no batch here`] : []),
    ...(torn === null ? [] : [`${torn.bytes} bytes at the end of ${torn.file} are no whole batch (${torn.reason})`]),
    `digest ${totals.digest} over ${totals.decisions} decisions`,
    ...(options.alarms === true ? alarmLines(alarms) : []),
  ])
  if (!equal) process.exitCode = NOTHING_COMPARED_EXIT
  else if (totals.unreadable.length + damage.length + lostBatches.length > 0) process.exitCode = DAMAGED_EXIT
}

/** For a person: the difference may be no more than what cannot be read; `hb journal verify` says all of it. */
function spansOf(unreadable: Totals['unreadable']): string {
  return `${unreadable.map((u) => `${u.fromSeq}–${u.toSeq}`).join(', ')}; see \`hb journal verify\``
}

function bound(text: string | undefined, option: string, otherwise: number): number {
  if (text === undefined) return otherwise
  const number = Number(text)
  if (!(Number.isSafeInteger(number) && number >= 1))
    throw new HbError('USAGE', { option, found: text, expected: 'the number of a decision' })
  return number
}
