import type { Command } from 'commander'
import { createBaseline } from './baseline-create.ts'
import { decayCommand } from './baseline-decay.ts'
import { explainCommand } from './baseline-explain.ts'
import { lookCommands } from './baseline-look.ts'
import { pushCommand } from './baseline-push.ts'
import { sayCommands } from './baseline-say.ts'
import { selectCommand } from './baseline-select.ts'

/** Adds `hb baseline …`. */
export function baselineCommands(program: Command): void {
  const baseline = program.command('baseline').description('how a rig is when nothing is wrong')
  baseline
    .command('create')
    .description('make a baseline from what an agent recorded, or from recordings, and say what its quality gate finds')
    .option('--from <dir>', 'state folder of an agent that watched the rig while nothing was wrong')
    .option('--window <span>', 'with --from: only the newest 30m, 24h, 7d …')
    .option('--config <file>', 'with --csv: runtime configuration whose rig the recordings are of')
    .option('--csv <file...>', 'recordings of nominal data, oldest first; the newest gives the level')
    .option('--run <folder...>', 'run folders with signals.csv, oldest first; instead of --csv')
    .option('--time-column <name>', 'with --csv or --run: column of times')
    .option('--ignore-column <name...>', 'with --csv: columns without a meaning here')
    .option('--decimal <mark>', 'with --csv or --run: decimal mark of the numbers, point or comma', 'point')
    .option('--rig <id>', 'rig; may be left out when there is only one')
    .option('--kind <kind>', 'what it is meant to be: draft, golden or rolling', 'draft')
    .option('--family <id>', 'rigs that are alike enough to share it', '')
    .option('--policy <file>', 'quality policy (baseline_quality_policy.yaml); by default its defaults')
    .option('--draft', 'write it though the gate says no; it will never arm anything')
    .requiredOption('--out <file>', 'baseline to write (.hbb); an existing file is refused')
    .option('--json', 'one JSON object')
    .action(createBaseline)
  sayCommands(baseline)
  lookCommands(baseline)
  explainCommand(baseline)
  pushCommand(baseline)
  selectCommand(baseline)
  decayCommand(baseline)
}
