import type { Micros } from '../../shared/units.ts'

/** The place of one recording among those that one clock is driven by. */
export interface RecordingLane {
  /**
   * Settles when no other recording has anything older. Until the next call, or the end, all others wait.
   *
   * @returns false when it was ended meanwhile
   */
  turn(timeUs: Micros): Promise<boolean>
  end(): void
}

type Lane = { readonly name: string; waiting: { timeUs: Micros; go(mine: boolean): void } | null }

/**
 * Recordings of several rigs drive one clock, so they are played as one: row by row in order of their times, equal times in
 * order of names. Otherwise the fastest reader would carry the clock past what the others have still to say, differently
 * every time.
 */
export class RecordingOrder {
  private readonly lanes = new Set<Lane>()

  /** Takes part; all that will must have joined before the first has its turn. */
  join(name: string): RecordingLane {
    const lane: Lane = { name, waiting: null }
    this.lanes.add(lane)
    return {
      turn: async (timeUs) => {
        if (!this.lanes.has(lane)) return false
        if (this.lanes.size === 1) return true
        return await new Promise<boolean>((resolve) => {
          lane.waiting = { timeUs, go: resolve }
          this.next()
        })
      },
      end: () => {
        this.lanes.delete(lane)
        lane.waiting?.go(false)
        lane.waiting = null
        this.next()
      },
    }
  }

  /** Lets the oldest go on, once everybody has said what comes next. */
  private next(): void {
    let oldest: Lane | null = null
    for (const lane of this.lanes) {
      if (lane.waiting === null) return
      if (oldest === null || isBefore(lane, oldest)) oldest = lane
    }
    if (oldest === null) return
    const { go } = oldest.waiting!
    oldest.waiting = null
    go(true)
  }
}

function isBefore(a: Lane, b: Lane): boolean {
  const [of, other] = [a.waiting!.timeUs, b.waiting!.timeUs]
  return of !== other ? of < other : a.name < b.name
}
