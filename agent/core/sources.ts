import { CHANNEL_LISTS_MAX, DEDUPE_WINDOW, MISSING_MAX, SOURCES_MAX } from './settings.ts'

/** One life of one publisher: which of its frames were seen, and which are missing. */
export type SourceState = {
  /** `source/epoch`, the name that orders samples of equal time. */
  name: string
  /** First sequence number heard: what was sent before we listened is not missing. −1 before it. */
  first: number
  /** Highest sequence number seen; −1 before the first. */
  highest: number
  /** Bit per frame of the last {@link DEDUPE_WINDOW}, by `seq % DEDUPE_WINDOW`. */
  seen: Uint8Array
  /** Frames never seen so far that lie below `highest`; goes down again when one arrives late. */
  missing: number
  /** Input time of its last frame: decides who makes room at {@link SOURCES_MAX}. */
  lastUs: number
}

/** Publishers and channel lists of one rig. Slots are reused, so a sample can name its source by number. */
export type Sources = {
  readonly slots: SourceState[]
  readonly names: string[]
  /** Channel names by the digest a frame may send instead of them. */
  readonly lists: Map<string, readonly string[]>
  /** Frames missing from publishers that had to make room. */
  missingBefore: number
}

export function createSources(): Sources {
  return { slots: [], names: [], lists: new Map(), missingBefore: 0 }
}

export type FrameArrival = { slot: number; duplicate: boolean }

/** Notes the arrival of frame `seq` of `source/epoch`. `seq` −1 has no sequence and is never a duplicate here. */
export function noteFrame(sources: Sources, name: string, seq: number, nowUs: number): FrameArrival {
  const slot = slotFor(sources, name, nowUs)
  const source = sources.slots[slot]!
  source.lastUs = nowUs
  if (seq < 0) return { slot, duplicate: false }
  if (seq > source.highest) {
    advance(source, seq)
    return { slot, duplicate: false }
  }
  if (seq <= source.highest - DEDUPE_WINDOW || bit(source.seen, seq)) return { slot, duplicate: true }
  setBit(source.seen, seq, true)
  if (seq > source.first) source.missing -= 1
  return { slot, duplicate: false }
}

/** Remembers what a channel-list digest stands for. @returns false at {@link CHANNEL_LISTS_MAX}. */
export function noteList(sources: Sources, cid: string, names: readonly string[]): boolean {
  if (sources.lists.has(cid)) return true
  if (sources.lists.size >= CHANNEL_LISTS_MAX) return false
  sources.lists.set(cid, names)
  return true
}

/** Frames that publishers numbered and this rig never saw, at most {@link MISSING_MAX}. */
export function missingFrames(sources: Sources): number {
  let missing = sources.missingBefore
  for (const source of sources.slots) missing += source.missing
  return Math.min(missing, MISSING_MAX)
}

function slotFor(sources: Sources, name: string, nowUs: number): number {
  const known = sources.names.indexOf(name)
  if (known >= 0) return known
  const fresh: SourceState = {
    name,
    first: -1,
    highest: -1,
    seen: new Uint8Array(DEDUPE_WINDOW / 8),
    missing: 0,
    lastUs: nowUs,
  }
  if (sources.slots.length < SOURCES_MAX) {
    sources.slots.push(fresh)
    sources.names.push(name)
    return sources.slots.length - 1
  }
  let oldest = 0
  for (let k = 1; k < sources.slots.length; k += 1)
    if (sources.slots[k]!.lastUs < sources.slots[oldest]!.lastUs) oldest = k
  sources.missingBefore = Math.min(sources.missingBefore + sources.slots[oldest]!.missing, MISSING_MAX)
  sources.slots[oldest] = fresh
  sources.names[oldest] = name
  return oldest
}

function advance(source: SourceState, seq: number): void {
  if (source.highest < 0) source.first = seq
  const from = source.highest < 0 ? seq : source.highest + 1
  if (seq - from >= DEDUPE_WINDOW) source.seen.fill(0)
  else for (let k = from; k < seq; k += 1) setBit(source.seen, k, false)
  source.missing += seq - from
  setBit(source.seen, seq, true)
  source.highest = seq
}

function bit(bits: Uint8Array, seq: number): boolean {
  const at = seq % DEDUPE_WINDOW
  return ((bits[at >> 3]! >> (at & 7)) & 1) === 1
}

function setBit(bits: Uint8Array, seq: number, on: boolean): void {
  const at = seq % DEDUPE_WINDOW
  const mask = 1 << (at & 7)
  bits[at >> 3] = on ? bits[at >> 3]! | mask : bits[at >> 3]! & ~mask
}

/** Highest sequence number heard of a publisher's life; −1 for none. */
export function highestSeq(sources: Sources, name: string): number {
  return sources.slots[sources.names.indexOf(name)]?.highest ?? -1
}
