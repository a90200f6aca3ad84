import type { Clock } from '../../shared/lib/clock.ts'
import { UNKNOWN_OUTCOME } from '../../shared/model/action.ts'
import type { Millis } from '../../shared/units.ts'
import type { ActionChange } from '../core/safety/changes.ts'
import type { Acts } from './act.ts'
import type { LedgerAction } from './action-ledger.ts'
import { BEFORE_RELEASE, type LiveAction, UNDER_WAY } from './live-action.ts'

/** Characters of a peer's text that are kept. */
const ACK_TEXT_MAX = 500
/** A peer that does not answer is asked again after so long, at least. */
const ASK_AGAIN_MS: Millis = 100

/** A peer's text as it may be journaled: bounded, without control characters, in the one form that its bytes have. */
export function ackText(text: string): string {
  const cut = text.slice(0, ACK_TEXT_MAX).replace(/\p{Cc}/gu, ' ')
  // Half a character would come back from the journal as another one.
  return new TextDecoder().decode(new TextEncoder().encode(cut)).normalize('NFC')
}

/**
 * Takes up an action that was open when the agent ended. What was certainly not sent goes through the gates again; of
 * what may have been, nobody knows the outcome until the peer was asked (SE-15).
 */
export function openAgain(acts: Acts, change: ActionChange): void {
  const { key, state, deadlineUs } = change
  const live = acts.resume({ ...change, from: state }, deadlineUs - acts.options.clock.nowUs())
  if (live === null) return
  if (BEFORE_RELEASE.includes(state)) {
    acts.goOn(live)
    return
  }
  // Sent at most when a disk stalled, and then nobody wrote it down.
  const mayBeSent = state === 'RELEASED'
  if (!mayBeSent && !UNDER_WAY.includes(state) && state !== UNKNOWN_OUTCOME) return
  live.recovering = true
  if (mayBeSent) acts.tell(live, { kind: 'sent', key })
  if (state !== UNKNOWN_OUTCOME) acts.tell(live, { kind: 'unknown', key })
  void ask(acts, live)
}

/**
 * Closes an action that the ledger has open and the kernel does not know, or knows as ended: its last rows are lost with
 * a part of the disk, and it would stay open for ever.
 */
export function closeOrphan(acts: Acts, action: LedgerAction): void {
  const { key, target, state } = action
  acts.options.events.orphan({ key, target, state })
  const nowUs = Math.max(action.lastUs, acts.options.clock.nowUs())
  const note = `open as ${state} in the ledger alone; what became of it is not known`
  const change = { ...changeOf(action), nowUs, state: 'EXPIRED' as const, reasons: ['NOT_IN_JOURNAL'], note }
  acts.backlog.record(change).catch(() => undefined)
}

/** Asks the peer until it answers, the action goes on by itself, or its time is over. */
async function ask(acts: Acts, live: LiveAction): Promise<void> {
  const { clock, executors, events } = acts.options
  const { key, target } = live.change
  const timeoutMs = Math.max(ASK_AGAIN_MS, live.facts.stages.acceptUs / 1000)
  for (;;) {
    const answer = (await executors.get(target)?.query(key, timeoutMs)) ?? 'no_answer'
    const now = acts.live.get(key)
    // The peer, or somebody, has said more meanwhile.
    if (now === undefined || !acts.isUnderWay(now)) return
    if (answer !== 'no_answer') {
      const status = answer === 'unknown_key' ? answer : answer.status
      events.asked({ key, target, answer: status })
      now.recovering = false
      acts.tell(now, { kind: 'answer', key, status })
      return
    }
    if (!(acts.remainingUs(now) > 0)) {
      events.asked({ key, target, answer: null })
      now.recovering = false
      acts.timeout(now, 'accept')
      return
    }
    await pause(clock, Math.min(timeoutMs, Math.max(ASK_AGAIN_MS, acts.remainingUs(now) / 1000)))
  }
}

function pause(clock: Pick<Clock, 'after'>, ms: Millis): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve)
  })
}

function changeOf(action: LedgerAction): ActionChange {
  const { key, rig, rule, episode, target, params, state, endUs, lastUs, deadlineUs, attempt } = action
  const about = { key, rig, rule, episode, action: action.action, target, params }
  const times = { endUs, nowUs: lastUs, deadlineUs }
  return { kind: 'action', ...about, state, reasons: [], ...times, attempt, from: state, note: '', conditions: [] }
}
