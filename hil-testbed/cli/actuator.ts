import { createInterface } from 'node:readline'
import type { Command } from 'commander'
import { loadMacKey } from '../../shared/crypto/mac.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { stopSignals } from '../../shared/lib/stop-signals.ts'
import { isId } from '../../shared/model/ids.ts'
import { LOSS_EFFECTS, type LossEffect } from '../../shared/protocol/actuator.ts'
import { createActuator } from '../actuator.ts'
import { openActuatorBook, readActuatorBook } from '../actuator-book.ts'
import { DEVICE_FAULTS, type DeviceFault, type WantedFault } from '../actuator-device.ts'
import { numberIn, say } from './options.ts'

type ActuatorOptions = Readonly<{
  id: string
  agent: string
  endpoint: string
  key: string
  state: string
  testbed: boolean
  idempotent: boolean
  lossEffect: string
  fault?: string
  faultMs: string
  faultTimes: string
}>

const MS_MAX = 600_000
const TIMES_MAX = 1_000_000_000
/** Longest order on standard input. */
const ORDER_CHARS_MAX = 1024

/** Adds `hb hil actuator` and `hb hil actuator-count`. */
export function actuatorCommands(hil: Command): void {
  hil
    .command('actuator')
    .description('a simulated actuator: answers over ZeroMQ, remembers what it did, is wrong when it is told to be')
    .requiredOption('--endpoint <address>', 'listen here, such as tcp://127.0.0.1:5601; port 0: any')
    .requiredOption('--key <file>', 'key shared with the agent: 64 hex digits, mode 600')
    .requiredOption('--state <file>', 'what it has done: one line each, on disk before it is answered')
    .option('--id <id>', 'name of the actuator', 'actuator')
    .option('--agent <id>', 'the only agent it obeys', 'agent')
    .option('--no-testbed', 'say that it is no testbed')
    .option('--no-idempotent', 'say that it does not know keys again')
    .option('--loss-effect <effect>', `when the permit is lost: ${LOSS_EFFECTS.join(', ')}`, 'de_energise')
    .option('--fault <kind>', `be wrong: ${DEVICE_FAULTS.join(', ')}`)
    .option('--fault-ms <ms>', 'delay of late_ack, and of each stage of slow', '1000')
    .option('--fault-times <n>', 'for so many requests', String(TIMES_MAX))
    .option('--json', 'errors as JSON too; what it writes is JSON lines anyway')
    .addHelpText(
      'after',
      '\nOn standard input, a line such as {"fault":"nack","ms":0,"times":1} or {"fault":null} changes it.',
    )
    .action(actuator)
  hil
    .command('actuator-count')
    .description('what a simulated actuator has done, from its state file')
    .requiredOption('--state <file>', 'its state file')
    .option('--json', 'one JSON object')
    .action(count)
}

async function actuator(options: ActuatorOptions): Promise<void> {
  const { id, agent, endpoint, testbed, idempotent } = options
  for (const [option, name] of [
    ['--id', id],
    ['--agent', agent],
  ] as const)
    if (!isId(name)) throw new HbError('USAGE', { option, found: name, expected: 'lower-case letters, digits, -' })
  const lossEffect = oneOf<LossEffect>(options.lossEffect, '--loss-effect', LOSS_EFFECTS)
  const fault = options.fault === undefined ? null : wanted(options.fault, options)
  const key = loadMacKey(options.key)
  const book = openActuatorBook(options.state, id)
  const clock = systemClock()
  const made = createActuator({
    ...{ id, agent, endpoint, key, book, testbed, idempotent, lossEffect, clock },
    say: (event, facts) => say({ event, ...facts }),
  })
  if (fault !== null) made.device.want(fault)
  const listening = await made.start()
  say({ event: 'listening', actuator: id, endpoint: listening, keys: book.keys.size, cut_bytes: book.cutBytes })
  const orders = createInterface({ input: process.stdin }).on('line', (line) => made.device.want(ordered(line)))
  await stopSignals(clock).first
  orders.close()
  await made.stop()
  book.close()
  say({ event: 'stopped' })
}

function count({ state, json }: Readonly<{ state: string; json?: boolean }>): void {
  const { id, keys, permitLost } = readActuatorBook(state)
  const effects = [...keys.values()].reduce((sum, entry) => sum + entry.effects, 0)
  if (json === true) {
    const byKey = [...keys].map(([key, entry]) => [key, { effects: entry.effects, stage: entry.stage }])
    say({ actuator: id, keys: keys.size, effects, permit_lost: permitLost, by_key: Object.fromEntries(byKey) })
    return
  }
  process.stdout.write(`${id}: ${keys.size} keys, ${effects} effects, permit lost ${permitLost} times\n`)
  for (const [key, entry] of keys) process.stdout.write(`${key}  ${entry.effects}  ${entry.stage}\n`)
}

function wanted(kind: string, { faultMs, faultTimes }: ActuatorOptions): WantedFault {
  return {
    kind: oneOf<DeviceFault>(kind, '--fault', DEVICE_FAULTS),
    ms: numberIn(faultMs, '--fault-ms', { min: 0, max: MS_MAX }),
    times: numberIn(faultTimes, '--fault-times', { min: 1, max: TIMES_MAX }),
  }
}

/** @throws HbError USAGE: a bench that gives wrong orders must not go on as if they had been heard. */
function ordered(line: string): WantedFault | null {
  const refuse = (): never => {
    throw new HbError('USAGE', { found: line.slice(0, ORDER_CHARS_MAX), expected: '{"fault":KIND,"ms":N,"times":N}' })
  }
  let order: unknown
  try {
    order = JSON.parse(line.slice(0, ORDER_CHARS_MAX))
  } catch {
    return refuse()
  }
  if (typeof order !== 'object' || order === null || !('fault' in order)) return refuse()
  const { fault, ms = 0, times = TIMES_MAX } = order as Record<string, unknown>
  if (fault === null) return null
  const within = (value: unknown, max: number): value is number =>
    typeof value === 'number' && value >= 0 && value <= max
  if (!within(ms, MS_MAX) || !within(times, TIMES_MAX)) return refuse()
  return { kind: oneOf<DeviceFault>(String(fault), 'fault', DEVICE_FAULTS), ms, times }
}

function oneOf<T extends string>(found: string, option: string, words: readonly T[]): T {
  const word = words.find((one) => one === found)
  if (word === undefined) throw new HbError('USAGE', { option, found, expected: words.join(', ') })
  return word
}
