import type { Command } from 'commander'
import { HbError } from '../../shared/errors/hb-error.ts'
import { type Clock, systemClock } from '../../shared/lib/clock.ts'
import { numberOption } from '../../shared/lib/command-output.ts'
import { createScreen } from '../../shared/lib/screen.ts'
import { stopSignals } from '../../shared/lib/stop-signals.ts'
import { askAgent } from '../adapters/control-server.ts'
import { type AgentDetail, DETAIL_VERSION } from '../detail-json.ts'
import { agentPage, agentRates, type FleetAnswer, fleetPage } from './top-pages.ts'

type TopOptions = Readonly<{
  state?: string
  health?: string
  collector?: string
  every: string
  once?: boolean
  json?: boolean
}>

/** A question that is not answered by then has no answer. */
const ANSWER_WITHIN_MS = 5_000
/** Longest answer: 4 096 channels on 64 rigs are less. */
const ANSWER_BYTES_MAX = 256 * 1024 * 1024

/** Adds `hb top`. */
export function topCommand(program: Command): void {
  program
    .command('top')
    .description('look at a running agent or a collector: rates, ledger, lag, queues against their limits, verdicts')
    .option('--state <dir>', 'state folder of an agent on this machine')
    .option('--health <url>', 'health server of an agent, such as http://127.0.0.1:9464')
    .option('--collector <url>', 'page of a collector, such as http://127.0.0.1:7444')
    .option('--every <seconds>', 'time between two looks; rates are over it', '1')
    .option('--once', 'two looks, one answer')
    .option('--json', 'one JSON object a look')
    .action(top)
}

/** One look: what was found, and what a person sees of it, with the look before. */
type Look = Readonly<{ json: Readonly<Record<string, unknown>>; lines: readonly string[] }>
type Looker = () => Promise<Look>

async function top(options: TopOptions): Promise<void> {
  const clock = systemClock()
  const everyMs = 1000 * numberOption(options.every, '--every', { min: 0.1, max: 3600 })
  const look = lookerOf(options)
  // What is wrong at once is an error; what goes wrong later is shown, and may come back.
  await look()
  const stop = new AbortController()
  void stopSignals(clock).first.then(() => stop.abort())
  if (options.once === true) {
    await clock.sleep(everyMs, stop.signal)
    show(await look(), options.json)
    return
  }
  await watch(look, { clock, everyMs, json: options.json === true, signal: stop.signal })
}

type Watching = Readonly<{ clock: Clock; everyMs: number; json: boolean; signal: AbortSignal }>

async function watch(look: Looker, { clock, everyMs, json, signal }: Watching): Promise<void> {
  const out = process.stdout
  const screen = !json && out.isTTY === true ? createScreen(out) : null
  let lines: readonly string[] = []
  try {
    while (!signal.aborted) {
      await clock.sleep(everyMs, signal).catch(() => undefined)
      if (signal.aborted) break
      try {
        const found = await look()
        if (screen === null) show(found, json)
        lines = found.lines
      } catch (error) {
        if (!(error instanceof HbError)) throw error
        const why = `NO ANSWER: ${error.message}`
        if (screen === null)
          out.write(json ? `${JSON.stringify({ v: DETAIL_VERSION, error: error.code })}\n` : `${why}\n`)
        if (lines[0]?.startsWith('NO ANSWER') !== true) lines = [why, 'what follows is of before:', ...lines]
      }
      screen?.draw(lines)
    }
  } finally {
    screen?.close()
  }
}

function show({ json, lines }: Look, asJson: boolean | undefined): void {
  process.stdout.write(asJson === true ? `${JSON.stringify(json)}\n` : `${lines.join('\n')}\n`)
}

function lookerOf({ state, health, collector }: TopOptions): Looker {
  const given = [state, health, collector].filter((one) => one !== undefined)
  if (given.length !== 1)
    throw new HbError('USAGE', { found: `${given.length} of them`, expected: 'one of --state, --health, --collector' })
  if (collector !== undefined) return fleetLooker(collector)
  return agentLooker(async () =>
    state === undefined ? ask(health!, '/top', 'AGENT_NOT_RUNNING') : askAgent(state, '/top'),
  )
}

function agentLooker(answer: () => Promise<Record<string, unknown>>): Looker {
  let before: AgentDetail | null = null
  return async () => {
    const now = (await answer()) as unknown as AgentDetail
    if (now.v !== DETAIL_VERSION)
      throw new HbError('USAGE', { found: `an agent of another version (${now.v})`, expected: DETAIL_VERSION })
    const rates = agentRates(now, before)
    before = now
    return { json: { ...now, rates }, lines: agentPage(now, rates) }
  }
}

function fleetLooker(url: string): Looker {
  return async () => {
    const fleet = (await ask(url, '/api/fleet', 'COLLECTOR_UNREACHABLE')) as unknown as FleetAnswer
    const { now_us, label, agents, vitals, refusals } = fleet
    return { json: { v: DETAIL_VERSION, now_us, label, agents, vitals, refusals }, lines: fleetPage(fleet) }
  }
}

/** @throws HbError USAGE, or `code` when there is no answer */
async function ask(
  url: string,
  path: string,
  code: 'AGENT_NOT_RUNNING' | 'COLLECTOR_UNREACHABLE',
): Promise<Record<string, unknown>> {
  if (!/^https?:\/\/\S+$/.test(url) || !URL.canParse(path, url))
    throw new HbError('USAGE', { found: url, expected: 'http://HOST:PORT' })
  try {
    const response = await fetch(new URL(path, url), { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) })
    if (response.status !== 200) throw new Error(`status ${response.status}`)
    const text = await response.text()
    if (text.length > ANSWER_BYTES_MAX) throw new Error(`${text.length} characters`)
    return JSON.parse(text) as Record<string, unknown>
  } catch (cause) {
    const because = cause instanceof Error && cause.cause instanceof Error ? cause.cause : (cause as Error)
    throw new HbError(code, { url, reason: because.message }, { cause })
  }
}
