import type { EvaluatorSettings } from '../../agent/core/settings.ts'
import type { EvaluatorInput } from '../../agent/core/step.ts'
import { channelListId } from '../../shared/codec/telemetry.ts'
import { createPrng } from '../../shared/lib/prng.ts'
import { FRAME_REFUSALS, type Frame, PROVENANCES } from '../../shared/model/telemetry.ts'
import { MODES } from '../../shared/model/verdict.ts'
import {
  configInput,
  evaluatorSettings,
  frameOf,
  metricBaseline,
  metricSettings,
  rigSettings,
  T0,
  windowBaseline,
} from './evaluator-rig.ts'
import type { LatePolicy } from './late-rig.ts'

type Prng = ReturnType<typeof createPrng>

const VALUES = [
  0,
  -0,
  1,
  -1,
  5.5,
  1e12,
  5e-324,
  1e140,
  -1e140,
  1e141,
  1.7e308,
  -1.7e308,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
]
const CHANNELS = ['a', 'b', 'b-alias', 'c', 'ghost', 'Ko\u0308rper', 'K\u00f6rper']
const LISTS = [
  ['a', 'b'],
  ['c', 'Ko\u0308rper'],
  ['ghost', 'a', 'b-alias'],
]
export const HOSTILE_RIGS = ['rig-a', 'rig-b']

/** Settings of two rigs with limits, a baseline, units and aliases; another `tag` has another slide and fewer metrics. */
export function hostileSettings(tag: number, latePolicy: LatePolicy = 'drop'): EvaluatorSettings {
  const late = { latePolicy, reviseWithinUs: latePolicy === 'revise' ? 600_000 : 0 }
  const metrics = [
    metricSettings('a', { invariantMin: -1e6, invariantMax: 1e6, failMax: 4, idleAfterUs: 300_000 }),
    metricSettings('b', {
      channels: ['b', 'b-alias'],
      unitFactors: new Map([
        ['kPa', 0.01],
        ['Mbar', 1e6],
      ]),
      baselineRequired: true,
      required: false,
      nominalRateHz: 20,
    }),
    metricSettings('c', { baselineRequired: true, driftThreshold: 1, driftRatio: 0.1, nominalRateHz: 20 }),
    metricSettings('Ko\u0308rper', { required: false, invariantEq: 0 }),
  ]
  const known = ['b', 'c'].map((m) => metricBaseline(m, { mean: 1, spread: 0.2, limit: 5 }))
  const baseline = windowBaseline(new Uint8Array(32).fill(3), known)
  const rigs = [
    rigSettings(metrics, { baseline, maxFutureUs: 1_000_000, ...late }),
    rigSettings(tag % 2 === 0 ? metrics.slice(0, 2) : metrics, {
      rig: 'rig-b',
      maxFutureUs: 1_000_000,
      ...late,
      slideUs: tag % 3 === 0 ? 100_000 : 50_000,
      windowsUs: [300_000, 1_000_000],
    }),
  ]
  return evaluatorSettings(rigs, tag)
}

/** Frames, ticks, modes, runs, configurations and stops as no sane rig would send them, beginning with a configuration. */
export function hostileInputs(seed: number, length: number, latePolicy: LatePolicy = 'drop'): EvaluatorInput[] {
  const prng = createPrng(seed)
  const inputs: EvaluatorInput[] = [configInput(T0, hostileSettings(1, latePolicy))]
  const sent: Frame[] = []
  const seqs = new Map<string, number>()
  let nowUs = T0
  while (inputs.length < length) {
    const jump = prng.int(200)
    nowUs += jump === 0 ? 15_000_000 : jump === 1 ? -3_000_000 : jump < 8 ? 700_000 : prng.int(40_000)
    inputs.push(hostileInput(prng, nowUs, { sent, seqs, latePolicy }))
  }
  return inputs
}

type Memory = { sent: Frame[]; seqs: Map<string, number>; latePolicy: LatePolicy }

function hostileInput(prng: Prng, nowUs: number, memory: Memory): EvaluatorInput {
  const kind = prng.int(100)
  const rig = HOSTILE_RIGS[prng.int(2)]!
  if (kind < 20) return { kind: 'tick', nowUs }
  if (kind === 20) return configInput(nowUs, hostileSettings(1 + prng.int(6), memory.latePolicy))
  if (kind === 21)
    return {
      kind: 'operator',
      nowUs,
      command: prng.int(2) === 0 ? 'agent_stop' : 'agent_start',
      bootId: 'boot',
      version: '1',
    }
  if (kind === 22)
    return {
      kind: 'mode',
      nowUs,
      rig,
      mode: MODES[prng.int(MODES.length)]!,
      reason: '',
      operator: 'eve',
      source: 'cli',
    }
  if (kind === 23) {
    const command = (['start', 'stop', 'note'] as const)[prng.int(3)]!
    return {
      kind: 'run',
      nowUs,
      rig,
      command,
      run: `run-${prng.int(3)}`,
      article: 'SN 1',
      procedure: 'P',
      operator: 'eve',
      note: `e\u0301${prng.int(3)}`,
    }
  }
  if (kind === 24) return { kind: 'ack', nowUs, rig, key: 'x', status: 'failed', from: 'y', message: 'z' }
  const results = Array.from({ length: 1 + prng.int(2) }, () => {
    if (prng.int(30) === 0)
      return {
        ok: false as const,
        rig,
        reason: FRAME_REFUSALS[prng.int(FRAME_REFUSALS.length)]!,
        detail: '\u{1f600}'.repeat(150),
      }
    const again = memory.sent.length > 0 && prng.int(6) === 0
    const frame = again
      ? memory.sent[memory.sent.length - 1 - prng.int(Math.min(40, memory.sent.length))]!
      : hostileFrame(prng, nowUs, memory.seqs)
    if (!again) memory.sent.push(frame)
    return { ok: true as const, frame }
  })
  return { kind: 'frame', nowUs, results }
}

function hostileFrame(prng: Prng, nowUs: number, seqs: Map<string, number>): Frame {
  const source = `daq-${prng.int(3)}`
  const epoch = prng.int(40) === 0 ? `e-${prng.int(100)}` : prng.int(2) === 0 ? 'e\u0301' : 'e1'
  const seq = nextSeq(prng, seqs, `${source}/${epoch}`)
  const list = LISTS[prng.int(LISTS.length)]!
  const naming = prng.int(10)
  const names =
    naming < 4
      ? list
      : [...new Set(Array.from({ length: 1 + prng.int(3) }, () => CHANNELS[prng.int(CHANNELS.length)]!))]
  const announces = naming < 2
  const byId = naming === 2 || naming === 3
  const times = Array.from({ length: announces && prng.int(2) === 0 ? 0 : 1 + prng.int(6) }, () =>
    hostileTime(prng, nowUs),
  )
  if (prng.int(3) > 0) times.sort((a, b) => a - b)
  const values = names.map(() =>
    times.map(() => (prng.int(8) === 0 ? VALUES[prng.int(VALUES.length)]! : 1 + prng.normal())),
  )
  const frame = frameOf({
    rig: HOSTILE_RIGS[prng.int(2)]!,
    source,
    epoch,
    seq,
    times,
    values,
    provenance: PROVENANCES[prng.int(PROVENANCES.length)]!,
    channels: byId ? null : names,
    cid: byId || announces ? channelListId(names) : null,
  })
  const quality =
    prng.int(5) === 0 ? { quality: Uint8Array.from(frame.value, () => (prng.int(3) === 0 ? prng.int(5) : 0)) } : {}
  const unit = prng.int(8) === 0 ? { unit: ['kPa', 'Mbar', 'psi', 'bar'][prng.int(4)]! } : {}
  return { ...frame, ...quality, ...unit, ...(prng.int(60) === 0 ? { value: frame.value.slice(1) } : {}) }
}

function nextSeq(prng: Prng, seqs: Map<string, number>, key: string): number {
  if (prng.int(6) === 0) return -1
  const odd = prng.int(60)
  if (odd === 0) return prng.int(2 ** 31) * 4_000_000
  const next = (seqs.get(key) ?? prng.int(1000)) + (odd === 1 ? 5000 : odd === 2 ? -4 : odd === 3 ? 3 : 1)
  seqs.set(key, Math.max(0, next))
  return Math.max(0, next)
}

function hostileTime(prng: Prng, nowUs: number): number {
  const odd = prng.int(60)
  if (odd === 0) return nowUs + prng.int(1_300_000)
  if (odd === 1) return nowUs - prng.int(600_000)
  if (odd === 2)
    return [
      nowUs / 1000,
      nowUs / 1e6,
      nowUs * 1000,
      nowUs + 0.5,
      Number.NaN,
      -nowUs,
      Number.POSITIVE_INFINITY,
      2 ** 53,
      0,
    ][prng.int(9)]!
  return nowUs - prng.int(150_000)
}
