import type { Command } from 'commander'
import { printResult, table, utc } from '../../shared/lib/command-output.ts'
import { fetchDesktop, giveOrder, type OrderOptions, orderCommand, reportOrder, rigMeant } from './order-client.ts'

/** Adds `hb mode show|set`. */
export function modeCommands(program: Command): void {
  const mode = program.command('mode').description('operational modes of rigs')
  mode
    .command('show')
    .description('the mode of each rig, and where it may go from there')
    .requiredOption('--state <dir>', 'state folder of the agent')
    .option('--json', 'one JSON object')
    .action(show)
  orderCommand(mode, 'set', 'order another mode; limits, baselines and permitted actions follow it')
    .argument('<mode>', 'mode to go to')
    .action(set)
}

async function show(options: Readonly<{ state: string; json?: boolean }>): Promise<void> {
  const { rigs } = await fetchDesktop(options.state)
  printResult(
    options.json,
    { rigs },
    table([
      ['RIG', 'MODE', 'SETTLES UNTIL (UTC)', 'MAY GO TO'],
      ...rigs.map((r) => [
        ...[r.rig, r.mode, r.settles_until_us === null ? '-' : utc(r.settles_until_us)],
        r.may_go_to.join(', '),
      ]),
    ]),
  )
}

async function set(mode: string, options: OrderOptions & Readonly<{ rig?: string }>): Promise<void> {
  const rig = rigMeant(await fetchDesktop(options.state), options.rig)
  const answer = await giveOrder(options, { kind: 'mode', rig, value: mode })
  reportOrder(options.json, answer, `${rig} is in mode ${mode}; baselines of it count once it has settled`)
}
