import type { FaultResult, Measures } from '../core/result.ts'
import type { Expectation } from '../core/scenario.ts'
import { handledUs } from './number-expectations.ts'
import type { Run } from './run-folder.ts'
import { anchorUs, runTime } from './run-times.ts'
import type { Decision, Finding, Said } from './said.ts'
import { saidOf } from './said-expectations.ts'
import { alarmSpans } from './span-expectations.ts'

/** What was seen of every fault, and when the agent first said something else than before. */
export function faultResults(run: Run): readonly FaultResult[] {
  return run.facts.faults.map(({ id, class: of, target, count, first_us }) => ({
    ...{ id, class: of, target, seen: count, onset_us: first_us },
    detected_us: first_us === null || count === 0 ? null : detectedUs(run, first_us),
  }))
}

/**
 * Time of the first signed record after a moment that says something else than was said before: another verdict or other
 * drivers of a rig, an alarm that becomes active, an action that was not under way. Of a rig of which nothing was said
 * before, anything but PASS.
 */
export function detectedUs(run: Run, fromUs: number): number | null {
  const before = new Map<string, Decision>()
  const underWay = new Set<string>()
  for (const said of run.evidence.said) {
    const atUs = runTime(run, said.atUs)
    if (atUs > fromUs) {
      if (isNews(said, before, underWay)) return atUs
    } else if (said.kind === 'decision') before.set(said.rig, said)
    else if (said.kind === 'action') underWay.add(said.key)
  }
  return null
}

function isNews(said: Said, before: ReadonlyMap<string, Decision>, underWay: ReadonlySet<string>): boolean {
  if (said.kind === 'action') return !underWay.has(said.key)
  if (said.kind === 'alarm') return said.active
  if (said.kind !== 'decision') return false
  const last = before.get(said.rig)
  if (said.verdict !== (last?.verdict ?? 'PASS')) return true
  // Where the detail is gone, the verdict alone says something.
  if (said.findings === null || last?.findings === null) return false
  return driversOf(said.findings) !== driversOf(last?.findings ?? [])
}

function driversOf(findings: readonly Finding[]): string {
  return findings
    .map(({ metric, verdict, ground }) => `${metric} ${verdict} ${ground}`)
    .sort()
    .join('\n')
}

/**
 * Detection and reaction of a run: from the anchor of its `fhti` expectation, else from the first fault that was seen, to the
 * first record that says something else, to the effect on the plant.
 */
export function measuresOf(run: Run): Measures {
  const fhti = run.row.expect.find((one): one is Extract<Expectation, { kind: 'fhti' }> => one.kind === 'fhti')
  const seen = run.facts.faults.filter(({ count }) => count > 0).map(({ first_us }) => first_us)
  const first = seen.filter((us) => us !== null).sort((a, b) => a - b)[0] ?? null
  const fromUs = fhti === undefined ? first : anchorUs(run, fhti.from)
  const detected = fromUs === null ? null : detectedUs(run, fromUs)
  const handled = fromUs === null ? null : (handledUs(run, fromUs)?.atUs ?? null)
  const { decisions, digest } = run.evidence
  return {
    fdti_us: detected === null ? null : detected - fromUs!,
    frti_us: detected === null || handled === null || handled < detected ? null : handled - detected,
    fhti_us: handled === null ? null : handled - fromUs!,
    ftti_us: fhti?.fttiUs ?? null,
    ...{ decisions, digest, alarms: alarmSpans(run).length },
    actions: new Set(saidOf(run, 'action').map(({ key }) => key)).size,
  }
}
