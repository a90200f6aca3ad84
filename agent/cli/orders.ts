import type { Command } from 'commander'
import { printResult, table, utc } from '../../shared/lib/command-output.ts'
import { PERSONS_NOTE } from '../../shared/model/order.ts'
import { glassBanner, glassesOf } from './break-glass.ts'
import { fetchDesk, fetchDesktop, giveOrder, type PlacedOptions, reportOrder, waitingOrder } from './order-client.ts'

/** Adds `hb orders list|confirm`. */
export function ordersCommands(program: Command): void {
  const orders = program.command('orders').description('orders to a running agent that take two people')
  orders
    .command('list')
    .description('orders that wait for a second person')
    .requiredOption('--state <dir>', 'state folder of the agent')
    .option('--json', 'one JSON object')
    .action(list)
  orders
    .command('confirm')
    .description('confirm an order of somebody else, exactly as it is shown; it is carried out at once')
    .argument('<order>', 'id of the order, or its beginning')
    .option('--state <dir>', 'state folder of the agent')
    .option('--collector <url>', 'address that operators of the collector open, instead of `--state`')
    .requiredOption('--key <file>', 'private key of the person who confirms')
    .requiredOption('--reason <text>', 'why')
    .option('--json', 'one JSON object')
    .action(confirm)
}

async function list(options: Readonly<{ state: string; json?: boolean }>): Promise<void> {
  const { waiting, rigs } = await fetchDesktop(options.state)
  const glasses = glassesOf({ rigs })
  printResult(options.json, { waiting, break_glass: glasses, note: PERSONS_NOTE }, [
    ...glassBanner(glasses),
    ...table([
      ['ORDER', 'KIND', 'RIG', 'ABOUT', 'TO', 'BY', 'REASON', 'WAITS UNTIL (UTC)'],
      ...waiting.map((w) => [
        ...[w.order.slice(0, 12), w.kind, w.rig, w.subject || '-', w.value || '-', w.by, w.reason],
        utc(w.until_us),
      ]),
    ]),
    `(${PERSONS_NOTE})`,
  ])
}

async function confirm(text: string, options: PlacedOptions): Promise<void> {
  const { order, kind, rig, config } = waitingOrder(await fetchDesk(options), text)
  const answer = await giveOrder(options, { kind: 'confirm', rig, subject: order, config })
  reportOrder(options.json, answer, `${kind} of ${rig} is confirmed and carried out`)
}
