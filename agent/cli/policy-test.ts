import type { Command } from 'commander'
import { loadRuntimeConfig } from '../../shared/config/load.ts'
import { didYouMean } from '../../shared/config/problems.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { printResult, progress, table, utc } from '../../shared/lib/command-output.ts'
import { VERDICT_EXIT } from '../../shared/model/verdict.ts'
import { type Listed, type RuleScore, type Trial, type TrialProposal, tryPolicy } from '../pipeline/policy-trial.ts'
import { viewStorage } from '../storage.ts'

type TestOptions = Readonly<{ journal: string; config?: string; rig?: string; json?: boolean }>

/** Exit code when records of the journal cannot be read (sysexits: data), as with `hb replay`. */
const DAMAGED_EXIT = 65

/** Adds `hb policy test` to `hb policy`. */
export function policyTestCommand(policy: Command): void {
  policy
    .command('test')
    .description(
      'run a recorded journal under a policy and say what its rules would have done, what was done, and what nobody answered; exit 10 when a rule comes more often than it is expected to, 30 when nothing was evaluated',
    )
    .requiredOption('--journal <dir>', 'state folder whose journal is run again')
    .option('--config <file>', 'configuration with the policy to try; the recorded one without it')
    .option('--rig <rig>', 'only this rig')
    .option('--json', 'one JSON object')
    .action(test)
}

/** @throws HbError STATE_MISSING, STATE_NOT_RECOVERABLE, CONFIG_INVALID, POLICY_MISSING, USAGE */
async function test(options: TestOptions): Promise<void> {
  const files = options.config === undefined ? null : loadRuntimeConfig(options.config).files
  const view = viewStorage(options.journal)
  const report = progress('trying')
  const whole = await tryPolicy(view, { files, report: (seq) => report(seq, view.journal.lastSeq) })
  if (whole.rigs.length === 0)
    throw new HbError('POLICY_MISSING', { found: 'no rig with a policy', in: options.config ?? options.journal })
  const trial = ofRig(whole, options.rig)
  printResult(options.json, trialJson(trial), trialLines(trial))
  process.exitCode = exitOf(trial)
}

function exitOf({ rigs, rules, unreadable }: Trial): number {
  if (unreadable.length > 0) return DAMAGED_EXIT
  if (rigs.every(({ slides }) => slides === 0)) return VERDICT_EXIT.NO_TEST
  return rules.some(({ broken }) => broken) ? VERDICT_EXIT.PASS_WITH_DRIFT : VERDICT_EXIT.PASS
}

function ofRig(trial: Trial, rig: string | undefined): Trial {
  if (rig === undefined) return trial
  const known = trial.rigs.map((one) => one.rig)
  const hint = didYouMean(rig, known) ?? `rigs with a policy: ${known.join(', ')}`
  if (!known.includes(rig)) throw new HbError('USAGE', { option: '--rig', found: rig, hint })
  const own = <T extends Readonly<{ rig: string }>>(all: readonly T[]): T[] => all.filter((one) => one.rig === rig)
  const listed = <T extends Readonly<{ rig: string }>>({ list, more }: Listed<T>) => ({ list: own(list), more })
  const { rigs, rules, proposals, done, misses, unreadable } = trial
  return {
    ...{ rigs: own(rigs), rules: own(rules), unreadable },
    ...{ proposals: listed(proposals), done: listed(done), misses: listed(misses) },
  }
}

function trialJson({ rigs, rules, proposals, done, misses, unreadable }: Trial): Record<string, unknown> {
  const proposed = (state: string) => proposals.list.filter((one) => one.state === state).map(proposalJson)
  return {
    ok: unreadable.length === 0 && rules.every(({ broken }) => !broken),
    rigs: rigs.map(({ failSlides, ...rig }) => ({ ...rig, fail_slides: failSlides })),
    rules: rules.map(({ perHour, expectedPerHour, ...rule }) => ({
      ...rule,
      per_hour: perHour,
      expected_per_hour: expectedPerHour,
    })),
    would_have_done: proposed('WOULD_HAVE_DONE'),
    denied: proposed('GATE_DENIED'),
    proposals_left_out: proposals.more,
    did: done.list.map(({ endUs, ...one }) => ({ ...one, t_us: endUs })),
    did_left_out: done.more,
    misses: misses.list.map(({ rig, fromUs, toUs, slides }) => ({ rig, from_us: fromUs, to_us: toUs, slides })),
    misses_left_out: misses.more,
    unreadable: unreadable.map((u) => ({ from_seq: u.fromSeq, to_seq: u.toSeq, reason: u.reason })),
  }
}

function proposalJson({ endUs, ...proposal }: TrialProposal): Record<string, unknown> {
  return { ...proposal, t_us: endUs }
}

function trialLines(trial: Trial): string[] {
  const { rigs, rules, proposals, done, misses, unreadable } = trial
  const broken = rules.filter((rule) => rule.broken)
  return [
    ...table([['RULE', 'ACTION', 'WOULD', 'DENIED', 'DID', 'PER HOUR', 'EXPECTED'], ...rules.map(ruleRow)]),
    ...section('would have done', proposals, ofState(proposals, 'WOULD_HAVE_DONE').map(proposalText)),
    ...section('denied', proposals, ofState(proposals, 'GATE_DENIED').map(proposalText)),
    ...section(
      'did, when it was recorded',
      done,
      done.list.map(
        (one) =>
          `${utc(one.endUs)}  ${one.rig}/${one.rule || '(ordered by hand)'}  ${one.action} ${one.target}: ${one.state}`,
      ),
    ),
    ...section(
      'FAIL, and no rule asked for anything',
      misses,
      misses.list.map((miss) => `${utc(miss.fromUs)} to ${utc(miss.toUs)}  ${miss.rig}, ${miss.slides} slides`),
    ),
    ...unreadable.map((u) => `DAMAGE  records ${u.fromSeq}–${u.toSeq}: ${u.reason}; what happened there was not tried`),
    ...rigs.map(
      (of) =>
        `${of.rig}: ${of.slides} slides, ${of.hours.toFixed(3)} h; FAIL in ${of.failSlides} slides, ${of.missed} times unanswered`,
    ),
    ...broken.map(
      (rule) => `${rule.rig}/${rule.rule} comes more often than expected: ${rule.would} times, ${rule.allowed} at most`,
    ),
  ]
}

function ruleRow({
  rig,
  rule,
  action,
  target,
  would,
  denied,
  did,
  perHour,
  expectedPerHour,
  broken,
}: RuleScore): string[] {
  const expected = expectedPerHour === null ? '-' : String(expectedPerHour)
  return [
    ...[`${rig}/${rule}`, `${action} ${target}`, String(would), String(denied), String(did)],
    ...[perHour === null ? '-' : perHour.toFixed(2), broken ? `${expected} BROKEN` : expected],
  ]
}

function ofState({ list }: Trial['proposals'], state: string): TrialProposal[] {
  return list.filter((one) => one.state === state)
}

function section(title: string, { more }: Readonly<{ more: number }>, lines: readonly string[]): string[] {
  if (lines.length === 0) return []
  return [
    `${title}:`,
    ...lines.map((line) => `  ${line}`),
    ...(more > 0 ? [`  … not all are listed, ${more} more`] : []),
  ]
}

function proposalText({ endUs, rig, rule, action, target, conditions, reasons }: TrialProposal): string {
  const seen = conditions.map(({ id, value }) => `${id}=${value}`).join(' ')
  return `${utc(endUs)}  ${rig}/${rule}  ${action} ${target}  ${seen}${reasons.length === 0 ? '' : `  (${reasons.join(', ')})`}`
}
