import type { Command } from 'commander'
import { toHex } from '../../shared/crypto/digest.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { seqRange } from '../pipeline/batcher.ts'
import { ItemComparison, replay } from '../pipeline/replay.ts'
import { viewStorage } from '../storage.ts'
import { printResult, progress } from './output.ts'

type ReplayOptions = Readonly<{ state: string; from?: string; to?: string; json?: boolean }>

/** Adds `hb replay`. */
export function replayCommand(program: Command): void {
  program
    .command('replay')
    .description('run the journal again and compare every decision with what was signed, byte for byte')
    .requiredOption('--state <dir>', 'state folder')
    .option('--from <seq>', 'first decision that is compared')
    .option('--to <seq>', 'last decision that is compared')
    .option('--json', 'one JSON object')
    .action(compareAll)
}

/** @throws HbError REPLAY_DIFFERS naming the first difference, or what was signed and never came again. */
async function compareAll(options: ReplayOptions): Promise<void> {
  const view = viewStorage(options.state)
  const from = bound(options.from, '--from', 1)
  const to = bound(options.to, '--to', Number.MAX_SAFE_INTEGER)
  const inRange = {
    *[Symbol.iterator]() {
      for (const e of view.outbox.all()) if (e.firstSeq + e.count > from && e.firstSeq <= to) yield e
    },
  }
  const comparison = new ItemComparison(inRange)
  const report = progress('replaying')
  let records = 0
  let decisions = 0
  let chain = ''
  for await (const { seq, effects, evaluation } of replay(view)) {
    report(seq, view.journal.lastSeq)
    records += 1
    for (const effect of effects) {
      if (effect.kind !== 'item') continue
      const span = seqRange(effect.item)
      if (span.last >= from && span.first <= to) comparison.take(effect.item)
    }
    decisions = evaluation.state.decisionSeq
    chain = toHex(evaluation.state.chain)
  }
  const result = options.from === undefined && options.to === undefined ? comparison.finish() : comparison.result
  const { difference } = result
  if (difference !== null) {
    throw new HbError('REPLAY_DIFFERS', {
      decision: difference.seq,
      batch: difference.batchSeq,
      where: difference.where,
      signed: difference.signed,
      replayed: difference.replayed,
    })
  }
  if (result.missing > 0)
    throw new HbError('REPLAY_DIFFERS', { signed_and_not_replayed: result.missing, where: 'items of batches' })
  printResult(
    options.json,
    {
      equal: true,
      records,
      decisions,
      compared: result.compared,
      batches: result.batches,
      unsigned: result.unsigned,
      digest: chain,
      outbox_torn_tail: view.outbox.torn,
    },
    [
      `equal: ${result.compared} decisions of ${result.batches} batches came out again byte for byte, from ${records} journal records`,
      ...(result.unsigned > 0 ? [`${result.unsigned} decisions are in no batch here`] : []),
      ...(view.outbox.torn === null
        ? []
        : [
            `${view.outbox.torn.bytes} bytes at the end of ${view.outbox.torn.file} are no whole batch (${view.outbox.torn.reason})`,
          ]),
      `digest ${chain} over ${decisions} decisions`,
    ],
  )
}

function bound(text: string | undefined, option: string, otherwise: number): number {
  if (text === undefined) return otherwise
  const number = Number(text)
  if (!(Number.isSafeInteger(number) && number >= 1))
    throw new HbError('USAGE', { option, found: text, expected: 'the number of a decision' })
  return number
}
