import type { Command } from 'commander'
import { decodeJournalInput } from '../../shared/codec/journal-input.ts'
import { parseRuntimeFiles } from '../../shared/config/load.ts'
import { printResult, table, utc } from '../../shared/lib/command-output.ts'
import type { Micros } from '../../shared/units.ts'
import { askAgent, type RunCommand } from '../adapters/control-server.ts'
import { viewStorage } from '../storage.ts'

type StartOptions = Readonly<{
  state: string
  article: string
  procedure: string
  operator: string
  rig?: string
  note?: string
  json?: boolean
}>
type LaterOptions = Readonly<{ state: string; rig?: string; text?: string; operator?: string; json?: boolean }>

/** Adds `hb run start|stop|note`. */
export function runCommands(program: Command): void {
  const run = program.command('run').description('test runs: what is being tested, by whom, by which procedure')
  run
    .command('start')
    .description('start a run on the rigs of a running agent')
    .requiredOption('--state <dir>', 'state folder of the agent')
    .requiredOption('--article <serial>', 'serial number of the test article')
    .requiredOption('--procedure <id>', 'test procedure')
    .requiredOption('--operator <name>', 'who runs it')
    .option('--rig <id>', 'only this rig')
    .option('--note <text>', 'free text')
    .option('--json', 'one JSON object')
    .action((o: StartOptions) =>
      order(o, {
        command: 'start',
        rig: o.rig ?? null,
        article: o.article,
        procedure: o.procedure,
        operator: o.operator,
        note: o.note ?? '',
      }),
    )
  for (const command of ['stop', 'note'] as const) {
    const later = run
      .command(command)
      .description(command === 'stop' ? 'end the open run' : 'write a note into the open run')
      .requiredOption('--state <dir>', 'state folder of the agent')
      .option('--rig <id>', 'only this rig')
      .option('--operator <name>', 'who says so', '')
      .option('--json', 'one JSON object')
    if (command === 'note') later.requiredOption('--text <text>', 'the note')
    later.action((o: LaterOptions) =>
      order(o, {
        command,
        rig: o.rig ?? null,
        article: '',
        procedure: '',
        operator: o.operator ?? '',
        note: o.text ?? '',
      }),
    )
  }
}

/** Adds `hb runs list`. */
export function runsCommands(program: Command): void {
  program
    .command('runs')
    .description('test runs of the past and the present')
    .command('list')
    .description('runs in the journal, oldest first')
    .requiredOption('--state <dir>', 'state folder')
    .option('--program <id>', 'of one programme')
    .option('--json', 'one JSON object')
    .action(list)
}

async function order(options: Readonly<{ state: string; json?: boolean }>, command: RunCommand): Promise<void> {
  const answer = await askAgent(options.state, '/run', command)
  printResult(options.json, answer, [
    `${String(answer['run'])}: ${command.command} on ${(answer['rigs'] as string[]).join(', ')}`,
  ])
}

type ListedRun = {
  run: string
  rig: string
  program: string
  article: string
  procedure: string
  operator: string
  started_us: Micros
  stopped_us: Micros | null
  notes: string[]
}

async function list(options: Readonly<{ state: string; program?: string; json?: boolean }>): Promise<void> {
  const { journal } = viewStorage(options.state)
  const runs: ListedRun[] = []
  let programs = new Map<string, string>()
  for await (const record of journal.read(journal.firstSeq)) {
    if (record.kind === 'damage') continue
    const input = decodeJournalInput(record.body)
    if (input.kind === 'config')
      programs = new Map(parseRuntimeFiles(input.files).config.rigs.map((r) => [r.rig, r.program]))
    if (input.kind !== 'run') continue
    const open = runs.findLast((r) => r.rig === input.rig && r.stopped_us === null)
    if (input.command === 'start') {
      const { run, rig, article, procedure, operator } = input
      runs.push({
        run,
        rig,
        program: programs.get(rig) ?? '',
        article,
        procedure,
        operator,
        started_us: input.nowUs,
        stopped_us: null,
        notes: input.note === '' ? [] : [input.note],
      })
    } else if (open !== undefined && input.command === 'stop') open.stopped_us = input.nowUs
    else open?.notes.push(input.note)
  }
  const shown = runs.filter((r) => options.program === undefined || r.program === options.program)
  const rows = shown.map((r) => [
    r.run,
    r.rig,
    r.program,
    r.article,
    r.procedure,
    r.operator,
    utc(r.started_us),
    r.stopped_us === null ? 'open' : utc(r.stopped_us),
    r.notes.join(' | '),
  ])
  printResult(
    options.json,
    { runs: shown },
    table([['RUN', 'RIG', 'PROGRAM', 'ARTICLE', 'PROCEDURE', 'OPERATOR', 'STARTED', 'STOPPED', 'NOTES'], ...rows]),
  )
}
