import type { Command, CommandOptions } from 'commander'
import { signOrder } from '../../shared/codec/order.ts'
import { loadSigner } from '../../shared/crypto/key-file.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { printResult, utc } from '../../shared/lib/command-output.ts'
import type { OrderKind } from '../../shared/model/order.ts'
import { PERSONS_NOTE } from '../../shared/model/order.ts'
import type { Micros } from '../../shared/units.ts'
import { askerOf, sendSigned } from '../adapters/collector-client.ts'
import { askAgent } from '../adapters/control-server.ts'
import type { GlassShown } from '../pipeline/glass-view.ts'
import { deskOf, fetchAlarms } from './collector-alarms.ts'

/** Options of every command that orders something of a running agent. */
export type OrderOptions = Readonly<{ state: string; key: string; reason: string; json?: boolean }>

/** A command that orders something of a running agent, with the options that all of those have. */
export function orderCommand(
  parent: Command,
  name: string,
  description: string,
  options: CommandOptions = {},
): Command {
  return signedOptions(
    parent
      .command(name, options)
      .description(description)
      .requiredOption('--state <dir>', 'state folder of the agent')
      .option('--rig <id>', 'rig; may be left out when there is only one'),
  )
}

/** Options of what somebody signs. */
export function signedOptions(command: Command): Command {
  return command
    .requiredOption('--key <file>', 'private key of the person who orders it')
    .requiredOption('--reason <text>', 'why')
    .option('--json', 'one JSON object')
}

/** Where an order goes: to a running agent by its state folder, or to a collector by its address. */
export type OrderPlace = Readonly<{ state?: string; collector?: string }>
export type PlacedOptions = Omit<OrderOptions, 'state'> & OrderPlace

/** Options of a command that works on either. */
export function placeOptions(command: Command): Command {
  return command
    .option('--state <dir>', 'state folder of the agent')
    .option('--collector <url>', 'address that operators of the collector open, instead of `--state`')
}

/** What an agent shows to a person who is about to sign. */
export type Desktop = Readonly<{
  /** Its time; under `clock: external` orders are dated by it, elsewhere by the clock of who signs. */
  clock?: string
  now_us?: Micros
  deployment: string
  agent: string
  boot: string
  operators: readonly string[]
  rigs: readonly DesktopRig[]
  waiting: readonly WaitingOrder[]
}>
export type DesktopRig = Readonly<{
  rig: string
  mode: string
  settles_until_us: number | null
  may_go_to: readonly string[]
  /** Digest of everything in force, which an arming is for; null without a policy, as the rest. */
  config: string | null
  arm: Readonly<{
    state: string
    until_us: number
    by: readonly string[]
    inhibits: readonly Readonly<{ subject: string; until_us: number }>[]
    break_glass: GlassShown | null
    break_glass_asked: GlassShown | null
    open: number
    alarms: readonly Readonly<{ id: string; severity: string }>[]
  }> | null
  /** What stands against arming it now, and what it goes without while it is armed. */
  against: readonly string[]
}>
export type WaitingOrder = Readonly<{
  order: string
  kind: OrderKind
  rig: string
  subject: string
  value: string
  config: string
  reason: string
  by: string
  until_us: number
  holds_until_us: number
}>

export type OrderFields = Readonly<{
  kind: OrderKind
  rig: string
  subject?: string
  value?: string
  config?: string
  untilUs?: number
}>

/** Fewest characters of an id that name an order. */
const ID_CHARS_MIN = 6

export async function fetchDesktop(state: string): Promise<Desktop> {
  return (await askAgent(state, '/orders')) as unknown as Desktop
}

/** What a place that takes orders says of itself. */
type Desk = Pick<Desktop, 'deployment' | 'agent' | 'boot' | 'waiting' | 'clock' | 'now_us'>

/** @throws HbError USAGE unless exactly one place is named */
export async function fetchDesk({ state, collector }: OrderPlace): Promise<Desk> {
  if ((state === undefined) === (collector === undefined))
    throw new HbError('USAGE', { option: '--state, --collector', expected: 'one of them' })
  return collector === undefined ? fetchDesktop(state!) : deskOf(await fetchAlarms(collector))
}

/** Signs an order for the place as it runs now, and hands it in. @throws HbError KEY_…, AGENT_NOT_RUNNING, ORDER_REFUSED, … */
export async function giveOrder(options: PlacedOptions, fields: OrderFields): Promise<Record<string, unknown>> {
  if (options.reason.trim() === '')
    throw new HbError('USAGE', { option: '--reason', found: 'blanks', expected: 'a reason' })
  const signer = loadSigner(options.key)
  const desk = await fetchDesk(options)
  const { deployment, agent, boot } = desk
  const { kind, rig, subject = '', value = '', config = '', untilUs = 0 } = fields
  const atUs = timeAt(desk)
  const draft = { kind, deployment, agent, boot, rig, subject, value, config, reason: options.reason, atUs, untilUs }
  const signed = signOrder(draft, signer)
  if (options.collector !== undefined) return sendSigned(askerOf(options.collector), '/api/alarm-orders', signed)
  return askAgent(options.state!, '/orders', { order: Buffer.from(signed).toString('base64') })
}

/** The time at the place where an order goes: of this machine, except where a bench moves it. */
export function timeAt({ clock, now_us: nowUs }: Pick<Desktop, 'clock' | 'now_us'>): Micros {
  return clock === 'external' && nowUs !== undefined ? nowUs : systemClock().nowUs()
}

/** The one waiting order that the beginning of its id names. @throws HbError ORDER_REFUSED */
export function waitingOrder({ waiting }: Pick<Desktop, 'waiting'>, text: string): WaitingOrder {
  const found = waiting.filter(({ order }) => order.startsWith(text.toLowerCase()))
  if (text.length < ID_CHARS_MIN || found.length !== 1)
    throw new HbError('ORDER_REFUSED', {
      reason: 'no_such_order',
      order: text,
      found: text.length < ID_CHARS_MIN ? 'too few characters' : `${found.length} orders that wait`,
    })
  return found[0]!
}

/** Rig that is meant: the one named, or the only one. @throws HbError USAGE */
export function rigMeant({ rigs }: Desktop, rig: string | undefined): string {
  if (rig !== undefined) return rig
  if (rigs.length === 1) return rigs[0]!.rig
  throw new HbError('USAGE', { option: '--rig', expected: `one of ${rigs.map((r) => r.rig).join(', ')}` })
}

type Answered = Readonly<{
  state: string
  order: string
  until_us?: number
  actions?: readonly Readonly<{
    key: string
    action: string
    target: string
    state: string
    reasons: readonly string[]
  }>[]
}>

function became({ key, action, target, state, reasons }: NonNullable<Answered['actions']>[number]): string {
  return `  ${key.slice(0, 12)} ${action} of ${target}: ${state}${reasons.length === 0 ? '' : ` (${reasons.join(', ')})`}`
}

/** What became of an order, and for one that waits how a second person confirms it. */
export function reportOrder(json: boolean | undefined, answer: Record<string, unknown>, done: string): void {
  const { state, order, until_us: untilUs, actions = [] } = answer as Answered
  const lines =
    state === 'waits'
      ? [
          `it waits for a second person until ${utc(untilUs ?? 0)}:`,
          `  hb orders confirm ${order.slice(0, 12)} --key THEIR-KEY --state … --reason …`,
        ]
      : [done, ...actions.map(became)]
  printResult(json, { ...answer, note: PERSONS_NOTE }, [...lines, `(${PERSONS_NOTE})`])
}
