import type { Command } from 'commander'
import { HbError } from '../../shared/errors/hb-error.ts'
import { printResult, table, utc } from '../../shared/lib/command-output.ts'
import { SHELVE_MAX_US } from '../../shared/model/alarm.ts'
import type { AlarmShown } from '../../shared/model/alarms/shown.ts'
import { askAgent } from '../adapters/control-server.ts'
import type { RigAlarmsShown } from '../pipeline/alarm-view.ts'
import { glassBanner, glassesIn } from './break-glass.ts'
import { collectorLines, fetchAlarms, siteMeant } from './collector-alarms.ts'
import {
  fetchDesk,
  fetchDesktop,
  giveOrder,
  type OrderFields,
  type OrderPlace,
  type PlacedOptions,
  placeOptions,
  reportOrder,
  rigMeant,
  signedOptions,
  timeAt,
} from './order-client.ts'

type ListOptions = OrderPlace & Readonly<{ rig?: string; site?: string; all?: boolean; json?: boolean }>
type SignedOptions = PlacedOptions & Readonly<{ rig?: string; site?: string }>
type ShelveOptions = SignedOptions & Readonly<{ for: string; once?: boolean }>

/** Adds `hb alarms list|ack|confirm|shelve|unshelve|out|in`. */
export function alarmsCommands(program: Command): void {
  const alarms = program.command('alarms').description('alarms: what needs a response of people, and what they did')
  placeOptions(
    alarms
      .command('list')
      .description('alarms that are not normal, what they ask for, and how much those of rigs ask of people'),
  )
    .option('--rig <id>', 'of one rig')
    .option('--site <id>', 'of one site of a collector')
    .option('--all', 'those that are normal too')
    .option('--json', 'one JSON object, with rates, the flood and the newest changes')
    .action(list)
  seen(alarms, 'ack', 'acknowledge what was seen; refused when the alarm has moved on since').action(
    (id: string, what: string, options: SignedOptions) =>
      order(options, { kind: 'alarm_ack', subject: id, value: what }, `${id} is acknowledged`),
  )
  seen(alarms, 'confirm', 'confirm that the cause of a latched alarm is gone').action(
    (id: string, what: string, options: SignedOptions) =>
      order(options, { kind: 'alarm_confirm', subject: id, value: what }, `${id} is confirmed to be over`),
  )
  seen(alarms, 'shelve', 'keep an alarm from being announced for a while; no action is inhibited by it')
    .requiredOption('--for <minutes>', 'how long, in minutes')
    .option('--once', 'only until its condition is over')
    .action(shelve)
  seen(alarms, 'unshelve', 'announce a shelved alarm again').action(
    (id: string, what: string, options: SignedOptions) =>
      order(options, { kind: 'alarm_unshelve', subject: id, value: what }, `${id} is off the shelf`),
  )
  signed(alarms, 'out', 'take an alarm out of service until it is put back; takes two people').action(
    (id: string, options: SignedOptions) =>
      order(options, { kind: 'alarm_out', subject: id }, `${id} is out of service`),
  )
  signed(alarms, 'in', 'put an alarm back in service').action((id: string, options: SignedOptions) =>
    order(options, { kind: 'alarm_in', subject: id }, `${id} is in service`),
  )
}

function signed(parent: Command, name: string, description: string): Command {
  return signedOptions(placeOptions(parent.command(name).description(description)))
    .argument('<alarm>', 'id of the alarm')
    .option('--rig <id>', 'rig; may be left out when there is only one')
    .option('--site <id>', 'site at a collector; may be left out when only one has such an alarm')
}

function seen(parent: Command, name: string, description: string): Command {
  return signed(parent, name, description).argument('<seen>', 'SEEN as the list shows it, such as 3/CRITICAL')
}

async function shelve(id: string, what: string, options: ShelveOptions): Promise<void> {
  const minutes = Number(options.for)
  const mostMinutes = SHELVE_MAX_US / 60_000_000
  if (!(minutes > 0 && minutes <= 3 * mostMinutes))
    throw new HbError('USAGE', {
      option: '--for',
      found: options.for,
      expected: `minutes, more than 0, at most ${3 * mostMinutes}`,
    })
  const untilUs = timeAt(await fetchDesk(options)) + Math.round(minutes * 60_000_000)
  const value = options.once === true ? `${what}/once` : what
  await order(options, { kind: 'alarm_shelve', subject: id, value, untilUs }, `${id} is shelved for ${minutes} min`)
}

async function order(options: SignedOptions, fields: Omit<OrderFields, 'rig'>, done: string): Promise<void> {
  const { collector, state, site } = options
  const rig =
    collector === undefined
      ? rigMeant(await fetchDesktop(stateOf(state)), options.rig)
      : siteMeant(await fetchAlarms(collector), fields.subject ?? '', site)
  reportOrder(options.json, await giveOrder(options, { ...fields, rig }), done)
}

/** @throws HbError USAGE without one */
function stateOf(state: string | undefined): string {
  if (state === undefined) throw new HbError('USAGE', { found: 'no place', expected: '--state DIR or --collector URL' })
  return state
}

async function list(options: ListOptions): Promise<void> {
  if (options.collector !== undefined && options.state === undefined) {
    const alarms = await fetchAlarms(options.collector)
    printResult(options.json, alarms, collectorLines(alarms, options.site))
    return
  }
  const { rigs } = (await askAgent(stateOf(options.state), '/alarms')) as unknown as { rigs: readonly RigAlarmsShown[] }
  const known = rigs.map(({ rig }) => rig)
  if (options.rig !== undefined && !known.includes(options.rig))
    throw new HbError('USAGE', {
      option: '--rig',
      found: options.rig,
      expected: known.join(', ') || 'a rig with a policy',
    })
  const shown = rigs
    .filter(({ rig }) => options.rig === undefined || rig === options.rig)
    .map((of) => ({ ...of, alarms: of.alarms.filter(({ state }) => options.all === true || state !== 'NORMAL') }))
  const glasses = await glassesIn(stateOf(options.state))
  printResult(options.json, { rigs: shown, break_glass: glasses }, [...glassBanner(glasses), ...shown.flatMap(linesOf)])
}

function linesOf({ rig, alarms, flood, kpis }: RigAlarmsShown): string[] {
  const { per_ten_minutes: ten, per_hour: hour } = kpis
  const sum = `${rig}: ${kpis.standing} standing; announced ${ten.now} in these 10 min, ${hour.now} in this hour`
  const lines = [sum]
  if (flood !== null) lines.push(`flood since ${utc(flood.since_us)}: ${flood.folded} warnings were summed up`)
  if (kpis.chattering.length > 0) lines.push(`chattering: ${kpis.chattering.join(', ')}`)
  if (alarms.length === 0) return lines
  return [
    ...lines,
    ...table([
      ['ALARM', 'SEEN', 'STATE', 'RAISED (UTC)', 'WHAT', 'RESPONSE'],
      ...alarms.map((a) => [
        ...[a.id, a.seen, a.state, a.raised_us < 0 ? '-' : utc(a.raised_us)],
        ...[[a.text || a.title, hiddenBy(a)].filter((part) => part !== '').join('; '), a.response ?? '-'],
      ]),
    ]),
  ]
}

function hiddenBy({ shelf, out_of_service: reason, suppressed_by: by }: AlarmShown): string {
  if (reason !== null) return `out of service: ${reason}`
  if (shelf !== null) return `shelved by ${shelf.by} until ${utc(shelf.until_us)}: ${shelf.reason}`
  return by === null ? '' : `suppressed by ${by}`
}
