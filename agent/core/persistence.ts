import { everyMetric, type MetricSettings, type RigSettings } from './settings.ts'
import type { RigState } from './state.ts'

/**
 * What is remembered of departures beyond how many came in a row. Only a rig any of whose metrics asks for m of n slides, or
 * for more than one slide to clear, has it. Cells are `metric · windows + window`, as in {@link RigState.departures}.
 */
export type Persistence = Readonly<{
  /** Words of 32 slides a cell; 0 when no metric asks for m of n. */
  words: number
  /** The newest slides of each cell, the newest in the lowest bit of its first word. */
  history: Uint32Array
  /** 0: no drift; k: drift, and k − 1 slides without a departure since the last one. */
  lasting: Int32Array
}>

const SLIDES_MAX = 1_000_000

export function createPersistence(settings: RigSettings): Persistence | null {
  let slides = 0
  let wanted = false
  for (const { persistenceOf = 0, clearSlides = 1 } of everyMetric(settings)) {
    slides = Math.max(slides, persistenceOf)
    wanted ||= persistenceOf > 0 || clearSlides > 1
  }
  if (!wanted) return null
  const cells = settings.metrics.length * settings.windowsUs.length
  const words = Math.floor((slides + 31) / 32)
  return { words, history: new Uint32Array(cells * words), lasting: new Int32Array(cells) }
}

/**
 * Takes in whether a window of a metric departs in this slide.
 *
 * @returns whether that is DRIFT: it began when m of the last n slides departed (without n: m in a row), and it ends when
 * that is over and as many slides in a row as the metric asks for did not depart.
 */
export function departureLasts(rig: RigState, at: number, departs: boolean, settings: MetricSettings): boolean {
  const inRow = departs ? Math.min(rig.departures[at]! + 1, SLIDES_MAX) : 0
  rig.departures[at] = inRow
  const { persistence } = rig
  const { persistenceSlides, persistenceOf, clearSlides = 1 } = settings
  if (persistence === null) return inRow >= persistenceSlides
  const { lasting } = persistence
  note(persistence, at, departs)
  const holds = (persistenceOf === undefined ? inRow : newest(persistence, at, persistenceOf)) >= persistenceSlides
  const before = lasting[at]!
  const quiet = departs ? 1 : Math.min(before + 1, SLIDES_MAX)
  if (holds) lasting[at] = before === 0 ? 1 : quiet
  else lasting[at] = before === 0 || quiet > clearSlides ? 0 : quiet
  return lasting[at] !== 0
}

function note({ words, history }: Persistence, at: number, departs: boolean): void {
  let carry = departs ? 1 : 0
  for (let k = at * words; k < (at + 1) * words; k += 1) {
    const word = history[k]!
    history[k] = (word << 1) | carry
    carry = word >>> 31
  }
}

/** Departures among the newest slides. */
function newest({ words, history }: Persistence, at: number, slides: number): number {
  let count = 0
  for (let k = 0; k * 32 < slides; k += 1) {
    const left = slides - k * 32
    const mask = left >= 32 ? 0xffff_ffff : (1 << left) - 1
    count += bitsIn(history[at * words + k]! & mask)
  }
  return count
}

function bitsIn(word: number): number {
  let bits = word - ((word >>> 1) & 0x5555_5555)
  bits = (bits & 0x3333_3333) + ((bits >>> 2) & 0x3333_3333)
  bits = (bits + (bits >>> 4)) & 0x0f0f_0f0f
  return (bits + (bits >>> 8) + (bits >>> 16) + (bits >>> 24)) & 0x3f
}

/** Forgets the departures of one metric: what nobody knows about is no part of one. */
export function forgetDepartures({ departures, persistence, settings }: RigState, metric: number): void {
  const windows = settings.windowsUs.length
  const [from, to] = [metric * windows, (metric + 1) * windows]
  departures.fill(0, from, to)
  persistence?.lasting.fill(0, from, to)
  persistence?.history.fill(0, from * persistence.words, to * persistence.words)
}

/** The same for one window of it. */
export function forgetDeparture({ departures, persistence }: RigState, at: number): void {
  departures[at] = 0
  if (persistence === null) return
  persistence.lasting[at] = 0
  persistence.history.fill(0, at * persistence.words, (at + 1) * persistence.words)
}

/** The same for all of them, after a gap. */
export function forgetAllDepartures({ departures, persistence }: RigState): void {
  departures.fill(0)
  persistence?.lasting.fill(0)
  persistence?.history.fill(0)
}

/** Slides after which a departure no longer shows, whatever the mode. */
export function reachOfDepartures({ persistenceSlides, persistenceOf = 0, clearSlides = 1 }: MetricSettings): number {
  return Math.max(persistenceSlides, persistenceOf) + clearSlides
}

export function arraysOfPersistence(persistence: Persistence | null): ArrayBufferView[] {
  return persistence === null ? [] : [persistence.history, persistence.lasting]
}
