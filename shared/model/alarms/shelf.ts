import { announceAgain, note, type Step } from './announce.ts'
import { type AlarmEntry, entriesOf, stateOf } from './state.ts'

/** What ends a shelf. */
export type ShelfEnd = 'severity_rise' | 'armed' | 'expired' | 'one_shot' | 'operator'

/** Takes an alarm from its shelf and says so; whether it is announced anew is the caller's part. */
export function endShelf(step: Step, entry: AlarmEntry, why: ShelfEnd, by?: string): void {
  const from = stateOf(entry)
  entry.shelf = null
  note(step, entry, 'unshelved', { from, text: by === undefined ? why : `${why} ${by}` })
}

/** Ends what has expired, and everything when a rig is armed: what is active is unacknowledged anew (AL-6). */
export function endShelves(step: Step, isArming: boolean): void {
  for (const entry of entriesOf(step.state)) {
    if (entry.shelf === null) continue
    if (!isArming && step.state.nowUs < entry.shelf.untilUs) continue
    endShelf(step, entry, isArming ? 'armed' : 'expired')
    announceAgain(step, entry)
  }
}
