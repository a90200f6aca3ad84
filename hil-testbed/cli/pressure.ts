import { once } from 'node:events'
import { createWriteStream, existsSync, statSync } from 'node:fs'
import type { Command } from 'commander'
import { HbError } from '../../shared/errors/hb-error.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { stopSignals } from '../../shared/lib/stop-signals.ts'
import type { Micros } from '../../shared/units.ts'
import { readActuatorBook } from '../actuator-book.ts'
import {
  createVessel,
  HARM_BAR,
  moveVessel,
  PRESSURE_CHANNELS,
  type PressureChannel,
  type PressureOptions,
  readVessel,
  type Vessel,
} from '../pressure-loop.ts'
import { createPublisher, type Daq } from '../publisher.ts'
import { numberIn, RECORDING_BEGIN, say, timeIn } from './options.ts'

type PressureCliOptions = Readonly<{
  rig: string
  daq: readonly string[]
  rate: string
  seed: string
  faultAfter?: string
  stuck?: string
  actuator: readonly string[]
  csv?: string
  seconds: string
  start: string
}>

const DAY_S = 86_400
/** How often the plant looks at what the actuator does to it. */
const OUTPUT_EVERY_MS = 2

/** Adds `hb hil pressure-loop`. */
export function pressureCommand(hil: Command): void {
  hil
    .command('pressure-loop')
    .description('a simulated vessel with a pump and a valve, its transmitters on acquisitions of their own')
    .option('--rig <id>', 'name of the rig', 'pressure-loop')
    .option(
      '--daq <source=endpoint=channels>',
      `an acquisition, its ZeroMQ endpoint, and which of ${PRESSURE_CHANNELS.join(', ')} are on it; may be repeated`,
      (text: string, before: readonly string[]) => [...before, text],
      [] as readonly string[],
    )
    .option('--rate <hz>', 'samples a second', '200')
    .option('--seed <n>', 'seed of the noise', '1')
    .option('--fault-after <s>', 'let the valve stick nearly closed after this many seconds')
    .option('--stuck <channel>', 'a transmitter that says its last value from then on')
    .option(
      '--actuator <file>',
      'state file of a simulated actuator: its next effect stops the flow into the vessel; may be repeated',
      (text: string, before: readonly string[]) => [...before, text],
      [] as readonly string[],
    )
    .option('--csv <file>', 'write a recording instead')
    .option('--seconds <s>', 'length of a recording', '120')
    .option('--start <time>', 'first time of a recording, UTC', RECORDING_BEGIN)
    .option('--json', 'errors as JSON too; what it writes is JSON lines anyway')
    .action(pressureLoop)
}

async function pressureLoop(options: PressureCliOptions): Promise<void> {
  const rateHz = numberIn(options.rate, '--rate', { min: 1, max: 1000 })
  const { faultAfter } = options
  const loop = {
    seed: numberIn(options.seed, '--seed', { min: 0, max: 2 ** 32 }),
    faultUs:
      faultAfter === undefined ? null : numberIn(faultAfter, '--fault-after', { min: 0, max: DAY_S }) * 1_000_000,
    stuck: options.stuck === undefined ? null : channelNamed(options.stuck),
  }
  if (options.csv !== undefined) {
    const seconds = numberIn(options.seconds, '--seconds', { min: 1, max: DAY_S })
    await record(options.csv, { loop, rateHz, seconds, startUs: timeIn(options.start, '--start') })
    return
  }
  if (options.daq.length === 0)
    throw new HbError('USAGE', { found: 'neither --daq nor --csv', expected: 'one of them' })
  const clock = systemClock()
  const vessel = createVessel()
  const wires = options.actuator.map((path) => ({ path, effects: effectsIn(path), bytes: bytesOf(path) }))
  const tell = createTeller(() => clock.nowUs())
  const cancel = clock.every(OUTPUT_EVERY_MS, () => lookAtActuators(vessel, wires, tell))
  const publisher = createPublisher({
    rig: options.rig,
    daqs: options.daq.map(daqOf),
    channels: PRESSURE_CHANNELS,
    rateHz,
    clock,
    read(index, elapsedUs) {
      moveVessel(vessel, loop, elapsedUs)
      if (vessel.bar >= HARM_BAR) tell('harm', { bar: vessel.bar })
      return PRESSURE_CHANNELS.map((channel) => readVessel(vessel, loop, channel, index))
    },
    faultAfterUs: loop.faultUs,
    faultInjected: (timeUs) => say({ event: 'fault_injected', fault: 'valve_sticks', stuck: loop.stuck, t_us: timeUs }),
  })
  const stopped = stopSignals(clock).first
  await Promise.race([publisher.start().then(() => say({ event: 'publishing', rig: options.rig })), stopped])
  await stopped
  cancel()
  await publisher.stop()
  say({ event: 'stopped', bar: vessel.bar, pump_on: vessel.pumpOn })
}

/** Says a thing once. */
function createTeller(nowUs: () => number): (event: string, facts: Record<string, unknown>) => void {
  const told = new Set<string>()
  return (event, facts) => {
    if (told.has(event)) return
    told.add(event)
    say({ event, ...facts, t_us: nowUs() })
  }
}

type Wire = { readonly path: string; readonly effects: number; bytes: number }

/** The wires between actuators and plant: any effect that is new since the plant began stops the flow into it. */
function lookAtActuators(vessel: Vessel, wires: readonly Wire[], tell: ReturnType<typeof createTeller>): void {
  if (!vessel.pumpOn) return
  for (const wire of wires) {
    const bytes = bytesOf(wire.path)
    if (bytes === wire.bytes) continue
    wire.bytes = bytes
    if (effectsIn(wire.path) <= wire.effects) continue
    vessel.pumpOn = false
    tell('flow_stopped', { bar: vessel.bar, by: wire.path })
    return
  }
}

function bytesOf(path: string): number {
  return existsSync(path) ? statSync(path).size : 0
}

function effectsIn(path: string): number {
  if (!existsSync(path)) return 0
  return [...readActuatorBook(path).keys.values()].reduce((sum, { effects }) => sum + effects, 0)
}

type Recording = Readonly<{ loop: PressureOptions; rateHz: number; seconds: number; startUs: Micros }>

async function record(file: string, { loop, rateHz, seconds, startUs }: Recording): Promise<void> {
  const out = createWriteStream(file, { flags: 'wx' })
  await once(out, 'open').catch((cause: NodeJS.ErrnoException) => {
    throw new HbError('USAGE', { option: '--csv', found: file, reason: cause.code ?? cause.message }, { cause })
  })
  out.write(`t_us;${PRESSURE_CHANNELS.join(';')}\n`)
  const vessel = createVessel()
  const rows = Math.floor(seconds * rateHz)
  for (let index = 0; index < rows; index += 1) {
    const elapsedUs = Math.floor((index * 1_000_000) / rateHz)
    moveVessel(vessel, loop, elapsedUs)
    const readings = PRESSURE_CHANNELS.map((channel) => readVessel(vessel, loop, channel, index))
    if (!out.write(`${startUs + elapsedUs};${readings.join(';')}\n`)) await once(out, 'drain')
  }
  out.end()
  await once(out, 'close')
  say({ event: 'recorded', file, rows })
}

function daqOf(text: string): Daq {
  const [source, endpoint, channels] = text.split('=')
  if (source === undefined || endpoint === undefined || channels === undefined)
    throw new HbError('USAGE', { option: '--daq', found: text, expected: 'SOURCE=ENDPOINT=CHANNEL,CHANNEL' })
  return { source, endpoint, channels: channels.split(',').map(channelNamed) }
}

function channelNamed(text: string): PressureChannel {
  const found = PRESSURE_CHANNELS.find((one) => one === text)
  if (found !== undefined) return found
  throw new HbError('USAGE', { found: text, expected: PRESSURE_CHANNELS.join(', ') })
}
