import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { transformSync } from 'esbuild'
import type { Evaluator } from '../../scripts/eval/system-under-test.ts'
import type { Bench } from '../../scripts/eval/trial.ts'
import { ROOT } from '../../scripts/sources.ts'
import { createPrng } from '../../shared/lib/prng.ts'

export const CHANNELS = ['Accelerometer1RMS', 'Temperature', 'Volume Flow RateRMS'] as const

/** A recorded run in the SKAB layout: noise about a level, and a fault that moves one channel. */
export type RunOrder = Readonly<{
  seed: number
  begin: string
  rows: number
  fault?: Readonly<{ from: number; to: number; channel: number; by: number }>
  /** Row from which all channels stand higher, as in a baseline that is none. */
  stepAt?: number
  crlf?: boolean
}>

export function skabText({ seed, begin, rows, fault, stepAt, crlf = false }: RunOrder): string {
  const prng = createPrng(seed)
  const labelled = fault !== undefined
  const lines = [['datetime', ...CHANNELS, ...(labelled ? ['anomaly', 'changepoint'] : [])].join(';')]
  const beginMs = Date.parse(`${begin.replace(' ', 'T')}Z`)
  for (let row = 0; row < rows; row += 1) {
    const wrong = fault !== undefined && row >= fault.from && row < fault.to
    const changes = fault !== undefined && (row === fault.from || row === fault.to)
    const values = CHANNELS.map((_, c) => {
      const level =
        20 + (wrong && c === fault.channel ? fault.by : 0) + (stepAt !== undefined && row >= stepAt ? 30 : 0)
      return (level + prng.normal()).toFixed(4)
    })
    const time = new Date(beginMs + row * 1000).toISOString().slice(0, 19).replace('T', ' ')
    lines.push([time, ...values, ...(labelled ? [wrong ? '1.0' : '0.0', changes ? '1.0' : '0.0'] : [])].join(';'))
  }
  return `${lines.join(crlf ? '\r\n' : '\n')}\n`
}

/** Two campaigns, a run with a contaminated baseline, CRLF in one file, and a run in which nothing is wrong. */
export function writeSkab(folder: string, extra: Readonly<Record<string, RunOrder>> = {}): void {
  const fault = { from: 560, to: 640, channel: 2, by: 40 }
  const runs: Record<string, RunOrder> = {
    'valve1/0.csv': { seed: 1, begin: '2020-03-09 10:00:00', rows: 700, fault },
    'valve1/1.csv': { seed: 2, begin: '2020-03-09 11:00:00', rows: 720, fault, crlf: true },
    'other/5.csv': { seed: 3, begin: '2020-02-08 16:00:00', rows: 700, fault: { ...fault, channel: 0 } },
    'anomaly-free/anomaly-free.csv': { seed: 4, begin: '2020-02-08 13:00:00', rows: 2000 },
    ...extra,
  }
  for (const [id, run] of Object.entries(runs)) {
    mkdirSync(dirname(join(folder, id)), { recursive: true })
    writeFileSync(join(folder, id), skabText(run))
  }
}

/** The fake evaluator as a program of its own, in `folder`: what runs without a JIT cannot strip types itself. */
export function fakeEvaluator(folder: string, behaviour: string): Evaluator {
  const program = join(folder, 'fake-evaluator.mjs')
  const source = readFileSync(join(ROOT, 'test', 'support', 'fake-evaluator.ts'), 'utf8')
  writeFileSync(program, transformSync(source, { loader: 'ts', format: 'esm' }).code)
  return { command: process.execPath, before: [program, behaviour] }
}

/** A bench in which the fake evaluator behaves as told. */
export function fakeBench(folder: string, behaviour: string): Bench {
  mkdirSync(folder, { recursive: true })
  return { evaluator: fakeEvaluator(folder, behaviour), folder, keyPem: 'no key\n', answerWithinMs: 20_000 }
}
