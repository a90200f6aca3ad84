import type { Canonical } from '../../shared/model/decision.ts'
import type { ChannelReplaced } from '../../shared/model/input.ts'
import type { Micros } from '../../shared/units.ts'
import { forgetDepartures } from './persistence.ts'
import { type Baseline, REPLACED_MAX } from './settings.ts'
import type { RigState } from './state.ts'

/** The sensor that took the place of another one. Dates are `YYYY-MM-DD`. */
export type Replaced = Readonly<{ sinceUs: Micros; channel: string; serial: string; calDate: string; calDue: string }>

/**
 * Notes that the sensor of a channel is another one: what a baseline knows from before says nothing about it. A channel that
 * the rig does not have is passed over; who gives the order has looked.
 */
export function replaceChannel(rig: RigState, input: ChannelReplaced, nowUs: Micros): void {
  const metric = rig.channelIndex.get(input.channel.normalize('NFC'))
  if (metric === undefined) return
  const { channel, serial, calDate, calDue } = input
  const { replaced } = rig
  const name = rig.settings.metrics[metric]!.metric
  replaced.delete(name)
  if (replaced.size >= REPLACED_MAX) dropOldest(rig)
  replaced.set(name, { sinceUs: nowUs, channel, serial, calDate, calDue })
  for (const one of [rig, rig.slower?.rig]) {
    if (one === undefined) continue
    forgetDepartures(one, metric)
    // Windows that hold samples of both sensors say nothing about either.
    one.firstUs[metric] = nowUs
    one.steps.counts[metric] = 0
    one.steps.gathering.mean[metric] = 0
    for (const { channels } of one.monitors.values()) for (const { scores } of channels) scores[metric] = 0
  }
}

/** Metrics that the registry has no more go first; there are always some, because a registry holds fewer. */
function dropOldest({ replaced, settings }: RigState): void {
  const inForce = new Set(settings.metrics.map(({ metric }) => metric))
  for (const name of replaced.keys()) {
    if (inForce.has(name)) continue
    replaced.delete(name)
    return
  }
}

/** When a sensor of a rig was replaced last; −1 when none was. */
export function newestSwapUs({ replaced }: RigState): Micros {
  let newest = -1
  for (const { sinceUs } of replaced.values()) newest = Math.max(newest, sinceUs)
  return newest
}

/** Whether a sensor is a younger one than a baseline knows, at the end of a slide. Slides from before are judged as they were. */
export function isReplaced(
  { replaced }: Pick<RigState, 'replaced'>,
  metric: string,
  { baseline, endUs }: Readonly<{ baseline: Baseline; endUs: Micros }>,
): boolean {
  const since = replaced.get(metric)?.sinceUs
  return since !== undefined && endUs > since && baseline.fromUs < since
}

/** What is remembered, oldest first: a snapshot is this. */
export function snapshotReplaced(replaced: ReadonlyMap<string, Replaced>): Canonical {
  return [...replaced].map(([metric, { sinceUs, channel, serial, calDate, calDue }]) => [
    metric,
    sinceUs,
    channel,
    serial,
    calDate,
    calDue,
  ])
}

export function restoreReplaced(value: Canonical): Map<string, Replaced> {
  const rows = value as unknown as [string, Micros, string, string, string, string][]
  return new Map(
    rows.map(([metric, sinceUs, channel, serial, calDate, calDue]) => [
      metric,
      { sinceUs, channel, serial, calDate, calDue },
    ]),
  )
}
