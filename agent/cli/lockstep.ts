import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Command } from 'commander'
import { encodeFrame } from '../../shared/codec/telemetry.ts'
import { type ConfigBytes, loadRuntimeConfig } from '../../shared/config/load.ts'
import type { RigConfig } from '../../shared/config/types.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { MODES, type Mode } from '../../shared/model/verdict.ts'
import type { Micros } from '../../shared/units.ts'
import { isActive } from '../core/detectors/alarm.ts'
import { eventOf, largestRatio, type Monitor, ratioOf } from '../core/detectors/monitor.ts'
import { largestRigRatio, rigRatioOf } from '../core/detectors/rig-monitor.ts'
import { monitorOf, type RigState } from '../core/state.ts'
import type { Effect } from '../core/step.ts'
import {
  CHECKPOINT_CAPS,
  checkpointBody,
  createEvaluation,
  type Evaluation,
  evaluate,
  restoreEvaluation,
} from '../pipeline/evaluation.ts'
import { closingUs } from '../pipeline/nominal-csv.ts'
import { createDetectorMeter, type DetectorMeter } from './detector-meter.ts'

type Options = Readonly<{ config: string; checkpoint?: string }>

/** Adds `hb lockstep`. */
export function lockstepCommand(program: Command): void {
  program
    .command('lockstep')
    .description('evaluate rows of standard input one by one, each answered on standard output before the next is read')
    .requiredOption('--config <file>', 'runtime configuration of one rig; its sources are not opened')
    .option('--checkpoint <file>', 'state to go on from when it is there, and to write on {"checkpoint":true}')
    .addHelpText(
      'after',
      [
        '',
        'A row is {"t_ms": 1200, "ch": {"flow": 32.5, …}}; null, or a channel left out, is no sample. {"mode": "test"} changes',
        'the mode, {"checkpoint": true} saves the state, {"stats": true} measures the detectors on the newest rows.',
        'Rows are decoded, evaluated and judged as telemetry is; nothing is journaled, signed or acted upon.',
      ].join('\n'),
    )
    .action(run)
}

/** Shares of channels in one answer. */
const DRIVERS_MAX = 8

async function run(options: Options): Promise<void> {
  const { files, config } = loadRuntimeConfig(options.config)
  const rig = config.rigs[0]!
  if (config.rigs.length > 1)
    throw new HbError('RIG_UNKNOWN', {
      rig: '(none given)',
      known: config.rigs.map((r) => r.rig).join(', '),
      expected: 'a configuration of one rig',
    })
  const evaluation = begin(options, files)
  const session: Session = {
    evaluation,
    rig,
    meter: createDetectorMeter(),
    rows: evaluation.journalSeq,
    throughUs: evaluation.state.nowUs,
  }
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line.trim() === '') continue
    process.stdout.write(`${JSON.stringify(answer(session, line, options))}\n`)
  }
}

type Session = {
  readonly evaluation: Evaluation
  readonly rig: RigConfig
  readonly meter: DetectorMeter
  rows: number
  throughUs: Micros
}

function begin({ checkpoint }: Options, files: readonly ConfigBytes[]): Evaluation {
  if (checkpoint !== undefined && existsSync(checkpoint)) {
    const body = readFileSync(checkpoint)
    if (body.length > CHECKPOINT_CAPS.bytesMax)
      throw new HbError('USAGE', { option: '--checkpoint', found: `${body.length} bytes` })
    const restored = restoreEvaluation(body)
    if ('refused' in restored)
      throw new HbError('USAGE', {
        option: '--checkpoint',
        found: restored.refused,
        expected: 'a state that this program wrote',
      })
    return restored
  }
  const evaluation = createEvaluation()
  evaluate(evaluation, 0, { kind: 'config', nowUs: 1, files })
  return evaluation
}

type Line = Readonly<{
  t_ms?: number
  ch?: Readonly<Record<string, number | null>>
  mode?: string
  checkpoint?: boolean
  stats?: boolean
}>

function answer(session: Session, text: string, { checkpoint }: Options): Record<string, unknown> {
  const line = parsed(text)
  if (line.checkpoint === true) {
    if (checkpoint === undefined)
      throw new HbError('USAGE', { option: '--checkpoint', expected: 'a file to save the state in' })
    writeFileSync(checkpoint, checkpointBody(session.evaluation))
    return { checkpoint: session.rows }
  }
  if (line.stats === true) return session.meter.measure(rigStateOf(session))
  if (line.mode !== undefined) return changeMode(session, line.mode)
  if (!(typeof line.t_ms === 'number' && Number.isFinite(line.t_ms) && typeof line.ch === 'object' && line.ch !== null))
    throw new HbError('USAGE', { found: text.slice(0, 120), expected: '{"t_ms": …, "ch": {…}}' })
  return takeRow(session, { timeUs: Math.round(line.t_ms * 1000), channels: line.ch })
}

function parsed(text: string): Line {
  try {
    const line = JSON.parse(text) as Line | null
    if (typeof line === 'object' && line !== null) return line
  } catch (cause) {
    throw new HbError('USAGE', { found: text.slice(0, 120), expected: 'one JSON object a line' }, { cause })
  }
  throw new HbError('USAGE', { found: text.slice(0, 120), expected: 'one JSON object a line' })
}

function changeMode({ evaluation, rig, throughUs }: Session, mode: string): Record<string, unknown> {
  const known = MODES.find((m): m is Mode => m === mode)
  if (known === undefined) throw new HbError('USAGE', { found: mode, expected: MODES.join(', ') })
  evaluate(evaluation, evaluation.journalSeq, {
    kind: 'mode',
    nowUs: throughUs,
    rig: rig.rig,
    mode: known,
    reason: 'lockstep',
    operator: '',
    source: 'lockstep',
  })
  return { mode: known }
}

function takeRow(
  session: Session,
  row: Readonly<{ timeUs: Micros; channels: Readonly<Record<string, number | null>> }>,
): Record<string, unknown> {
  const { evaluation, rig } = session
  const names = Object.keys(row.channels).filter((name) => row.channels[name] !== null)
  const message = encodeFrame({
    rig: rig.rig,
    source: 'lockstep',
    epoch: '1',
    seq: session.rows,
    cid: null,
    channels: names,
    timeUs: names.length === 0 ? new Float64Array(0) : Float64Array.of(row.timeUs),
    value: Float64Array.from(names, (name) => row.channels[name]!),
  })
  session.rows += 1
  const nowUs = Math.max(session.throughUs, row.timeUs)
  const raw = { rig: rig.rig, origin: 'lockstep', encoding: 'cbor' as const, provenance: 'replay' as const }
  const effects = evaluate(evaluation, session.rows, { kind: 'frame', nowUs, ...raw, messages: [message] })
  session.throughUs = Math.max(nowUs, closingUs(rig, row.timeUs))
  effects.push(...evaluate(evaluation, session.rows, { kind: 'tick', nowUs: session.throughUs }))
  const state = rigStateOf(session)
  session.meter.see(state)
  return { t_ms: row.timeUs / 1000, through_us: state.closedUs, ...said(state, effects) }
}

function rigStateOf({ evaluation, rig }: Session): RigState {
  return evaluation.state.rigs.find(({ settings }) => settings.rig === rig.rig)!
}

/** What the newest slide came to. */
function said(rig: RigState, effects: readonly Effect[]): Record<string, unknown> {
  let verdict: string | null = null
  let confidence: number | null = null
  for (const effect of effects) {
    if (effect.kind !== 'decided') continue
    verdict = effect.decision.verdict
    const core = effect.decision.values[0] as Readonly<{ event: readonly [string, number, number | null] | null }>
    confidence = core.event?.[2] ?? null
  }
  const monitor = monitorOf(rig)
  if (monitor === null) return { state: 'warming_up', score: null, drivers: [], confidence, verdict, streams: {} }
  const event = eventOf(monitor)
  return {
    state: event.state,
    score: event.score,
    drivers: driversOf(rig, monitor),
    confidence,
    verdict,
    streams: streamsOf(monitor),
  }
}

/** The channel that drives the alarm first, then those with the largest scores of event streams, in limits. */
function driversOf({ settings }: RigState, monitor: Monitor): { channel: string; contribution: number }[] {
  const { channel: driver } = eventOf(monitor)
  const most = new Float64Array(settings.metrics.length)
  for (const of of monitor.channels)
    if (of.stream.use === 'event')
      most.forEach((score, c) => {
        most[c] = Math.max(score, ratioOf(of, c))
      })
  for (const of of monitor.rig)
    if (of.stream.use === 'event')
      most.forEach((score, c) => {
        most[c] = Math.max(score, rigRatioOf(of, c) / of.eventRatio)
      })
  return [...most]
    .map((contribution, c) => ({ channel: settings.metrics[c]!.metric, contribution, first: c === driver ? 0 : 1 }))
    .sort((a, b) => a.first - b.first || b.contribution - a.contribution || (a.channel < b.channel ? -1 : 1))
    .slice(0, DRIVERS_MAX)
    .map(({ channel, contribution }) => ({ channel, contribution }))
}

function streamsOf(monitor: Monitor): Record<string, { alarm: boolean; score: number }> {
  const streams: Record<string, { alarm: boolean; score: number }> = {}
  for (const of of monitor.channels)
    streams[of.stream.detector.name] = { alarm: isActive(of.latches), score: largestRatio(of) }
  for (const of of monitor.rig)
    streams[of.stream.detector.name] = { alarm: isActive(of.latches), score: largestRigRatio(of) }
  return streams
}
