import type { Clock } from '../shared/lib/clock.ts'
import { plainText } from '../shared/log/plain-text.ts'
import type { AlarmDefinition } from '../shared/model/alarm.ts'
import type { AlarmEntry } from '../shared/model/alarms/state.ts'
import type { Notice } from '../shared/notify/notice.ts'
import type { Teller } from '../shared/notify/teller.ts'
import type { Micros } from '../shared/units.ts'
import type { DueNotice } from './core/alarms/notices.ts'

const MINUTE_US: Micros = 60_000_000
/** A notice that nobody took is tried again after this, doubled each time, and at last every five minutes for as long as it is due. */
const RETRY_US: Micros = 5_000_000
const RETRY_MAX_US: Micros = 300_000_000

/** A target of notices, with its ways. */
export type AlarmTarget = Readonly<{ target: string; perMinuteMax: number; teller: Teller }>

export type AlarmNoticesOptions = Readonly<{
  targets: readonly AlarmTarget[]
  clock: Pick<Clock, 'monotonicUs'>
  /** What a notice is about, as it is now. */
  about(due: DueNotice): Readonly<{ entry: AlarmEntry; definition: AlarmDefinition | null }> | null
  /** It was taken: must be remembered. */
  told(due: DueNotice): void
  /** A target began to fail, or takes notices again. */
  changed(facts: Readonly<{ target: string; failing: boolean; problems: string }>): void
}>

/** How it stands with one target. */
export type TargetState = Readonly<{
  target: string
  waiting: number
  told: number
  failed: number
  /** Why the newest notice was not taken; null when it was. */
  failing: string | null
}>

type Lane = AlarmTarget & {
  /** When notices went out within the last minute. */
  sentUs: Micros[]
  busy: boolean
  waiting: number
  told: number
  failed: number
  failing: string | null
}
type Tried = { failures: number; nextUs: Micros }

/**
 * Hands notices to their targets: one at a time to each, so many a minute, the gravest first. What is not taken stays due and is
 * tried again; there is no queue that could be full.
 */
export class AlarmNotices {
  private readonly options: AlarmNoticesOptions
  private readonly lanes: readonly Lane[]
  private readonly tried = new Map<string, Tried>()

  constructor(options: AlarmNoticesOptions) {
    this.options = options
    this.lanes = options.targets.map((target) => ({
      ...target,
      ...{ sentUs: [], busy: false, waiting: 0, told: 0, failed: 0, failing: null },
    }))
  }

  get targets(): readonly TargetState[] {
    return this.lanes.map(({ target, waiting, told, failed, failing }) => ({ target, waiting, told, failed, failing }))
  }

  /** Takes in what is due now, in its order. Called at every round. */
  offer(due: readonly DueNotice[]): void {
    const keys = new Set(due.map(({ key }) => key))
    for (const key of this.tried.keys()) if (!keys.has(key)) this.tried.delete(key)
    for (const lane of this.lanes) {
      const mine = due.filter(({ target }) => target === lane.target)
      lane.waiting = mine.length
      void this.next(lane, mine)
    }
  }

  close(): void {
    for (const { teller } of this.lanes) teller.close()
  }

  private async next(lane: Lane, due: readonly DueNotice[]): Promise<void> {
    if (lane.busy) return
    const nowUs = this.options.clock.monotonicUs()
    lane.sentUs = lane.sentUs.filter((us) => nowUs - us < MINUTE_US)
    if (lane.sentUs.length >= lane.perMinuteMax) return
    const first = due.find(({ key }) => nowUs >= (this.tried.get(key)?.nextUs ?? 0))
    const about = first === undefined ? null : this.options.about(first)
    if (first === undefined || about === null) return
    lane.busy = true
    lane.sentUs.push(nowUs)
    const { isTold, problems } = await lane.teller.tell(noticeOf(first, about, due.length - 1))
    if (isTold) {
      lane.told += 1
      lane.waiting -= 1
      this.tried.delete(first.key)
      this.options.told(first)
    } else {
      lane.failed += 1
      this.putOff(first.key)
    }
    if (isTold !== (lane.failing === null)) this.options.changed({ target: lane.target, failing: !isTold, problems })
    lane.failing = isTold ? null : problems
    lane.busy = false
    if (isTold) await this.next(lane, due.slice(due.indexOf(first) + 1))
  }

  private putOff(key: string): void {
    const failures = (this.tried.get(key)?.failures ?? 0) + 1
    const waitUs = Math.min(RETRY_MAX_US, RETRY_US * 2 ** Math.min(failures - 1, 16))
    this.tried.set(key, { failures, nextUs: this.options.clock.monotonicUs() + waitUs })
  }
}

type About = NonNullable<ReturnType<AlarmNoticesOptions['about']>>

/** What people read. `more`: notices that wait for the same target. */
export function noticeOf(
  { key, site, id, occurrence, severity, step, target }: DueNotice,
  about: About,
  more: number,
): Notice {
  const { entry, definition } = about
  const what = definition?.title ?? id
  const title = plainText(`${severity}: ${what}${step > 0 ? ' (nobody has acknowledged it)' : ''}`, 200)
  const facts = [
    { name: 'alarm', value: id },
    { name: 'seen', value: `${occurrence}/${severity}` },
    { name: 'what', value: entry.text },
    { name: 'since', value: new Date(entry.raisedUs / 1000).toISOString() },
    ...(entry.level === null ? [{ name: 'now', value: 'over by itself, and nobody has acknowledged it' }] : []),
    { name: 'consequence', value: definition?.consequence ?? '' },
    { name: 'response', value: definition?.response ?? '' },
    { name: 'guidance', value: definition?.guidance ?? '' },
    ...(more > 0 ? [{ name: 'waiting', value: `${more} more` }] : []),
  ]
  const told = facts.filter(({ value }) => value !== '').map(({ name, value }) => ({ name, value: plainText(value) }))
  return { key, rig: site === '' ? 'fleet' : site, action: 'notify', target, title, facts: told }
}
