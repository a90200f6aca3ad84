import type { Command } from 'commander'
import { HbError } from '../../shared/errors/hb-error.ts'
import { printResult, table, utc } from '../../shared/lib/command-output.ts'
import { ACTION_ENDS, ACTION_STAGES, type ActionState, UNKNOWN_OUTCOME } from '../../shared/model/action.ts'
import { FOUND_OUTCOMES } from '../../shared/model/action-input.ts'
import { askAgent } from '../adapters/control-server.ts'
import { viewLedger } from '../adapters/ledger-read.ts'
import {
  type ActionLedger,
  LEDGER_LIST_MAX,
  type LedgerAction,
  type LedgerTransition,
} from '../pipeline/action-ledger.ts'
import { glassBanner, glassesIn } from './break-glass.ts'
import { fetchDesktop, giveOrder, type OrderOptions, orderCommand, reportOrder, rigMeant } from './order-client.ts'

type ListOptions = Readonly<{ state: string; rig?: string; is?: string; limit: string; json?: boolean }>

/** Adds `hb actions list|show|proof|cancel|ack|execute`. */
export function actionsCommands(program: Command): void {
  const actions = program.command('actions').description('actions: what was proposed, denied, done and seen to be done')
  actions
    .command('list')
    .description('actions of an agent, newest first')
    .requiredOption('--state <dir>', 'state folder of the agent, running or not')
    .option('--rig <id>', 'of one rig')
    .option('--is <state>', 'in this state alone')
    .option('--limit <n>', 'at most so many', '100')
    .option('--json', 'one JSON object')
    .action(list)
  actions
    .command('show')
    .description('every step of one action, with its grounds')
    .argument('<key>', 'key of the action, or its beginning')
    .requiredOption('--state <dir>', 'state folder of the agent, running or not')
    .option('--json', 'one JSON object')
    .action(show)
  actions
    .command('proof')
    .description(
      'prove the whole path to a target and back, without an effect; the date of the next one counts from now',
    )
    .argument('<target>', 'name of the target')
    .requiredOption('--state <dir>', 'state folder of the running agent')
    .option('--json', 'one JSON object')
    .action(proof)
  orderCommand(actions, 'cancel', 'cancel an action before it is sent: one act of one person')
    .argument('<key>', 'key of the action, or its beginning')
    .action(cancel)
  orderCommand(
    actions,
    'ack',
    'say what was found of an action that was handed over and of which its peer says nothing; takes two people',
  )
    .argument('<key>', 'key of the action, or its beginning')
    .requiredOption('--outcome <what>', `what was found: ${FOUND_OUTCOMES.join(' or ')}`)
    .action(acknowledge)
  orderCommand(
    actions,
    'execute',
    'order an action by hand; a grave one waits for a second person, and the rig must be armed',
  )
    .argument('<action>', 'what is to be done')
    .requiredOption('--target <name>', 'on what')
    .requiredOption('--confirm-rig <id>', 'the rig once more, typed out: it must be the one that is meant')
    .option('--dry-run', 'go through every gate, say what would have been done, and do nothing')
    .action(execute)
}

const STATES: readonly ActionState[] = [...ACTION_STAGES, ...ACTION_ENDS, UNKNOWN_OUTCOME]

async function list(options: ListOptions): Promise<void> {
  const state = options.is === undefined ? undefined : STATES.find((one) => one === options.is!.toUpperCase())
  if (options.is !== undefined && state === undefined)
    throw new HbError('USAGE', { option: '--is', found: options.is, expected: STATES.join(', ') })
  const limit = Number(options.limit)
  if (!(Number.isInteger(limit) && limit >= 1 && limit <= LEDGER_LIST_MAX))
    throw new HbError('USAGE', { option: '--limit', found: options.limit, expected: `1 to ${LEDGER_LIST_MAX}` })
  const found = await inLedger(options.state, (ledger) =>
    ledger.list({
      limit,
      ...(options.rig === undefined ? {} : { rig: options.rig }),
      ...(state === undefined ? {} : { state }),
    }),
  )
  const glasses = await glassesIn(options.state)
  printResult(options.json, { actions: found.map(actionJson), break_glass: glasses }, [
    ...glassBanner(glasses),
    ...table([
      ['KEY', 'RIG', 'RULE', 'ACTION', 'TARGET', 'STATE', 'TRY', 'FOR SLIDE (UTC)', 'CHANGED (UTC)'],
      ...found.map((a) => [
        ...[a.key.slice(0, 12), a.rig, a.rule || '-', a.action, a.target, a.state, String(a.attempt)],
        ...[utc(a.endUs), utc(a.lastUs)],
      ]),
    ]),
  ])
}

async function show(text: string, options: Readonly<{ state: string; json?: boolean }>): Promise<void> {
  const { action, transitions } = await inLedger(options.state, async (ledger) => {
    const key = await keyNamed(ledger, text)
    return (await ledger.byKey(key))!
  })
  const glasses = await glassesIn(options.state)
  printResult(
    options.json,
    { action: actionJson(action), transitions: transitions.map(stepJson), break_glass: glasses },
    [
      ...glassBanner(glasses),
      `${action.action} of ${action.target} on ${action.rig}, rule ${action.rule || '(ordered by hand)'}: ${action.state}`,
      `key ${action.key}`,
      ...table([
        ['N', 'STATE', 'AT (UTC)', 'TRY', 'CONDITIONS', 'GROUNDS'],
        ...transitions.map((s) => [
          ...[String(s.n), s.state, utc(s.nowUs), String(s.attempt)],
          ...[s.conditions.map(({ id, value }) => `${id}=${value}`).join(' ') || '-'],
          [...s.reasons, s.note].filter((part) => part !== '').join('; ') || '-',
        ]),
      ]),
    ],
  )
}

async function proof(target: string, options: Readonly<{ state: string; json?: boolean }>): Promise<void> {
  const answer = await askAgent(options.state, '/proof', { target })
  const due = answer['due_us'] as number | null
  printResult(options.json, answer, [
    `the path to ${target} is proved${due === null ? '; the policy asks for no proof by a date' : `, the next one is due ${utc(due)}`}`,
  ])
}

async function cancel(text: string, options: OrderOptions & Readonly<{ rig?: string }>): Promise<void> {
  const { key, rig, action, target } = await actionNamed(options.state, text)
  const answer = await giveOrder(options, { kind: 'cancel', rig, subject: key })
  reportOrder(options.json, answer, `${action} of ${target} is cancelled`)
}

async function acknowledge(
  text: string,
  options: OrderOptions & Readonly<{ rig?: string; outcome: string }>,
): Promise<void> {
  if (!(FOUND_OUTCOMES as readonly string[]).includes(options.outcome))
    throw new HbError('USAGE', { option: '--outcome', found: options.outcome, expected: FOUND_OUTCOMES.join(', ') })
  const { key, rig, action, target } = await actionNamed(options.state, text)
  const answer = await giveOrder(options, { kind: 'action_ack', rig, subject: key, value: options.outcome })
  reportOrder(options.json, answer, `${action} of ${target}: ${options.outcome}, as people found it`)
}

type ExecuteOptions = OrderOptions & Readonly<{ rig?: string; target: string; confirmRig: string; dryRun?: boolean }>

async function execute(action: string, options: ExecuteOptions): Promise<void> {
  const rig = rigMeant(await fetchDesktop(options.state), options.rig)
  if (options.confirmRig !== rig)
    throw new HbError('USAGE', { option: '--confirm-rig', found: options.confirmRig, expected: rig })
  const kind = options.dryRun === true ? 'dry_run' : 'manual'
  const answer = await giveOrder(options, { kind, rig, subject: action, value: options.target })
  const what = kind === 'dry_run' ? 'went through its gates and nothing was done' : 'was ordered'
  reportOrder(
    options.json,
    answer,
    `${action} of ${options.target} ${what}; \`hb actions list\` says what became of it`,
  )
}

async function inLedger<T>(
  folder: string,
  look: (ledger: Pick<ActionLedger, 'open' | 'byKey' | 'list'>) => Promise<T>,
): Promise<T> {
  const ledger = await viewLedger(folder)
  try {
    return await look(ledger)
  } finally {
    await ledger.close()
  }
}

function actionNamed(state: string, text: string): Promise<LedgerAction> {
  return inLedger(state, async (ledger) => (await ledger.byKey(await keyNamed(ledger, text)))!.action)
}

/** Fewest characters of a key that name an action. */
const KEY_CHARS_MIN = 6

async function keyNamed(ledger: Pick<ActionLedger, 'list'>, text: string): Promise<string> {
  const found = (await ledger.list({ limit: LEDGER_LIST_MAX })).filter(({ key }) => key.startsWith(text.toLowerCase()))
  if (text.length < KEY_CHARS_MIN || found.length !== 1)
    throw new HbError('USAGE', {
      argument: 'key',
      found: `${found.length} actions`,
      expected: 'one, by at least 6 characters',
    })
  return found[0]!.key
}

function actionJson(a: LedgerAction): Record<string, unknown> {
  const { key, rig, rule, episode, action, target, params, state, attempt, transitions } = a
  return {
    ...{ key, rig, rule, episode, action, target, params, state, attempt, transitions },
    ...{ t_us: a.endUs, first_us: a.firstUs, last_us: a.lastUs, deadline_us: a.deadlineUs },
  }
}

function stepJson(s: LedgerTransition): Record<string, unknown> {
  const { n, state, from, attempt, reasons, note, conditions } = s
  return {
    n,
    state,
    from,
    at_us: s.nowUs,
    t_us: s.endUs,
    deadline_us: s.deadlineUs,
    attempt,
    reasons,
    note,
    conditions,
  }
}
