import { type BaselinePolicy, BaselinePolicySchema } from './baseline-policy-schema.ts'
import type { CheckedFile } from './document.ts'
import type { Problem } from './problems.ts'
import { soundYaml, yamlBytes } from './sound-yaml.ts'

const DEFAULT_TEXT = 'baseline_policy: {}\n'

/** Reads `baseline_policy.yaml`. @throws ConfigError with every mistake. */
export function parseBaselinePolicy(name: string, bytes: Uint8Array): BaselinePolicy {
  return soundYaml(name, bytes, { schema: BaselinePolicySchema, moreProblems: policyProblems }).baseline_policy
}

/** @throws HbError CONFIG_MISSING, CONFIG_TOO_LARGE for the file itself; ConfigError with every mistake. */
export function loadBaselinePolicy(path: string): BaselinePolicy {
  return parseBaselinePolicy(path, yamlBytes(path))
}

/** The policy of a place without a file: every default. */
export function defaultBaselinePolicy(): BaselinePolicy {
  return parseBaselinePolicy('baseline_policy.yaml', new TextEncoder().encode(DEFAULT_TEXT))
}

function policyProblems(file: CheckedFile): Problem[] {
  const { baseline_policy: read } = (file.value ?? {}) as Readonly<{ baseline_policy?: Partial<BaselinePolicy> }>
  if (read === undefined) return []
  const problems: Problem[] = []
  const mustBeTrue = (path: readonly string[], value: boolean | undefined, hint: string): void => {
    if (value === false)
      problems.push({ ...file.at(['baseline_policy', ...path]), found: 'false', expected: 'true', hint })
  }
  mustBeTrue(
    ['warn_on_mismatch'],
    read.warn_on_mismatch,
    'a baseline of another registry is never compared with, and why is always said',
  )
  mustBeTrue(
    ['dual_baseline', 'use_golden_for_hard_gates'],
    read.dual_baseline?.use_golden_for_hard_gates,
    'a rolling baseline follows a slow fault, and so never arms anything',
  )
  mustBeTrue(
    ['governance', 'require_approval'],
    read.governance?.require_approval,
    'a baseline that nobody approved is a draft; for a trial compare with `strategy: explicit`',
  )
  if (read.strategy === 'tag' && !file.has(['baseline_policy', 'tag']))
    problems.push({
      ...file.at(['baseline_policy', 'strategy']),
      found: '`tag` without `tag`',
      expected: 'the name of a tag in `tag`',
      hint: '`strategy: golden` is the tag `golden`',
    })
  const { context_match: fields = [] } = read
  fields.forEach((field, k) => {
    if (field !== undefined && fields.indexOf(field) < k)
      problems.push({
        ...file.at(['baseline_policy', 'context_match', k]),
        found: `\`${field}\` a second time`,
        expected: 'every field once',
      })
  })
  return problems
}
