import { type OpenedBundle, openConfigBundle } from '../../shared/codec/config-bundle.ts'
import { type ConfigBytes, filesNotNamed, type ParsedRuntime, parseRuntimeFiles } from '../../shared/config/load.ts'
import type { Trust } from '../../shared/config/operators.ts'
import { ConfigError } from '../../shared/config/problems.ts'
import { isHbError } from '../../shared/errors/hb-error.ts'
import { type BundleProblem, signersNeeded } from '../../shared/model/config-bundle.ts'
import type { Micros } from '../../shared/units.ts'
import { compileSettings } from './compile-settings.ts'
import { fixedKeysChanged, linksChanged } from './fixed-keys.ts'

/** A configuration in force, or one that is to be. */
export type Configuration = ParsedRuntime & Readonly<{ files: readonly ConfigBytes[] }>

/** Whom a bundle must convince; without `place` it is not asked for whom it is. */
export type BundleTrust = Readonly<{
  trust: Trust
  /** Whether what it takes the place of has a policy of actions. */
  replacesPolicy: boolean
  place: Readonly<{ deployment: string; agent: string }> | null
  nowUs: Micros
}>

/** A bundle with everything that is wrong with it. `next` is null where its files are no configuration. */
export type CheckedBundle = Readonly<{
  bundle: OpenedBundle | null
  next: Configuration | null
  problems: readonly BundleProblem[]
}>

/**
 * Checks a bundle by itself: signatures, their number, for whom it is, until when, and the whole configuration inside, by
 * the same check that a start makes.
 */
export function checkBundle(bytes: Uint8Array, against: BundleTrust): CheckedBundle {
  const { trust, place } = against
  if (trust.operators.length === 0)
    return {
      bundle: null,
      next: null,
      problems: [{ code: 'no_operators', found: 'no `operators`', expected: 'people whose signatures are believed' }],
    }
  const { opened, problems: ofBytes } = openConfigBundle(bytes, trust.operators)
  if (opened === null) return { bundle: null, next: null, problems: ofBytes }
  const inside = readInside(opened.files)
  const { manifest } = opened
  const problems: BundleProblem[] = [...ofBytes, ...inside.problems]
  const note = (code: BundleProblem['code'], found: string, expected: string): void => {
    problems.push({ code, found, expected })
  }
  if (place !== null && manifest.deployment !== place.deployment)
    note('other_deployment', `deployment ${manifest.deployment}`, place.deployment)
  if (place !== null && manifest.agent !== place.agent) note('other_agent', `agent ${manifest.agent}`, place.agent)
  if (inside.next !== null) misnamed(opened, inside.next, note)
  if (!(manifest.notAfterUs === 0 || against.nowUs <= manifest.notAfterUs))
    note('expired', `valid until ${iso(manifest.notAfterUs)}`, `later than ${iso(against.nowUs)}`)
  signerProblems(opened, { ...against, holdsPolicy: holdsPolicy(inside.next) }, note)
  return { bundle: opened, next: inside.next, problems }
}

export type JudgeBundleAgainst = Readonly<{
  /** In force now, before baselines of the collector; its operators are the ones that are believed. */
  inForce: Configuration
  /** That of the start, which links to targets were opened under. */
  started: Configuration
  /** Highest number that was ever taken. */
  lastNumber: number
  nowUs: Micros
  /** Whether the agent was started with what carries actions out: a ledger, and links to targets. */
  canAct: boolean
}>

/** Decides whether a running agent takes a bundle. */
export function judgeBundle(bytes: Uint8Array, against: JudgeBundleAgainst): CheckedBundle {
  const { inForce, lastNumber, nowUs } = against
  const { trust, config } = inForce
  const place = { deployment: config.deployment, agent: config.agent }
  const checked = checkBundle(bytes, { trust, place, nowUs, replacesPolicy: holdsPolicy(inForce) })
  const { bundle, next } = checked
  const problems = [...checked.problems]
  if (bundle !== null && !(bundle.manifest.number > lastNumber))
    problems.push({
      code: 'number_not_above',
      found: `number ${bundle.manifest.number}`,
      expected: `above ${lastNumber}: an older bundle is never played back`,
    })
  if (config.evaluation.threads > 0)
    problems.push({
      ...{ code: 'needs_restart', key: 'evaluation.threads', found: `${config.evaluation.threads}` },
      expected: '0: rigs on threads take another configuration at a start only',
    })
  if (next !== null) problems.push(...restartProblems(against, next))
  return { bundle, next, problems }
}

/** What a running agent cannot change about itself, on its way to another configuration. */
export function restartProblems(
  against: Pick<JudgeBundleAgainst, 'inForce' | 'started' | 'canAct'>,
  next: Configuration,
): BundleProblem[] {
  const { inForce, started, canAct } = against
  const problems = programProblems(inForce, next)
  const firstPolicy = !canAct && holdsPolicy(next)
  const links = firstPolicy ? [] : linksChanged(started, next)
  for (const { key, now, next: wanted } of [...fixedKeysChanged(inForce, next), ...links]) {
    if (/^rigs\[[^\]]*\]\.program$/.test(key) && problems.length > 0) continue
    const found = wanted === '' ? 'it is not there' : wanted
    problems.push({ code: 'needs_restart', key, found, expected: `${now === '' ? 'nothing' : now} until a restart` })
  }
  if (firstPolicy)
    problems.push({
      ...{ code: 'needs_restart', key: 'rigs.actions_policy_file', found: 'the first policy of actions' },
      expected: 'an agent that was started with one: it has nothing to act with',
    })
  return problems
}

/** A rig under another programme is another rig: its baselines and limits are not for this one. */
function programProblems({ config }: Configuration, next: Configuration): BundleProblem[] {
  return next.config.rigs.flatMap(({ rig, program }): BundleProblem[] => {
    const own = config.rigs.find((one) => one.rig === rig)
    if (own === undefined || own.program === program) return []
    return [{ code: 'other_program', found: `rig ${rig} of programme ${program}`, expected: own.program }]
  })
}

type Note = (code: BundleProblem['code'], found: string, expected: string) => void

/** What the manifest says of its configuration is what the configuration says. */
function misnamed({ manifest }: OpenedBundle, { config }: Configuration, note: Note): void {
  if (config.deployment !== manifest.deployment)
    note('other_deployment', `a configuration for deployment ${config.deployment}`, manifest.deployment)
  if (config.agent !== manifest.agent) note('other_agent', `a configuration for agent ${config.agent}`, manifest.agent)
  const told = (rigs: readonly { rig: string; program: string }[]): string =>
    rigs
      .map(({ rig, program }) => `${rig} of ${program}`)
      .sort()
      .join(', ')
  if (told(config.rigs) !== told(manifest.rigs)) note('other_program', told(config.rigs), told(manifest.rigs))
}

type Signing = BundleTrust & Readonly<{ holdsPolicy: boolean }>

function signerProblems({ signers }: OpenedBundle, { trust, ...of }: Signing, note: Note): void {
  const needed = signersNeeded(of)
  if (!(signers.length >= needed))
    note(
      'too_few_signers',
      `signed by ${signers.join(', ')}`,
      `${needed} people: ${of.holdsPolicy ? 'it holds a policy of actions' : 'it takes a policy of actions away'}`,
    )
  const { approvers } = trust
  if (needed > 1 && approvers.length > 0 && !signers.some((name) => approvers.includes(name)))
    note('not_an_approver', `signed by ${signers.join(', ')}`, `one of ${approvers.join(', ')} among them`)
}

/** The configuration in a bundle, checked as a start checks it, down to its settings. */
function readInside(
  files: readonly ConfigBytes[],
): Readonly<{ next: Configuration | null; problems: BundleProblem[] }> {
  try {
    const problems = filesNotNamed(files).map(
      (name): BundleProblem => ({ code: 'file_not_named', found: name, expected: 'only files that it names' }),
    )
    const next = { ...parseRuntimeFiles(files), files }
    compileSettings(files)
    return { next, problems }
  } catch (error) {
    if (!isHbError(error)) throw error
    const mistake = { code: 'mistake', found: error.message, expected: 'what `hb config check` finds good' } as const
    if (!(error instanceof ConfigError)) return { next: null, problems: [mistake] }
    return { next: null, problems: error.problems.map((problem) => ({ code: 'mistake', ...problem })) }
  }
}

export function holdsPolicy(configuration: Pick<Configuration, 'policies'> | null): boolean {
  return configuration !== null && configuration.policies.size > 0
}

function iso(us: Micros): string {
  return new Date(us / 1000).toISOString()
}
