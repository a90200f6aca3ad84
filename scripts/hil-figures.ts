/**
 * How soon and how surely the agent tells each fault that the acquisitions of a rig can have, and how often it tells one that
 * is not there: the real bench in lock-step on the vessel, one fault a run, many seeds (decisions 32). `--help` says what may
 * be asked for. Progress goes to stderr.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { endWith } from './command-line.ts'
import { collect, type Measured } from './figures/collect.ts'
import { type Order, orderFrom, USAGE } from './figures/order.ts'

async function main(args: readonly string[]): Promise<void> {
  if (args.includes('--help')) {
    process.stdout.write(USAGE)
    return
  }
  const order = orderFrom(args)
  const measured =
    order.from === null ? await measure(order) : (JSON.parse(readFileSync(order.from, 'utf8')) as Measured)
  const json = `${JSON.stringify(measured)}\n`
  if (order.save !== null) writeFileSync(order.save, json)
  process.stdout.write(json)
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
