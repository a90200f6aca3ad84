import { encodeJournalInput, type JournalInput } from '../../shared/codec/journal-input.ts'
import { type HbError, isHbError } from '../../shared/errors/hb-error.ts'
import type { Micros } from '../../shared/units.ts'
import type { Journal, RawTelemetry } from '../ports.ts'

export type IntakeOptions = Readonly<{
  journal: Journal
  /** Takes what has been journaled, with the body of its record. */
  evaluate(seq: number, input: JournalInput, body: Uint8Array): void
  refused(error: HbError, input: JournalInput): void
  /** The journal takes inputs again after it refused some. */
  takesAgain(refused: number): void
  /** Why nothing may be taken now, such as an outbox at its bound; null when all is well. */
  blocked(): HbError | null
}>

/** Inputs that could not be journaled: counted, and the reason of the last one. */
export type IntakeRefusals = Readonly<{ count: number; last: HbError | null; lastUs: Micros }>

/** The one way into the evaluator: an input is written to the journal, then it is evaluated, then its effects are told. */
export interface Intake {
  /**
   * @returns the journal position of the input, or null when the journal would not take it (disk full, read-only). Such
   * an input is not evaluated: what is not in the journal has no influence on any decision (K1). The next one is tried
   * again.
   */
  take(input: JournalInput): number | null
  readonly refusals: IntakeRefusals
}

/** The journal input that telemetry is; `nowUs` for what brings no time of its own. */
export function frameInput(raw: RawTelemetry, nowUs: Micros): JournalInput {
  const { rig, origin, encoding, provenance, messages, time } = raw
  const about = { rig, origin, encoding, provenance, messages, ...(time === undefined ? {} : { time }) }
  return { kind: 'frame', nowUs: raw.nowUs ?? nowUs, ...about }
}

export function createIntake({ journal, evaluate, refused, takesAgain, blocked }: IntakeOptions): Intake {
  let count = 0
  let last: HbError | null = null
  let lastUs = 0
  let refusing = 0

  function append(input: JournalInput, body: Uint8Array): number | null {
    try {
      const why = blocked()
      if (why !== null) throw why
      const { first } = journal.append([body])
      if (refusing > 0) takesAgain(refusing)
      refusing = 0
      return first
    } catch (error) {
      if (!isHbError(error)) throw error
      count += 1
      refusing += 1
      last = error
      lastUs = input.nowUs
      refused(error, input)
      return null
    }
  }

  return {
    take(input) {
      const body = encodeJournalInput(input)
      const seq = append(input, body)
      if (seq !== null) evaluate(seq, input, body)
      return seq
    },
    get refusals() {
      return { count, last, lastUs }
    },
  }
}
