import type { Command } from 'commander'
import { printResult, table, utc } from '../../shared/lib/command-output.ts'
import { spanOption } from '../../shared/lib/span.ts'
import { NOT_AN_E_STOP, PERSONS_NOTE } from '../../shared/model/order.ts'
import { glassBanner, glassesOf } from './break-glass.ts'
import {
  fetchDesktop,
  giveOrder,
  type OrderOptions,
  orderCommand,
  reportOrder,
  rigMeant,
  timeAt,
} from './order-client.ts'

type RigOptions = OrderOptions & Readonly<{ rig?: string; for?: string }>

/** Adds `hb arm`, which is `hb arm on`, and `hb arm show`. */
export function armCommands(program: Command): void {
  const arm = program.command('arm').description('whether an agent may act')
  orderCommand(
    arm,
    'on',
    'ask for a rig to be armed under exactly what is in force now; another person confirms it, and it ends by itself (the default)',
    { isDefault: true },
  )
    .option('--for <span>', 'how long it holds, at most 12h', '1h')
    .action(on)
  orderCommand(
    arm,
    'off',
    'judge no rule of a rig any more and do nothing; an alarm stands until it is passive again',
  ).action((options: RigOptions) => alone(options, 'off', 'is off'))
  orderCommand(arm, 'passive', 'judge the rules of a rig again that was off; nothing is armed by it').action(
    (options: RigOptions) => alone(options, 'passive', 'is passive'),
  )
  arm
    .command('show')
    .description('how each rig stands: armed or passive, until when, by whom, what is inhibited')
    .requiredOption('--state <dir>', 'state folder of the agent')
    .option('--json', 'one JSON object')
    .action(show)
}

/** Adds `hb disarm`: one act of one person. */
export function disarmCommand(program: Command): void {
  orderCommand(program, 'disarm', 'disarm a rig at once; what has not been sent is revoked').action(disarm)
}

/** Adds `hb inhibit`. */
export function inhibitCommand(program: Command): void {
  orderCommand(
    program,
    'inhibit',
    'keep a rule, or an action whatever asks for it, from being done; another person confirms it',
  )
    .argument('<subject>', '`rule:ID` or `action:NAME`')
    .option('--for <span>', 'how long it holds, at most 8h', '30m')
    .action(inhibit)
}

/** Adds `hb uninhibit`. */
export function uninhibitCommand(program: Command): void {
  orderCommand(program, 'uninhibit', 'end an inhibit before its time; another person confirms it')
    .argument('<subject>', '`rule:ID` or `action:NAME`')
    .action(uninhibit)
}

/** Adds `hb rearm`. */
export function rearmCommand(program: Command): void {
  orderCommand(program, 'rearm', 'let a rule fire again once its cause has ended')
    .argument('<rule>', 'id of the rule')
    .action(rearm)
}

/** Of a rig that is armed all the same: what is armed stays so. */
const ARMED_AGAINST = 'IS ARMED, AND NOT AS IT SHOULD BE'

async function show(options: Readonly<{ state: string; json?: boolean }>): Promise<void> {
  const { rigs } = await fetchDesktop(options.state)
  printResult(options.json, { rigs, note: PERSONS_NOTE, not_an_e_stop: NOT_AN_E_STOP }, [
    ...glassBanner(glassesOf({ rigs })),
    ...table([
      ['RIG', 'MODE', 'ARMED', 'UNTIL (UTC)', 'BY', 'INHIBITED', 'OPEN', 'ALARMS'],
      ...rigs.map((r) => [
        ...[r.rig, r.mode, r.arm?.state ?? 'no policy', r.arm?.state === 'ARMED' ? utc(r.arm.until_us) : '-'],
        ...[r.arm?.by.join(' and ') || '-', r.arm?.inhibits.map(({ subject }) => subject).join(' ') || '-'],
        ...[String(r.arm?.open ?? 0), r.arm?.alarms.map(({ id }) => id).join(' ') || '-'],
      ]),
    ]),
    ...rigs
      .filter(({ against }) => against.length > 0)
      .map((r) => `${r.rig} ${r.arm?.state === 'ARMED' ? ARMED_AGAINST : 'cannot be armed'}: ${r.against.join(', ')}`),
    `(${PERSONS_NOTE}; ${NOT_AN_E_STOP})`,
  ])
}

async function on(options: RigOptions): Promise<void> {
  const desktop = await fetchDesktop(options.state)
  const rig = rigMeant(desktop, options.rig)
  const config = desktop.rigs.find((one) => one.rig === rig)?.config ?? ''
  const untilUs = timeAt(desktop) + spanOption(options.for ?? '1h', '--for')
  const answer = await giveOrder(options, { kind: 'arm', rig, config, untilUs })
  reportOrder(options.json, answer, `${rig} is armed until ${utc(untilUs)}`)
}

const disarm = (options: RigOptions): Promise<void> => alone(options, 'disarm', 'is disarmed')

async function alone(options: RigOptions, kind: 'disarm' | 'off' | 'passive', done: string): Promise<void> {
  const rig = rigMeant(await fetchDesktop(options.state), options.rig)
  reportOrder(options.json, await giveOrder(options, { kind, rig }), `${rig} ${done}`)
}

async function uninhibit(subject: string, options: RigOptions): Promise<void> {
  const rig = rigMeant(await fetchDesktop(options.state), options.rig)
  const answer = await giveOrder(options, { kind: 'uninhibit', rig, subject })
  reportOrder(options.json, answer, `${subject} of ${rig} is inhibited no more`)
}

async function inhibit(subject: string, options: RigOptions): Promise<void> {
  const desktop = await fetchDesktop(options.state)
  const rig = rigMeant(desktop, options.rig)
  const untilUs = timeAt(desktop) + spanOption(options.for ?? '30m', '--for')
  const answer = await giveOrder(options, { kind: 'inhibit', rig, subject, untilUs })
  reportOrder(options.json, answer, `${subject} of ${rig} is inhibited until ${utc(untilUs)}`)
}

async function rearm(rule: string, options: RigOptions): Promise<void> {
  const rig = rigMeant(await fetchDesktop(options.state), options.rig)
  reportOrder(options.json, await giveOrder(options, { kind: 'rearm', rig, subject: rule }), `${rule} may fire again`)
}
