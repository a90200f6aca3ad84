import { isHbError } from '../shared/errors/hb-error.ts'
import type { Logger } from '../shared/log/logger.ts'
import type { Notice } from '../shared/notify/notice.ts'
import type { DecayChange } from './decay-watch.ts'

/** Codes that people are told of like refusals, though nobody was refused anything: what they are about is stored and receipted. */
const NOTICES: ReadonlySet<string> = new Set([
  'BASELINE_NOT_ACTIVATED',
  'CHAIN_RENEWED',
  'CHAIN_SKIPPED',
  'DETAIL_THINNED',
  'EVIDENCE_DAMAGED',
  'EVIDENCE_LOST',
])

/** What is told of a rollout that a person should look at. */
const ROLLOUT_TROUBLE: ReadonlySet<string> = new Set(['refused', 'not_back', 'ROLLING_BACK', 'ROLLED_BACK'])

/** Everything the collector says in its log, in one place. At rest it says nothing. */
export interface CollectorEvents {
  started(facts: Readonly<{ agents: string; operators: string; enrolled: number; key: string }>): void
  stopping(signal: string): void
  stopped(report: Readonly<{ overdue: readonly string[]; failed: readonly string[] }>): void
  agentConnected(
    facts: Readonly<{ agent: string; version: string; epoch: number; batch_seq: number; session: string }>,
  ): void
  agentLeft(facts: Readonly<{ agent: string; session: string; reason: string }>): void
  refused(
    facts: Readonly<{
      code: string
      agent: string
      detail: string
      epoch: number | null
      batch_seq: number | null
      times: number
    }>,
  ): void
  unavailable(facts: Readonly<{ code: string; agent: string; detail: string }>): void
  /** Somebody said something about a baseline, and it was taken. */
  baselineSaid(
    facts: Readonly<{ kind: string; baseline: string; rig: string; by: string; request: string; reason: string }>,
  ): void
  baselineDecayed(facts: DecayChange): void
  /** The book cannot be read: nothing is told of baselines, and none are sent. */
  bookDamaged(facts: Readonly<{ found: string }>): void
  baselineSent(facts: BaselineSent): void
  baselineAnswered(facts: BaselineSent & Readonly<{ taken: boolean; reason: string }>): void
  /** An alarm is other than it was. What people are to be told of is a warning. */
  alarm(facts: AlarmSaid): void
  /** A target of notices takes none, or takes them again. */
  alarmTarget(facts: Readonly<{ target: string; failing: boolean; problems: string }>): void
  /** What changed about alarms cannot be written; people are told all the same. */
  alarmsNotKept(facts: Readonly<{ problem: string }>): void
  /** A notice for people who look at the log. */
  notice(facts: Notice): void
  /** The beat to the outside did not go out, or does again. */
  heartbeat(facts: Readonly<{ outcome: string; problem: string }>): void
  /** Something happened in a rollout; `agent` is '' when it is about all of it. */
  rolloutSaid(facts: Readonly<{ rollout: string; what: string; agent: string; detail: string }>): void
  workerEnded(cause: unknown): void
  broken(where: string, cause: unknown): void
}

export type BaselineSent = Readonly<{ agent: string; rig: string; role: string; baseline: string }>

export type AlarmSaid = Readonly<{
  kind: string
  site: string
  alarm: string
  occurrence: number
  severity: string | null
  to: string
  announce: boolean
  text: string
}>

export function createCollectorEvents(log: Logger): CollectorEvents {
  return {
    started: (facts) => log.info({ event: 'collector_started', ...facts }, 'collector is ready'),
    stopping: (signal) => log.info({ event: 'collector_stopping', signal }, 'collector stops'),
    stopped: (report) => log.info({ event: 'collector_stopped', ...report }, 'collector has stopped'),
    agentConnected: (facts) => log.info({ event: 'agent_connected', ...facts }, 'agent connected'),
    agentLeft: (facts) => log.info({ event: 'agent_left', ...facts }, 'agent left'),
    refused: (facts) =>
      NOTICES.has(facts.code)
        ? log.warn({ event: 'noticed', ...facts }, 'something about evidence that was taken')
        : log.warn({ event: 'refused', ...facts }, 'refused'),
    unavailable: (facts) => log.error({ event: 'unavailable', ...facts }, 'a batch could not be stored'),
    baselineSaid: (facts) => log.info({ event: 'baseline_said', ...facts }, `baseline: ${facts.kind}`),
    baselineDecayed: (facts) => log.warn({ event: 'baseline_decayed', ...facts }, 'a baseline says less than it did'),
    bookDamaged: (facts) => log.error({ event: 'book_damaged', ...facts }, 'the book of baselines is damaged'),
    baselineSent: (facts) => log.info({ event: 'baseline_sent', ...facts }, 'a baseline was sent to its rig'),
    baselineAnswered: (facts) =>
      facts.taken
        ? log.info({ event: 'baseline_taken', ...facts }, 'an agent has activated a baseline')
        : log.warn({ event: 'baseline_refused', ...facts }, 'an agent did not take a baseline'),
    alarm: ({ announce, ...facts }) =>
      announce
        ? log.warn({ event: 'alarm', ...facts }, `alarm: ${facts.kind}`)
        : log.info({ event: 'alarm', ...facts }, `alarm: ${facts.kind}`),
    alarmTarget: (facts) =>
      facts.failing
        ? log.error({ event: 'alarm_target', ...facts }, 'people cannot be told of alarms')
        : log.info({ event: 'alarm_target', ...facts }, 'people are told of alarms again'),
    alarmsNotKept: (facts) => log.error({ event: 'alarms_not_kept', ...facts }, 'alarms cannot be written'),
    notice: (notice) => log.warn({ event: 'notice', ...notice }, notice.title),
    heartbeat: (facts) =>
      facts.outcome === 'sent'
        ? log.info({ event: 'heartbeat', ...facts }, 'the heartbeat goes out again')
        : log.error({ event: 'heartbeat', ...facts }, 'no heartbeat went out'),
    rolloutSaid: (facts) =>
      ROLLOUT_TROUBLE.has(facts.what)
        ? log.warn({ event: 'rollout', ...facts }, `rollout: ${facts.what}`)
        : log.info({ event: 'rollout', ...facts }, `rollout: ${facts.what}`),
    workerEnded: (cause) => log.error({ event: 'verify_worker_ended', ...describe(cause) }, 'a verify worker ended'),
    broken: (where, cause) => log.error({ event: 'broken', where, ...describe(cause) }, 'an error nobody expected'),
  }
}

function describe(cause: unknown): { code?: string; error: string; stack?: string } {
  if (isHbError(cause)) return { code: cause.code, error: cause.message }
  if (cause instanceof Error)
    return { error: cause.message, ...(cause.stack === undefined ? {} : { stack: cause.stack }) }
  return { error: String(cause) }
}
