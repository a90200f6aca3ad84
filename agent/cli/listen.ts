import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Command, Option } from 'commander'
import { loadRuntimeConfig } from '../../shared/config/load.ts'
import { ENDPOINT_PATTERN } from '../../shared/config/source-schema.ts'
import { generateSigner } from '../../shared/crypto/sign.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { type Clock, systemClock } from '../../shared/lib/clock.ts'
import { numberOption, writeNew } from '../../shared/lib/command-output.ts'
import { stopSignals } from '../../shared/lib/stop-signals.ts'
import { isId } from '../../shared/model/ids.ts'
import type { Micros } from '../../shared/units.ts'
import { openTelemetrySocket, payloadOf } from '../adapters/zmq-source.ts'
import { createObservation, type Heard, type Observation } from '../field/observation.ts'
import { PROPOSAL_FILES, type Proposal, propose } from '../field/proposal.ts'
import { compileSettings } from '../pipeline/compile-settings.ts'
import { createListenView, type ListenView } from './listen-view.ts'

type ListenOptions = Readonly<{
  rig?: string
  pattern: 'pull' | 'sub'
  bind?: boolean
  connect?: boolean
  encoding: 'cbor' | 'json'
  for?: string
  propose?: string
  margin: string
  deployment: string
  agent: string
  program: string
  json?: boolean
}>

/** How long is listened before a proposal is made, in seconds. */
const PROPOSE_AFTER_S = 60
const SECONDS_MAX = 86_400
const SOURCE_NAME = 'daq'
/** Messages taken in one go before others get a turn: signals, the screen. */
const MESSAGES_AT_ONCE = 256

/** Adds `hb listen`. */
export function listenCommand(program: Command): void {
  program
    .command('listen')
    .description('listen to a ZeroMQ endpoint: show what comes, what it decodes to and why it would be refused')
    .argument('<endpoint>', 'tcp://HOST:PORT or ipc://PATH')
    .option('--rig <id>', 'rig that the telemetry is of; without it the one that the first message names')
    .addOption(new Option('--pattern <pattern>', 'socket type').choices(['pull', 'sub']).default('pull'))
    .option('--bind', 'listen on the endpoint; what `pull` does by itself')
    .option('--connect', 'connect to the endpoint; what `sub` does by itself')
    .addOption(new Option('--encoding <encoding>', 'of the messages').choices(['cbor', 'json']).default('cbor'))
    .option('--for <seconds>', `end after this long; ${PROPOSE_AFTER_S} with --propose, else until stopped`)
    .option('--propose <dir>', 'then write a configuration for what was heard into this folder; nothing is overwritten')
    .option('--margin <percent>', 'by which proposed limits are wider than what was seen, of its span', '50')
    .option('--deployment <id>', 'of the proposal', 'field')
    .option('--agent <id>', 'of the proposal', 'agent-1')
    .option('--program <id>', 'of the proposal', 'bring-up')
    .option('--json', 'one JSON object a message, then one of the channels, then one of the proposal')
    .action(listen)
}

async function listen(endpoint: string, options: ListenOptions): Promise<void> {
  const seconds = checked(endpoint, options)
  const clock = systemClock()
  const observation = createObservation({
    rig: options.rig ?? null,
    origin: SOURCE_NAME,
    encoding: options.encoding,
  })
  const socket = await openTelemetrySocket(options.rig ?? '', {
    name: SOURCE_NAME,
    pattern: options.pattern,
    endpoint,
    ...(bindOf(options) === undefined ? {} : { bind: bindOf(options)! }),
  })
  const view = createListenView({ endpoint, json: options.json === true, clock, observation })
  const startUs = clock.monotonicUs()
  const { first } = stopSignals(clock)
  // Ended sooner, nobody waits for the rest of the time.
  const over = new AbortController()
  const ends = seconds === null ? [first] : [first, clock.sleep(seconds * 1000, over.signal).catch(() => undefined)]
  try {
    const receiving = receive(socket, { clock, observation, view, rig: options.rig ?? null })
    await Promise.race([...ends, receiving])
    socket.close()
    await receiving
  } finally {
    over.abort()
    view.close()
  }
  const heardSeconds = (clock.monotonicUs() - startUs) / 1_000_000
  view.summary()
  if (options.propose !== undefined)
    view.proposed(writeProposal(options.propose, { endpoint, options, observation, heardSeconds, clock }))
}

function checked(endpoint: string, options: ListenOptions): number | null {
  const wrong = (option: string, found: string, expected: string): never => {
    throw new HbError('USAGE', { option, found, expected })
  }
  if (!new RegExp(ENDPOINT_PATTERN).test(endpoint)) wrong('endpoint', endpoint, 'tcp://HOST:PORT or ipc://PATH')
  if (options.bind === true && options.connect === true) wrong('--bind', '--connect as well', 'one of them')
  for (const key of ['rig', 'deployment', 'agent', 'program'] as const) {
    const id = options[key]
    if (id !== undefined && !isId(id)) wrong(`--${key}`, id, '1 to 63 of a-z, 0-9 and `-`, not `-` first')
  }
  numberOption(options.margin, '--margin', { min: 0, max: 10_000 })
  if (options.propose !== undefined)
    // Now and not after a minute.
    for (const name of Object.values(PROPOSAL_FILES))
      if (existsSync(join(options.propose, name)))
        wrong('--propose', `${join(options.propose, name)} exists`, 'a folder without it; nothing is overwritten')
  if (options.for !== undefined) return numberOption(options.for, '--for', { min: 0.1, max: SECONDS_MAX })
  return options.propose === undefined ? null : PROPOSE_AFTER_S
}

function bindOf({ bind, connect }: ListenOptions): boolean | undefined {
  return bind === true ? true : connect === true ? false : undefined
}

type Receiving = Readonly<{ clock: Clock; observation: Observation; view: ListenView; rig: string | null }>

async function receive(
  socket: AsyncIterable<readonly Uint8Array[]>,
  { clock, observation, view, rig }: Receiving,
): Promise<void> {
  let taken = 0
  for await (const parts of socket) {
    // ZeroMQ compares only the beginning of a topic.
    if (rig !== null && parts.length > 1 && Buffer.from(parts[0]!).toString() !== rig) continue
    const heard: Heard = observation.take(payloadOf(parts), clock.nowUs())
    const room = view.heard(heard)
    taken += 1
    if (room !== null) await room
    else if (taken % MESSAGES_AT_ONCE === 0) await clock.sleep(0)
  }
}

type Made = Readonly<{
  endpoint: string
  options: ListenOptions
  observation: Observation
  heardSeconds: number
  clock: Clock
}>

/** Writes the proposal and reads it back as `hb config check` does. @throws HbError NOTHING_HEARD, USAGE */
function writeProposal(
  folder: string,
  { endpoint, options, observation, heardSeconds, clock }: Made,
): Proposal & { folder: string } {
  const proposal = propose(observation, {
    endpoint,
    heardSeconds,
    deployment: options.deployment,
    agent: options.agent,
    program: options.program,
    pattern: options.pattern,
    bind: bindOf(options),
    encoding: options.encoding,
    source: SOURCE_NAME,
    marginPercent: Number(options.margin),
    madeAt: timeOf(clock.nowUs()),
  })
  if (proposal.metrics.length === 0) {
    const refused = [...observation.refused].map(([reason, count]) => `${reason} ${count}`).join(', ')
    throw new HbError('NOTHING_HEARD', {
      endpoint,
      messages: observation.messages,
      refused,
      left_out: proposal.leftOut.length,
    })
  }
  try {
    mkdirSync(folder, { recursive: true })
  } catch (cause) {
    throw new HbError('USAGE', { option: '--propose', found: folder, expected: 'a folder' }, { cause })
  }
  const { privatePem, publicPem } = generateSigner()
  writeNew(join(folder, PROPOSAL_FILES.key), privatePem, 0o600)
  writeNew(join(folder, PROPOSAL_FILES.publicKey), publicPem, 0o644)
  writeNew(join(folder, PROPOSAL_FILES.registry), proposal.registry, 0o644)
  writeNew(join(folder, PROPOSAL_FILES.runtime), proposal.runtime, 0o644)
  compileSettings(loadRuntimeConfig(join(folder, PROPOSAL_FILES.runtime)).files)
  return { ...proposal, folder }
}

function timeOf(us: Micros): string {
  return new Date(us / 1000).toISOString()
}
