import type { Command } from 'commander'
import { toHex } from '../../shared/crypto/digest.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { printResult, progress, table, utc } from '../../shared/lib/command-output.ts'
import type { Decision, Finding } from '../../shared/model/decision.ts'
import type { OverallVerdict } from '../../shared/model/verdict.ts'
import { whyFinding } from '../../shared/protocol/why.ts'
import { replay } from '../pipeline/replay.ts'
import { findingJson } from '../pipeline/vitals.ts'
import { viewStorage } from '../storage.ts'

type ListOptions = Readonly<{ state: string; rig?: string; verdict?: string; limit: string; json?: boolean }>

/** Adds `hb decisions list|show|digest`: what the journal says was decided, by running it again. */
export function decisionsCommands(program: Command): void {
  const group = program.command('decisions').description('what was decided, from the journal itself')
  group
    .command('list')
    .description('changes of verdict and full records, newest last')
    .requiredOption('--state <dir>', 'state folder')
    .option('--rig <id>', 'of one rig')
    .option('--verdict <word>', 'with one verdict')
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
  const kept: Decision[] = []
  let found = 0
  const last = new Map<string, OverallVerdict>()
  for await (const decision of decisionsOf(options.state)) {
    if (options.rig !== undefined && decision.rig !== options.rig) continue
    const changed = last.get(decision.rig) !== decision.verdict
    last.set(decision.rig, decision.verdict)
    if (!changed && decision.verdict === 'PASS') continue
    if (options.verdict !== undefined ? decision.verdict !== options.verdict : !changed) continue
    found += 1
    kept.push(decision)
    if (kept.length > limit) kept.shift()
  }
  const rows = [
    ['DECISION', 'TIME (UTC)', 'RIG', 'VERDICT', 'WHY'],
    ...kept.map((d) => [String(d.seq), utc(d.timeUs), d.rig, d.verdict, whyOf(d.findings[0])]),
  ]
  printResult(options.json, { found, shown: kept.length, decisions: kept.map(decisionJson) }, [
    ...table(rows),
    ...(found > kept.length ? [`${found - kept.length} earlier ones are not shown`] : []),
  ])
}

async function show(id: string, options: Readonly<{ state: string; json?: boolean }>): Promise<void> {
  const seq = Number(id.slice(id.lastIndexOf(':') + 1))
  for await (const decision of decisionsOf(options.state)) {
    if (decision.seq !== seq) continue
    const head = [
      `decision ${decision.seq} of rig ${decision.rig} at ${utc(decision.timeUs)}`,
      `verdict  ${decision.verdict}${decision.limitsOnly ? '  (LIMITS ONLY)' : ''}   mode ${decision.mode}   run ${decision.run?.run ?? '-'}`,
    ]
    printResult(options.json, decisionJson(decision), [
      ...head,
      ...decision.findings.map((f) => `  ${f.verdict.padEnd(12)} ${whyOf(f)}`),
    ])
    return
  }
  throw new HbError('DECISION_UNKNOWN', { id, state: options.state })
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

async function* decisionsOf(state: string): AsyncGenerator<Decision> {
  const view = viewStorage(state)
  const report = progress('replaying')
  for await (const { seq, effects } of replay(view)) {
    report(seq, view.journal.lastSeq)
    for (const effect of effects) if (effect.kind === 'decided') yield effect.decision
  }
}

function decisionJson(d: Decision): Record<string, unknown> {
  return {
    seq: d.seq,
    rig: d.rig,
    time_us: d.timeUs,
    time: utc(d.timeUs),
    verdict: d.verdict,
    mode: d.mode,
    limits_only: d.limitsOnly,
    run: d.run?.run ?? null,
    findings: d.findings.map(findingJson),
  }
}

function whyOf(finding: Finding | undefined): string {
  return finding === undefined ? '' : whyFinding(findingJson(finding))
}
