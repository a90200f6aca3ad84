/**
 * An evaluator for tests of the evaluation, with the command line and the lines of the real one:
 *
 *   node fake-evaluator.mjs BEHAVIOUR --version | baseline create … | lockstep …
 *
 * `honest` smooths every channel and compares it with its baseline. Every other behaviour breaks one rule.
 */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

type Line = { t_ms: number; ch: Record<string, number | null>; checkpoint?: boolean; stats?: boolean }
type Level = { mean: number; sd: number }
type State = { rows: number; smooth: Record<string, number> }

const [behaviour = 'honest', ...args] = process.argv.slice(2)
/** Deviations at which it alarms, and how fast it follows. */
const LIMIT = 6
const FOLLOWS = 0.3
/** Rows behind the begin between which it alarms if it looks at nothing but the clock. */
const CLOCK_ALARMS = { from: 150, to: 250 }
const WITHOUT_JIT = (process.env['NODE_OPTIONS'] ?? '').includes('--jitless')

/** For the test that looks at what an evaluator is shown. */
function seen(text: string): void {
  const file = process.env['FAKE_EVALUATOR_SEEN'] ?? ''
  if (file !== '') appendFileSync(file, `${text}\n`)
}

/** Values of an option: all words behind it up to the next one. */
function after(option: string): string[] {
  const values = args.slice(args.indexOf(option) + 1)
  const end = values.findIndex((word) => word.startsWith('--'))
  return args.includes(option) ? values.slice(0, end < 0 ? values.length : end) : []
}

function createBaseline(): number {
  if (behaviour === 'no-gate') return 70
  const names = readFileSync(after('--csv')[0]!, 'utf8').split('\n')[0]!.split(',').slice(1)
  for (const file of [...after('--csv'), after('--config')[0]!, 'registry.yaml']) seen(readFileSync(file, 'utf8'))
  const rows = readFileSync(after('--csv').at(-1)!, 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(',').slice(1).map(Number))
  const levels = Object.fromEntries(
    names.map((name, c) => {
      const values = rows.map((row) => row[c]!)
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length
      const sd = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length)
      return [name, { mean, sd }] as const
    }),
  )
  const contaminated = behaviour === 'picky' && Object.values(levels).some(({ sd }) => sd > 5)
  writeFileSync(after('--out')[0]!, JSON.stringify(levels))
  const gate = { passed: !contaminated, reasons: contaminated ? ['a step in the baseline'] : [] }
  process.stdout.write(`${JSON.stringify({ gate, segments: after('--csv').length })}\n`)
  return 0
}

function answerTo(line: Line, state: State, levels: Record<string, Level>) {
  const contributions = Object.entries(line.ch).map(([channel, value]) => {
    const { mean, sd } = levels[channel]!
    const smooth = state.smooth[channel] ?? mean
    state.smooth[channel] = value === null ? smooth : smooth + FOLLOWS * (value - smooth)
    return { channel, contribution: Math.abs(state.smooth[channel] - mean) / sd }
  })
  const row = state.rows
  state.rows += 1
  const drivers = [...contributions].sort((a, b) => b.contribution - a.contribution)
  let score = drivers[0]!.contribution
  if (behaviour === 'order') score = contributions.reduce((sum, { contribution }, k) => sum + contribution * (k + 1), 0)
  if (behaviour === 'restless') score += Math.random() / 1e9
  if (behaviour === 'jit' && WITHOUT_JIT) score += 1e-9
  const clock = behaviour === 'clock' && row >= CLOCK_ALARMS.from && row < CLOCK_ALARMS.to
  const alarm = clock || (behaviour !== 'clock' && score > LIMIT)
  return {
    t_ms: behaviour === 'foretelling' ? line.t_ms + 1000 : line.t_ms,
    through_us: line.t_ms * 1000,
    state: alarm ? 'alarm' : 'nominal',
    score,
    drivers,
    confidence: 0.5,
    verdict: alarm ? 'PASS_WITH_DRIFT' : 'PASS',
    streams: { level: { alarm, score }, spike: { alarm: false, score: 0 } },
  }
}

const say = (answer: unknown): void => void process.stdout.write(`${JSON.stringify(answer)}\n`)

async function lockstep(): Promise<void> {
  const levels = JSON.parse(readFileSync('baseline.hbb', 'utf8')) as Record<string, Level>
  seen(`${process.cwd()} ${args.join(' ')} ${readFileSync(after('--config')[0]!, 'utf8')}`)
  const file = after('--checkpoint')[0]
  let state: State = { rows: 0, smooth: {} }
  if (file !== undefined && existsSync(file) && behaviour !== 'forgetful')
    state = JSON.parse(readFileSync(file, 'utf8')) as State
  let held: unknown = null
  let before: { t_ms: number } | null = null
  for await (const text of createInterface({ input: process.stdin })) {
    seen(text)
    const line = JSON.parse(text) as Line
    if (line.checkpoint === true) {
      writeFileSync(file!, JSON.stringify(state))
      say({ checkpoint: behaviour === 'miscounting' ? state.rows - 1 : state.rows })
    } else if (line.stats === true) say({ ns_per_value: 100, bytes_per_channel: 500 })
    else {
      const answer = answerTo(line, state, levels)
      if (behaviour === 'clairvoyant') {
        if (held !== null) say(held)
        held = answer
      } else if (behaviour === 'revising') {
        if (before !== null) say({ ...before, state: 'alarm' })
        say(answer)
        before = answer
      } else say(answer)
    }
  }
}

if (args[0] === '--version') process.stdout.write('fake 1\n')
else if (args[0] === 'baseline') process.exitCode = createBaseline()
else await lockstep()
