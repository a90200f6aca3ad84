/** The fields of a run's context that decide how well a baseline matches, in the order in which they are told. */
export const CONTEXT_FIELDS = [
  'scenario_id',
  'operating_mode',
  'environment',
  'environment_fingerprint',
  'sensor_config_id',
  'input_data_version',
] as const
export type ContextField = (typeof CONTEXT_FIELDS)[number]

export const BASELINE_STRATEGIES = ['last_pass', 'tag', 'explicit', 'rolling', 'golden'] as const
export type BaselineStrategy = (typeof BASELINE_STRATEGIES)[number]

export type MatchLevel = 'HIGH' | 'MED' | 'LOW' | 'NONE' | 'TAG' | 'ROLLING' | 'EXPLICIT'

/** What a run or a baseline says of itself. '' or nothing where it does not say. */
export type RunContext = Readonly<Partial<Record<ContextField | 'program' | 'subsystem' | 'test_name', string>>>

/** A run that may serve as baseline, or a certificate; oldest first in a list. */
export type BaselineCandidate = RunContext &
  Readonly<{
    run_id: string
    status: string
    /** Of the registry it was judged by; nothing where nobody knows. */
    registry_hash?: string
    /** A certificate that is in force as such; nothing for a run. */
    kind?: 'golden' | 'rolling'
  }>

/** A name for a run, of one program. Nothing for a program where it stands for any, as in the predecessor's databases. */
export type BaselineTag = Readonly<{ tag: string; run_id: string; registry_hash?: string; program?: string }>

/** What of `baseline_policy.yaml` the selection looks at. */
export type SelectionPolicy = Readonly<{
  strategy?: BaselineStrategy
  fallback?: 'latest' | 'none'
  tag?: string
  context_match?: readonly ContextField[]
  /** Run id that `explicit` names. */
  run_id?: string
}>

export type SelectionInput = Readonly<{
  run: RunContext & Readonly<{ run_id?: string }>
  /** Oldest first. */
  candidates: readonly BaselineCandidate[]
  tags: readonly BaselineTag[]
  policy: SelectionPolicy
  registryHash: string
}>

export type BaselineMatch = Readonly<{
  level: MatchLevel
  matched_fields: readonly ContextField[]
  /** Matching fields; `ratio` is the same as a share of the possible ones, 0 where there is none. */
  score: number
  possible: number
  ratio: number
}>

export type SelectedBaseline = Readonly<{
  baseline_run_id: string | null
  reason: string
  warning: string | null
  match: BaselineMatch
  /** False where a tag names what must not be compared with: it is told and the verdict is NO_BASELINE. */
  usable: boolean
}>

const KEYS = ['program', 'subsystem', 'test_name'] as const
const NO_MATCH: BaselineMatch = { level: 'NONE', matched_fields: [], score: 0, possible: 0, ratio: 0 }

/**
 * Chooses the baseline of a run. What is known to be another program, another mode or another registry, and the run
 * itself, are never chosen; what does not say counts as any. Among the rest the best match of context wins, and the newest
 * of equal ones.
 */
export function selectBaseline(input: SelectionInput): SelectedBaseline {
  const { policy } = input
  const strategy = policy.strategy ?? 'last_pass'
  if (strategy === 'rolling') {
    const version = rollingOf(input)
    if (version !== undefined) return chosen(version.run_id, 'rolling', 'ROLLING')
  }
  if (strategy === 'explicit') {
    const named = input.candidates.find(({ run_id }) => run_id === policy.run_id)
    return named === undefined
      ? none('explicit_not_found')
      : asNamed(input, { runId: named.run_id, reason: 'explicit', level: 'EXPLICIT' })
  }
  const tag = policy.tag ?? (strategy === 'golden' ? 'golden' : undefined)
  if (tag !== undefined) return byTag(input, tag)
  if (strategy === 'tag') return none('tag_not_found')
  return byContext(input)
}

/** What golden and rolling would be for a run: a golden one for hard gates, a rolling one for early warning. */
export type DualBaselines = Readonly<{ hard_gates: string | null; early_warning: string | null }>

/** Both baselines of a run, whatever the strategy is. Null where there is none that may be compared with. */
export function dualBaselines(input: SelectionInput): DualBaselines {
  const golden = byTag(input, 'golden')
  return {
    hard_gates: golden.usable ? golden.baseline_run_id : null,
    early_warning: rollingOf(input)?.run_id ?? null,
  }
}

function rollingOf(input: SelectionInput): BaselineCandidate | undefined {
  return eligible(input).findLast(({ kind }) => kind === 'rolling')
}

/**
 * The newest tag of that name that may be compared with, those of the program before those of none. Where none may, the
 * newest is told with the reason: somebody chose it, and should know.
 */
function byTag(input: SelectionInput, tag: string): SelectedBaseline {
  const { run, tags } = input
  const matching = tags.filter((t) => t.tag === tag && (!isStated(t.program) || isSame(t.program, run.program)))
  const inOrder = [
    ...matching.filter((t) => !isStated(t.program)),
    ...matching.filter((t) => isStated(t.program)),
  ].reverse()
  const named = inOrder.map((t) =>
    asNamed(input, { runId: t.run_id, reason: 'tag', level: 'TAG', taggedHash: t.registry_hash }),
  )
  return named.find(({ usable }) => usable) ?? named[0] ?? none('tag_not_found')
}

type Named = Readonly<{ runId: string; reason: string; level: MatchLevel; taggedHash?: string | undefined }>

/** A baseline that somebody named. It is told even where it must not be used. */
function asNamed(input: SelectionInput, { runId, reason, level, taggedHash }: Named): SelectedBaseline {
  const candidate = input.candidates.findLast(({ run_id }) => run_id === runId)
  const hash = taggedHash ?? candidate?.registry_hash
  const refusal = (warning: string): SelectedBaseline => ({
    baseline_run_id: runId,
    reason,
    warning,
    match: { ...NO_MATCH, level },
    usable: false,
  })
  if (runId === input.run.run_id) return refusal('a run is never its own baseline')
  if (candidate === undefined) return refusal(`baseline ${runId} is not among the runs`)
  if (!isEither(hash, input.registryHash))
    return refusal(`baseline registry hash mismatch (${hash} != ${input.registryHash})`)
  if (!isEither(candidate.operating_mode, input.run.operating_mode))
    return refusal(`baseline mode mismatch (${candidate.operating_mode} != ${input.run.operating_mode})`)
  if (!isEither(candidate.program, input.run.program))
    return refusal(`baseline program mismatch (${candidate.program} != ${input.run.program})`)
  return chosen(runId, reason, level)
}

function byContext(input: SelectionInput): SelectedBaseline {
  const { run, policy } = input
  const pool = eligible(input)
  if (pool.length === 0) return none('no_runs')
  const fields = (policy.context_match ?? CONTEXT_FIELDS).filter((field) => isStated(run[field]))
  const passed = pool.filter(({ status }) => status === 'PASS')
  if (passed.length === 0 && policy.fallback !== 'latest') return none('no_pass')
  const best = passed.length > 0 ? bestOf(passed, run, fields) : pool.at(-1)!
  const match = matchOf(best, run, fields)
  if (passed.length === 0)
    return { baseline_run_id: best.run_id, reason: 'fallback_latest', warning: 'fallback_latest', match, usable: true }
  const warning = match.score < match.possible ? `context mismatch: matched ${match.score}/${match.possible}` : null
  return { baseline_run_id: best.run_id, reason: 'last_pass', warning, match, usable: true }
}

/** Candidates that may serve at all. A run that was judged more than once counts as it was judged last. */
function eligible({ run, candidates, registryHash }: SelectionInput): BaselineCandidate[] {
  const last = new Map(candidates.map((candidate, k) => [candidate.run_id, k]))
  return candidates.filter(
    (candidate, k) =>
      last.get(candidate.run_id) === k &&
      candidate.run_id !== run.run_id &&
      KEYS.every((key) => isEither(candidate[key], run[key])) &&
      isEither(candidate.operating_mode, run.operating_mode) &&
      isEither(candidate.registry_hash, registryHash),
  )
}

/** The best match, the newest of equal ones. */
function bestOf(
  pool: readonly BaselineCandidate[],
  run: RunContext,
  fields: readonly ContextField[],
): BaselineCandidate {
  let best = pool[0]!
  let most = -1
  for (const candidate of pool) {
    const { score } = matchOf(candidate, run, fields)
    if (score < most) continue
    best = candidate
    most = score
  }
  return best
}

function matchOf(candidate: BaselineCandidate, run: RunContext, fields: readonly ContextField[]): BaselineMatch {
  const matched = fields.filter((field) => candidate[field] === run[field])
  const [score, possible] = [matched.length, fields.length]
  const level = possible === 0 ? 'NONE' : score === possible ? 'HIGH' : score > 0 ? 'MED' : 'LOW'
  return { level, matched_fields: matched, score, possible, ratio: possible === 0 ? 0 : score / possible }
}

function chosen(runId: string, reason: string, level: MatchLevel): SelectedBaseline {
  return { baseline_run_id: runId, reason, warning: null, match: { ...NO_MATCH, level }, usable: true }
}

function none(reason: string): SelectedBaseline {
  return { baseline_run_id: null, reason, warning: null, match: NO_MATCH, usable: false }
}

function isStated(text: string | undefined): boolean {
  return text !== undefined && text !== ''
}

/** The same word, or one side does not say. */
function isEither(a: string | undefined, b: string | undefined): boolean {
  return !isStated(a) || !isStated(b) || a === b
}

function isSame(a: string | undefined, b: string | undefined): boolean {
  return isStated(a) && a === b
}
