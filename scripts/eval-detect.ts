/**
 * How well the evaluator tells faults of recorded rigs, by rules that it cannot get around; they are explained in
 * docs/internals/detection-evaluation.md. `--help` says what may be asked for.
 *
 * Exits with 1 when a rule of the evaluation is broken or a goal is missed. Progress goes to stderr.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateSigner } from '../shared/crypto/sign.ts'
import { usualHb } from './demo/processes.ts'
import { compareWith } from './eval/compare-results.ts'
import { evaluateSkab } from './eval/evaluate-skab.ts'
import { evaluateTep } from './eval/evaluate-tep.ts'
import { EvaluationError } from './eval/evaluation-error.ts'
import { checkGoals, readGoals } from './eval/goals.ts'
import { type Order, orderFrom, USAGE } from './eval/order.ts'
import { reportText } from './eval/report.ts'
import { killSessions } from './eval/session.ts'
import { codeVersionOf, configHash } from './eval/system-under-test.ts'
import { type Bench, runToEnd } from './eval/trial.ts'

/** An evaluator that does not answer a row in this time waits for what comes behind it. */
const ANSWER_WITHIN_MS = 20_000

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help')) {
    process.stdout.write(USAGE)
    return 0
  }
  const order = orderFrom(args)
  const section = order.layout === 'tep' ? 'tep' : `skab.${order.mode}`
  const bounds = order.goals === null ? new Map() : readGoals(order.goals, section)
  const folder = mkdtempSync(join(tmpdir(), 'hb-eval-'))
  try {
    const keyPem = generateSigner().privatePem
    const bench = { evaluator: usualHb(), folder, keyPem, answerWithinMs: ANSWER_WITHIN_MS }
    const codeVersion = await printedVersion(bench)
    const { result: found, broken } = await evaluate(bench, order)
    const result = { mode: order.mode, config_hash: configHash(codeVersion), ...found }
    const goals = checkGoals(result, bounds)
    const against = order.against === null ? null : compareWith(order.against, found.files)
    const whole = { ...result, layout: order.layout, code_version: codeVersion, goals, broken_rules: broken, against }
    if (order.json !== null) writeFileSync(order.json, `${JSON.stringify(whole, null, 2)}\n`)
    process.stdout.write(reportText(whole, goals, broken))
    return broken.length > 0 || goals.some(({ met }) => !met) ? 1 : 0
  } finally {
    killSessions()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What the program says of itself goes into the hash of the configuration: other code is another evaluation. */
async function printedVersion({ evaluator, folder }: Bench): Promise<string> {
  const { code, out, complaint } = await runToEnd({ ...evaluator, before: [...evaluator.before, '--version'] }, folder)
  if (code !== 0) throw new EvaluationError(70, `hb --version ended with ${code}\n${complaint}`)
  return codeVersionOf(evaluator, out)
}

async function evaluate(bench: Bench, order: Order) {
  const startedMs = performance.now()
  const say = (text: string): void =>
    void process.stderr.write(`[${((performance.now() - startedMs) / 1000).toFixed(0)} s] ${text}\n`)
  return order.layout === 'tep' ? await evaluateTep(bench, order, say) : await evaluateSkab(bench, order, say)
}

process.on('exit', killSessions)
main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    if (!(error instanceof EvaluationError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exitCode = error.exitCode
  },
)
