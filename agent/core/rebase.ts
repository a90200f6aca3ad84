import type { Mode } from '../../shared/model/verdict.ts'
import { restartSlower } from './revise.ts'
import { type Baseline, baselinesIn, type RigSettings } from './settings.ts'
import { createRigState, type RigState } from './state.ts'

/** Whether two configurations of a rig differ in nothing but what it is compared with, and what is done then. */
export function leaveWindows(a: RigSettings, b: RigSettings): boolean {
  return withoutJudgement(a) === withoutJudgement(b)
}

/**
 * The same rig, compared with other baselines or under another policy from its next slide on. What is open and joined is of the same samples
 * and stays, so that nobody waits for a window to fill; what was made of the old baseline begins anew.
 */
export function rebased(old: RigState, settings: RigSettings): RigState {
  const fresh = createRigState(settings)
  const keeps = (mode: Mode): boolean => {
    const [before, now] = [baselinesIn(old.settings, mode), baselinesIn(settings, mode)]
    return isSame(before.baseline, now.baseline) && isSame(before.rolling, now.rolling)
  }
  const rig: RigState = {
    ...old,
    settings,
    departures: fresh.departures,
    persistence: fresh.persistence,
    monitors: new Map(
      [...fresh.monitors].map(([mode, made]) => [mode, (keeps(mode) && old.monitors.get(mode)) || made]),
    ),
    slower: fresh.slower,
  }
  restartSlower(rig, old)
  return rig
}

function isSame(a: Baseline | null, b: Baseline | null): boolean {
  if (a === null || b === null) return a === b
  return a.digest.length === b.digest.length && a.digest.every((byte, k) => byte === b.digest[k])
}

function withoutJudgement(settings: RigSettings): string {
  // What is done about samples is not what is made of them: another policy, or another digest of everything, leaves windows.
  const safety = settings.safety === undefined ? null : { trails: settings.safety.trails }
  return JSON.stringify(
    { ...settings, baseline: null, rolling: null, modeBaselines: null, safety },
    (_key, part: unknown) => (part instanceof Map ? [...part] : part),
  )
}
