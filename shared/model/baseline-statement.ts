import type { Micros } from '../units.ts'
import type { BaselineKind } from './baseline.ts'
import type { Mode } from './verdict.ts'

/** What a person may say about a baseline. Every one is signed. */
export const STATEMENT_KINDS = [
  'propose',
  'review',
  'approve',
  'reject',
  'withdraw',
  'expire',
  'break_glass',
  'tag',
  'rollback',
  'decay',
] as const
export type StatementKind = (typeof STATEMENT_KINDS)[number]

/** A baseline is for one programme, for a rig or a family of them, and for one mode. */
export type BaselineSubject = Readonly<{ program: string; rig: string; family: string; mode: Mode }>

/**
 * One statement. Digests and ids are lower-case hex. `request` is the id of the proposal it belongs to: that of the
 * signed `propose` itself, so for that one it is its own `id`. What a kind has no use for is '', 0 or 1.
 */
export type Statement = BaselineSubject &
  Readonly<{
    /** Digest of the signed bytes; the next statement of the book names it. */
    id: string
    kind: StatementKind
    /** Book it belongs to, its place there from 1, and the statement before it. */
    book: string
    seq: number
    prev: string
    /** Digest of the record it is about. */
    digest: string
    /** What the record is proposed as. */
    as: BaselineKind
    request: string
    tag: string
    /** Id of the key that signed it. */
    by: string
    /** Person, as far as they say so; nothing proves it. */
    operator: string
    reason: string
    atUs: Micros
    /** When a break-glass ends by itself. */
    untilUs: Micros
    /** What decay leaves of the confidence, 0–1. */
    factor: number
  }>

/** Longest a break-glass lasts: a week, in which a sound baseline can be made and approved. */
export const BREAK_GLASS_MAX_US: Micros = 7 * 86_400_000_000
/** Longest reason, in characters. */
export const REASON_CHARS_MAX = 1024
