/**
 * The demo: three real programs around two or three rigs, a fault, and the proof of what was decided.
 *
 *   npm run demo -- [--exit] [--bin] [--csv FILE [--speed N|max]] [--keep]
 *   npm run demo -- --exit --actions     over-pressure that an armed agent stops, one that it must not, and one it only watches
 *
 * `--exit` checks itself and ends with 0 or 1 and the reason. With `--bin` every program is the single executable, and
 * the bundle judges what it left behind. Ctrl-C stops everything in order; nothing stays behind.
 */
import { copyFileSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '../shared/lib/clock.ts'
import { stopSignals } from '../shared/lib/stop-signals.ts'
import { buildExecutableWhenStale, EXECUTABLE } from './binary/executable.ts'
import { demonstrateActions } from './demo/actions.ts'
import { certifyWaterLoop, checkSlowDrift, DETECTOR_STEP_MS } from './demo/certify.ts'
import {
  type CheckResult,
  checkBatches,
  checkFault,
  checkLedger,
  checkReplay,
  checkSlice,
  statusOf,
} from './demo/checks.ts'
import { agentYaml, type DemoAgent, type DemoFolder, makeFolder, rigYaml, WATER_LOOP } from './demo/folder.ts'
import { BUNDLE, killAll, type Program, runHb, startHb } from './demo/processes.ts'
import { followCollector, type SeenDecision, type Timeline } from './demo/timeline.ts'

const FAULT_AFTER_S = 20
const FAULT_CHANNEL = 'Volume Flow RateRMS'
/** After the fault was flagged and receipted the demo goes on a little, so that the batches after it are checked too. */
const AFTER_FAULT_MS = 3000
const FLAGGED_WITHIN_MS = 30_000
/** Rows of a recording that make its baseline, as in the evaluation of the SKAB data set. */
const BASELINE_ROWS = 400
const CSV_SPEED = '10'
/** Exit code of a program that was interrupted. */
const INTERRUPTED_EXIT = 130

type Options = Readonly<{
  exit: boolean
  actions: boolean
  bin: boolean
  keep: boolean
  csv: string | null
  speed: string
}>

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      exit: { type: 'boolean' },
      actions: { type: 'boolean' },
      bin: { type: 'boolean' },
      keep: { type: 'boolean' },
      csv: { type: 'string' },
      speed: { type: 'string' },
    },
  })
  const csv = values.csv === undefined ? null : resolve(values.csv)
  const speed = values.speed ?? (values.exit === true ? 'max' : CSV_SPEED)
  if (csv !== null && !existsSync(csv)) throw new Error(`--csv ${csv}: there is no such file`)
  if (speed !== 'max' && !(Number(speed) > 0)) throw new Error(`--speed ${speed}: a number above 0, or max`)
  const { exit = false, actions = false, bin = false, keep = false } = values
  return { exit, actions, bin, keep, csv, speed }
}

const say = (text: string): void => {
  process.stdout.write(`${text}\n`)
}

/** A draft baseline from a recording of the rig while nothing is wrong, through the same path as everything later. */
async function makeBaseline(
  folder: DemoFolder,
  { rig, agent, yaml }: { rig: string; agent: DemoAgent; yaml: string },
): Promise<void> {
  const { path, hb } = folder
  writeFileSync(
    join(path, `${rig}.baseline.yaml`),
    agentYaml(folder, agent, { clock: 'recording', rigs: yaml, uplink: false }),
  )
  await runHb(['runtime', '--config', `${rig}.baseline.yaml`, '--state', `${rig}.baseline`], path, hb)
  const made = JSON.parse(
    await runHb(['baseline', 'create', '--from', `${rig}.baseline`, '--out', `${rig}.hbb`, '--json'], path, hb),
  ) as { metrics: number; digest: string }
  say(`  baseline of ${rig}: ${made.metrics} channels, draft ${made.digest.slice(0, 16)}…`)
}

async function prepare(folder: DemoFolder, options: Options): Promise<void> {
  await prepareWaterLoop(folder)
  const source = '{ name: proc, type: host, every_ms: 500 }'
  const host = rigYaml({ rig: 'this-host', registry: 'host', slideMs: 250, windowsMs: '[10000, 60000]', source })
  writeFileSync(join(folder.path, 'host-1.yaml'), agentYaml(folder, 'host-1', { clock: 'system', rigs: host }))
  if (options.csv !== null) await prepareRecorded(folder, { csv: options.csv, speed: options.speed })
}

async function prepareWaterLoop(folder: DemoFolder): Promise<void> {
  await certifyWaterLoop(folder, say)
  const rig = { rig: 'water-loop', registry: 'water-loop', detectorStepMs: DETECTOR_STEP_MS }
  const daq = `{ name: daq, type: zmq, endpoint: "tcp://127.0.0.1:${folder.ports.rig}", provenance: simulated }`
  const live = rigYaml({ ...rig, baseline: 'water-loop.hbb', source: daq })
  writeFileSync(join(folder.path, 'bench-1.yaml'), agentYaml(folder, 'bench-1', { clock: 'system', rigs: live }))
}

async function prepareRecorded(folder: DemoFolder, { csv, speed }: { csv: string; speed: string }): Promise<void> {
  copyFileSync(csv, join(folder.path, 'recorded.csv'))
  const file =
    'name: file, type: csv, file: recorded.csv, time_column: datetime, ignore_columns: [anomaly, changepoint]'
  const rig = { rig: 'recorded', registry: 'skab', slideMs: 1000, windowsMs: '[10000, 60000]' }
  const nominal = rigYaml({ ...rig, source: `{ ${file}, rows_to: ${BASELINE_ROWS}, speed: max }` })
  await makeBaseline(folder, { rig: rig.rig, agent: 'recorded-1', yaml: nominal })
  const source = `{ ${file}, rows_from: ${BASELINE_ROWS}, speed: ${speed} }`
  const rigs = rigYaml({ ...rig, baseline: 'recorded.hbb', source })
  writeFileSync(join(folder.path, 'recorded-1.yaml'), agentYaml(folder, 'recorded-1', { clock: 'recording', rigs }))
}

function agentsOf({ csv }: Options): DemoAgent[] {
  return csv === null ? ['bench-1', 'host-1'] : ['bench-1', 'host-1', 'recorded-1']
}

/** What runs: `halt` ends the rig and then the agents, `stop` whatever is left. */
type Started = Readonly<{
  agents: readonly DemoAgent[]
  operators: string
  timeline: Timeline
  halt(): Promise<void>
  stop(): Promise<void>
}>

async function startPrograms(
  folder: DemoFolder,
  options: Options,
  faultInjected: (timeUs: number) => void,
): Promise<Started> {
  const { path, hb } = folder
  const programs: Program[] = []
  const agents = agentsOf(options)
  const stopDownTo = async (left: number): Promise<void> => {
    while (programs.length > left) {
      const program = programs.pop()!
      const code = await program.stop()
      if (code !== 0) say(`  ${program.name} ended with ${code ?? 'a signal'}`)
    }
  }
  try {
    const collector = startHb('collector', ['collector', '--config', 'collector.yaml'], { folder: path, hb })
    programs.push(collector)
    const operators = String((await collector.event('collector_started'))['operators'])
    say(`\n  fleet page   ${operators}\n`)
    const timeline = followCollector(operators)
    for (const agent of agents) {
      const program = startHb(agent, ['runtime', '--config', `${agent}.yaml`, '--state', agent, '--stay'], {
        folder: path,
        hb,
      })
      programs.push(program)
      await program.event('agent_started')
    }
    programs.push(await startRig(folder, timeline, faultInjected))
    return { agents, operators, timeline, halt: () => stopDownTo(1), stop: () => stopDownTo(0) }
  } catch (error) {
    await stopDownTo(0)
    throw error
  }
}

async function startRig(
  { path, ports, hb }: DemoFolder,
  timeline: Timeline,
  faultInjected: (timeUs: number) => void,
): Promise<Program> {
  const args = [
    'hil',
    'water-loop',
    '--endpoint',
    `tcp://127.0.0.1:${ports.rig}`,
    '--rate',
    String(WATER_LOOP.rateHz),
    '--seed',
    String(WATER_LOOP.liveSeed),
    '--fault-after',
    String(FAULT_AFTER_S),
  ]
  const rig = startHb('water-loop', args, {
    folder: path,
    hb,
    line: (line) => {
      if (line['event'] !== 'fault_injected') return
      const timeUs = Number(line['t_us'])
      faultInjected(timeUs)
      timeline.say(`FAULT        water-loop   the valve begins to close (${new Date(timeUs / 1000).toISOString()})`)
    },
  })
  await rig.event('publishing')
  return rig
}

/** Runs until the fault is flagged and receipted, stops rig and agents in order, and looks at what they left behind. */
async function checkItself(
  folder: DemoFolder,
  { timeline, agents, operators, halt }: Started,
  fault: { us: number | null },
): Promise<CheckResult[]> {
  const isFlagged = (d: SeenDecision): boolean =>
    d.rig === 'water-loop' &&
    fault.us !== null &&
    d.time_us > fault.us &&
    ['FAIL', 'PASS_WITH_DRIFT'].includes(d.verdict)
  const flagged = await timeline.until(isFlagged, FAULT_AFTER_S * 1000 + FLAGGED_WITHIN_MS)
  const results: CheckResult[] = [
    {
      name: 'the fleet page was told',
      ok: flagged !== null,
      detail:
        flagged === null
          ? 'no receipted decision about the fault'
          : `decision ${flagged.id} in batch ${flagged.batch.batch_seq}`,
    },
  ]
  await new Promise((done) => setTimeout(done, AFTER_FAULT_MS))
  if (flagged !== null) results.push(await checkSlice(operators, { decision: flagged.id, channel: FAULT_CHANNEL }))
  for (const agent of agents) results.push(checkLedger(agent, await statusOf(folder.ports.health[agent])))
  await halt()
  results.push(await checkSlowDrift(folder, FAULT_CHANNEL))
  for (const agent of agents)
    results.push(await checkBatches(folder, agent, operators), await checkReplay(folder, agent))
  results.push(
    ...(await checkFault(folder, { rig: 'water-loop', channel: FAULT_CHANNEL, faultUs: fault.us ?? Number.NaN })),
  )
  return results
}

async function main(): Promise<number> {
  const options = readOptions()
  const { first, again } = stopSignals(systemClock())
  const interrupted = first.then(() => 'interrupted' as const)
  void again.then(() => process.exit(INTERRUPTED_EXIT))
  process.on('exit', killAll)
  say('Harmony Bridge demo: keys, certificates and baselines are made for this run only')
  if (options.bin) buildExecutableWhenStale()
  if (options.actions)
    return told(await demonstrateActions(options.bin ? { command: EXECUTABLE, before: [] } : BUNDLE, say))
  const folder = await makeFolder(agentsOf(options), options.bin ? { command: EXECUTABLE, before: [] } : BUNDLE)
  await prepare(folder, options)
  const fault: { us: number | null } = { us: null }
  const started = await startPrograms(folder, options, (us) => {
    fault.us = us
  })
  let failed = 0
  try {
    if (!options.exit) {
      say('  Ctrl-C stops everything\n')
      await interrupted
    } else {
      const results = await Promise.race([checkItself(folder, started, fault), interrupted])
      if (results === 'interrupted') return INTERRUPTED_EXIT
      failed = told(results, `; everything is kept in ${folder.path}`)
    }
  } finally {
    started.timeline.close()
    await started.stop()
    if (failed === 0 && !options.keep) rmSync(folder.path, { recursive: true, force: true })
  }
  return failed === 0 ? 0 : 1
}

/** Says what was checked. @returns 0 when all of it holds */
function told(results: readonly CheckResult[], kept = ''): number {
  for (const { name, ok, detail } of results) say(`${ok ? 'ok  ' : 'FAIL'}  ${name}: ${detail}`)
  const failed = results.filter(({ ok }) => !ok).length
  say(
    failed === 0
      ? `demo: ${results.length} checks passed`
      : `demo: ${failed} of ${results.length} checks failed${kept}`,
  )
  return failed
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  },
)
