import type { Static } from 'typebox'
import type { Counted, Expectation, Never, Span, Within } from '../core/scenario.ts'
import { ExpectationSchema } from './expectation-schema.ts'
import { microsOf, microsOfMillis, withinOf } from './time-text.ts'

export type ExpectationValue = Static<typeof ExpectationSchema>
export const EXPECTATION_WORDS = Object.keys(ExpectationSchema.properties)
/** State of an action that `never` and `count` mean unless they say another. */
const RELEASED = 'RELEASED'

/** One expectation of exactly one word. */
export function expectationOf(value: ExpectationValue): Expectation {
  const { verdict, alarm, action, arm, refused, told, gap, never, always, counter, fhti } = value
  if (verdict !== undefined)
    return {
      kind: 'verdict',
      is: listed(verdict.is),
      metric: verdict.metric ?? null,
      ground: verdict.ground ?? null,
      ...when(verdict),
    }
  if (alarm !== undefined)
    return { kind: 'alarm', name: alarm.name, severity: alarm.severity ?? null, active: alarm.active, ...when(alarm) }
  if (action !== undefined) {
    const { kind, target = null, reaches, reason = null } = action
    return { kind: 'action', action: kind, target, reaches, reason, ...when(action) }
  }
  if (arm !== undefined) return { kind: 'arm', state: arm.state, ...when(arm) }
  if (refused !== undefined) return { kind: 'refused', reason: refused.reason, ...when(refused) }
  if (told !== undefined) return { kind: 'told', event: told.event, why: told.why ?? null, ...when(told) }
  if (gap !== undefined) return { kind: 'gap', ...gap }
  if (never !== undefined) return { kind: 'never', what: neverOf(never), span: spanOf(never) }
  if (always !== undefined) return { kind: 'always', verdict: listed(always.verdict), span: spanOf(always) }
  if (value.stl !== undefined) return { kind: 'stl', formula: value.stl }
  if (value.count !== undefined) return { kind: 'count', of: countedOf(value.count), ...howMany(value.count) }
  if (counter !== undefined) return { kind: 'counter', counter: counter.name, ...howMany(counter) }
  if (fhti !== undefined)
    return { kind: 'fhti', from: fhti.from, maxUs: microsOfMillis(fhti.max_ms), fttiUs: microsOfMillis(fhti.ftti_ms) }
  if (value.start_refused !== undefined) return { kind: 'start_refused', code: value.start_refused }
  return value.replay !== undefined ? { kind: 'replay', equal: true } : { kind: 'collected', all: true }
}

function listed(verdict: string | readonly string[]): readonly string[] {
  return typeof verdict === 'string' ? [verdict] : verdict
}

function when({ within, optional }: { within?: string | undefined; optional: boolean }): {
  within: Within | null
  optional: boolean
} {
  return { within: within === undefined ? null : withinOf(within), optional }
}

function spanOf({ from, to }: { from?: string | undefined; to?: string | undefined }): Span {
  return { fromUs: from === undefined ? 0 : microsOf(from), toUs: to === undefined ? null : microsOf(to) }
}

function neverOf({ plant, verdict, alarm, action, target, state }: NonNullable<ExpectationValue['never']>): Never {
  if (plant !== undefined) return { plant }
  if (verdict !== undefined) return { verdict: listed(verdict) }
  return alarm === undefined ? actionOf(action!, target, state) : { alarm }
}

function countedOf({ action, target, state, effect, alarm }: NonNullable<ExpectationValue['count']>): Counted {
  if (effect !== undefined) return { effect }
  return alarm === undefined ? actionOf(action!, target, state) : { alarm }
}

function actionOf(action: string, target: string | undefined, state: string = RELEASED) {
  return { action, target: target ?? null, state }
}

type HowMany = { is?: number | undefined; least?: number | undefined; most?: number | undefined }

function howMany({ is, least, most }: HowMany): { least: number; most: number | null } {
  return { least: is ?? least ?? 0, most: is ?? most ?? null }
}
