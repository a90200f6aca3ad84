/**
 * How soon and how surely the agent tells each fault that the acquisitions of a rig can have, and how often it tells one that
 * is not there: the real bench in lock-step on the vessel, one fault a run, many seeds (decisions 32). `--help` says what may
 * be asked for. Progress goes to stderr.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { HbError } from '../shared/errors/hb-error.ts'
import { endWith } from './command-line.ts'
import { collect, type Measured } from './figures/collect.ts'
import { documentOf } from './figures/document.ts'
import { type Order, orderFrom, SEEDS_LEAST, USAGE } from './figures/order.ts'
import { MEASURED_KINDS } from './figures/variants.ts'
import { ROOT } from './sources.ts'

const DOCUMENT = join(ROOT, 'docs', 'reference', 'detection-figures.md')
/** Ended before the last run (sysexits EX_TEMPFAIL). */
const EXIT_TEMPORARY = 75

async function main(args: readonly string[]): Promise<void> {
  if (args.includes('--help')) {
    process.stdout.write(USAGE)
    return
  }
  const order = orderFrom(args)
  const measured = order.from === null ? await measure(order) : saved(order.from)
  const json = `${JSON.stringify(measured)}\n`
  if (order.save !== null) writeFileSync(order.save, json)
  const document = documentOf(measured)
  if (order.write) writeFileSync(DOCUMENT, wholeOf(measured, document))
  process.stdout.write(order.json ? json : document)
  process.exitCode = measured.complete ? 0 : EXIT_TEMPORARY
}

/** What `--save` wrote. @throws HbError USAGE */
function saved(file: string): Measured {
  try {
    const measured = JSON.parse(readFileSync(file, 'utf8')) as Measured
    if (measured.v === 1 && Array.isArray(measured.faults) && Array.isArray(measured.quiet)) return measured
  } catch (cause) {
    throw new HbError('USAGE', { option: '--from', found: file, expected: 'what --save wrote' }, { cause })
  }
  throw new HbError('USAGE', { option: '--from', found: file, expected: 'what --save of this version wrote' })
}

/** The document belongs there when it is of everything. @throws HbError USAGE */
function wholeOf({ seeds, complete, faults }: Measured, document: string): string {
  const known = new Set(faults.map(({ variant }) => variant.class))
  if (!complete || seeds < SEEDS_LEAST || MEASURED_KINDS.some((name) => !known.has(name)))
    throw new HbError('USAGE', { option: '--write', found: 'a part', expected: `all faults and ${SEEDS_LEAST} seeds` })
  return document
}

async function measure(order: Order): Promise<Measured> {
  const ending = new AbortController()
  const stop = (): void => ending.abort()
  process.on('SIGINT', stop).on('SIGTERM', stop)
  let percent = -1
  const measured = await collect(order, ending.signal, (done, of, leftS) => {
    const now = Math.floor((100 * done) / of)
    if (now === percent && done < of) return
    percent = now
    process.stderr.write(`${done}/${of} runs (${Math.ceil(leftS)} s left)\n`)
  })
  process.off('SIGINT', stop).off('SIGTERM', stop)
  const { words, seeds, minutes } = order
  const only = words.length === 0 ? '' : ` --only ${words.join(',')}`
  return { ...measured, command: `npm run -s hil:figures -- --seeds ${seeds} --minutes ${minutes}${only}` }
}

main(process.argv.slice(2)).catch((error: unknown) => endWith(error, { json: false }))
