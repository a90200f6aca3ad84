/**
 * What Harmony Bridge does in a second, measured on the real path: processes, ZeroMQ, journal, disk, evidence (verifies
 * REQ-CMP-005).
 *
 *   node scripts/bench.ts                    everything, a table for people
 *   node scripts/bench.ts --json             one JSON object {machine, load, results} on stdout
 *   node scripts/bench.ts --only A,B         these results only; --list says which there are
 *   node scripts/bench.ts --short            shorter runs
 *   node scripts/bench.ts --compare FILE     exit 1 when a rate lost more than 20 % against FILE, in three runs
 *
 * Progress goes to stderr.
 */
import { cpus, loadavg, release, totalmem } from 'node:os'
import { boundsOf, table } from './bench/budget.ts'
import { type Figures, type Loss, landedFigures, lossesOf, yardstick } from './bench/compare.ts'
import type { Measure } from './bench/measure.ts'
import { MEASURES } from './bench/measures.ts'
import { killAll } from './demo/processes.ts'

/** What lost is measured so often before it has lost: a neighbour on the machine slows one run, a regression slows all. */
const RUNS = 3

type Order = Readonly<{ json: boolean; short: boolean; list: boolean; only: readonly string[]; landed: string | null }>

function orderFrom(args: readonly string[]): Order {
  const after = (option: string): string | null =>
    args.includes(option) ? (args[args.indexOf(option) + 1] ?? '') : null
  return {
    json: args.includes('--json'),
    short: args.includes('--short'),
    list: args.includes('--list'),
    only: after('--only')?.split(',') ?? [],
    landed: after('--compare'),
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
  const figures: Figures = { yardstick: machine.yardstick, results: await measureAll(chosen, order.short) }
  const load = Object.fromEntries(chosen.flatMap(({ names, what }) => names.map((name) => [name, what])))
  if (order.json) process.stdout.write(`${JSON.stringify({ machine, load, ...figures })}\n`)
  else process.stdout.write(table(figures.results, boundsOf(), machine))
  return order.landed === null ? 0 : await compared(figures, order.landed, order.short)
}

async function measureAll(chosen: readonly Measure[], short: boolean): Promise<Record<string, number>> {
  const results: Record<string, number> = {}
  for (const [k, measure] of chosen.entries()) {
    const say = (text: string): void =>
      void process.stderr.write(`[${k + 1}/${chosen.length}] ${measure.names[0]}: ${text}\n`)
    say(measure.what)
    Object.assign(results, await measure.run({ short, say }))
  }
  return results
}

/** Measures what lost again, and says what lost every time. @returns the exit code */
async function compared(figures: Figures, path: string, short: boolean): Promise<number> {
  const landed = landedFigures(path)
  let losses = lossesOf(figures, landed)
  for (let run = 2; run <= RUNS && losses.length > 0; run += 1) {
    process.stderr.write(`${told(losses)}; once more\n`)
    const again = MEASURES.filter(({ names }) => losses.some(({ name }) => names.includes(name)))
    const results = await measureAll(again, short)
    const now = lossesOf({ yardstick: yardstick(), results }, landed)
    losses = now.filter(({ name }) => losses.some((before) => before.name === name))
  }
  const isLost = losses.length > 0
  process.stderr.write(
    isLost ? `in ${RUNS} runs: ${told(losses)}\n` : 'no rate lost more than 20 % against the last landed figures\n',
  )
  return isLost ? 1 : 0
}

const told = (losses: readonly Loss[]): string =>
  losses.map(({ name, ratio }) => `${name} is ${ratio.toFixed(2)} of what it was`).join(', ')

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
    yardstick: yardstick(),
  }
}

process.on('exit', killAll)
process.exitCode = await main(process.argv.slice(2))
