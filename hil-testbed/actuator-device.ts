import { canonicalBytes } from '../shared/codec/canonical.ts'
import { sha256, toHex } from '../shared/crypto/digest.ts'
import type { Clock } from '../shared/lib/clock.ts'
import type {
  AckStage,
  ActionAck,
  ActionAnswer,
  ActionQuery,
  ActionRequest,
  LossEffect,
  PermitAck,
  PermitStroke,
  ProofAck,
  ProofRequest,
} from '../shared/protocol/actuator.ts'
import type { Millis } from '../shared/units.ts'
import type { ActuatorBook } from './actuator-book.ts'

/** How an actuator can be wrong (hil-bench.md 8.3). */
export const DEVICE_FAULTS = [
  'no_ack',
  'nack',
  'late_ack',
  'ack_without_effect',
  'effect_without_ack',
  'double_execution',
  'forget_keys',
  'slow',
] as const
export type DeviceFault = (typeof DEVICE_FAULTS)[number]

/** A fault that is wanted; `ms` is the delay of `late_ack` and of each stage of `slow`, `times` the requests it is for. */
export type WantedFault = Readonly<{ kind: DeviceFault; ms: Millis; times: number }>

/** How long accepting, starting and completing take. */
export type StageTimes = Readonly<{ acceptMs: Millis; startMs: Millis; completeMs: Millis }>
const AT_ONCE: StageTimes = { acceptMs: 0, startMs: 0, completeMs: 0 }

export type DeviceOptions = Readonly<{
  book: ActuatorBook
  clock: Clock
  lossEffect: LossEffect
  stages?: StageTimes | undefined
  answer(message: ActionAck | ActionAnswer | ProofAck | PermitAck): void
  say(event: string, facts: Readonly<Record<string, unknown>>): void
}>

/** Acknowledgements and stages that may be on their way later; beyond, a request is rejected. */
const LATER_MAX = 1024

/** The actuator behind its link: it does what is asked, once for a key, unless it is told to be wrong. */
export class ActuatorDevice {
  private readonly options: DeviceOptions
  private fault: WantedFault | null = null
  /** Requests that met a fault. */
  faulty = 0
  private readonly later = new Set<() => void>()
  private token = -1
  private held = false
  private cancelPermit = (): void => {}

  constructor(options: DeviceOptions) {
    this.options = options
  }

  want(fault: WantedFault | null): void {
    this.fault = fault
    this.options.say('fault_wanted', fault === null ? { fault: null } : { fault: fault.kind, times: fault.times })
  }

  stop(): void {
    this.cancelPermit()
    for (const cancel of this.later) cancel()
    this.later.clear()
  }

  request(message: ActionRequest): void {
    const { book, say } = this.options
    const { key, action, target, attempt } = message
    const fault = this.nextFault()
    const asked = requestDigest(message)
    const known = book.keys.get(key)
    say('request', {
      t_us: this.options.clock.nowUs(),
      key,
      action,
      target,
      attempt,
      repeated: known !== undefined,
      fault: fault?.kind ?? null,
    })
    if (fault?.kind === 'no_ack') return
    const repeats = fault?.kind === 'double_execution' || fault?.kind === 'forget_keys'
    if (known !== undefined && known.request !== asked) {
      this.ack(key, 'rejected', 'this key was used for something else', fault)
      return
    }
    if (known !== undefined && !repeats) {
      this.ack(key, known.stage, known.detail, fault)
      return
    }
    if (this.later.size >= LATER_MAX || !book.accept(key, asked)) {
      this.ack(key, 'rejected', 'more than can be done or remembered', fault)
      return
    }
    if (fault?.kind === 'nack') this.move(key, 'rejected', 'not now', fault)
    else this.carryOut(key, fault)
  }

  query({ key }: ActionQuery): void {
    const known = this.fault?.kind === 'forget_keys' ? undefined : this.options.book.keys.get(key)
    const { stage, detail } = known ?? { stage: 'unknown_key' as const, detail: '' }
    this.options.say('query', { key, stage })
    this.options.answer({ t: 'answer', key, stage, detail })
  }

  proof({ id }: ProofRequest): void {
    const fault = this.fault?.kind ?? null
    this.options.say('proof', { id, fault })
    if (fault !== 'no_ack') this.options.answer({ t: 'proof_ack', id, ok: fault !== 'nack', detail: '' })
  }

  /** A stroke holds for so long and no longer; nothing but a deliberate beginning brings a lost permit back. */
  permit({ token, begin, hold_us }: PermitStroke): void {
    const { clock, answer, say } = this.options
    if (token > this.token) {
      this.token = token
      if (begin && !this.held) {
        this.held = true
        say('permit', { held: true, token })
      }
      if (this.held) {
        this.cancelPermit()
        this.cancelPermit = clock.after(hold_us / 1000, () => this.losePermit())
      }
    }
    answer({ t: 'permit_ack', token, held: this.held })
  }

  private losePermit(): void {
    const { book, lossEffect, say } = this.options
    this.held = false
    book.losePermit(lossEffect)
    say('permit', { held: false, token: this.token, effect: lossEffect })
  }

  /** Carries on what was accepted before a crash: the effect that does not stand in the book has not been. */
  resume(): void {
    for (const [key, entry] of this.options.book.keys) {
      if (entry.stage !== 'accepted' && entry.stage !== 'started') continue
      if (entry.effects === 0) this.effect(key)
      this.move(key, 'completed', 'after a restart', null)
    }
  }

  private carryOut(key: string, fault: WantedFault | null): void {
    const { acceptMs, startMs, completeMs } = this.options.stages ?? AT_ONCE
    const slowMs = fault?.kind === 'slow' ? fault.ms : 0
    this.after(acceptMs, () => {
      this.ack(key, 'accepted', '', fault)
      this.after(startMs + slowMs, () => {
        this.move(key, 'started', '', fault)
        if (fault?.kind !== 'ack_without_effect') this.effect(key)
        if (fault?.kind === 'double_execution') this.effect(key)
        this.after(completeMs + slowMs, () => this.move(key, 'completed', '', fault))
      })
    })
  }

  private effect(key: string): void {
    this.options.book.effect(key)
    this.options.say('effect', { key, effects: this.options.book.keys.get(key)!.effects })
  }

  private move(key: string, stage: AckStage, detail: string, fault: WantedFault | null): void {
    this.options.book.stage(key, stage, detail)
    this.ack(key, stage, detail, fault)
  }

  private ack(key: string, stage: AckStage, detail: string, fault: WantedFault | null): void {
    if (fault?.kind === 'effect_without_ack') return
    this.after(fault?.kind === 'late_ack' ? fault.ms : 0, () => {
      this.options.answer({ t: 'ack', key, stage, detail })
      this.options.say('ack', { key, stage })
    })
  }

  private after(ms: Millis, act: () => void): void {
    if (ms === 0) {
      act()
      return
    }
    const cancel = this.options.clock.after(ms, () => {
      this.later.delete(cancel)
      act()
    })
    this.later.add(cancel)
  }

  private nextFault(): WantedFault | null {
    const { fault } = this
    if (fault === null) return null
    this.faulty += 1
    this.fault = fault.times > 1 ? { ...fault, times: fault.times - 1 } : null
    return fault
  }
}

/** What was asked, without how often. */
function requestDigest({ rig, action, target, params }: ActionRequest): string {
  return toHex(sha256(canonicalBytes([rig, action, target, params])))
}
