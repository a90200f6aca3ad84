import { HbError } from '../../shared/errors/hb-error.ts'
import { type CriterionOutcome, evaluateCriterion, type GateInput } from './criteria.ts'
import { criteriaOf, type ReadinessGates } from './gates.ts'

/** At Risk: nothing is known to be wrong, and something is not known. */
export const GATE_VERDICTS = ['Ready', 'At Risk', 'Not Ready'] as const
export type GateVerdict = (typeof GATE_VERDICTS)[number]
export type GateResult = Readonly<{
  gate: string
  program: string | null
  verdict: GateVerdict
  criteria: readonly CriterionOutcome[]
}>

/** Evaluates every criterion of a gate, inherited ones first. @throws HbError USAGE without such a gate, or for reports of several programmes */
export function evaluateGate(gates: ReadinessGates, name: string, input: Omit<GateInput, 'rigs'>): GateResult {
  const { program, reports } = input
  const criteria = criteriaOf(gates, name)
  const programs = new Set([
    ...reports.analyses.flatMap(({ report }) => report.program ?? []),
    ...reports.baselines.flatMap(({ report }) => report.baselines.map((row) => row.program)),
  ])
  if (program === null && programs.size > 1)
    throw new HbError('USAGE', {
      found: `reports of ${[...programs].sort().join(', ')}`,
      expected: 'one of them with --program NAME: a gate is of one programme',
    })
  const rigs = program === null ? null : (gates.programs?.[program]?.rigs ?? null)
  const outcomes = criteria.map((criterion) => evaluateCriterion(criterion, { ...input, rigs }))
  const is = (what: CriterionOutcome['is']): boolean => outcomes.some((outcome) => outcome.is === what)
  return {
    ...{ gate: name, program },
    verdict: is('missed') ? 'Not Ready' : is('unknown') || outcomes.length === 0 ? 'At Risk' : 'Ready',
    criteria: outcomes,
  }
}
