import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CheckResult } from './checks.ts'
import { agentYaml, type DemoFolder, nominalStart, rigYaml, WATER_LOOP } from './folder.ts'
import { BOOK, OPERATORS, POLICY } from './operators.ts'
import { runHb } from './processes.ts'

const RIG = 'water-loop'
/** A detector step of a quarter of a second, so that half an hour of nominal loop is twenty segments. */
export const DETECTOR_STEP_MS = 250
/** The valve wears: after ten minutes it begins to close by three percent in fifteen. */
const SLOW = { seconds: 1200, faultAfterS: 300, travelS: 900, left: 0.97, seed: 31 } as const
const EVENTS = ['level', 'multivariate']

type Say = (text: string) => void

/** The golden baseline of the water loop: measured, through its gate, proposed, reviewed and approved by three keys. */
export async function certifyWaterLoop(folder: DemoFolder, say: Say): Promise<void> {
  const { path, hb } = folder
  const { baselineSeconds, rateHz, baselineSeed } = WATER_LOOP
  const recording = `--csv nominal.csv --seconds ${baselineSeconds} --rate ${rateHz} --seed ${baselineSeed} --start ${nominalStart()}`
  await runHb(['hil', RIG, ...recording.split(' ')], path, hb)
  const file = '{ name: recording, type: csv, file: nominal.csv, time_column: t_us, speed: max }'
  const yaml = rigYaml({ rig: RIG, registry: RIG, source: file, detectorStepMs: DETECTOR_STEP_MS })
  writeFileSync(
    join(path, `${RIG}.nominal.yaml`),
    agentYaml(folder, 'bench-1', { clock: 'recording', rigs: yaml, uplink: false }),
  )
  const create = ['--config', `${RIG}.nominal.yaml`, '--csv', 'nominal.csv', '--policy', POLICY, '--kind', 'golden']
  const made = JSON.parse(
    await runHb(['baseline', 'create', ...create, '--out', `${RIG}.record.hbb`, '--json'], path, hb),
  ) as Readonly<{ metrics: number; digest: string; segments: number; gate: Readonly<{ confidence: number }> }>
  const by = (name: string) => ['--book', BOOK, '--key', `${name}.pem`]
  const [proposer, reviewer, approver] = OPERATORS
  await runHb(
    ['baseline', 'propose', `${RIG}.record.hbb`, ...by(proposer), '--policy', POLICY, '--reason', 'new loop'],
    path,
    hb,
  )
  await runHb(
    ['baseline', 'review', made.digest, ...by(reviewer), '--reason', 'levels are those of the bench'],
    path,
    hb,
  )
  await runHb(['baseline', 'approve', made.digest, ...by(approver), '--reason', 'for the demo'], path, hb)
  await runHb(['baseline', 'export', made.digest, '--book', BOOK, '--out', `${RIG}.hbb`], path, hb)
  say(
    `  golden baseline of ${RIG}: ${made.metrics} channels, ${made.segments} segments, confidence ${made.gate.confidence.toFixed(2)}, proposed by ${proposer}, reviewed by ${reviewer}, approved by ${approver}`,
  )
  const told = await runHb(['baseline', 'explain', made.digest, '--book', BOOK, '--action', 'shutdown'], path, hb)
  for (const line of told.trim().split('\n')) say(`    ${line}`)
}

type Decisions = Readonly<{
  decisions: readonly Readonly<{
    time: string
    verdict: string
    findings: readonly Readonly<{ channel: string; ground: string }>[]
  }>[]
}>

/** A valve that wears so slowly that the rolling reference follows: only the certified level can tell. */
export async function checkSlowDrift(folder: DemoFolder, channel: string): Promise<CheckResult> {
  const { path, hb } = folder
  const { seconds, faultAfterS, travelS, left, seed } = SLOW
  const rig = `--seconds ${seconds} --rate ${WATER_LOOP.rateHz} --seed ${seed} --fault-after ${faultAfterS} --valve-travel ${travelS} --valve-left ${left}`
  await runHb(['hil', RIG, '--csv', 'slow.csv', ...rig.split(' ')], path, hb)
  const source = '{ name: recording, type: csv, file: slow.csv, time_column: t_us, speed: max }'
  const yaml = rigYaml({ rig: RIG, registry: RIG, baseline: `${RIG}.hbb`, source, detectorStepMs: DETECTOR_STEP_MS })
  writeFileSync(
    join(path, 'slow.yaml'),
    agentYaml(folder, 'bench-1', { clock: 'recording', rigs: yaml, uplink: false }),
  )
  await runHb(['runtime', '--config', 'slow.yaml', '--state', 'slow'], path, hb)
  const { decisions } = JSON.parse(
    await runHb(['decisions', 'list', '--state', 'slow', '--limit', '10000', '--json'], path, hb),
  ) as Decisions
  const flagged = decisions.filter(({ verdict }) => verdict === 'PASS_WITH_DRIFT' || verdict === 'FAIL')
  const first = flagged[0]
  const beganMs = Date.parse('2026-01-01T00:00:00Z') + faultAfterS * 1000
  const afterS = first === undefined ? Number.NaN : (Date.parse(first.time) - beganMs) / 1000
  const isGolden = first?.findings[0]?.ground === 'golden' && first.findings[0].channel === channel
  const events = flagged.filter(({ findings }) => findings.some(({ ground }) => EVENTS.includes(ground))).length
  return {
    name: 'a slow drift is told by the golden level, before the rolling reference has taken it for normal',
    ok: isGolden && afterS > 0 && afterS < travelS,
    detail:
      first === undefined
        ? 'never flagged'
        : `${first.findings[0]?.channel}: ${first.findings[0]?.ground}, ${afterS.toFixed(0)} s after the valve began to wear (${((1 - left) * 100).toFixed(0)} % in ${travelS} s), ${events} events of the rolling reference`,
  }
}
