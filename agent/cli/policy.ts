import { type Command, Option } from 'commander'
import { readPolicies } from '../../shared/config/load.ts'
import { type PlacedFinding, type PolicyOfRig, placedFindings } from '../../shared/config/policy-check.ts'
import { didYouMean, formatProblems, type Problem } from '../../shared/config/problems.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { numberOption, printResult, table } from '../../shared/lib/command-output.ts'
import type { Rule } from '../../shared/model/actions-policy.ts'
import { ruleNeeds, ruleSentence, voteWords } from '../../shared/model/policy-words.ts'
import { escalationBudget, type Measured, type ReactionBudget, ruleBudget } from '../../shared/model/reaction-budget.ts'
import { policyTestCommand } from './policy-test.ts'

/** Exit code when something refuses the policy (sysexits: data). */
const FOUND_EXIT = 65
const P99_MS_MAX = 600_000

type PolicyOptions = Readonly<{
  config: string
  rig?: string
  evalP99Ms?: string
  gateP99Ms?: string
  fsyncP99Ms?: string
  json?: boolean
}>

/** Adds `hb policy lint`, `hb policy explain` and `hb policy test`. */
export function policyCommands(program: Command): void {
  const policy = program.command('policy').description('policies of actions: what is done when')
  const options = (command: Command): Command =>
    command
      .addOption(new Option('--config <file>', 'configuration of the agent').default('runtime.yaml'))
      .option('--rig <rig>', 'only this rig')
      .option('--eval-p99-ms <ms>', 'measured: evaluating a slide; assumed without it')
      .option('--gate-p99-ms <ms>', 'measured: asking the gates; assumed without it')
      .option('--fsync-p99-ms <ms>', 'measured: a durable write; assumed without it')
      .option('--json', 'one JSON object')
  options(
    policy
      .command('lint')
      .description(
        'list mistakes of a policy, what is dangerous in it, and what a reaction takes at worst; exit 65 when it is refused',
      ),
  ).action(lint)
  options(
    policy
      .command('explain')
      .description('say a rule as one sentence, with its vote in words and its reaction term by term')
      .argument('<rule>', 'id of the rule'),
  ).action(explainRule)
  policyTestCommand(policy)
}

/** @throws HbError CONFIG_MISSING, CONFIG_TOO_LARGE, USAGE */
function lint(options: PolicyOptions): void {
  const measured = measuredOf(options)
  const { problems, policies } = readPolicies(options.config)
  const asked = ofRig(policies, options, problems.length > 0)
  const findings = asked.flatMap((of) => placedFindings(of, measured))
  const errors = findings.filter(({ severity }) => severity === 'error').length
  const warnings = findings.length - errors
  const all = [...problems.map(asMistake), ...findings]
  printResult(
    options.json,
    {
      ok: problems.length + errors === 0,
      config: options.config,
      mistakes: problems.length,
      errors,
      warnings,
      findings: all,
      rigs: asked.map((of) => ({ rig: of.rig, rules: of.policy.rules.map((rule) => ruleJson(rule, of, measured)) })),
    },
    [
      ...formatProblems(all.map(named)),
      ...asked.flatMap((of) => of.policy.rules.flatMap((rule) => budgetLines(rule, of, measured))),
      asked.length === 0 && problems.length === 0
        ? `${options.config}: no rig has a policy`
        : `${options.config}: ${problems.length} mistakes, ${errors} errors, ${warnings} warnings`,
    ],
  )
  if (problems.length + errors > 0) process.exitCode = FOUND_EXIT
}

/** @throws HbError CONFIG_MISSING, CONFIG_TOO_LARGE, USAGE */
function explainRule(id: string, options: PolicyOptions): void {
  const measured = measuredOf(options)
  const { problems, policies } = readPolicies(options.config)
  const asked = ofRig(policies, options, problems.length > 0)
  const found = asked.flatMap((of) => of.policy.rules.filter((rule) => rule.id === id).map((rule) => ({ rule, of })))
  if (found.length === 0) {
    const known = asked.flatMap((of) => of.policy.rules.map((rule) => rule.id))
    const wrong =
      problems.length === 0 ? undefined : `${problems.length} mistakes keep it from being read: hb policy lint`
    const hint = wrong ?? didYouMean(id, known) ?? `rules: ${known.join(', ')}`
    throw new HbError('USAGE', { argument: 'rule', found: id, hint })
  }
  printResult(
    options.json,
    { rules: found.map(({ rule, of }) => ({ rig: of.rig, ...ruleJson(rule, of, measured) })) },
    [
      ...found.flatMap(({ rule, of }) => [
        ...(found.length > 1 ? [`rig ${of.rig}:`] : []),
        sentenceOf(rule, of, measured),
        `vote: ${voteWords(rule)}`,
        ...budgetLines(rule, of, measured),
      ]),
    ],
  )
}

function measuredOf({ evalP99Ms, gateP99Ms, fsyncP99Ms }: PolicyOptions): Measured {
  const us = (text: string, option: string): number =>
    Math.ceil(numberOption(text, option, { min: 0, max: P99_MS_MAX }) * 1000)
  return {
    ...(evalP99Ms === undefined ? {} : { evalP99Us: us(evalP99Ms, '--eval-p99-ms') }),
    ...(gateP99Ms === undefined ? {} : { gateP99Us: us(gateP99Ms, '--gate-p99-ms') }),
    ...(fsyncP99Ms === undefined ? {} : { fsyncP99Us: us(fsyncP99Ms, '--fsync-p99-ms') }),
  }
}

/** With mistakes a rig may be missing because of them, and that is not the fault of who asks for it. */
function ofRig(policies: readonly PolicyOfRig[], { rig }: PolicyOptions, isBroken: boolean): readonly PolicyOfRig[] {
  if (rig === undefined) return policies
  const own = policies.filter((of) => of.rig === rig)
  if (own.length > 0 || isBroken) return own
  const known = policies.map((of) => of.rig)
  const hint = didYouMean(rig, known) ?? `rigs with a policy: ${known.join(', ') || 'none'}`
  throw new HbError('USAGE', { option: '--rig', found: rig, hint })
}

type AnyFinding = Problem & Readonly<{ rule: string; severity: string; requirement: string | null }>

function asMistake(problem: Problem): AnyFinding {
  return { ...problem, rule: 'mistake', severity: 'error', requirement: null }
}

/** What it is stands with what was found, as words to search for. */
function named(finding: AnyFinding | PlacedFinding): Problem {
  const { severity, rule, requirement } = finding
  return {
    ...finding,
    found: `${finding.found} (${[severity, rule, requirement].filter((word) => word !== null).join(', ')})`,
  }
}

function sentenceOf(rule: Rule, of: PolicyOfRig, measured: Measured): string {
  const budget = ruleBudget(rule, { ...of, measured })
  return ruleSentence(rule, { policy: of.policy, provenance: of.provenance, units: of.units, budget })
}

function ruleJson(rule: Rule, of: PolicyOfRig, measured: Measured) {
  const needs = ruleNeeds(rule, of.timing.slideUs)
  return {
    rule: rule.id,
    action: rule.action,
    target: rule.target,
    sentence: sentenceOf(rule, of, measured),
    vote: rule.vote,
    vote_words: voteWords(rule),
    needs: { conditions: needs.conditions, of: needs.of, slides: needs.slides, least_us: needs.leastUs },
    budgets: budgetsOf(rule, of, measured).map(({ fttiUs, allowedUs, totalUs, terms, ...budget }) => ({
      ...budget,
      ftti_us: fttiUs,
      allowed_us: allowedUs,
      total_us: totalUs,
      terms,
    })),
  }
}

function budgetsOf(rule: Rule, of: PolicyOfRig, measured: Measured): ReactionBudget[] {
  const about = { ...of, measured }
  return [ruleBudget(rule, about), escalationBudget(rule, about)].filter((budget) => budget !== null)
}

function budgetLines(rule: Rule, of: PolicyOfRig, measured: Measured): string[] {
  const { conditions, of: all, slides, leastUs } = ruleNeeds(rule, of.timing.slideUs)
  const each = slides.map((s) => `${s.condition} ${s.true_slides} of ${s.of_slides}`).join(', ')
  return [
    ...budgetsOf(rule, of, measured).flatMap((budget) => [
      `${of.rig}/${rule.id}: ${budget.kind === 'rule' ? '' : 'escalates to '}${budget.action} ${budget.target}, at worst ${inMs(budget.totalUs)} of ${inMs(budget.allowedUs)} (half of ftti_ms ${budget.fttiUs / 1000})`,
      ...table(budget.terms.map(({ name, us, basis, text }) => [`  ${name}`, inMs(us), basis, text])),
    ]),
    `  needs ${conditions} of ${all} conditions; slides TRUE: ${each}; ${inMs(leastUs)} after the first at the earliest`,
  ]
}

function inMs(us: number): string {
  return `${us / 1000} ms`
}
