import type { AlarmStated, RigChange } from '../../agent/core/rig-change.ts'
import {
  checkpointBody,
  createEvaluation,
  type Evaluation,
  evaluate,
  restoreEvaluation,
} from '../../agent/pipeline/evaluation.ts'
import { decodeJournalInput, encodeJournalInput, type JournalInput } from '../../shared/codec/journal-input.ts'
import { encodeFrame } from '../../shared/codec/telemetry.ts'
import type { AlarmOrder, PolicyOrder } from '../../shared/model/action-input.ts'
import type { AlarmChange } from '../../shared/model/alarm.ts'
import { type LoopTexts, loopFiles } from './policy-texts.ts'

export const LOOP = 'pressure-loop'
export const LOOP_T0 = 1_700_000_000_000_000
const STEP_US = 50_000
const SAMPLES = 10

/** What the loop reads for a while; null: nothing comes. */
export type Reading = Readonly<{ p: number; flow: number }> | null
export const CALM: Reading = { p: 5, flow: 12 }

/** The pressure loop as the agent evaluates it: everything goes through the bytes of the journal. */
export class AlarmLoop {
  evaluation: Evaluation = createEvaluation()
  nowUs = LOOP_T0
  seq = 0
  /** Every input so far, as it was journaled. */
  readonly journal: Uint8Array[] = []
  /** What was said of the rig, one list for each input. */
  readonly said: RigChange[][] = []

  constructor(texts: LoopTexts = {}) {
    this.configure(texts)
  }

  configure(texts: LoopTexts): RigChange[] {
    return this.take({ kind: 'config', nowUs: this.nowUs, files: loopFiles(texts) })
  }

  take(input: JournalInput): RigChange[] {
    const body = encodeJournalInput(input)
    this.journal.push(body)
    const said = changesOf(this.evaluation, this.journal.length, body)
    this.said.push(said)
    return said
  }

  /** Lets readings come in for a while, every 50 ms. @returns what was said of the rig meanwhile. */
  run(ms: number, reading: Reading): RigChange[] {
    const said: RigChange[] = []
    for (let at = 0; at < ms; at += STEP_US / 1000) {
      this.nowUs += STEP_US
      said.push(...this.take(reading === null ? { kind: 'tick', nowUs: this.nowUs } : this.frame(reading)))
    }
    return said
  }

  order(order: PolicyOrder | AlarmOrder): RigChange[] {
    return this.take({ kind: 'policy', nowUs: this.nowUs, rig: LOOP, order, statements: [] })
  }

  alarmOrder(order: Pick<AlarmOrder, 'kind' | 'alarm'> & Partial<AlarmOrder>): AlarmChange[] {
    const bare = { occurrence: 0, severity: null, forUs: 0, oneShot: false, by: ['Ada'], reason: 'seen' }
    return alarmsOf(this.order({ ...bare, ...order }))
  }

  arm(): RigChange[] {
    const { config } = this.rig.settings.safety!
    return this.order({ kind: 'arm', config, untilUs: this.nowUs + 3_600_000_000, by: ['Ada', 'Bob'] })
  }

  get rig() {
    return this.evaluation.state.rigs[0]!
  }

  entry(id: string) {
    const { defined, unknown, raised } = this.rig.safety!.alarms
    return [...defined, ...unknown, ...raised].find((one) => one.id === id)
  }

  private frame({ p, flow }: NonNullable<Reading>): JournalInput {
    this.seq += 1
    const times = Float64Array.from({ length: SAMPLES }, (_, k) => this.nowUs - STEP_US + k * (STEP_US / SAMPLES))
    const channels = ['p_a', 'p_b', 'p_c', 'flow']
    const values = channels.flatMap((name) =>
      Array.from({ length: SAMPLES }, (_, k) => (name === 'flow' ? flow : p) + k / 1000),
    )
    const message = encodeFrame({
      ...{ rig: LOOP, source: 'daq-1', epoch: 'e1', seq: this.seq, channels, cid: null },
      ...{ timeUs: times, value: Float64Array.from(values) },
    })
    const head = { nowUs: this.nowUs, rig: LOOP, origin: 'daq-1', provenance: 'simulated' } as const
    return { kind: 'frame', ...head, encoding: 'cbor', messages: [message] }
  }
}

/** Takes one journaled input. */
export function changesOf(evaluation: Evaluation, seq: number, body: Uint8Array): RigChange[] {
  const effects = evaluate(evaluation, seq, decodeJournalInput(body))
  return effects.flatMap((effect) => (effect.kind === 'safety' ? [effect.change] : []))
}

/** The same evaluation out of the bytes of its checkpoint. */
export function restarted(evaluation: Evaluation): Evaluation {
  const restored = restoreEvaluation(checkpointBody(evaluation))
  if ('refused' in restored) throw new Error(restored.refused)
  return restored
}

export function alarmsOf(said: readonly RigChange[]): AlarmChange[] {
  return said.filter((one): one is AlarmStated => one.kind === 'alarm_state').map(({ change }) => change)
}

/** Announcements and what people did, as `KIND ID #OCCURRENCE SEVERITY`, with `!` where people are told. */
export function linesOf(said: readonly RigChange[]): string[] {
  return alarmsOf(said).map(
    ({ kind, id, occurrence, severity, announce, refused }) =>
      `${kind} ${id} #${occurrence} ${severity ?? '-'}${announce ? ' !' : ''}${refused === null ? '' : ` ${refused}`}`,
  )
}
