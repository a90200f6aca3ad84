import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { encodeBaseline } from '../../shared/codec/baseline-record.ts'
import { parseRuntimeFiles } from '../../shared/config/load.ts'
import { DOMAIN, digestOf, toHex } from '../../shared/crypto/digest.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { printResult, progress, table, utc, writeNew } from '../../shared/lib/command-output.ts'
import type { Micros } from '../../shared/units.ts'
import { type BaselineFit, createBaselineFit, finishFit, fitSlide } from '../core/baseline-fit.ts'
import { leafRows } from '../core/pane-tree.ts'
import { paneOf } from '../core/panes.ts'
import { EVALUATOR_VERSION } from '../core/settings.ts'
import type { RigState } from '../core/state.ts'
import { replay } from '../pipeline/replay.ts'
import { viewStorage } from '../storage.ts'

type CreateOptions = Readonly<{ from: string; rig?: string; out: string; json?: boolean }>

/** Adds `hb baseline create`. */
export function baselineCommands(program: Command): void {
  program
    .command('baseline')
    .description('how a rig is when nothing is wrong')
    .command('create')
    .description('make a draft baseline from what an agent recorded; a draft never arms anything')
    .requiredOption('--from <dir>', 'state folder of an agent that watched the rig while nothing was wrong')
    .option('--rig <id>', 'rig; may be left out when there is only one')
    .requiredOption('--out <file>', 'baseline record to write (.hbb); an existing file is refused')
    .option('--json', 'one JSON object')
    .action(create)
}

type Gathered = { fit: BaselineFit; rig: RigState; fromUs: Micros; toUs: Micros; lastSeq: number; program: string }

/** @throws HbError BASELINE_TOO_SHORT, RIG_UNKNOWN, STATE_MISSING */
async function create(options: CreateOptions): Promise<void> {
  if (existsSync(options.out))
    throw new HbError('USAGE', { option: '--out', found: `${options.out} exists`, expected: 'a new file' })
  const view = viewStorage(options.from)
  const gathered = await gather(options, view)
  const metrics = finishFit(gathered.fit, gathered.rig)
  const wanted = gathered.rig.settings.metrics.filter((m) => m.baselineRequired)
  const without = wanted.filter((m) => !metrics.some((known) => known.metric === m.metric)).map((m) => m.metric)
  if (metrics.length === 0)
    throw new HbError('BASELINE_TOO_SHORT', {
      rig: gathered.rig.settings.rig,
      from: utc(gathered.fromUs),
      to: utc(gathered.toUs),
    })
  const bytes = encodeBaseline({
    kind: 'draft',
    rig: gathered.rig.settings.rig,
    program: gathered.program,
    evaluator: EVALUATOR_VERSION,
    madeUs: systemClock().nowUs(),
    journal: view.identity.journalId,
    firstSeq: view.journal.firstSeq,
    lastSeq: gathered.lastSeq,
    fromUs: gathered.fromUs,
    toUs: gathered.toUs,
    metrics,
  })
  writeNew(options.out, bytes, 0o644)
  report(options, { bytes, gathered, metrics, without })
}

type Made = Readonly<{
  bytes: Uint8Array
  gathered: Gathered
  metrics: ReturnType<typeof finishFit>
  without: readonly string[]
}>

function report(options: CreateOptions, { bytes, gathered, metrics, without }: Made): void {
  const digest = toHex(digestOf(DOMAIN.baseline, bytes))
  const rows = [
    ['METRIC', 'UNIT', 'MEAN', 'SD', 'WINDOWS'],
    ...metrics.map((m) => [
      m.metric,
      m.unit,
      m.mean.toPrecision(5),
      m.sd.toPrecision(3),
      m.windows.map((w) => `${w.widthUs / 1000} ms`).join(' '),
    ]),
  ]
  printResult(
    options.json,
    {
      ok: true,
      kind: 'draft',
      rig: gathered.rig.settings.rig,
      file: options.out,
      bytes: bytes.length,
      digest,
      from_us: gathered.fromUs,
      to_us: gathered.toUs,
      metrics: metrics.length,
      without_baseline: without,
    },
    [
      `draft baseline of ${gathered.rig.settings.rig} from ${utc(gathered.fromUs)} to ${utc(gathered.toUs)}`,
      ...table(rows),
      ...(without.length > 0 ? [`too little of: ${without.join(', ')} (NO_BASELINE until there is more)`] : []),
      `${options.out}: ${bytes.length} bytes, digest ${digest}`,
    ],
  )
}

async function gather(options: CreateOptions, view: ReturnType<typeof viewStorage>): Promise<Gathered> {
  let gathered: Gathered | null = null
  const replayed = progress('replaying')
  for await (const { seq, effects, evaluation } of replay(view)) {
    replayed(seq, view.journal.lastSeq)
    for (const effect of effects) {
      if (effect.kind !== 'decided' || (options.rig !== undefined && effect.decision.rig !== options.rig)) continue
      const rig = evaluation.state.rigs.find((r) => r.settings.rig === effect.decision.rig)!
      if (gathered !== null && gathered.rig.settings.rig !== rig.settings.rig)
        throw new HbError('RIG_UNKNOWN', {
          rig: '(none given)',
          known: evaluation.state.rigs.map((r) => r.settings.rig).join(', '),
        })
      // Another configuration judges by other windows: what was gathered before does not belong to it.
      if (gathered === null || gathered.rig !== rig) {
        const { config } = parseRuntimeFiles(evaluation.files)
        gathered = {
          rig,
          fit: createBaselineFit(rig.settings.metrics.length, rig.settings.windowsUs.length),
          fromUs: effect.decision.timeUs,
          toUs: 0,
          lastSeq: seq,
          program: config.rigs.find((r) => r.rig === rig.settings.rig)!.program,
        }
      }
      gathered.toUs = effect.decision.timeUs
      gathered.lastSeq = seq
      fitSlide(gathered.fit, rig, leafRows(rig.tree, paneOf(effect.decision.timeUs, rig.settings.slideUs) - 1))
    }
  }
  if (gathered === null)
    throw new HbError('BASELINE_TOO_SHORT', {
      state: options.from,
      rig: options.rig ?? null,
      reason: 'no slide of it was ever evaluated',
    })
  return gathered
}
