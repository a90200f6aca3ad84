import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import type { Command } from 'commander'
import { HbError } from '../../shared/errors/hb-error.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { stopSignals } from '../../shared/lib/stop-signals.ts'
import { createPublisher } from '../publisher.ts'
import { TURNED_VALVE, type Valve, WATER_LOOP_CHANNELS, waterLoopAt } from '../water-loop.ts'
import { actuatorCommands } from './actuator.ts'
import { fromDecisionCommand } from './from-decision.ts'
import { judgeCommand } from './judge.ts'
import { numberIn, RECORDING_BEGIN, say, timeIn } from './options.ts'
import { peerCommand } from './peer.ts'
import { placeCommands } from './places.ts'
import { plantCommands } from './plant.ts'
import { pressureCommand } from './pressure.ts'
import { runCommand } from './run.ts'
import { scenarioCommands } from './scenarios.ts'
import { traceCommand } from './trace.ts'

type LoopOptions = Readonly<{
  rig: string
  endpoint?: string
  csv?: string
  rate: string
  seed: string
  faultAfter?: string
  valveTravel: string
  valveLeft: string
  seconds: string
  start: string
}>

/** Longest recording made at once: a day. */
const SECONDS_MAX = 86_400

/** Adds `hb hil`. */
export function hilCommands(program: Command): void {
  const hil = program.command('hil').description('rigs that are not there, and faults that are wanted')
  runCommand(hil)
  placeCommands(hil)
  actuatorCommands(hil)
  pressureCommand(hil)
  peerCommand(hil)
  plantCommands(hil)
  judgeCommand(hil)
  traceCommand(hil)
  scenarioCommands(hil)
  fromDecisionCommand(hil)
  hil
    .command('water-loop')
    .description('a simulated water loop: publish it over ZeroMQ, or write a recording of it')
    .option('--rig <id>', 'name of the rig', 'water-loop')
    .option('--endpoint <address>', 'publish to this ZeroMQ endpoint until stopped')
    .option('--csv <file>', 'write a recording instead')
    .option('--rate <hz>', 'samples a second', '100')
    .option('--seed <n>', 'seed of the noise', '1')
    .option('--fault-after <s>', 'let the valve close after this many seconds')
    .option('--valve-travel <s>', 'time the valve takes to its end position', String(TURNED_VALVE.travelUs / 1_000_000))
    .option('--valve-left <ratio>', 'share of the flow that is left there', String(TURNED_VALVE.leftRatio))
    .option('--seconds <s>', 'length of a recording', '120')
    .option('--start <time>', 'first time of a recording, UTC', RECORDING_BEGIN)
    .option('--json', 'errors as JSON too; what it writes is JSON lines anyway')
    .action(waterLoop)
}

async function waterLoop(options: LoopOptions): Promise<void> {
  const rateHz = numberIn(options.rate, '--rate', { min: 0.1, max: 10_000 })
  const seed = numberIn(options.seed, '--seed', { min: 0, max: 2 ** 32 })
  const faultUs =
    options.faultAfter === undefined
      ? null
      : numberIn(options.faultAfter, '--fault-after', { min: 0, max: SECONDS_MAX }) * 1_000_000
  const valve = {
    travelUs: numberIn(options.valveTravel, '--valve-travel', { min: 0.001, max: SECONDS_MAX }) * 1_000_000,
    leftRatio: numberIn(options.valveLeft, '--valve-left', { min: 0, max: 1 }),
  }
  if (options.csv !== undefined) {
    await record(options.csv, {
      rateHz,
      seed,
      faultUs,
      valve,
      seconds: numberIn(options.seconds, '--seconds', { min: 1, max: SECONDS_MAX }),
      startUs: timeIn(options.start, '--start'),
    })
    return
  }
  if (options.endpoint === undefined)
    throw new HbError('USAGE', { found: 'neither --endpoint nor --csv', expected: 'one of them' })
  const publisher = createPublisher({
    rig: options.rig,
    daqs: [{ source: 'daq', endpoint: options.endpoint, channels: WATER_LOOP_CHANNELS }],
    channels: WATER_LOOP_CHANNELS,
    rateHz,
    read: (index, elapsedUs) => waterLoopAt({ seed, faultUs, valve }, index, elapsedUs),
    faultAfterUs: faultUs,
    clock: systemClock(),
    faultInjected: (timeUs) =>
      say({ event: 'fault_injected', fault: 'valve_closing', channel: 'Volume Flow RateRMS', t_us: timeUs }),
  })
  const stopped = stopSignals(systemClock()).first
  await Promise.race([
    publisher.start().then(() => say({ event: 'publishing', rig: options.rig, endpoint: options.endpoint! })),
    stopped,
  ])
  await stopped
  await publisher.stop()
}

type Recording = Readonly<{
  rateHz: number
  seed: number
  faultUs: number | null
  valve: Valve
  seconds: number
  startUs: number
}>

async function record(file: string, { rateHz, seed, faultUs, valve, seconds, startUs }: Recording): Promise<void> {
  const out = createWriteStream(file, { flags: 'wx' })
  await once(out, 'open').catch((cause: NodeJS.ErrnoException) => {
    throw new HbError('USAGE', { option: '--csv', found: file, reason: cause.code ?? cause.message }, { cause })
  })
  out.write(`t_us;${WATER_LOOP_CHANNELS.join(';')}\n`)
  const rows = Math.floor(seconds * rateHz)
  for (let index = 0; index < rows; index += 1) {
    const elapsedUs = Math.floor((index * 1_000_000) / rateHz)
    const line = `${startUs + elapsedUs};${waterLoopAt({ seed, faultUs, valve }, index, elapsedUs).join(';')}\n`
    if (!out.write(line)) await once(out, 'drain')
  }
  out.end()
  await once(out, 'close')
  say({ event: 'recorded', file, rows })
}
