import type { Command } from 'commander'
import { decodeJournalInput, inputKindOf } from '../../shared/codec/journal-input.ts'
import { printResult, table, utc } from '../../shared/lib/command-output.ts'
import type { ChannelReplaced } from '../../shared/model/input.ts'
import { askAgent } from '../adapters/control-server.ts'
import { type StorageView, viewStorage } from '../storage.ts'

type ReplaceOptions = Readonly<{
  state: string
  rig?: string
  serial: string
  calDate: string
  due: string
  operator: string
  reason: string
  json?: boolean
}>

/** Adds `hb channel replace|list`. */
export function channelCommands(program: Command): void {
  const channel = program.command('channel').description('sensors: which one stands behind a channel')
  channel
    .command('replace')
    .description('tell a running agent that a channel has another sensor: what baselines knew of it no longer counts')
    .argument('<channel>', 'channel or metric')
    .requiredOption('--state <dir>', 'state folder of the agent')
    .requiredOption('--serial <serial>', 'serial number of the new sensor')
    .requiredOption('--cal-date <date>', 'when it was calibrated, YYYY-MM-DD')
    .requiredOption('--due <date>', 'until when that holds, YYYY-MM-DD')
    .requiredOption('--operator <name>', 'who changed it')
    .option('--rig <id>', 'rig; may be left out when only one has the channel')
    .option('--reason <text>', 'why', '')
    .option('--json', 'one JSON object')
    .action(replace)
  channel
    .command('list')
    .description('sensors that were replaced, as far as the journal reaches back, oldest first')
    .requiredOption('--state <dir>', 'state folder')
    .option('--json', 'one JSON object')
    .action(list)
}

async function replace(channel: string, options: ReplaceOptions): Promise<void> {
  const { state, rig = null, serial, calDate, due, operator, reason } = options
  const order = { command: 'replace' as const, rig, channel, serial, cal_date: calDate, cal_due: due, operator, reason }
  const answer = await askAgent(state, '/channel', order)
  printResult(options.json, answer, [
    `${channel} of ${String(answer['rig'])} has sensor ${serial}, calibrated ${calDate}, due ${due}`,
    `${String(answer['metric'])} is NO_BASELINE (sensor_replaced) until a baseline is in force whose data begin after this`,
  ])
}

async function list(options: Readonly<{ state: string; json?: boolean }>): Promise<void> {
  const replaced = await replacedSensors(viewStorage(options.state))
  const rows = replaced.map((r) => [
    r.rig,
    r.channel,
    r.serial,
    r.calDate,
    r.calDue,
    utc(r.nowUs),
    r.operator,
    r.reason,
  ])
  printResult(
    options.json,
    {
      replaced: replaced.map(({ nowUs, calDate, calDue, kind: _, command: __, ...rest }) => ({
        ...rest,
        cal_date: calDate,
        cal_due: calDue,
        t_us: nowUs,
      })),
    },
    table([['RIG', 'CHANNEL', 'SERIAL', 'CALIBRATED', 'DUE', 'REPLACED', 'OPERATOR', 'REASON'], ...rows]),
  )
}

/** Every replacement that the journal holds. */
export async function replacedSensors({ journal }: StorageView): Promise<ChannelReplaced[]> {
  const replaced: ChannelReplaced[] = []
  for await (const record of journal.read(journal.firstSeq)) {
    if (record.kind === 'damage' || inputKindOf(record.body) !== 'channel') continue
    const input = decodeJournalInput(record.body)
    if (input.kind === 'channel') replaced.push(input)
  }
  return replaced
}
