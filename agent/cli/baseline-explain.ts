import { resolve } from 'node:path'
import type { Command } from 'commander'
import { basisOf, openBundle, waitsFor } from '../../shared/codec/baseline-bundle.ts'
import { BASELINE_BYTES_MAX, readBytes } from '../../shared/config/files.ts'
import { loadOperators, loadRuntimeConfig } from '../../shared/config/load.ts'
import { toHex } from '../../shared/crypto/digest.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { printResult, utc } from '../../shared/lib/command-output.ts'
import { ACTIONS, type Action } from '../../shared/model/action.ts'
import { mayArm } from '../../shared/model/baseline-arming.ts'
import { isInForce } from '../../shared/model/baseline-book.ts'
import { type BaselineCase, explainBaseline } from '../../shared/model/baseline-explain.ts'
import { PERSONS_NOTE } from '../../shared/model/order.ts'
import { type BookOptions, digestNamed, lookInto, namesOf, newest } from './baseline-book.ts'

/** Adds `hb baseline explain`. */
export function explainCommand(baseline: Command): void {
  baseline
    .command('explain')
    .description('say in three sentences why a baseline may or may not arm an action')
    .argument('<baseline>', 'digest in a book, or with --config or --operators alone a file (.hbb)')
    .option('--book <dir>', 'folder of the book of baselines')
    .option('--config <file>', 'runtime.yaml whose operators are trusted')
    .option('--operators <file>', 'people who are trusted')
    .option('--action <action>', `one of ${ACTIONS.join(', ')}`, 'shutdown')
    .option('--json', 'one JSON object')
    .action(explain)
}

type ExplainOptions = Readonly<{ book?: string; config?: string; operators?: string; action: string; json?: boolean }>

function explain(text: string, options: ExplainOptions): void {
  const action = ACTIONS.find((one) => one === options.action)
  if (action === undefined)
    throw new HbError('USAGE', { option: '--action', found: options.action, expected: ACTIONS.join(', ') })
  const known =
    options.book === undefined ? caseOfFile(text, options) : caseInBook(text, { ...options, book: options.book })
  reportCase(known, action, options.json)
}

function reportCase(known: BaselineCase, action: Action, json: boolean | undefined): void {
  const sentences = explainBaseline(known, action)
  const one = mayArm(known.basis, action, 1)
  printResult(
    json,
    {
      digest: known.digest,
      counts_as: known.basis.kind,
      action,
      may_arm: one.allowed,
      may_arm_on_two_streams: mayArm(known.basis, action, 2).allowed,
      reason: one.allowed ? null : one.reason,
      confidence: known.gate.confidence,
      decay: known.basis.decay,
      segments: known.basis.segments,
      sentences,
      note: PERSONS_NOTE,
    },
    sentences,
  )
}

/** A file as an agent with these operators would take it. */
function caseOfFile(path: string, { config, operators }: ExplainOptions): BaselineCase {
  if (config === undefined && operators === undefined)
    throw new HbError('USAGE', { option: '--book', expected: '--book DIR, or a file with --config or --operators' })
  const trust = operators === undefined ? loadRuntimeConfig(config!).trust : loadOperators(operators)
  const bytes = readBytes(resolve(path), BASELINE_BYTES_MAX)
  if (!(bytes instanceof Uint8Array))
    throw new HbError('USAGE', { argument: 'baseline', found: path, reason: bytes.reason })
  const { record, digest, basis, request, problems, statements } = openBundle(bytes, {
    ...trust,
    nowUs: systemClock().nowUs(),
  })
  return {
    ...{ digest: toHex(digest), subject: record, as: record.kind, basis, gate: record.gate, request, utc },
    decayReason: statements.findLast((s) => s.kind === 'decay')?.reason ?? '',
    problems: problems.map((problem) => problem.text),
    nameOf: namesOf(trust),
  }
}

function caseInBook(text: string, options: BookOptions): BaselineCase {
  const book = lookInto(options)
  const digest = digestNamed(book, text)
  const nowUs = systemClock().nowUs()
  const { state } = book.log()
  const { record, rules, gate, passed, problems: ofGate } = book.records.get(digest)!
  const request = newest([...state.requests.values()].filter((r) => r.digest === digest)) ?? null
  const inForce = isInForce(request ?? undefined, nowUs)
  const decay = state.decay.get(digest)
  const problems: string[] = ofGate.map((problem) => problem.text)
  if (request?.status === 'approved' && !inForce) problems.push('the break-glass it was approved by is over')
  else if (!inForce) problems.push(waitsFor(request?.status))
  return {
    ...{ digest, subject: record, as: record.kind, gate, request, problems, utc },
    basis: basisOf(record, {
      kind: inForce ? record.kind : 'draft',
      policy: rules,
      decay: decay?.factor ?? 1,
      breakGlass: !passed,
    }),
    decayReason: decay?.reason ?? '',
    nameOf: namesOf(book.trust),
  }
}
