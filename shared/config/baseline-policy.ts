import { createHash } from 'node:crypto'
import type { Static } from 'typebox'
import type { SelectionPolicy } from '../model/baseline-selection.ts'
import { BaselinePolicySchema } from './baseline-policy-schema.ts'
import { type CheckedFile, checkYaml } from './document.ts'
import { ConfigError, type Problem } from './problems.ts'
import type { Schema } from './schema-terms.ts'

/** `baseline_policy.yaml` with every default filled in, in its own words. */
export type BaselinePolicy = Static<typeof BaselinePolicySchema>['baseline_policy']

/** A policy with the predecessor's hash of the bytes it was read from. */
export type LoadedBaselinePolicy = Readonly<{ policy: BaselinePolicy; sha256: string }>

const DEFAULT_TEXT = 'baseline_policy: {}\n'

/**
 * Reads `baseline_policy.yaml`.
 *
 * @throws ConfigError with every mistake.
 */
export function parseBaselinePolicy(name: string, bytes: Uint8Array): LoadedBaselinePolicy {
  const file = checkYaml(name, bytes, BaselinePolicySchema as unknown as Schema)
  const problems: Problem[] = [...file.problems, ...contradictions(file)]
  if (problems.length > 0) throw new ConfigError(problems)
  const { baseline_policy: policy } = file.value as Static<typeof BaselinePolicySchema>
  return { policy, sha256: createHash('sha256').update(bytes).digest('hex') }
}

/** The policy of a place without a file: every default. */
export function defaultBaselinePolicy(): LoadedBaselinePolicy {
  return parseBaselinePolicy('baseline_policy.yaml', new TextEncoder().encode(DEFAULT_TEXT))
}

/** What of a policy chooses; `explicit` needs the run that a command names. */
export function selectionPolicy(policy: BaselinePolicy, runId?: string): SelectionPolicy {
  const { strategy, fallback, tag, context_match } = policy
  return {
    strategy,
    fallback,
    context_match,
    ...(tag === undefined ? {} : { tag }),
    ...(runId === undefined ? {} : { run_id: runId }),
  }
}

function contradictions(file: CheckedFile): Problem[] {
  const problems: Problem[] = []
  const policy = (file.value as Partial<Static<typeof BaselinePolicySchema>> | undefined)?.baseline_policy
  if (policy === undefined) return problems
  const add = (key: readonly string[], what: Pick<Problem, 'found' | 'expected' | 'hint'>) =>
    problems.push({ ...file.at(['baseline_policy', ...key]), ...what })
  if (policy.strategy === 'tag' && policy.tag === undefined)
    add(['strategy'], { found: '`tag` without a tag', expected: '`tag: NAME` beside it' })
  if (policy.tag !== undefined && policy.strategy === 'rolling')
    add(['tag'], { found: 'a tag beside `rolling`', expected: 'one of them', hint: 'a tag names one run for good' })
  if (policy.warn_on_mismatch === false)
    add(['warn_on_mismatch'], {
      found: 'false',
      expected: 'true',
      hint: 'numbers that were judged by another registry are other numbers',
    })
  if (policy.governance?.require_approval === false)
    add(['governance', 'require_approval'], {
      found: 'false',
      expected: 'true',
      hint: 'a baseline without approval is a draft, and a draft arms nothing',
    })
  const { approvals_required: needed, approvers = [] } = policy.governance ?? {}
  if (needed !== undefined && approvers.length > 0 && new Set(approvers).size < needed)
    add(['governance', 'approvers'], {
      found: `${new Set(approvers).size} people for ${needed} approvals`,
      expected: `at least ${needed}`,
    })
  return problems
}
