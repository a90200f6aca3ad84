/**
 * Runs every check of the project, two at a time, and ends with the line `N passed, N failed`.
 *
 *   node scripts/test.ts            types, Biome, tidiness, layers, build, all tests but test/slow
 *   node scripts/test.ts --fast     the same without build and test/system
 *   node scripts/test.ts --slow     build and test/slow only
 *   node scripts/test.ts FILE...    these test files only
 *
 * A test file is a plain program that prints TAP, so Node alone runs it: tap's own runner would cost half a second a
 * file and generate its test class inside node_modules first.
 */
import { join } from 'node:path'
import { endAllGroups, runGroup } from './process-group.ts'
import { listFiles, ROOT } from './sources.ts'
import { countedIn, failuresIn, type Outcome, outcomeOfStep, outcomeOfTests } from './test-outcome.ts'

/** What failed, a line each: said again at the end, where people and machines look. */
const failures: string[] = []

type Job = Readonly<{ name: string; args: readonly string[]; kind: 'step' | 'tests'; timeoutMs: number }>

const JOBS_AT_ONCE = 2
const STEP_TIMEOUT_MS = 180_000
const TESTS_TIMEOUT_MS = 180_000
const SLOW_TIMEOUT_MS = 1_800_000

const inModules = (path: string): string => join(ROOT, 'node_modules', path)
const TSC = inModules('ts7/bin/tsc')
const CRUISE = inModules('dependency-cruiser/bin/dependency-cruise.mjs')
const CRUISED = ['agent', 'collector', 'hil-testbed', 'shared', 'scripts', 'test']

const step = (name: string, ...args: readonly string[]): Job => ({
  name,
  args,
  kind: 'step',
  timeoutMs: STEP_TIMEOUT_MS,
})
const tests = (file: string): Job => ({
  name: file,
  args: [join(ROOT, file)],
  kind: 'tests',
  timeoutMs: file.startsWith('test/slow/') ? SLOW_TIMEOUT_MS : TESTS_TIMEOUT_MS,
})

const CHECKS = [
  step('types', TSC, '-p', 'tsconfig.json'),
  step('types of the fleet page', TSC, '--noEmit', '-p', 'collector/dashboard/tsconfig.json'),
  step('biome', inModules('@biomejs/biome/bin/biome'), 'ci', '--colors=off', '--max-diagnostics=200', '.'),
  step('tidiness', join(ROOT, 'scripts/tidy.ts')),
  step('layers', CRUISE, '--config', 'dependency-cruiser.json', '--no-progress', ...CRUISED),
]
/** System tests start the bundle; a stale one would be tested otherwise. */
const BUILD = step('build', join(ROOT, 'scripts/build.ts'))

/** Jobs in stages: a stage begins when the one before it is through. */
function plan(args: readonly string[]): Job[][] {
  const files = listFiles('test').filter((file) => file.endsWith('.test.ts'))
  const below = (folder: string): Job[] => files.filter((file) => file.startsWith(`test/${folder}/`)).map(tests)
  const quick = files.filter((file) => !/^test\/(system|slow)\//.test(file)).map(tests)
  const named = args.filter((arg) => !arg.startsWith('--')).map((arg) => arg.replace(/^\.\//, ''))
  if (named.length > 0) return [named.some((file) => /\/(system|slow)\//.test(file)) ? [BUILD] : [], named.map(tests)]
  if (args.includes('--slow')) return [[BUILD], longestFirst(below('slow'))]
  if (args.includes('--fast')) return [[...CHECKS, ...quick]]
  return [[BUILD, ...CHECKS, ...quick], below('system')]
}

/** What takes twenty minutes by itself must not be begun last. */
function longestFirst(jobs: readonly Job[]): Job[] {
  const isLong = ({ name }: Job): boolean => name === 'test/slow/soak.test.ts'
  return [...jobs.filter(isLong), ...jobs.filter((job) => !isLong(job))]
}

async function runJob(job: Job): Promise<Outcome> {
  const ended = await runGroup({
    command: process.execPath,
    args: job.args,
    cwd: ROOT,
    env: { ...process.env, NO_COLOR: '1', TAP_TIMEOUT: String(job.timeoutMs / 1_000) },
    timeoutMs: job.timeoutMs,
  })
  const outcome = job.kind === 'tests' ? outcomeOfTests(ended) : outcomeOfStep(ended)
  const sign = outcome.failed === 0 ? 'ok    ' : 'FAILED'
  const skipped = outcome.skipped === 0 ? '' : `, ${outcome.skipped} skipped`
  const counts = job.kind === 'tests' ? `  ${outcome.passed} passed, ${outcome.failed} failed${skipped}` : ''
  const reason = outcome.reason === '' ? '' : `\n${outcome.reason}`
  const output = outcome.failed === 0 ? '' : `\n${ended.output.trimEnd()}${reason}\n--- end of ${job.name}`
  if (outcome.failed > 0)
    failures.push(
      ...[outcome.reason, ...failuresIn(ended.output)].filter(Boolean).map((what) => `${job.name}: ${what}`),
    )
  const told = countedIn(ended.output)
    .map((text) => `\ncounted ${text}`)
    .join('')
  process.stdout.write(`${sign} ${job.name}  ${ended.seconds.toFixed(1)} s${counts}${told}${output}\n`)
  return outcome
}

/** Runs the jobs of one stage, always {@link JOBS_AT_ONCE} of them. */
async function runStage(jobs: readonly Job[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  let next = 0
  const lane = async (): Promise<void> => {
    for (let job = jobs[next++]; job !== undefined; job = jobs[next++]) outcomes.push(await runJob(job))
  }
  await Promise.all(Array.from({ length: JOBS_AT_ONCE }, lane))
  return outcomes
}

async function main(args: readonly string[]): Promise<void> {
  if (process.features.typescript !== 'strip') {
    process.stdout.write(
      `tests need a Node that runs TypeScript (24), this is ${process.version}\n0 passed, 1 failed\n`,
    )
    process.exitCode = 1
    return
  }
  const outcomes: Outcome[] = []
  for (const stage of plan(args)) outcomes.push(...(await runStage(stage)))
  const sum = (count: (outcome: Outcome) => number): number =>
    outcomes.reduce((total, outcome) => total + count(outcome), 0)
  const passed = sum(({ passed }) => passed)
  // Nothing run is not the same as nothing wrong.
  const failed = sum(({ failed }) => failed) + (outcomes.length === 0 && !args.includes('--slow') ? 1 : 0)
  const skipped = sum(({ skipped }) => skipped)
  if (skipped > 0) process.stdout.write(`${skipped} skipped\n`)
  for (const failure of failures) process.stdout.write(`failed ${failure}\n`)
  process.stdout.write(`${passed} passed, ${failed} failed\n`)
  if (failed > 0) process.exitCode = 1
}

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  process.on(signal, () => {
    endAllGroups()
    process.exit(code)
  })
}
void main(process.argv.slice(2))
