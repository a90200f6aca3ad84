import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { HbError, isHbError } from '../../shared/errors/hb-error.ts'
import { printable, utc } from '../../shared/lib/command-output.ts'
import { spanOption } from '../../shared/lib/span.ts'
import {
  type Desktop,
  fetchDesktop,
  giveOrder,
  type OrderOptions,
  orderCommand,
  reportOrder,
  rigMeant,
  timeAt,
} from './order-client.ts'

type GlassOptions = OrderOptions & Readonly<{ rig?: string; for?: string; confirmRig?: string }>

/** Adds `hb break-glass ask|confirm|close`. */
export function breakGlassCommands(program: Command): void {
  const glass = program
    .command('break-glass')
    .description(
      'one person orders by hand what takes two, for at most a quarter of an hour, on a rig that two had armed',
    )
  typed(glass, 'ask', 'the first act: say for how long and why')
    .option('--for <span>', 'how long, at most 15m', '10m')
    .action(ask)
  typed(glass, 'confirm', 'the second act, by the same person within two minutes: it is in force').action(confirm)
  orderCommand(glass, 'close', 'end it at once; anybody may').action(close)
}

function typed(parent: Command, name: string, description: string): Command {
  return orderCommand(parent, name, description).requiredOption(
    '--confirm-rig <id>',
    'the rig once more, typed out: it must be the one that is meant',
  )
}

/** The rig that is meant, as it stands. @throws HbError USAGE when what was typed is another */
function rigTyped(desktop: Desktop, options: GlassOptions): Desktop['rigs'][number] {
  const rig = rigMeant(desktop, options.rig)
  if (options.confirmRig !== rig)
    throw new HbError('USAGE', { option: '--confirm-rig', found: options.confirmRig ?? '', expected: rig })
  return desktop.rigs.find((one) => one.rig === rig)!
}

async function ask(options: GlassOptions): Promise<void> {
  const desktop = await fetchDesktop(options.state)
  const { rig, config } = rigTyped(desktop, options)
  const untilUs = timeAt(desktop) + spanOption(options.for ?? '10m', '--for')
  const answer = await giveOrder(options, {
    ...{ kind: 'break_glass', rig, subject: options.confirmRig!, value: 'ask', config: config ?? '', untilUs },
  })
  reportOrder(
    options.json,
    answer,
    `asked for until ${utc(untilUs)}; nothing is in force before \`hb break-glass confirm\` by the same person`,
  )
}

async function confirm(options: GlassOptions): Promise<void> {
  const { rig, config, arm } = rigTyped(await fetchDesktop(options.state), options)
  const untilUs = arm?.break_glass_asked?.until_us ?? 0
  const answer = await giveOrder(options, {
    ...{ kind: 'break_glass', rig, subject: options.confirmRig!, value: 'confirm', config: config ?? '', untilUs },
  })
  reportOrder(options.json, answer, `break-glass of ${rig} is in force until ${utc(untilUs)}`)
}

async function close(options: GlassOptions): Promise<void> {
  const rig = rigMeant(await fetchDesktop(options.state), options.rig)
  const answer = await giveOrder(options, { kind: 'break_glass', rig, subject: rig, value: 'close' })
  reportOrder(options.json, answer, `break-glass of ${rig} is closed`)
}

export type GlassInForce = Readonly<{ rig: string; by: string; until_us: number; reason: string }>

/** What is in force on the rigs of an agent, for the top of every list. */
export function glassesOf({ rigs }: Pick<Desktop, 'rigs'>): GlassInForce[] {
  return rigs.flatMap(({ rig, arm }) => (arm?.break_glass ? [{ rig, ...arm.break_glass }] : []))
}

/** The same of a state folder; nothing is in force where no agent runs. */
export async function glassesIn(state: string): Promise<GlassInForce[]> {
  if (!existsSync(state)) return []
  try {
    return glassesOf(await fetchDesktop(state))
  } catch (error) {
    if (isHbError(error) && error.code === 'AGENT_NOT_RUNNING') return []
    throw error
  }
}

export function glassBanner(glasses: readonly GlassInForce[]): string[] {
  return glasses.map(
    ({ rig, by, until_us: untilUs, reason }) =>
      `! BREAK-GLASS on ${rig} by ${by} until ${utc(untilUs)}: ${printable(reason)}`,
  )
}
