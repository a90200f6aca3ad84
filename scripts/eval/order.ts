import { existsSync, readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { Mode } from './evaluate-skab.ts'
import { EvaluationError } from './evaluation-error.ts'

export type Layout = 'skab' | 'tep'

/** What is asked for on the command line. */
export type Order = Readonly<{
  corpus: string
  score: readonly string[]
  mode: Mode
  layout: Layout
  starts: readonly number[]
  json: string | null
  goals: string | null
  against: string | null
}>

export const USAGE = `npm run -s eval:detect -- --corpus DIR --split FILE [options]

  --corpus DIR          folder of recordings
  --split FILE          {"score": ["valve1/0.csv", …]}: what is scored; the rest may only serve as earlier runs
  --mode self|history   what a run knows: its own first rows, or those of earlier runs too (self)
  --layout skab|tep     how the folder is laid out (skab)
  --starts 0,40,80      rows at which a baseline begins; the headline is the mean over them
  --json OUT            writes everything that was found to a file
  --goals FILE          exits with 1 when a bound of the file is missed (scripts/eval/goals.json has the ones to hold)
  --against FILE        a result of before, of the same files and starts: intervals of the differences
`

const OPTIONS = {
  corpus: { type: 'string' },
  split: { type: 'string' },
  mode: { type: 'string', default: 'self' },
  layout: { type: 'string', default: 'skab' },
  starts: { type: 'string', default: '0,40,80' },
  json: { type: 'string' },
  goals: { type: 'string' },
  against: { type: 'string' },
} as const

/** @throws EvaluationError 64 for a command line that makes no sense, 66 when nothing is there to score */
export function orderFrom(args: readonly string[]): Order {
  const { corpus, split, mode, layout, starts, json, goals, against } = parsed(args)
  if (corpus === undefined || !existsSync(corpus))
    throw new EvaluationError(66, `no corpus: ${corpus ?? '--corpus was not given'}; nothing was scored\n${USAGE}`)
  if (split === undefined) throw new EvaluationError(64, `--split is missing\n${USAGE}`)
  if (mode !== 'self' && mode !== 'history') throw new EvaluationError(64, `--mode ${mode}: say self or history`)
  if (layout !== 'skab' && layout !== 'tep') throw new EvaluationError(64, `--layout ${layout}: say skab or tep`)
  const rows = starts.split(',').map((text) => (/^\d+$/.test(text.trim()) ? Number(text) : Number.NaN))
  if (rows.some(Number.isNaN) || new Set(rows).size !== rows.length)
    throw new EvaluationError(64, `--starts ${starts}: row numbers, each once, like 0,40,80`)
  const score = readSplit(split)
  return {
    corpus,
    score,
    mode,
    layout,
    starts: rows,
    json: json ?? null,
    goals: goals ?? null,
    against: against ?? null,
  }
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, strict: true, allowPositionals: false }).values
  } catch (cause) {
    throw new EvaluationError(64, `${(cause as Error).message}\n${USAGE}`, { cause })
  }
}

function readSplit(path: string): string[] {
  if (!existsSync(path)) throw new EvaluationError(66, `there is no split file ${path}`)
  let split: { score?: unknown }
  try {
    split = JSON.parse(readFileSync(path, 'utf8')) as { score?: unknown }
  } catch (cause) {
    throw new EvaluationError(65, `split file ${path}: ${(cause as Error).message}`, { cause })
  }
  const { score } = split
  if (!Array.isArray(score) || score.length === 0 || score.some((id) => typeof id !== 'string'))
    throw new EvaluationError(65, `split file ${path}: {"score": ["valve1/0.csv", …]} with at least one file is needed`)
  if (new Set(score).size !== score.length) throw new EvaluationError(65, `split file ${path} names a file twice`)
  return score as string[]
}
