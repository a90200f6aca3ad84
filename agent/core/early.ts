import { MOMENTS_FIELDS } from '../../shared/math/moments.ts'
import type { RigPolicy, Rule } from '../../shared/model/actions-policy.ts'
import { EARLY_SLIDES_MAX, isAtOnce } from '../../shared/model/reaction-budget.ts'
import { isFilled, silenceAllowedUs } from './judge.ts'
import type { MetricFacts, WindowFacts } from './last-slide.ts'
import { mismatchIn } from './mismatch.ts'
import { coverOf, coverRow } from './pane-tree.ts'
import { lookIntoPane, type OpenFacts, paneOf, placeOf } from './panes.ts'
import { type MetricSettings, metricsIn } from './settings.ts'
import type { RigState } from './state.ts'

/*
 * What the open slides of a rig would be if they closed now, for rules on the fast path (SE-29). It is a function of the state, so
 * it depends on the order of arrival as the journal has it and on nothing else. Such rules look at extremes alone: what has
 * arrived is enough to say that one is beyond a limit, and nothing that arrives later takes it back.
 */

/** A rule on the fast path, by its place in the policy, with what each of its conditions looks at. */
export type FastRule = Readonly<{ at: number; looks: readonly FastLook[] }>
type FastLook = Readonly<{ m: number; windowUs: number; isMax: boolean; isBeyond(value: number): boolean }>

export function fastRulesOf(policy: RigPolicy, metrics: readonly Pick<MetricSettings, 'metric'>[]): FastRule[] {
  return policy.rules.flatMap((rule, at): FastRule[] => {
    if (!rule.fastPath) return []
    const looks = rule.conditions.flatMap(({ look }): FastLook[] => {
      if (look.kind !== 'window' || !isAtOnce(look)) return []
      const { metric, windowUs, op, value, of } = look
      const isMax = of === 'max'
      const m = metrics.findIndex((one) => one.metric === metric)
      const isBeyond = isMax
        ? (x: number) => (op === '>' ? x > value : x >= value)
        : (x: number) => (op === '<' ? x < value : x <= value)
      return [{ m, windowUs, isMax, isBeyond }]
    })
    return [{ at, looks }]
  })
}

/**
 * Whether any condition of a rule may be TRUE in an open slide: its limit is passed by what is open or by the newest closed
 * window, or it was TRUE not long ago. Cheap, for it is asked at every frame; the kernel judges only what passes.
 */
export function mayDemand(rig: RigState, { looks, at }: FastRule): boolean {
  const { safety } = rig
  const memory = safety?.kernel.rules[at]
  if (safety === null || memory === undefined || memory.inEpisode || memory.shot !== 'ready') return false
  return looks.some((look, k) => {
    if (look.m < 0) return false
    if (memory.members[k]?.history.includes('T') === true) return true
    const closed = safety.last?.metrics[look.m]?.windows.find(({ windowUs }) => windowUs === look.windowUs)
    if (closed !== undefined && look.isBeyond(look.isMax ? closed.max : closed.min)) return true
    for (let pane = firstOpen(rig); pane <= lastOpen(rig, look.m); pane += 1) {
      const open = lookIntoPane(rig.panes, look.m, pane)
      if (open.count > 0 && look.isBeyond(look.isMax ? open.max : open.min)) return true
    }
    return false
  })
}

/** Panes of the open slides that the samples of a rule reach into, oldest first. */
export function earlyPanes(rig: RigState, rule: Rule): number[] {
  if (rig.closedUs < 0) return []
  let last = -1
  for (const { look } of rule.conditions) {
    if (look.kind !== 'window') continue
    const m = rig.settings.metrics.findIndex(({ metric }) => metric === look.metric)
    if (m >= 0) last = Math.max(last, lastOpen(rig, m))
  }
  const panes: number[] = []
  for (let pane = firstOpen(rig); pane <= last; pane += 1) panes.push(pane)
  return panes
}

function firstOpen({ closedUs, settings }: RigState): number {
  return paneOf(closedUs, settings.slideUs)
}

function lastOpen(rig: RigState, m: number): number {
  return Math.min(paneOf(rig.newestSeenUs[m]!, rig.settings.slideUs), firstOpen(rig) + EARLY_SLIDES_MAX - 1)
}

/** What would be found of a metric if the slide of an open pane closed now. */
export function earlyFacts(rig: RigState, m: number, pane: number): MetricFacts {
  const { settings, mode } = rig
  const metric = metricsIn(settings, mode)[m]!
  const open: OpenFacts[] = []
  for (let p = firstOpen(rig); p <= pane; p += 1) open.push(lookIntoPane(rig.panes, m, p))
  const newestUs = open.reduce((newest, one) => (one.count > 0 ? one.newestUs : newest), rig.newestUs[m]!)
  const windows = metric.windows.map((w): WindowFacts => {
    const windowUs = settings.windowsUs[w]!
    const { count, min, max } = joined(rig, { m, pane, panes: rig.windows[w]!.panes }, open)
    // A mean of what is not all there is nothing to go by.
    return { windowUs, filled: isFilled(metric, windowUs, count), mean: Number.NaN, min, max }
  })
  return { verdict: verdictOf(rig, metric, { m, pane, newestUs }, open), newestUs, windows }
}

type Window = Readonly<{ m: number; pane: number; panes: number }>

/** Count and extremes of the window that ends with an open pane: what of it has closed, and what is open of it. */
function joined(rig: RigState, { m, pane, panes }: Window, open: readonly OpenFacts[]): WindowFactsSoFar {
  const from = Math.max(0, pane + 1 - panes)
  const closed = firstOpen(rig)
  const sum: WindowFactsSoFar = { count: 0, min: Number.NaN, max: Number.NaN }
  if (from < closed) {
    const cover = coverOf(rig.tree, from, closed)
    for (let k = 0; k < cover.length; k += 2) {
      const o = (coverRow(rig.tree, cover[k]!, cover[k + 1]!) + m) * MOMENTS_FIELDS
      add(sum, { count: rig.tree.rows[o]!, min: rig.tree.rows[o + 3]!, max: rig.tree.rows[o + 4]! })
    }
  }
  for (let p = Math.max(from, closed); p <= pane; p += 1) add(sum, open[p - closed]!)
  return sum
}

type WindowFactsSoFar = { count: number; min: number; max: number }

function add(sum: WindowFactsSoFar, { count, min, max }: WindowFactsSoFar): void {
  if (count === 0) return
  sum.min = sum.count === 0 ? min : Math.min(sum.min, min)
  sum.max = sum.count === 0 ? max : Math.max(sum.max, max)
  sum.count += count
}

type About = Readonly<{ m: number; pane: number; newestUs: number }>

/** INVALID and STALE as `judge.ts` would have them; anything else says nothing against an extreme and is PASS. */
function verdictOf(
  rig: RigState,
  metric: MetricSettings,
  about: About,
  open: readonly OpenFacts[],
): 'INVALID' | 'STALE' | 'PASS' {
  const { m, pane, newestUs } = about
  const { slideUs, windowsUs } = rig.settings
  const endUs = (pane + 1) * slideUs
  const shortestUs = windowsUs[metric.windows[0]!]!
  const from = pane + 1 - rig.windows[metric.windows[0]!]!.panes
  if (rig.invalidPane[m]! >= Math.max(0, from)) return 'INVALID'
  if (mismatchIn(rig, m, { endUs, withinUs: shortestUs }) !== null) return 'INVALID'
  for (let p = Math.max(from, firstOpen(rig)); p <= pane; p += 1) {
    const isMismatch = rig.mismatches.open[m * rig.panes.capacity + placeOf(rig.panes, p)] !== 0
    if (isMismatch || open[p - firstOpen(rig)]!.invalid > 0) return 'INVALID'
  }
  const silentUs = endUs - Math.max(newestUs, rig.originUs)
  return silentUs <= silenceAllowedUs(metric, slideUs) ? 'PASS' : 'STALE'
}
