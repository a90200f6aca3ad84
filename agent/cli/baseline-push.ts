import type { Command } from 'commander'
import { HbError } from '../../shared/errors/hb-error.ts'
import { printResult } from '../../shared/lib/command-output.ts'
import { PERSONS_NOTE } from '../../shared/model/order.ts'
import { createBookClient } from '../adapters/book-client.ts'
import { type BookOptions, lookInto } from './baseline-book.ts'

type PushOptions = BookOptions & Readonly<{ collector: string }>

/** Adds `hb baseline push`. */
export function pushCommand(baseline: Command): void {
  baseline
    .command('push')
    .description('hand what a book says to a collector: everything that the collector does not have of it yet')
    .requiredOption('--book <dir>', 'folder of the book of baselines')
    .requiredOption('--collector <url>', 'address of the collector for operators, such as http://127.0.0.1:7444')
    .option('--operators <file>', 'people who are trusted; operators.yaml in the folder of the book otherwise')
    .option('--json', 'one JSON object')
    .action(push)
}

/**
 * The collector takes statements one behind the other; what it refuses ends the push, and what it took before stays.
 *
 * @throws HbError BOOK_…, COLLECTOR_UNREACHABLE, BASELINE_REFUSED and what else the collector refuses with.
 */
async function push(options: PushOptions): Promise<void> {
  const book = lookInto(options)
  const client = createBookClient(options.collector)
  const there = await client.fetchBook()
  const { entries } = book.log()
  if (there.statements > 0 && (there.book !== book.id || there.seq > entries.length))
    throw new HbError('BASELINE_REFUSED', {
      reason:
        there.book === book.id
          ? 'the collector has more statements than this book'
          : 'the collector keeps another book',
      book: book.id,
      collector: there.book,
    })
  const from = there.statements === 0 ? 0 : there.seq
  for (const { bytes, statement } of entries.slice(from)) {
    const record = statement?.kind === 'propose' ? book.records.get(statement.digest) : undefined
    if (record === undefined) await client.submitStatement(bytes)
    else await client.submitRecord(record.bytes, record.policy, bytes)
  }
  const pushed = entries.length - from
  printResult(options.json, { book: book.id, pushed, statements: entries.length, note: PERSONS_NOTE }, [
    pushed === 0 ? 'the collector has all of it' : `${pushed} statements were taken by the collector`,
    `(${PERSONS_NOTE})`,
  ])
}
