/**
 * What Harmony Bridge does in a second, measured on the real path: processes, ZeroMQ, journal, disk, evidence.
 *
 *   node scripts/bench.ts                    everything, a table for people
 *   node scripts/bench.ts --json             one JSON object {machine, load, results} on stdout
 *   node scripts/bench.ts --only A,B         these results only; --list says which there are
 *   node scripts/bench.ts --short            shorter runs, for comparing with the last landed figures
 *
 * Progress goes to stderr.
 */
import { cpus, loadavg, release, totalmem } from 'node:os'
import { boundsOf, table } from './bench/budget.ts'
import { MEASURES } from './bench/measures.ts'
import { killAll } from './demo/processes.ts'

type Order = Readonly<{ json: boolean; short: boolean; list: boolean; only: readonly string[] }>

function orderFrom(args: readonly string[]): Order {
  const at = args.indexOf('--only')
  return {
    json: args.includes('--json'),
    short: args.includes('--short'),
    list: args.includes('--list'),
    only: at < 0 ? [] : (args[at + 1] ?? '').split(','),
  }
}

async function main(args: readonly string[]): Promise<number> {
  const order = orderFrom(args)
  const known = MEASURES.flatMap(({ names }) => names)
  const unknown = order.only.filter((name) => !known.includes(name))
  if (unknown.length > 0 || order.list) {
    if (unknown.length > 0) process.stderr.write(`not measured: ${unknown.join(', ')}\n`)
    for (const { names, what } of MEASURES) process.stdout.write(`${names.join(', ')}\n    ${what}\n`)
    return unknown.length > 0 ? 64 : 0
  }
  const chosen = MEASURES.filter(({ names }) => order.only.length === 0 || names.some((n) => order.only.includes(n)))
  const machine = machineNow()
  const results: Record<string, number> = {}
  for (const [k, measure] of chosen.entries()) {
    const say = (text: string): void =>
      void process.stderr.write(`[${k + 1}/${chosen.length}] ${measure.names[0]}: ${text}\n`)
    say(measure.what)
    Object.assign(results, await measure.run({ short: order.short, say }))
  }
  const load = Object.fromEntries(chosen.flatMap(({ names, what }) => names.map((name) => [name, what])))
  if (order.json) process.stdout.write(`${JSON.stringify({ machine, load, results })}\n`)
  else process.stdout.write(table(results, boundsOf(), machine))
  return 0
}

/** What the figures were measured on, and what else the machine was doing when the bench began. */
function machineNow() {
  const cores = cpus()
  return {
    cpu: cores[0]?.model ?? 'unknown',
    cores: cores.length,
    memory_mb: Math.floor(totalmem() / 1_000_000),
    kernel: release(),
    node: process.version,
    load_average_before: loadavg()[0] ?? null,
  }
}

process.on('exit', killAll)
process.exitCode = await main(process.argv.slice(2))
