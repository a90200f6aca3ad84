import type { Command } from 'commander'
import { toHex } from '../../shared/crypto/digest.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { printResult, progress, table, utc } from '../../shared/lib/command-output.ts'
import type { Decision, Finding } from '../../shared/model/decision.ts'
import type { OverallVerdict } from '../../shared/model/verdict.ts'
import { whyFinding } from '../../shared/protocol/why.ts'
import type { Micros } from '../../shared/units.ts'
import { replay } from '../pipeline/replay.ts'
import { findingJson } from '../pipeline/vitals.ts'
import { viewStorage } from '../storage.ts'
import { decisionJson, decisionNumber } from './decision-json.ts'
import { sliceCommand } from './decision-slice.ts'

type ListOptions = Readonly<{
  state: string
  rig?: string
  verdict?: string
  limit: string
  revisions?: boolean
  json?: boolean
}>

/** Adds `hb decisions list|show|slice|digest`: what the journal says was decided, by running it again. */
export function decisionsCommands(program: Command): void {
  const group = program.command('decisions').description('what was decided, from the journal itself')
  group
    .command('list')
    .description('changes of verdict, and revisions of another verdict, newest last')
    .requiredOption('--state <dir>', 'state folder')
    .option('--rig <id>', 'of one rig')
    .option('--verdict <word>', 'with one verdict')
    .option('--revisions', 'all revisions, also those that change no verdict, instead of the decisions')
    .option('--limit <n>', 'the last n', '50')
    .option('--json', 'one JSON object')
    .action(list)
  group
    .command('show')
    .description('one decision with everything it says')
    .argument('<id>', 'number of the decision, or AGENT:NUMBER')
    .requiredOption('--state <dir>', 'state folder')
    .option('--json', 'one JSON object')
    .action(show)
  sliceCommand(group)
  group
    .command('digest')
    .description('SHA-256 chain over the canonical bytes of every decision')
    .requiredOption('--state <dir>', 'state folder')
    .option('--json', 'one JSON object')
    .action(digest)
}

async function list(options: ListOptions): Promise<void> {
  const limit = Number(options.limit)
  if (!(Number.isSafeInteger(limit) && limit > 0 && limit <= 100_000))
    throw new HbError('USAGE', { option: '--limit', found: options.limit, expected: '1 to 100000' })
  const kept: Seen[] = []
  let found = 0
  let revisions = 0
  const isWanted = listed(options)
  for await (const seen of decisionsOf(options.state)) {
    if (options.rig !== undefined && seen.decision.rig !== options.rig) continue
    if (seen.revises !== null) revisions += 1
    if (!isWanted(seen)) continue
    found += 1
    kept.push(seen)
    if (kept.length > limit) kept.shift()
  }
  const rows = [
    ['DECISION', 'TIME (UTC)', 'RIG', 'VERDICT', 'WHY'],
    ...kept.map(({ decision: d, revises, was }) => [
      String(d.seq),
      utc(d.timeUs),
      d.rig,
      d.verdict,
      [...(revises === null ? [] : [`revises ${revises} (was ${was})`]), whyOf(d.findings[0])]
        .filter(Boolean)
        .join(': '),
    ]),
  ]
  printResult(options.json, { found, shown: kept.length, revisions, decisions: kept.map(seenJson) }, [
    ...table(rows),
    ...(revisions > 0 ? [revisedLine(revisions, options)] : []),
    ...(found > kept.length ? [`${found - kept.length} earlier ones are not shown`] : []),
  ])
}

/** Most revisions change no verdict and are not listed: who reads the count is told where the rest is. */
function revisedLine(revisions: number, { revisions: all }: ListOptions): string {
  const line = `${revisions} decisions were revised by late samples`
  return all === true ? line : `${line}; those that change no verdict are not listed: see --revisions`
}

/**
 * Which decisions a list names: changes of verdict, or all of one verdict that is not PASS. Of revisions those that make
 * another change of verdict than the last one listed, told apart from the decisions that were acted on.
 */
function listed({ verdict, revisions }: ListOptions): (seen: Seen) => boolean {
  if (revisions === true)
    return (seen) => seen.revises !== null && (verdict === undefined || seen.decision.verdict === verdict)
  const last = new Map<string, string>()
  return ({ decision, revises, was }) => {
    const line = revises === null ? decision.rig : `${decision.rig} revised`
    const says = revises === null ? decision.verdict : `${was} ${decision.verdict}`
    const changed = last.get(line) !== says
    last.set(line, says)
    if (revises !== null && was === decision.verdict && verdict === undefined) return false
    if (!changed && decision.verdict === 'PASS') return false
    return verdict !== undefined ? decision.verdict === verdict : changed
  }
}

async function show(id: string, options: Readonly<{ state: string; json?: boolean }>): Promise<void> {
  const seq = decisionNumber(id)
  const { seen, revisedBy } = await lookFor(options.state, seq)
  if (seen === null) throw new HbError('DECISION_UNKNOWN', { id, state: options.state })
  const { decision, revises, was } = seen
  const head = [
    `decision ${decision.seq} of rig ${decision.rig} at ${utc(decision.timeUs)}`,
    `verdict  ${decision.verdict}${decision.limitsOnly ? '  (LIMITS ONLY)' : ''}   mode ${decision.mode}   run ${decision.run?.run ?? '-'}`,
    ...(revises === null ? [] : [`revises  decision ${revises}, which said ${was}; what was done then stays done`]),
    ...(revisedBy === null ? [] : [`revised  by decision ${revisedBy.seq}: ${revisedBy.verdict}`]),
  ]
  const json = {
    ...seenJson(seen),
    revised_by: revisedBy === null ? null : { seq: revisedBy.seq, verdict: revisedBy.verdict },
  }
  printResult(options.json, json, [...head, ...decision.findings.map((f) => `  ${f.verdict.padEnd(12)} ${whyOf(f)}`)])
}

/** A decision and the one that revises it, which comes when the rig has been evaluated that much further, or never. */
async function lookFor(state: string, seq: number): Promise<{ seen: Seen | null; revisedBy: Decision | null }> {
  let found: Seen | null = null
  for await (const seen of decisionsOf(state)) {
    const { decision, revises, reviseWithinUs } = seen
    if (found === null && decision.seq === seq) found = seen
    if (found === null) continue
    if (revises === seq) return { seen: found, revisedBy: decision }
    const isOver = decision.rig === found.decision.rig && decision.timeUs > found.decision.timeUs + reviseWithinUs
    if (found.revises !== null || (revises === null && isOver) || found.reviseWithinUs === 0) break
  }
  return { seen: found, revisedBy: null }
}

async function digest(options: Readonly<{ state: string; json?: boolean }>): Promise<void> {
  const view = viewStorage(options.state)
  let seq = 0
  let chain = ''
  const report = progress('replaying')
  for await (const { seq: at, evaluation } of replay(view)) {
    report(at, view.journal.lastSeq)
    if (evaluation.state.decisionSeq === seq) continue
    seq = evaluation.state.decisionSeq
    chain = toHex(evaluation.state.chain)
  }
  printResult(options.json, { decisions: seq, digest: chain, journal_records: view.journal.lastSeq }, [
    `${chain}  ${seq} decisions`,
  ])
}

/** A decision; of a revision also the number of the one it corrects, and what that one said. */
type Seen = Readonly<{
  decision: Decision
  revises: number | null
  was: OverallVerdict | null
  /** How much further its rig is evaluated before it may be revised; 0 without revisions. */
  reviseWithinUs: Micros
}>

async function* decisionsOf(state: string): AsyncGenerator<Seen> {
  const view = viewStorage(state)
  const report = progress('replaying')
  for await (const { seq, effects, evaluation } of replay(view)) {
    report(seq, view.journal.lastSeq)
    for (const effect of effects) {
      if (effect.kind !== 'decided' && effect.kind !== 'revised') continue
      const { decision } = effect
      const reviseWithinUs =
        evaluation.state.rigs.find((r) => r.settings.rig === decision.rig)?.settings.reviseWithinUs ?? 0
      if (effect.kind === 'decided') yield { decision, revises: null, was: null, reviseWithinUs }
      else yield { decision, revises: effect.decision.revises, was: effect.was, reviseWithinUs }
    }
  }
}

function seenJson({ decision, revises, was }: Seen): Record<string, unknown> {
  return { ...decisionJson(decision), ...(revises === null ? {} : { revises, was }) }
}

function whyOf(finding: Finding | undefined): string {
  return finding === undefined ? '' : whyFinding(findingJson(finding))
}
