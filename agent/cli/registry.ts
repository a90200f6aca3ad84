import type { Command } from 'commander'
import { type ChannelChain, channelChain, type NoChain } from '../../shared/config/channel-chain.ts'
import { loadRuntimeConfig } from '../../shared/config/load.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { printResult } from '../../shared/lib/command-output.ts'
import type { ConversionStep } from '../../shared/model/conversion.ts'
import { inForceFor } from '../pipeline/stated.ts'

type ExplainOptions = Readonly<{ config: string; unit?: string; rig?: string; json?: boolean }>

/** Adds `hb registry explain`. */
export function registryCommands(program: Command): void {
  program
    .command('registry')
    .description('what the channels of a rig mean')
    .command('explain')
    .description('say which metric a channel feeds, and every step from its value to that of the metric')
    .argument('<channel>', 'channel as it arrives')
    .requiredOption('--config <file>', 'runtime.yaml')
    .option('--unit <unit>', 'unit that its samples state')
    .option('--rig <id>', 'only this rig')
    .option('--json', 'one JSON object')
    .action(explain)
}

/** @throws HbError CONFIG_MISSING, CONFIG_INVALID, RIG_UNKNOWN */
function explain(channel: string, options: ExplainOptions): void {
  const loaded = loadRuntimeConfig(options.config)
  const { rigs } = loaded.config
  const asked = rigs.filter(({ rig }) => options.rig === undefined || options.rig === rig)
  if (asked.length === 0)
    throw new HbError('RIG_UNKNOWN', { rig: options.rig ?? null, known: rigs.map(({ rig }) => rig).join(', ') })
  const chains = asked.map(({ rig }) => ({
    rig,
    chain: channelChain({ channel, unit: options.unit ?? null }, inForceFor(loaded, rig)),
  }))
  printResult(
    options.json,
    { channel, unit: options.unit ?? null, rigs: chains.map(({ rig, chain }) => ({ rig, ...chain })) },
    chains.flatMap(({ rig, chain }) => ('problem' in chain ? problemLines(rig, chain) : chainLines(rig, chain))),
  )
}

function problemLines(rig: string, { problem, hint }: NoChain): string[] {
  return [`rig ${rig}: ${problem}`, ...(hint === undefined ? [] : [`  remedy   ${hint}`])]
}

function chainLines(rig: string, { channel, metric, unit, steps, total }: ChannelChain): string[] {
  return [
    `rig ${rig}: ${channel} feeds ${metric}, in ${unit}`,
    ...steps.map((step) => `  ${step.kind.padEnd(12)} ${wayOf(step)}   ${step.source}, ${step.version}`),
    steps.length === 0 ? '  as it is' : `  together     ${formula(total)}`,
  ]
}

function wayOf({ from, to, factor, offset }: ConversionStep): string {
  const way = from === to ? from : `${from} → ${to}`
  return factor === 1 && offset === 0 ? way : `${way}: ${formula({ factor, offset })}`
}

function formula({ factor, offset }: Pick<ConversionStep, 'factor' | 'offset'>): string {
  const scaled = factor === 1 ? 'value' : `value × ${factor}`
  return offset === 0 ? scaled : `${scaled} ${offset < 0 ? '−' : '+'} ${Math.abs(offset)}`
}
