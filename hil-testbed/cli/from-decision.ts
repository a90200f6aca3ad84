import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { stringify } from 'yaml'
import { encodeBundle } from '../../shared/codec/baseline-bundle.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { printResult, writeNew } from '../../shared/lib/command-output.ts'
import { spanOption } from '../../shared/lib/span.ts'
import { isId } from '../../shared/model/ids.ts'
import { type Hb, ownHb } from '../bench/agent-process.ts'
import { runCampaign } from '../bench/campaign.ts'
import { hostTime } from '../bench/host-time.ts'
import type { CaseResult } from '../core/result.ts'
import { askSlice } from '../field/ask-slice.ts'
import { baselineInForce, type FieldEvent, readFieldEvent, requireInForce } from '../field/decision-folder.ts'
import { fieldRig } from '../field/field-rig.ts'
import { fieldScenario, scenarioNames } from '../field/field-scenario.ts'
import { loadScenarios } from '../scenario/load.ts'

type FromOptions = Readonly<{
  state: string
  config?: string
  out: string
  before?: string
  after: string
  rig?: string
  force?: boolean
  verify: boolean
  json?: boolean
}>

/** So much before a decision unless a window that shows it is longer: detectors have warmed up by then. */
const BEFORE_S = 30

/** Adds `hb hil from-decision`. */
export function fromDecisionCommand(hil: Command): void {
  hil
    .command('from-decision')
    .description('make a scenario of a decision from the field, which fails until what was wrong is mended')
    .argument('<id>', 'number of the decision, or AGENT:NUMBER')
    .requiredOption('--state <dir>', 'state folder of the agent, or a copy of it')
    .requiredOption('--out <dir>', 'folder that is not there yet')
    .option('--config <file>', 'runtime.yaml; refused when it or a file that it names is not as it was then')
    .option('--before <span>', 'slice from so long before it; by default 30s, or twice the window that shows it')
    .option('--after <span>', 'slice to so long after it', '10s')
    .option('--rig <id>', 'name of the rig on the bench; by default that of the field')
    .option('--force', 'also of a decision that was PASS: the scenario expects that it stays so')
    .option('--no-verify', 'do not try whether the bench says the same as the field')
    .option('--json', 'one JSON object')
    .action(fromDecision)
}

async function fromDecision(id: string, options: FromOptions): Promise<void> {
  const { rig, json } = options
  if (rig !== undefined && !isId(rig)) throw new HbError('USAGE', { option: '--rig', found: rig, expected: 'an id' })
  const hb = ownHb()
  const work = mkdtempSync(join(tmpdir(), 'hb-field-'))
  try {
    const event = await sliceOf(id, options, { hb, work })
    const { verdict } = event.slice.decision
    if (verdict === 'PASS' && options.force !== true)
      throw new HbError('FIELD_NOT_RED', { found: `decision ${id} is PASS`, expected: 'one that is not' })
    if (options.config !== undefined) requireInForce(event, options.config)
    const made = write(event, options)
    const again = options.verify ? await tried(made.file, { hb, work: join(work, 'try') }) : null
    const { decision, begin_us: beginUs, end_us: endUs, channels, config, arm } = event.slice
    const seen = again === null ? null : { verdict: again.verdict, reason: again.reason, outcomes: again.outcomes }
    const result = { v: 1, ...made, decision, begin_us: beginUs, end_us: endUs, channels: channels.length, config, arm }
    printResult(json, { ...result, verified: again === null ? null : isAgain(again, verdict), seen }, [
      `${made.file}: decision ${decision.seq} of rig ${decision.rig}, ${verdict}; ${channels.length} channels, ${(endUs - beginUs) / 1_000_000} s`,
      ...made.notes.map((note) => `note: ${note}`),
      ...(again === null ? ['not tried'] : [`tried: ${again.verdict} ${again.reason}`]),
    ])
    if (again !== null && !isAgain(again, verdict))
      throw new HbError('FIELD_NOT_AGAIN', {
        found: `${again.verdict} ${again.reason}`.trim(),
        expected: verdict === 'PASS' ? 'PASS, as in the field' : `FAIL, for ${verdict} as in the field`,
        scenario: made.file,
      })
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

type At = Readonly<{ hb: Hb; work: string }>

/** The slice; a longer one when a window that shows the event needs it, and nobody has said how long. */
async function sliceOf(id: string, { state, before, after }: FromOptions, { hb, work }: At): Promise<FieldEvent> {
  if (before !== undefined) spanOption(before, '--before')
  spanOption(after, '--after')
  const ask = async (out: string, text: string): Promise<FieldEvent> => {
    await askSlice({ id, state, before: text, after, out }, hb)
    return readFieldEvent(out)
  }
  const first = await ask(join(work, 'slice'), before ?? `${BEFORE_S}s`)
  const widestUs = Math.max(0, ...first.slice.decision.findings.map((finding) => finding.window_us))
  const stepS = Number(first.rig['detector_step_ms'] ?? 1000) / 1000
  // Thirty steps: what detectors take before they are sure.
  const neededS = Math.ceil(Math.max((2 * widestUs) / 1_000_000, BEFORE_S * stepS))
  if (before !== undefined || neededS <= BEFORE_S) return first
  return ask(join(work, 'longer'), `${neededS}s`)
}

type Made = Readonly<{ file: string; rig: string; notes: readonly string[] }>

/** Writes scenario, slice and rig, and checks them as `hb hil lint` does. */
function write(event: FieldEvent, { out, rig }: FromOptions): Made {
  const name = rig ?? event.slice.decision.rig
  const baseline = baselineInForce(event)
  const { value, registry, policy, notes } = fieldRig(event, { name, hasBaseline: baseline !== null })
  const at = join(out, 'rigs', name)
  try {
    mkdirSync(out)
    mkdirSync(at, { recursive: true })
  } catch (cause) {
    throw new HbError('USAGE', { option: '--out', found: out, expected: 'a new folder' }, { cause })
  }
  const put = (path: string, content: string | Uint8Array): void => writeNew(path, content, 0o644)
  put(join(at, 'rig.yaml'), stringify(value, { lineWidth: 130 }))
  put(join(at, 'registry.yaml'), registry)
  if (policy !== null) put(join(at, 'actions.yaml'), policy)
  // What was signed in production is not believed on a bench: the record goes on, its statements stay where they are.
  if (baseline !== null) put(join(at, 'baseline.hbb'), encodeBundle({ ...baseline, statements: [] }))
  copyFileSync(join(event.folder, 'slice.csv'), join(out, 'slice.csv'))
  const file = join(out, scenarioNames(name, event.slice.decision.seq).file)
  put(file, fieldScenario(event, { name, isArmed: event.slice.arm === 'ARMED' && policy !== null }))
  loadScenarios([file])
  return { file, rig: name, notes }
}

/** One run of it, as `hb hil run` would do it. */
async function tried(file: string, { hb, work }: At): Promise<CaseResult> {
  const ending = new AbortController()
  const stop = (): void => ending.abort()
  process.on('SIGINT', stop).on('SIGTERM', stop)
  const { cases } = await runCampaign({
    ...{ rows: loadScenarios([resolve(file)]).rows, folder: work, hb, host: hostTime(), jobs: 1, commit: '' },
    ...{ keep: false, real: false, waitMs: 0, signal: ending.signal, told: () => undefined },
  })
  process.off('SIGINT', stop).off('SIGTERM', stop)
  return cases[0]!
}

/** Whether the verdict of the field came again, which is what is looked at first. */
function isAgain({ verdict, outcomes }: CaseResult, field: string): boolean {
  return field === 'PASS' ? verdict === 'PASS' : verdict === 'FAIL' && outcomes[0]?.is === 'missed'
}
