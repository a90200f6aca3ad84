import type { Command } from 'commander'
import { lookIntoFleetBundle } from '../../shared/codec/fleet-bundle.ts'
import { signRolloutOrder } from '../../shared/codec/rollout-order.ts'
import { loadSigner } from '../../shared/crypto/key-file.ts'
import { BundleError } from '../../shared/errors/bundle-error.ts'
import { HbError, isHbError } from '../../shared/errors/hb-error.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { printable, printResult, table, utc } from '../../shared/lib/command-output.ts'
import { spanOption } from '../../shared/lib/span.ts'
import { PERSONS_NOTE } from '../../shared/model/order.ts'
import { ROLLOUT_REASON_CHARS_MAX, SOAK_US, stagesOf, WITHIN_US } from '../../shared/model/rollout.ts'
import type { Millis } from '../../shared/units.ts'
import {
  createRolloutClient,
  type RolloutAgentShown,
  type RolloutClient,
  type RolloutRecord,
  type RolloutShown,
} from '../adapters/rollout-client.ts'
import { readFleetFile } from './bundle-fleet.ts'

/** How often it is asked how it goes, and for how long a collector may be away meanwhile. */
const LOOK_MS: Millis = 500
const AWAY_MS: Millis = 60_000
/** Fewest characters of an id that name a rollout. */
const ID_CHARS_MIN = 6

/** Adds `hb rollout start|status|abort`. */
export function rolloutCommands(program: Command): void {
  const rollout = program
    .command('rollout')
    .description('bring one signed bundle to many agents in stages, and back when it does not do them good')
  const said = (name: string, description: string): Command =>
    rollout
      .command(name)
      .description(description)
      .requiredOption('--collector <url>', 'address of the collector for operators, such as http://127.0.0.1:7444')
      .option('--json', 'one JSON object; progress goes to stderr')
  said('start', 'begin a rollout and tell how it goes until it ends')
    .argument('<bundle>', 'bundle of a fleet, with all its signatures')
    .requiredOption('--key <file>', 'private key of the operator who orders it')
    .requiredOption(
      '--stages <list>',
      'agents that have it after each stage: numbers, parts such as 10%, and last `all`',
    )
    .option('--soak <span>', 'for so long all agents of a stage must be well', `${SOAK_US / 1e6}s`)
    .option('--within <span>', 'within this a stage passes, or everybody goes back', `${WITHIN_US / 60e6}m`)
    .option('--why <text>', `why, in at most ${ROLLOUT_REASON_CHARS_MAX} characters`, '')
    .option('--detach', 'do not wait for its end')
    .action(start)
  said('status', 'show the newest rollout, or the one that is named')
    .argument('[rollout]', 'id of a rollout, or its beginning')
    .option('--all', 'list rollouts, newest first')
    .action(status)
  said('abort', 'end the rollout that runs; agents that have the bundle go back')
    .argument('<rollout>', 'id of the rollout, or its beginning')
    .requiredOption('--key <file>', 'private key of the operator who orders it')
    .requiredOption('--why <text>', 'why')
    .action(abort)
}

type StartOptions = Readonly<{
  collector: string
  key: string
  stages: string
  soak: string
  within: string
  why: string
  detach?: boolean
  json?: boolean
}>

/** @throws HbError USAGE, KEY_…, COLLECTOR_UNREACHABLE, ROLLOUT_…; BundleError */
async function start(path: string, options: StartOptions): Promise<void> {
  const { json, stages, why } = options
  const signer = loadSigner(options.key)
  const bundle = readFleetFile(path)
  const { manifest, digest, problems } = lookIntoFleetBundle(bundle)
  if (problems.length > 0) throw new BundleError(problems)
  const counted = stagesOf(stages, manifest.agents.length)
  if (!counted.ok)
    throw new HbError('USAGE', { option: '--stages', found: counted.reason, expected: 'such as 1,10%,all' })
  if (why.length > ROLLOUT_REASON_CHARS_MAX)
    throw new HbError('USAGE', { option: '--why', expected: `at most ${ROLLOUT_REASON_CHARS_MAX} characters` })
  const client = createRolloutClient(options.collector)
  const order = signRolloutOrder(
    {
      ...{ kind: 'start', deployment: manifest.deployment, rollout: '', digest, stages, reason: why },
      ...{ soakUs: spanOption(options.soak, '--soak'), withinUs: spanOption(options.within, '--within') },
      atUs: systemClock().nowUs(),
    },
    signer,
  )
  const { id, stages: counts } = await client.start(order, bundle)
  const about = `rollout ${id} of bundle ${manifest.number}, digest ${digest.slice(0, 12)}`
  progressLine(`${about}: stages of ${counts.join(', ')} agents`)
  if (options.detach === true) {
    printResult(json, { id, digest, stages: counts, note: PERSONS_NOTE }, [about, `(${PERSONS_NOTE})`])
    return
  }
  const ended = await follow(client, id)
  printResult(json, { ...ended, note: PERSONS_NOTE }, [...shownLines(ended), `(${PERSONS_NOTE})`])
  requireCompleted(ended)
}

/** Tells on stderr what is new until it ends. A collector that is away for a while holds nothing up. */
async function follow(client: RolloutClient, id: string): Promise<RolloutShown> {
  const clock = systemClock()
  let told = 0
  let awaySinceUs: number | null = null
  for (;;) {
    try {
      const { rollout, record } = await client.get(id)
      awaySinceUs = null
      for (const line of record.slice(told)) progressLine(recordLine(rollout, line))
      told = record.length
      if (rollout.ended_us !== null) return rollout
    } catch (error) {
      if (!isHbError(error, 'COLLECTOR_UNREACHABLE')) throw error
      awaySinceUs ??= clock.monotonicUs()
      if (clock.monotonicUs() - awaySinceUs > AWAY_MS * 1000) throw error
    }
    await clock.sleep(LOOK_MS)
  }
}

function progressLine(line: string): void {
  process.stderr.write(`${printable(line)}\n`)
}

function recordLine({ agents, counts }: RolloutShown, { time_us: us, agent, what, detail }: RolloutRecord): string {
  const have = agents.filter(({ phase }) => phase === 'taken').length
  const about = agent === '' ? what : `${agent} ${what}`
  const rest = detail === '' ? '' : `: ${detail.replaceAll('\n', '; ')}`
  return `${utc(us)} [${have} of ${counts.at(-1) ?? 0}] ${about}${rest}`
}

/** @throws HbError ROLLOUT_ROLLED_BACK */
function requireCompleted({ id, status, reasons, agents }: RolloutShown): void {
  if (status === 'COMPLETED') return
  const named = (phase: string): string =>
    agents
      .filter((one) => one.phase === phase)
      .map(({ agent }) => agent)
      .join(', ')
  throw new HbError('ROLLOUT_ROLLED_BACK', {
    ...{ rollout: id, reason: reasons[0] ?? '' },
    ...(named('not_back') === '' ? {} : { not_back: named('not_back') }),
    ...(named('going_back') === '' ? {} : { when_they_come: named('going_back') }),
  })
}

type StatusOptions = Readonly<{ collector: string; all?: boolean; json?: boolean }>

async function status(text: string | undefined, { collector, all, json }: StatusOptions): Promise<void> {
  const client = createRolloutClient(collector)
  const rollouts = await client.list()
  if (all === true) {
    const rows = rollouts.map((one) => [
      one.id,
      one.status,
      String(one.number),
      one.stages,
      one.by,
      utc(one.started_us),
    ])
    printResult(json, { rollouts, note: PERSONS_NOTE }, [
      ...table([['ROLLOUT', 'STATUS', 'BUNDLE', 'STAGES', 'BY', 'STARTED (UTC)'], ...rows]),
      `(${PERSONS_NOTE})`,
    ])
    return
  }
  const { rollout, record } = await client.get(idOf(rollouts, text))
  printResult(json, { ...rollout, record, note: PERSONS_NOTE }, [...shownLines(rollout), `(${PERSONS_NOTE})`])
}

type AbortOptions = Readonly<{ collector: string; key: string; why: string; json?: boolean }>

async function abort(text: string, { collector, key, why, json }: AbortOptions): Promise<void> {
  if (why.trim() === '') throw new HbError('USAGE', { option: '--why', found: 'blanks', expected: 'a reason' })
  const signer = loadSigner(key)
  const client = createRolloutClient(collector)
  const id = idOf(await client.list(), text)
  const none = { digest: '', stages: '', soakUs: 0, withinUs: 0 }
  const about = { kind: 'abort', deployment: await client.deployment(), rollout: id, reason: why } as const
  await client.abort(signRolloutOrder({ ...none, ...about, atUs: systemClock().nowUs() }, signer))
  printResult(json, { id, aborted: true, note: PERSONS_NOTE }, [
    `rollout ${id} is taken back: hb rollout status ${id} --collector …`,
    `(${PERSONS_NOTE})`,
  ])
}

/** @throws HbError ROLLOUT_UNKNOWN */
function idOf(rollouts: readonly RolloutShown[], text: string | undefined): string {
  const found = text === undefined ? rollouts.slice(0, 1) : rollouts.filter(({ id }) => id.startsWith(text))
  const isNamed = text === undefined || text.length >= ID_CHARS_MIN
  if (isNamed && found.length === 1) return found[0]!.id
  throw new HbError('ROLLOUT_UNKNOWN', {
    rollout: text ?? 'the newest',
    found: isNamed ? `${found.length} of this name` : `fewer than ${ID_CHARS_MIN} characters`,
  })
}

const PHASE_WORDS: Readonly<Record<string, string>> = {
  waiting: 'waits',
  offered: 'was offered it',
  taken: 'has it',
  refused: 'refused it',
  going_back: 'is to go back',
  back: 'went back',
  not_back: 'COULD NOT GO BACK',
}

function shownLines(rollout: RolloutShown): string[] {
  const { id, status: is, number, digest, by, reason, stage, counts, reasons, agents } = rollout
  return [
    `rollout ${id}: ${is}, bundle ${number}, digest ${digest.slice(0, 12)}, by ${by}${reason === '' ? '' : `: ${reason}`}`,
    `stage ${stage} of ${counts.length}: ${counts.map((count, k) => `${k + 1 === stage ? '→' : ''}${count}`).join(', ')} agents`,
    ...reasons.map((why) => `because ${why}`),
    ...agents.map((one) => `  ${one.agent}  ${agentWords(one)}`),
  ]
}

function agentWords({ phase, detail, well }: RolloutAgentShown): string {
  const words = PHASE_WORDS[phase] ?? phase
  const isWell = phase === 'taken' && well ? ', is well' : ''
  return `${words}${isWell}${detail === '' ? '' : `: ${detail.replaceAll('\n', '; ')}`}`
}
