import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { HbError } from '../../shared/errors/hb-error.ts'
import { printResult, table } from '../../shared/lib/command-output.ts'
import type { OverallVerdict } from '../../shared/model/verdict.ts'
import { verdictExit } from '../../shared/report/verdict-exit.ts'
import { MANIFEST } from '../bench/evidence.ts'
import { evidenceProblem } from '../bench/evidence-check.ts'
import type { CaseResult, CaseVerdict } from '../core/result.ts'
import { judge } from '../oracle/judge.ts'
import { RunUnreadable } from '../oracle/run-folder.ts'

/** What a verdict of a case is to a gate: nothing was tested when nobody can say what came of it. */
const AS_GATE: Readonly<Record<CaseVerdict, OverallVerdict>> = {
  ...{ PASS: 'PASS', MARGINAL: 'PASS', XFAIL: 'PASS', SKIPPED: 'PASS' },
  ...{ FAIL: 'FAIL', INCONCLUSIVE: 'NO_TEST', ERROR: 'NO_TEST', ABORTED: 'NO_TEST' },
}

/** Adds `hb hil judge`. */
export function judgeCommand(hil: Command): void {
  hil
    .command('judge')
    .description(
      'judge a kept run again: truth of the plant, events, and signed records, by code that the agent does not share',
    )
    .argument('<run>', 'folder of the run')
    .option('--open', 'also a folder without its signed manifest, of which nobody can say whether it is as it was left')
    .option('--json', 'the case as one JSON object')
    .action((folder: string, { json, open }: Readonly<{ json?: boolean; open?: boolean }>) => {
      const result = judged(folder, open === true)
      printResult(json, result, linesOf(result))
      process.exitCode = verdictExit(AS_GATE[result.verdict], process.env)
    })
}

/** A folder that was closed is judged as it was closed, or not at all. @throws HbError HIL_RUN_SHAPE, HIL_EVIDENCE_CHANGED */
function judged(folder: string, isOpen: boolean): CaseResult {
  const isClosed = existsSync(join(folder, MANIFEST))
  const isRun = existsSync(join(folder, 'run.json'))
  const problem = isClosed ? evidenceProblem(folder) : isRun && !isOpen ? `no ${MANIFEST}` : null
  if (problem !== null) throw new HbError('HIL_EVIDENCE_CHANGED', { run: folder, found: problem })
  try {
    return judge(folder)
  } catch (cause) {
    if (cause instanceof RunUnreadable) throw new HbError('HIL_RUN_SHAPE', { found: cause.message }, { cause })
    throw cause
  }
}

function linesOf({ id, title, verdict, reason, outcomes, faults, measures }: CaseResult): string[] {
  const time = (us: number | null): string => (us === null ? '-' : `${(us / 1_000_000).toFixed(3)} s`)
  const share = (margin: number | null): string => (margin === null ? '-' : `${(margin * 100).toFixed(0)} %`)
  const { fdti_us, frti_us, fhti_us, ftti_us, decisions, digest } = measures
  return [
    `${verdict}  ${id}  ${title}`,
    ...(reason === '' ? [] : [reason]),
    ...table([
      ['', 'EXPECTED', 'OBSERVED', 'MARGIN'],
      ...outcomes.map((o) => [o.is, `${o.text}${o.optional ? ' (optional)' : ''}`, o.observed, share(o.margin)]),
    ]),
    ...faults.map(
      (f) => `fault ${f.id}: seen ${f.seen} times, from ${time(f.onset_us)}; detected ${time(f.detected_us)}`,
    ),
    `FDTI ${time(fdti_us)}, FRTI ${time(frti_us)}, FHTI ${time(fhti_us)} of FTTI ${time(ftti_us)}`,
    `${decisions} decisions, digest ${digest === '' ? 'not known' : digest}`,
  ]
}
