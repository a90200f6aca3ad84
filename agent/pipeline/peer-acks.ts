import type { ActionAckMessage } from '../../shared/protocol/peer-contract.ts'
import { type Refused, refused } from '../../shared/protocol/peer-reader.ts'
import type { ExecutorAck } from '../ports.ts'

/** Actions that a peer was asked for and that are remembered; the oldest makes room, and its acks are of an unknown action then. */
export const PEER_ACTIONS_MAX = 4096

type Status = ExecutorAck['status']
type Known = { target: string; last: ExecutorAck | null; rank: number; ended: boolean }

export type JudgedAck =
  | Readonly<{ ok: true; target: string; ack: ExecutorAck }>
  /** `late`: an ack after the end, which the ledger notes beside the action and which changes nothing (SE-16). */
  | (Refused & Readonly<{ late?: Readonly<{ target: string; ack: ExecutorAck }> }>)

const RANK: Readonly<Record<Status, number>> = {
  accepted: 1,
  started: 2,
  progress: 3,
  completed: 4,
  rejected: 4,
  failed: 4,
}
const ENDS: readonly Status[] = ['completed', 'rejected', 'failed']
const OF_NACK: readonly Status[] = ['rejected', 'failed']

/** What a peer was asked for, and what it said of that. */
export class PeerAcks {
  private readonly known = new Map<string, Known>()

  /** A request goes out. One that goes out again is answered anew: peers repeat the first outcome (SE-14). */
  asked(key: string, target: string): void {
    this.known.delete(key)
    this.known.set(key, { target, last: null, rank: 0, ended: false })
    if (this.known.size > PEER_ACTIONS_MAX) this.known.delete(this.known.keys().next().value!)
  }

  /** What was last said of an action; null: nothing. One of a process before this one is known from now on. */
  lastOf(key: string, target: string): ExecutorAck | null {
    if (!this.known.has(key)) this.asked(key, target)
    return this.known.get(key)!.last
  }

  judge({ action_id: key, status, stage, message = '', system_id: from }: ActionAckMessage): JudgedAck {
    const said: Status = stage ?? (status === 'ok' ? 'accepted' : 'rejected')
    if (OF_NACK.includes(said) !== (status === 'nack')) return refused('contradictory_ack', `${status} and ${said}`)
    const known = this.known.get(key)
    if (known === undefined) return refused('unknown_action', key)
    const ack: ExecutorAck = { key, status: said, from, message }
    if (known.ended) {
      const isSame = known.last?.status === said
      if (isSame || RANK[said] < RANK.completed) return refused('repeated_ack', `${key} ${said}`)
      return { ...refused('ack_after_end', `${key} ${said}`), late: { target: known.target, ack } }
    }
    // Progress may be told as often as the ledger bears it.
    const isNew = RANK[said] > known.rank || (said === 'progress' && known.rank === RANK.progress)
    if (!isNew) return refused('repeated_ack', `${key} ${said}`)
    Object.assign(known, { last: ack, rank: RANK[said], ended: ENDS.includes(said) })
    return { ok: true, target: known.target, ack }
  }
}
