import { type Static, Type } from 'typebox'
import type { CheckedFile } from '../../shared/config/document.ts'
import { didYouMean, type Problem } from '../../shared/config/problems.ts'
import { closed } from '../../shared/config/schema-parts.ts'
import { soundYaml, yamlBytes } from '../../shared/config/sound-yaml.ts'
import { HbError } from '../../shared/errors/hb-error.ts'

const CRITERIA_MAX = 100
const text = (description: string) => Type.String({ minLength: 1, maxLength: 500, description })
const names = (description: string) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 128 }), { description, maxItems: 1000 })

/** What a criterion takes beside its type. Which of them belong to which type: {@link CRITERION_PARAMS}. */
const ParamsSchema = closed({
  runs: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'How many of the newest runs.' })),
  tag: Type.Optional(text('Tag of the baseline.')),
  metrics: Type.Optional(names('Metrics that are critical beside those of the registry.')),
})

/** `readiness_gates.yaml`, with the keys of the predecessor. */
export const ReadinessGatesSchema = closed({
  version: Type.Unsafe<'1.0'>(Type.Literal('1.0', { description: 'Version of this format.' })),
  gates: Type.Record(
    Type.String(),
    closed({
      description: Type.Optional(text('What the gate is for.')),
      extends: Type.Optional(text('A gate whose criteria hold here too.')),
      criteria: Type.Array(
        closed({
          id: text('Name of the criterion.'),
          type: text('What is looked at.'),
          description: Type.Optional(text('Why.')),
          params: Type.Optional(ParamsSchema),
        }),
        { description: 'All of them must be met.', maxItems: CRITERIA_MAX, default: [] },
      ),
    }),
    { description: 'Gates by name.' },
  ),
  programs: Type.Optional(
    Type.Record(Type.String(), closed({ rigs: names('Rigs of the bench whose cases count for it.') }), {
      description: 'What belongs to a programme.',
    }),
  ),
})
export type ReadinessGates = Static<typeof ReadinessGatesSchema>
export type Criterion = ReadinessGates['gates'][string]['criteria'][number]

/** Criteria that are known, with what each takes. */
export const CRITERION_PARAMS = {
  no_fail_in_runs: ['runs'],
  baseline_tag_set: ['tag'],
  no_critical_metric_drift: ['runs', 'metrics'],
  evidence_pack_if_fail: ['runs'],
  no_open_baseline_requests: [],
  requirements_shown: [],
  no_regression: [],
} as const satisfies Record<string, readonly string[]>
export type CriterionType = keyof typeof CRITERION_PARAMS

export function isCriterionType(type: string): type is CriterionType {
  return Object.hasOwn(CRITERION_PARAMS, type)
}

/** The gates of who names no file. */
export const DEFAULT_GATES: ReadinessGates = {
  version: '1.0',
  gates: {
    'Pre-CDR': {
      description: 'before the critical design review: it was tested, did not fail, and has a baseline',
      criteria: [
        { id: 'runs-good', type: 'no_fail_in_runs', params: { runs: 1 } },
        { id: 'baseline-set', type: 'baseline_tag_set', params: { tag: 'golden' } },
      ],
    },
    'Pre-Flight': {
      description: 'before the article is used: good for a while, nothing critical drifts, failures can be shown',
      extends: 'Pre-CDR',
      criteria: [
        { id: 'runs-good-for-a-while', type: 'no_fail_in_runs', params: { runs: 3 } },
        { id: 'critical-steady', type: 'no_critical_metric_drift', params: { runs: 3 } },
        { id: 'failures-kept', type: 'evidence_pack_if_fail' },
      ],
    },
    'Pre-Delivery': {
      description: 'before it is handed over: nothing is left to be decided',
      extends: 'Pre-Flight',
      criteria: [{ id: 'requests-closed', type: 'no_open_baseline_requests' }],
    },
    'Regression-Exit': {
      description: 'after a change: the bench is good and nothing got worse',
      criteria: [
        { id: 'runs-good', type: 'no_fail_in_runs', params: { runs: 1 } },
        { id: 'nothing-worse', type: 'no_regression' },
        { id: 'failures-kept', type: 'evidence_pack_if_fail' },
      ],
    },
    Release: {
      description: 'before a release: every requirement is shown as well',
      extends: 'Pre-Delivery',
      criteria: [
        { id: 'nothing-worse', type: 'no_regression' },
        { id: 'requirements-shown', type: 'requirements_shown' },
      ],
    },
  },
}

/** Reads gates. @throws HbError CONFIG_MISSING, CONFIG_TOO_LARGE; ConfigError with every mistake. */
export function readGates(path: string): ReadinessGates {
  return parseGates(path, yamlBytes(path))
}

/** The same from bytes. A type that nobody knows is taken: it is never met. @throws ConfigError */
export function parseGates(name: string, bytes: Uint8Array): ReadinessGates {
  return soundYaml(name, bytes, { schema: ReadinessGatesSchema, moreProblems: gateProblems })
}

/** The criteria of a gate with those of the gates that it extends, from the first of them on. @throws HbError USAGE without such a gate */
export function criteriaOf({ gates }: ReadinessGates, name: string): readonly Criterion[] {
  if (!Object.hasOwn(gates, name))
    throw new HbError('USAGE', { found: name, expected: `one of ${Object.keys(gates).join(', ')}` })
  const gate = gates[name]!
  return [...(gate.extends === undefined ? [] : criteriaOf({ version: '1.0', gates }, gate.extends)), ...gate.criteria]
}

function gateProblems(file: CheckedFile): Problem[] {
  const gates = (file.value as Partial<ReadinessGates> | undefined)?.gates ?? {}
  const known = Object.keys(gates)
  const problems: Problem[] = []
  for (const [name, gate] of Object.entries(gates)) {
    if (!file.isSound(['gates', name])) continue
    if (gate.extends !== undefined && !known.includes(gate.extends)) {
      const hint = didYouMean(gate.extends, known)
      const at = file.at(['gates', name, 'extends'])
      problems.push({
        ...at,
        found: `\`${gate.extends}\``,
        expected: 'the name of a gate',
        ...(hint === undefined ? {} : { hint }),
      })
    } else if (isCircle(gates, name))
      problems.push({
        ...file.at(['gates', name, 'extends']),
        found: 'gates that extend each other in a circle',
        expected: 'an end',
      })
    const inherits = gate.extends !== undefined
    if (gate.criteria.length === 0 && !inherits)
      problems.push({
        ...file.at(['gates', name]),
        found: 'a gate without criteria',
        expected: 'at least one: it would always be open',
      })
    gate.criteria.forEach(({ type, params }, k) => {
      if (!isCriterionType(type)) return
      const takes: readonly string[] = CRITERION_PARAMS[type]
      for (const key of Object.keys(params ?? {}))
        if (!takes.includes(key))
          problems.push({
            ...file.at(['gates', name, 'criteria', k, 'params', key]),
            found: `\`${key}\` of \`${type}\``,
            expected: takes.length === 0 ? 'nothing' : `only ${takes.join(', ')}`,
          })
    })
  }
  return problems
}

function isCircle(gates: ReadinessGates['gates'], name: string): boolean {
  const seen = new Set<string>()
  for (let at: string | undefined = name; at !== undefined; at = gates[at]?.extends) {
    if (seen.has(at)) return true
    seen.add(at)
  }
  return false
}
