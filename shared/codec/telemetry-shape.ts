import { isId } from '../model/ids.ts'
import type { FrameRefusal } from '../model/telemetry.ts'

/** Longest name of a unit. */
const UNIT_MAX = 64

/** Thrown by readers of telemetry; whoever calls `decodeTelemetry` sees its result. */
export class Refused {
  readonly reason: FrameRefusal
  readonly detail: string
  constructor(reason: FrameRefusal, detail: string) {
    this.reason = reason
    this.detail = detail
  }
}

/** @throws Refused */
export function idOf(value: unknown, field: string): string {
  if (typeof value !== 'string' || !isId(value)) throw new Refused('bad_name', `${field} is ${brief(value)}`)
  return value
}

/** @throws Refused */
export function unitOf(value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'string' || value.length > UNIT_MAX) throw new Refused('wrong_shape', 'unit is no short text')
  return value
}

export function isQuality(value: number): boolean {
  return value === 0 || value === 1 || value === 2 || value === 3
}

/** A foreign value in a few words. */
export function brief(value: unknown): string {
  return typeof value === 'string'
    ? JSON.stringify(value.slice(0, 40))
    : typeof value === 'object'
      ? 'a structure'
      : String(value)
}
