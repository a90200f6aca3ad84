import { isHbError } from '../../shared/errors/hb-error.ts'
import type { AlarmChange } from '../../shared/model/alarm.ts'
import { definitionOf, entriesOf, isMasked } from '../../shared/model/alarms/state.ts'
import type { Millis } from '../../shared/units.ts'
import type { EvaluatorState, RigState } from '../core/state.ts'
import type { Executor, ExecutorAck } from '../ports.ts'

/** What keys of notices of alarms begin with; keys of actions are digests in hex. */
const PREFIX = 'alarm:'
/** What is told later than this is not told. */
const BUDGET_MS: Millis = 60_000

export type AlarmNoticesOptions = Readonly<{
  executors: ReadonlyMap<string, Executor>
  state(): EvaluatorState
  /** Nobody was told, or it is not known that anybody was. */
  notTold(facts: Readonly<{ notice: string; target: string; reason: string }>): void
}>

type About = Pick<AlarmChange, 'id' | 'occurrence' | 'severity' | 'text'>

/**
 * Tells the target that a policy names in `alarms_notify` of every CRITICAL alarm that is announced. That is no action: no
 * gate is asked, nothing is entered in the ledger, and no arming is needed to call people. A notice is handed over once; what
 * becomes of it is logged, and the alarm stands until somebody acknowledges it.
 */
export class AlarmNotices {
  private readonly options: AlarmNoticesOptions
  private isStarted = false

  constructor(options: AlarmNoticesOptions) {
    this.options = options
  }

  /** Of what nobody has acknowledged it tells anew: the process before this one may have ended before it was told. */
  start(): void {
    this.isStarted = true
    for (const rig of this.options.state().rigs)
      for (const entry of rig.safety === null ? [] : entriesOf(rig.safety.alarms))
        if (entry.severity === 'CRITICAL' && !entry.acked && !isMasked(entry)) this.tell(rig, entry)
  }

  /** What is announced before the start stands then, and is told once. */
  take(id: string, change: AlarmChange): void {
    if (!this.isStarted || !change.announce || change.severity !== 'CRITICAL') return
    const rig = this.options.state().rigs.find(({ settings }) => settings.rig === id)
    if (rig !== undefined) this.tell(rig, change)
  }

  /** Whether an acknowledgement is of a notice; it is dealt with then. */
  ack({ key, status, from, message }: ExecutorAck): boolean {
    if (!key.startsWith(PREFIX)) return false
    if (status === 'failed' || status === 'rejected')
      this.options.notTold({ notice: key, target: from, reason: `${status}: ${message}` })
    return true
  }

  private tell({ settings, safety }: RigState, { id, occurrence, severity, text }: About): void {
    const alarms = settings.safety?.alarms
    const target = alarms?.notify ?? null
    if (alarms === undefined || target === null || safety === null) return
    const entry = entriesOf(safety.alarms).find((one) => one.id === id)
    const about = entry === undefined ? null : definitionOf(safety.alarms, alarms.definitions, entry)
    const notice = `${PREFIX}${settings.rig}:${id}:${occurrence}`
    const params = {
      message: `${severity} ${about?.title ?? id}`,
      ...{ alarm: id, seen: `${occurrence}/${severity}`, text },
      ...(about === null ? {} : { consequence: about.consequence, response: about.response, guidance: about.guidance }),
    }
    const request = {
      key: notice,
      rig: settings.rig,
      action: 'notify',
      target,
      params,
      attempt: 1,
      budgetMs: BUDGET_MS,
    } as const
    const failed = (cause: unknown): void => {
      if (!isHbError(cause)) throw cause
      this.options.notTold({ notice, target, reason: cause.message })
    }
    const executor = this.options.executors.get(target)
    if (executor === undefined) this.options.notTold({ notice, target, reason: 'nobody carries it out' })
    else void executor.send(request).catch(failed)
  }
}
