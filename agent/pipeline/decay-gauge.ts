import { equalBytes } from '../../shared/crypto/digest.ts'
import { FIELD, MOMENTS_FIELDS } from '../../shared/math/moments.ts'
import { type CurrentLevel, type Decay, decayOf, isDecayDue } from '../../shared/model/baseline-decay.ts'
import type { OverallVerdict } from '../../shared/model/verdict.ts'
import { BASELINE_ROLES, type BaselineRole } from '../../shared/protocol/downlink.ts'
import type { Micros } from '../../shared/units.ts'
import { isFilled } from '../core/judge.ts'
import { type Baseline, baselinesIn } from '../core/settings.ts'
import type { RigState } from '../core/state.ts'

export type DecayTold = Readonly<{ rig: string; role: BaselineRole; baseline: Baseline; decay: Decay }>
type Look = Readonly<{ baseline: Baseline; decay: Decay; atUs: Micros; knewLevels: boolean }>

/** A factor that differs by less is the same: age alone would speak every hour. */
const TELL_RATIO = 0.05
/** Nothing has decayed. */
const WHOLE: Decay = { factor: 1, reasons: [], terms: [] }

/**
 * What is left of the baselines in force, looked at when they come into force and every hour of event time after it, levels
 * of the rig too. For people and metrics alone: gates compute what time has left at every slide.
 */
export class DecayGauge {
  private readonly looks = new Map<string, Look>()
  private readonly told: (what: DecayTold) => void

  constructor(told: (what: DecayTold) => void) {
    this.told = told
  }

  /** Called after a slide, while its joined windows are there. */
  look(rig: RigState, timeUs: Micros, verdict: OverallVerdict): void {
    for (const role of BASELINE_ROLES) {
      const baseline = inRole(rig, role)
      if (baseline === null) continue
      const name = nameOf(rig, role)
      const last = this.looks.get(name)
      const levels = verdict === 'PASS' && isOfModeAlone(rig, timeUs) ? levelsOf(rig) : null
      // The first look of a start is at a rig whose windows are empty: it is repeated when they are full.
      const before = last !== undefined && equalBytes(last.baseline.digest, baseline.digest) ? last : null
      const isKnown = before !== null && (before.knewLevels || levels === null)
      if (isKnown && !isDecayDue(before.atUs, timeUs)) continue
      const { about, toUs } = baseline
      const decay = decayOf({ ...about, toUs }, { nowUs: timeUs, current: levels }, about.policy)
      this.looks.set(name, { baseline, decay, atUs: timeUs, knewLevels: levels !== null })
      const was = before?.decay.factor ?? 1
      if (Math.abs(decay.factor - was) >= TELL_RATIO || (decay.factor === 0) !== (was === 0))
        this.told({ rig: rig.settings.rig, role, baseline, decay })
    }
  }

  /** In the mode the rig is in. */
  of(rig: Pick<RigState, 'settings' | 'mode'>, role: BaselineRole): Decay {
    return this.looks.get(nameOf(rig, role))?.decay ?? WHOLE
  }
}

/** By mode: a rig that goes to and fro between modes is not told of again each time. */
function nameOf({ settings, mode }: Pick<RigState, 'settings' | 'mode'>, role: BaselineRole): string {
  return `${settings.rig} ${role} ${mode}`
}

/** Whether no window holds anything of another mode, or of the time in which the rig settled in this one. */
function isOfModeAlone({ settings, settles }: RigState, timeUs: Micros): boolean {
  return timeUs - settings.windowsUs.at(-1)! >= settles[0]!
}

function inRole({ settings, mode }: RigState, role: BaselineRole): Baseline | null {
  const { baseline, rolling } = baselinesIn(settings, mode)
  return role === 'golden' ? baseline : rolling
}

/** Means of the widest windows that are full; null while none is. */
function levelsOf({ settings, windowRows }: RigState): CurrentLevel[] | null {
  const levels = settings.metrics.flatMap((metric, m): CurrentLevel[] => {
    const w = metric.windows.at(-1)
    if (w === undefined) return []
    const rows = windowRows[w]!
    const at = m * MOMENTS_FIELDS
    if (!isFilled(metric, settings.windowsUs[w]!, rows[at + FIELD.count]!)) return []
    return [{ metric: metric.metric, mean: rows[at + FIELD.mean]! }]
  })
  return levels.length === 0 ? null : levels
}
