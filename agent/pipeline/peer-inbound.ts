import type { JournalInput } from '../../shared/codec/journal-input.ts'
import { modeChange } from '../../shared/model/mode.ts'
import type { InboundMessage, ModeChangedMessage, PolicyAppliedMessage } from '../../shared/protocol/peer-contract.ts'
import {
  PEER_AGE_MAX_US,
  type PeerRefusal,
  type Refused,
  readInbound,
  refused,
} from '../../shared/protocol/peer-reader.ts'
import type { Micros } from '../../shared/units.ts'
import type { ExecutorAck } from '../ports.ts'
import type { Rigs } from './modes.ts'
import type { PeerAcks } from './peer-acks.ts'
import { UpdateLimiter } from './update-limiter.ts'

/** Where a change of mode that a peer asked for comes from, in the journal. */
export const PEER_SOURCE = 'peer'
/** Messages remembered so that none counts twice; at the bound only acks are taken until the oldest are no longer fresh. */
export const PEER_SEEN_MAX = 4096
/** Policies of the peer that are shown; the oldest goes. */
export const PEER_POLICIES_KEPT_MAX = 16

/** A policy that a peer put in force: who, what, why, and when it was heard of. */
export type PolicyNote = Readonly<{
  peer: string
  policy: string
  version: string
  digest: string
  by: string
  reason: string
  atUs: Micros
}>

export type PeerInboundOptions = Readonly<{
  identity: string
  acks: PeerAcks
  state(): Rigs
  /** Wall time, time of inputs, and monotonic time. */
  wallUs(): Micros
  nowUs(): Micros
  monotonicUs(): Micros
  /** Journals an input and has it evaluated; false: the journal would not take it. */
  take(input: JournalInput): boolean
  ack(target: string, ack: ExecutorAck): void
  modeChanged(facts: { rig: string; from: string; to: string; by: string; reason: string }): void
  policyApplied(note: PolicyNote): void
  refused(refusal: PeerRefusal, detail: string): void
}>

export type Taken = Readonly<{ ok: true; type: InboundMessage['type'] }> | Refused

/**
 * What a peer tells. It is no operator: a mode it asks for is one that the agent may go to by itself (`agent` in the table of
 * modes), and its policies change nothing here.
 */
export class PeerInbound {
  private readonly options: PeerInboundOptions
  private readonly seen = new Map<string, Micros>()
  private readonly policyUpdates = new UpdateLimiter()
  private readonly modeUpdates = new Map<string, UpdateLimiter>()
  readonly taken: Record<InboundMessage['type'], number> = { ACTION_ACK: 0, MODE_CHANGED: 0, POLICY_APPLIED: 0 }
  readonly refusals = new Map<PeerRefusal, number>()
  /** Oldest first. */
  readonly policies: PolicyNote[] = []

  constructor(options: PeerInboundOptions) {
    this.options = options
  }

  /** Takes the bytes of a message whose sender has proved to have the secret. Never throws for what they say. */
  take(bytes: Uint8Array): Taken {
    const { identity, wallUs } = this.options
    const nowUs = wallUs()
    const read = readInbound(bytes, { identity, nowUs })
    if (!read.ok) return this.refuse(read)
    const { message } = read
    const known = this.rememberOnce(message, nowUs)
    const why = known ?? this.follow(message)
    if (why !== null) return this.refuse(why)
    this.taken[message.type] += 1
    return { ok: true, type: message.type }
  }

  /** Counts what the transport refused already. */
  refuse(why: Refused): Refused {
    this.refusals.set(why.refusal, (this.refusals.get(why.refusal) ?? 0) + 1)
    this.options.refused(why.refusal, why.detail)
    return why
  }

  /** Past twice its greatest age a message is refused for that. */
  private rememberOnce({ message_id: id, type }: InboundMessage, nowUs: Micros): Refused | null {
    for (const [old, untilUs] of this.seen) {
      if (nowUs < untilUs) break
      this.seen.delete(old)
    }
    if (this.seen.has(id)) return refused('repeated_message', id)
    if (this.seen.size < PEER_SEEN_MAX) this.seen.set(id, nowUs + 2 * PEER_AGE_MAX_US)
    // An ack that comes twice is told by its action.
    else if (type !== 'ACTION_ACK') return refused('too_many', `${this.seen.size} within a few minutes`)
    return null
  }

  private follow(message: InboundMessage): Refused | null {
    if (message.type === 'MODE_CHANGED') return this.changeMode(message)
    if (message.type === 'POLICY_APPLIED') return this.notePolicy(message)
    const judged = this.options.acks.judge(message)
    if (judged.ok) {
      this.options.ack(judged.target, judged.ack)
      return null
    }
    if (judged.late !== undefined) this.options.ack(judged.late.target, judged.late.ack)
    return judged
  }

  private changeMode({ rig: named, from_mode: from, to_mode: to, reason }: ModeChangedMessage): Refused | null {
    const { state, nowUs, monotonicUs, take, identity, modeChanged } = this.options
    const { rigs } = state()
    const rig = rigs.find(({ settings }) => (named === undefined ? rigs.length === 1 : settings.rig === named))
    if (rig === undefined) return refused('unknown_rig', named ?? 'none is named, and there are several')
    const name = rig.settings.rig
    if (rig.mode !== from) return refused('mode_refused', `${name} is ${rig.mode}, not ${from}`)
    const change = modeChange(from, to, 'agent')
    if (!change.ok) return refused('mode_refused', `${name} ${from} to ${to}: ${change.reason}`)
    // What is safer never waits; there is no way back from it that a peer could ask for.
    if (to !== 'emergency' && !this.limiterOf(name).permit(monotonicUs()))
      return refused('rate_limited', `mode of ${name}`)
    const by = `${PEER_SOURCE} ${identity}`
    const isTaken = take({
      kind: 'mode',
      nowUs: nowUs(),
      rig: name,
      mode: to,
      reason,
      operator: by,
      source: PEER_SOURCE,
    })
    if (!isTaken) return refused('not_journaled', `mode of ${name}`)
    modeChanged({ rig: name, from, to, by, reason })
    return null
  }

  private limiterOf(rig: string): UpdateLimiter {
    const limiter = this.modeUpdates.get(rig) ?? new UpdateLimiter()
    this.modeUpdates.set(rig, limiter)
    return limiter
  }

  private notePolicy(message: PolicyAppliedMessage): Refused | null {
    const { identity, wallUs, nowUs, monotonicUs, take, policyApplied } = this.options
    if (!this.policyUpdates.permit(monotonicUs())) return refused('rate_limited', `policy ${message.policy_id}`)
    const { policy_id: policy, version, digest, by, reason } = message
    const about = { policy, version, digest, by: `${by}, at ${PEER_SOURCE} ${identity}`, reason }
    if (!take({ kind: 'policy_applied', nowUs: nowUs(), source: 'peer', ...about }))
      return refused('not_journaled', `policy ${policy}`)
    const note = { peer: identity, policy, version, digest, by, reason, atUs: wallUs() }
    this.policies.push(note)
    if (this.policies.length > PEER_POLICIES_KEPT_MAX) this.policies.shift()
    policyApplied(note)
    return null
  }
}
