/**
 * How well the tests of the safety kernel tell a wrong kernel from the right one (SE-43, decisions 30): each of many small
 * changes to it should make a test fail. `npm run mutate [-- --only NAME] [-- --json]`; two to three minutes on two cores.
 *
 * The score is said for a digest of the kernel's sources: another kernel has another score. Exits with 1 below the goal.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Mutant, mutantsOf } from './mutate/mutants.ts'
import { ROOT } from './sources.ts'

const KERNEL = 'agent/core/safety'
const TESTS = 'test/unit/agent/safety'
/** Share of mutants that tests have to tell, in percent. */
const GOAL_PERCENT = 90
/** A mutant that takes longer runs for ever: that shows, too. */
const TRY_MS = 20_000
/** Modules that were loaded are never let go: a worker is replaced after so many mutants. */
const TRIES_MAX = 100
const WORKERS = 2
/** How a worker says that a mutant is not valid source. */
const NO_PROGRAM = 'does not load'

type Result = Readonly<{ mutant: Mutant; killedBy: string | null }>

/** Every file of the kernel, every mutant, and a digest of what they were made of. */
function plan(only: string): Readonly<{ digest: string; mutants: Mutant[] }> {
  const hash = createHash('sha256')
  const mutants: Mutant[] = []
  for (const name of readdirSync(join(ROOT, KERNEL)).sort()) {
    const text = readFileSync(join(ROOT, KERNEL, name), 'utf8')
    hash.update(`${name}\0${text}\0`)
    if (name.startsWith(only)) mutants.push(...mutantsOf(`${KERNEL}/${name}`, text, mutants.length + 1))
  }
  return { digest: hash.digest('hex').slice(0, 16), mutants }
}

/** One process, and whom to tell what it says; its end in the middle of a try is an answer as well. */
class Worker {
  private child: ChildProcess | null = null
  private tries = 0

  async try(mutant: Mutant, tests: readonly string[]): Promise<string | null> {
    if (this.tries >= TRIES_MAX) this.stop()
    this.child ??= this.start()
    this.tries += 1
    const { child } = this
    return new Promise((resolve) => {
      const settle = (killedBy: string | null): void => {
        clearTimeout(timer)
        child.removeAllListeners()
        resolve(killedBy)
      }
      const giveUp = (why: string): void => {
        this.stop()
        settle(why)
      }
      const timer = setTimeout(giveUp, TRY_MS, 'ran for ever')
      child.on('message', ({ killedBy }: { killedBy: string | null }) => settle(killedBy))
      child.on('exit', (code, signal) => giveUp(`ended with ${code ?? signal}`))
      child.send({ mutant, tests })
    })
  }

  private start(): ChildProcess {
    this.tries = 0
    const env = { ...process.env, HB_PROPERTY_RUNS: '25', NODE_NO_WARNINGS: '1' }
    return fork(join(ROOT, 'scripts/mutate/worker.ts'), { env, stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
  }

  stop(): void {
    this.child?.removeAllListeners()
    this.child?.kill('SIGKILL')
    this.child = null
  }
}

async function tryAll(mutants: readonly Mutant[], tests: readonly string[]): Promise<Result[]> {
  const results: Result[] = []
  let next = 0
  const work = async (): Promise<void> => {
    const worker = new Worker()
    for (let mutant = mutants[next++]; mutant !== undefined; mutant = mutants[next++]) {
      results.push({ mutant, killedBy: await worker.try(mutant, tests) })
      if (results.length % 100 === 0) process.stderr.write(`mutate: ${results.length} of ${mutants.length}\n`)
    }
    worker.stop()
  }
  await Promise.all(Array.from({ length: WORKERS }, work))
  // What is no program any more is no mistake that anybody could make.
  return results
    .filter(({ killedBy }) => killedBy?.startsWith(NO_PROGRAM) !== true)
    .sort((a, b) => a.mutant.id - b.mutant.id)
}

/** Without a change every test has to hold: otherwise every mutant would seem to be told. */
async function checkUnchanged(tests: readonly string[]): Promise<string | null> {
  const worker = new Worker()
  const none: Mutant = { id: 0, file: '', start: 0, end: 0, line: 0, kind: '', was: '', now: '' }
  const failed = await worker.try(none, tests)
  worker.stop()
  return failed
}

function textOf(digest: string, results: readonly Result[]): string {
  const rows = [...new Set(results.map(({ mutant }) => mutant.file))].map((file) => {
    const of = results.filter(({ mutant }) => mutant.file === file)
    const told = of.filter(({ killedBy }) => killedBy !== null).length
    return `${String(told).padStart(5)} of ${String(of.length).padStart(4)}  ${percent(told, of.length)}  ${file}`
  })
  const survivors = results
    .filter(({ killedBy }) => killedBy === null)
    .map(({ mutant: { file, line, kind, was, now } }) => `${file}:${line} ${kind}: ${brief(was)} -> ${brief(now)}`)
  return [...survivors, '', ...rows, '', summary(digest, results)].join('\n')
}

function summary(digest: string, results: readonly Result[]): string {
  const told = results.filter(({ killedBy }) => killedBy !== null).length
  return `kernel ${digest}: ${told} of ${results.length} mutants told, ${percent(told, results.length)} (goal ${GOAL_PERCENT} %)`
}

function percent(part: number, of: number): string {
  return `${((100 * part) / Math.max(1, of)).toFixed(1).padStart(5)} %`
}

function brief(text: string): string {
  const line = text.replace(/\s+/g, ' ')
  return line.length > 70 ? `${line.slice(0, 67)}...` : line || '(nothing)'
}

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { only: { type: 'string', default: '' }, json: { type: 'boolean', default: false } },
  })
  const { digest, mutants } = plan(values.only)
  const tests = readdirSync(join(ROOT, TESTS))
    .filter((name) => name.endsWith('.test.ts'))
    .sort((a, b) => Number(a === 'properties.test.ts') - Number(b === 'properties.test.ts') || (a < b ? -1 : 1))
    .map((name) => `${TESTS}/${name}`)
  const failed = await checkUnchanged(tests)
  if (failed !== null) {
    process.stderr.write(`mutate: without any change this test fails: ${failed}\n`)
    return 70
  }
  const results = await tryAll(mutants, tests)
  const told = results.filter(({ killedBy }) => killedBy !== null).length
  const survivors = results.filter(({ killedBy }) => killedBy === null).map(({ mutant }) => mutant)
  if (values.json) process.stdout.write(`${JSON.stringify({ digest, mutants: results.length, told, survivors })}\n`)
  else process.stdout.write(`${textOf(digest, results)}\n`)
  return told * 100 >= GOAL_PERCENT * results.length ? 0 : 1
}

process.exitCode = await main(process.argv.slice(2))
