import type { RunVerdict } from './compare-runs.ts'
import type { RunMetrics } from './run-metric.ts'

export const ASSERT_OPS = ['<', '<=', '>', '>=', '==', '!=', 'in', 'not_in'] as const
export type AssertOp = (typeof ASSERT_OPS)[number]

export type Assertion = Readonly<{
  id: string
  metric: string
  op: AssertOp
  value: number | readonly number[]
  severity?: string
}>

export type AssertResult = Assertion &
  Readonly<{ status: 'PASS' | 'FAIL' | 'NO_TEST'; current: number | null; reason: string }>

/** Holds the values of a run against what was asserted. A metric without a usable value is NO_TEST, never PASS. */
export function checkAssertions(current: RunMetrics, assertions: readonly Assertion[]): AssertResult[] {
  return assertions.map((one) => {
    const value = current.get(one.metric)?.value ?? null
    if (value === null || !Number.isFinite(value)) {
      const reason = value === null ? 'the run has no value for it' : 'its value is not a number'
      return { ...one, status: 'NO_TEST', current: null, reason }
    }
    const holds = doesHold(value, one)
    const wanted = `${one.op} ${Array.isArray(one.value) ? `[${one.value.join(', ')}]` : one.value}`
    return {
      ...one,
      status: holds ? 'PASS' : 'FAIL',
      current: value,
      reason: `${value} ${holds ? 'is' : 'is not'} ${wanted}`,
    }
  })
}

function doesHold(value: number, { op, value: wanted }: Assertion): boolean {
  if (op === 'in' || op === 'not_in') {
    const isIn = (typeof wanted === 'number' ? [wanted] : wanted).includes(value)
    return isIn === (op === 'in')
  }
  if (typeof wanted !== 'number') return false
  const holds = {
    '<': value < wanted,
    '<=': value <= wanted,
    '>': value > wanted,
    '>=': value >= wanted,
    '==': value === wanted,
    '!=': value !== wanted,
  }
  return holds[op]
}

/** Worst first. A run without metrics is a run that tested nothing. */
const WORST_FIRST: readonly RunVerdict[] = ['FAIL', 'NO_METRICS', 'NO_TEST', 'NO_BASELINE', 'PASS_WITH_DRIFT', 'PASS']

export function worstOf(verdicts: readonly RunVerdict[]): RunVerdict {
  return WORST_FIRST.find((verdict) => verdicts.includes(verdict)) ?? 'NO_TEST'
}
