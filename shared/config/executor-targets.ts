import type { RigPolicy } from '../model/actions-policy.ts'
import type { CheckedFile } from './document.ts'
import { executorProblems } from './executor-problems.ts'
import type { TargetExecutorConfig } from './executor-schema.ts'
import type { Problem } from './problems.ts'

type Named = Partial<TargetExecutorConfig>

/**
 * Every mistake of `executors` that no single key shows: one named twice, what its kind cannot be, and a target of a policy
 * that nobody, or somebody of another kind, carries out. What cannot be done is said before anything is armed.
 */
export function executorTargetProblems(file: CheckedFile, policies: Iterable<RigPolicy>): Problem[] {
  const problems: Problem[] = []
  const { executors = [] } = (file.value ?? {}) as Readonly<{ executors?: readonly (Named | undefined)[] }>
  const kinds = new Map<string, string>()
  executors.forEach((named, k) => {
    if (named?.target === undefined || named.type === undefined || !file.isSound(['executors', k])) return
    const { target, type } = named
    if (kinds.has(target))
      problems.push({
        ...file.at(['executors', k, 'target']),
        found: `\`${target}\` a second time`,
        expected: 'every target once',
      })
    kinds.set(target, type)
    if (type === 'peer' && !file.has(['peer']))
      problems.push({
        ...file.at(['executors', k, 'type']),
        found: 'peer, and no `peer`',
        expected: '`peer` beside it',
      })
    for (const { path, found, expected } of executorProblems(named as TargetExecutorConfig))
      problems.push({ ...file.at(['executors', k, ...path]), found, expected })
  })
  const said = new Set<string>()
  for (const { targets } of policies)
    for (const { name, executor } of targets) {
      const kind = kinds.get(name)
      if (kind === executor || said.has(name)) continue
      said.add(name)
      problems.push({
        ...file.at(['executors']),
        found: kind === undefined ? `nobody for the target \`${name}\`` : `${kind} for the target \`${name}\``,
        expected: `an executor of type ${executor}, as the policy of actions says`,
      })
    }
  return problems
}
