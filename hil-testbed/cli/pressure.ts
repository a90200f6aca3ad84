import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { HbError } from '../../shared/errors/hb-error.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { stopSignals } from '../../shared/lib/stop-signals.ts'
import {
  createVessel,
  HARM_BAR,
  moveVessel,
  PRESSURE_CHANNELS,
  type PressureChannel,
  readVessel,
  type Vessel,
} from '../pressure-loop.ts'
import { createPublisher, type Daq } from '../publisher.ts'
import { numberIn, say } from './options.ts'

type PressureCliOptions = Readonly<{
  rig: string
  daq: readonly string[]
  rate: string
  seed: string
  faultAfter?: string
  stuck?: string
  output?: string
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
    .requiredOption(
      '--daq <source=endpoint=channels>',
      `an acquisition, its ZeroMQ endpoint, and which of ${PRESSURE_CHANNELS.join(', ')} are on it; may be repeated`,
      (text: string, before: readonly string[]) => [...before, text],
      [] as readonly string[],
    )
    .option('--rate <hz>', 'samples a second', '200')
    .option('--seed <n>', 'seed of the noise', '1')
    .option('--fault-after <s>', 'let the valve stick nearly closed after this many seconds')
    .option('--stuck <channel>', 'a transmitter that says its last value from then on')
    .option('--output <file>', 'outputs of the actuator, as `hb hil actuator --output` writes them')
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
  const clock = systemClock()
  const vessel = createVessel()
  const tell = createTeller(() => clock.nowUs())
  const cancel = clock.every(OUTPUT_EVERY_MS, () => lookAtOutput(vessel, options.output, tell))
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

/** The wire between actuator and plant: no file, or one that is just being replaced, is an output that has not changed. */
function lookAtOutput(vessel: Vessel, file: string | undefined, tell: ReturnType<typeof createTeller>): void {
  if (file === undefined || !vessel.pumpOn) return
  try {
    const outputs = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
    if (outputs['pump'] !== 'off') return
  } catch {
    return
  }
  vessel.pumpOn = false
  tell('pump_off', { bar: vessel.bar })
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
