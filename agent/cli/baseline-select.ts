import type { Command } from 'commander'
import { defaultBaselinePolicy, loadBaselinePolicy } from '../../shared/config/baseline-policy.ts'
import type { BaselinePolicy } from '../../shared/config/baseline-policy-schema.ts'
import { yamlBytes } from '../../shared/config/sound-yaml.ts'
import { DOMAIN, digestOf, toHex } from '../../shared/crypto/digest.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { printResult } from '../../shared/lib/command-output.ts'
import { currentOf, isInForce, slotOf, taggedAs } from '../../shared/model/baseline-book.ts'
import {
  type BaselineCandidate,
  type BaselineTag,
  dualBaselines,
  type SelectedBaseline,
  type SelectionInput,
  selectBaseline,
} from '../../shared/model/baseline-selection.ts'
import { VERDICT_EXIT } from '../../shared/model/verdict.ts'
import { type RunFolders, readRunFolders, readRunMeta } from '../adapters/run-folders.ts'
import { type BookOptions, lookInto, namesOf, newest } from './baseline-book.ts'

type SelectOptions = Readonly<{
  policy?: string
  runs?: string
  book?: string
  operators?: string
  rig?: string
  registry?: string
  run: string
  baseline?: string
  json?: boolean
}>

/** Adds `hb baseline select`. */
export function selectCommand(baseline: Command): void {
  baseline
    .command('select')
    .description('say which baseline a run is compared with, and why; ends with 30 when there is none')
    .option('--policy <file>', 'baseline_policy.yaml; by default its defaults')
    .option('--runs <dir>', 'folder of run folders to choose from')
    .option('--book <dir>', 'book of baselines to choose from')
    .option(
      '--operators <file>',
      'with --book: people who are trusted; operators.yaml in the folder of the book otherwise',
    )
    .option('--rig <id>', 'with --book: rig of the run; may be left out when the book has only one')
    .option('--registry <file>', 'with --book: metric registry that the run is judged by')
    .requiredOption('--run <file>', 'run_meta.json of the run')
    .option('--baseline <id>', 'with the strategy `explicit`: the run or baseline; otherwise `run_id` of the policy')
    .option('--json', 'one JSON object')
    .action(select)
}

/** @throws HbError USAGE, RUNS_MISSING, RUN_META_SHAPE, BOOK_…, CONFIG_… */
function select(options: SelectOptions): void {
  const policy = options.policy === undefined ? defaultBaselinePolicy() : loadBaselinePolicy(options.policy)
  checkUsage(options, policy)
  const run = readRunMeta(options.run)
  const { candidates, tags, skipped } =
    options.book === undefined
      ? readRunFolders(options.runs!)
      : fromBook({ ...options, book: options.book }, policy, run.program)
  const input: SelectionInput = {
    run,
    candidates,
    tags,
    policy: options.baseline === undefined ? policy : { ...policy, run_id: options.baseline },
    registryHash: registryHashOf(options, run),
  }
  const selected = selectBaseline(input)
  const { hard_gates, early_warning } = dualBaselines(input)
  const rolling = policy.dual_baseline.use_rolling_for_early_warning ? early_warning : null
  printResult(
    options.json,
    {
      run_id: run.run_id,
      strategy: policy.strategy,
      ...selected,
      // Runs are measured, not certified: only a book has what may arm anything.
      dual_baseline: { hard_gates: options.book === undefined ? null : hard_gates, early_warning: rolling },
      candidates: candidates.length,
      skipped,
    },
    linesOf(run.run_id, selected, skipped),
  )
  if (!selected.usable) process.exitCode = VERDICT_EXIT.NO_BASELINE
}

function checkUsage({ runs, book, registry, rig, baseline }: SelectOptions, policy: BaselinePolicy): void {
  const usage = (option: string, found: string, expected: string): never => {
    throw new HbError('USAGE', { option, found, expected })
  }
  if ((runs === undefined) === (book === undefined))
    usage('--runs, --book', runs === undefined ? 'neither' : 'both', 'one of them')
  if (book === undefined && registry !== undefined)
    usage('--registry', registry, '`registry_hash` in run_meta.json, with --runs')
  if (book === undefined && rig !== undefined) usage('--rig', rig, 'it with --book only')
  if (policy.strategy === 'explicit' && baseline === undefined && policy.run_id === undefined)
    usage('--baseline', 'nothing', 'the id of a run, for the strategy `explicit`')
  if (policy.strategy !== 'explicit' && baseline !== undefined)
    usage('--baseline', baseline, `the strategy \`explicit\`; that of the policy is \`${policy.strategy}\``)
}

function registryHashOf({ registry }: SelectOptions, run: BaselineCandidate): string {
  if (registry === undefined) return run.registry_hash ?? ''
  return toHex(digestOf(DOMAIN.file, yamlBytes(registry)))
}

/** Certificates in force, oldest first. What the policy's `governance` does not find approved enough is told as skipped. */
function fromBook(options: BookOptions & SelectOptions, policy: BaselinePolicy, program = ''): RunFolders {
  const book = lookInto(options)
  const { state } = book.log()
  const nowUs = systemClock().nowUs()
  const nameOf = namesOf(book.trust)
  const { approvals_required: required, approvers } = policy.governance
  const ours = [...book.records].filter(([, { record }]) => program === '' || record.program === program)
  const rig = options.rig ?? onlyRig(ours.map(([, { record }]) => record.rig))
  const candidates: BaselineCandidate[] = []
  const tags: BaselineTag[] = []
  const skipped: { folder: string; reason: string }[] = []
  const inOrder = ours
    .filter(([, { record }]) => record.rig === rig || record.rig === '')
    .sort(([, a], [, b]) => a.record.madeUs - b.record.madeUs)
  for (const [digest, { record }] of inOrder) {
    const request = newest([...state.requests.values()].filter((r) => r.digest === digest))
    const counted = (request?.approvers ?? []).filter(
      (key) => approvers.length === 0 || approvers.includes(nameOf(key)),
    )
    if (!isInForce(request, nowUs)) {
      skipped.push({ folder: digest, reason: `it is ${request?.status ?? 'a draft'}, not in force` })
      continue
    }
    if (counted.length < required) {
      skipped.push({
        folder: digest,
        reason: `${counted.length} approvals that the policy counts, ${required} required`,
      })
      continue
    }
    const { kind } = record
    const isCurrent = currentOf(state, slotOf(record, kind), nowUs)?.digest === digest
    const hash = toHex(record.registry)
    const stated = Object.entries(record.context).filter(([, text]) => text !== '')
    candidates.push({
      ...Object.fromEntries(stated),
      ...{ run_id: digest, program: record.program, status: 'PASS', operating_mode: record.mode, registry_hash: hash },
      ...(kind !== 'draft' && isCurrent ? { kind } : {}),
    })
    if (kind === 'golden' && isCurrent)
      tags.push({ tag: 'golden', run_id: digest, program: record.program, registry_hash: hash })
    for (const name of tagsOf([...state.tags.keys()], record.program))
      if (taggedAs(state, { program: record.program, tag: name }, nowUs)?.digest === digest)
        tags.push({ tag: name, run_id: digest, program: record.program, registry_hash: hash })
  }
  return { candidates, tags, skipped }
}

function tagsOf(keys: readonly string[], program: string): string[] {
  return keys.filter((key) => key.startsWith(`${program} `)).map((key) => key.slice(program.length + 1))
}

/** @throws HbError USAGE where the book has several rigs: one is not compared with another. */
function onlyRig(rigs: readonly string[]): string {
  const [first = '', ...others] = [...new Set(rigs.filter((rig) => rig !== ''))].sort()
  if (others.length > 0)
    throw new HbError('USAGE', {
      option: '--rig',
      found: 'nothing',
      expected: `one of ${[first, ...others].join(', ')}`,
    })
  return first
}

function linesOf(runId: string, selected: SelectedBaseline, skipped: RunFolders['skipped']): string[] {
  const { baseline_run_id: id, reason, warning, match, usable } = selected
  const named = id === null ? 'no baseline' : usable ? `baseline ${id}` : `no baseline; ${id} cannot be compared with`
  const fields = match.possible === 0 ? '' : `: ${match.score} of ${match.possible} context fields`
  return [
    `run ${runId}: ${named}`,
    `  reason   ${reason}`,
    `  match    ${match.level}${fields}${match.score > 0 ? ` (${match.matched_fields.join(', ')})` : ''}`,
    ...(warning === null ? [] : [`  warning  ${warning}`]),
    ...skipped.map(({ folder, reason: why }) => `  skipped  ${folder}: ${why}`),
  ]
}
