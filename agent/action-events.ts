import type { Logger } from '../shared/log/logger.ts'
import type { AlarmChange } from '../shared/model/alarm.ts'
import type { RigChange } from './core/rig-change.ts'
import type { ActionChange } from './core/safety/changes.ts'
import type { ActEvents } from './pipeline/act-events.ts'
import type { ProofEvents } from './pipeline/proofs.ts'
import type { SelfTestResult } from './pipeline/self-test.ts'

/** What is said of actions: by the shell that carries them out, and of what the safety kernel decided. */
export type ActionEvents = ActEvents &
  ProofEvents &
  Readonly<{
    changed(rig: string, change: RigChange): void
    alarmNotTold(facts: Readonly<{ notice: string; target: string; reason: string }>): void
    integrity(rig: string, what: string): void
    selfTestFailed(result: SelfTestResult): void
  }>

/** The key of an action is no secret, and what is called `key` in a log line is hidden as if it were one. */
function shown<Facts extends Readonly<{ key: string }>>({ key, ...facts }: Facts) {
  return { action_key: key, ...facts }
}

/** Log lines of actions. A change of state is one line; what goes on well is quiet. */
export function createActionEvents(log: Logger): ActionEvents {
  return {
    executorUp: (target) => log.info({ event: 'executor_up', target }, `${target} answers`),
    executorDown: (target, reason) =>
      log.warn({ event: 'executor_down', target, reason }, `${target} does not answer: actions on it cannot be done`),
    sent: (facts) => log.info({ event: 'action_sent', ...shown(facts) }, `${facts.target} is asked`),
    notSent: (facts) => log.error({ event: 'action_not_sent', ...shown(facts) }, 'an action was certainly not sent'),
    timeout: (facts) =>
      log.warn({ event: 'action_timeout', ...shown(facts) }, `the ${facts.stage} of an action took too long`),
    refused: (facts) => log.error({ event: 'action_refused', ...shown(facts) }, 'an action is not carried out'),
    diskStalled: ({ key, mustWork, came }) =>
      log.error(
        { event: 'action_disk_stalled', action_key: key, must_work: mustWork, came },
        mustWork
          ? 'the disk is stalled: a must-work action goes on and is written late'
          : 'the disk is stalled: denied',
      ),
    ackIgnored: (facts) =>
      log.warn({ event: 'ack_ignored', ...shown(facts) }, 'an acknowledgement that counts for nothing'),
    ledgerFailed: (error) =>
      log.error(
        { event: 'ledger_failed', code: error.code, error: error.message },
        'the ledger of actions takes nothing',
      ),
    asked: (facts) =>
      log.warn({ event: 'action_asked', ...shown(facts) }, 'what became of an action is asked after a start'),
    orphan: (facts) =>
      log.error({ event: 'action_orphan', ...shown(facts) }, 'the ledger knew of an action and the journal does not'),
    budget: ({ key, level, spentUs, fttiUs }) => {
      const facts = { event: 'reaction_budget', action_key: key, severity: level, spent_us: spentUs, ftti_us: fttiUs }
      if (level === 'CRITICAL') log.error(facts, 'the fault tolerant time of an action is used up')
      else log.warn(facts, 'most of the fault tolerant time of an action is used up')
    },
    alarmNotTold: (facts) => log.error({ event: 'alarm_not_told', ...facts }, 'nobody was told of a CRITICAL alarm'),
    ...createProofEvents(log),
    selfTestFailed: ({ part, reason }) =>
      log.error({ event: 'self_test_failed', part, reason }, 'a test of the agent itself failed: nothing can be armed'),
    integrity: (rig, what) =>
      log.error(
        { event: 'integrity', severity: 'CRITICAL', rig, what },
        `the ${what} of ${rig} is not in memory as it was put there: disarmed`,
      ),
    changed: (rig, change) => tellChange(log, rig, change),
  }
}

function createProofEvents(log: Logger): ProofEvents {
  return {
    proof: ({ target, ok, by, dueUs }) => {
      const facts = { event: 'proof', target, ok, by, due_us: dueUs }
      if (ok) log.info(facts, `the path to ${target} is proved`)
      else log.warn(facts, `the path to ${target} is not there`)
    },
    proofOverdue: ({ target, rigs, dueUs }) =>
      log.warn(
        { event: 'proof_overdue', severity: 'WARNING', target, rigs, due_us: dueUs },
        `the proof test of ${target} is overdue: its rigs cannot be armed`,
      ),
    proofNotKept: (target, reason) =>
      log.error({ event: 'proof_not_kept', target, reason }, 'a proof test counts for this life of the agent alone'),
  }
}

function tellChange(log: Logger, rig: string, change: RigChange): void {
  switch (change.kind) {
    case 'action':
      tellAction(log, change)
      return
    case 'arm': {
      const { state, reason, untilUs, by } = change
      log.warn({ event: 'arm', rig, state, reason, until_us: untilUs, by }, `${rig} is ${state}`)
      return
    }
    case 'alarm': {
      const { id, severity, active, text } = change
      const facts = { event: 'safety_alarm', rig, alarm: id, severity, active }
      if (active && severity === 'CRITICAL') log.error(facts, text)
      else log.warn(facts, text)
      return
    }
    case 'alarm_state':
      tellAlarm(log, rig, change.change)
      return
    case 'refused':
      log.warn(
        { event: 'safety_refused', rig, input: change.input, subject: change.subject, reasons: change.reasons },
        'the safety kernel does not follow an input',
      )
      return
    case 'rule':
      log.warn({ event: 'rule', rig, rule: change.rule, is: change.is, by: change.by }, `${change.rule}: ${change.is}`)
      return
    case 'inhibit': {
      const { subject, active, untilUs, by, reason, count } = change
      log.warn({ event: 'inhibit', rig, subject, active, until_us: untilUs, by, reason, count }, 'a bypass')
      return
    }
    case 'break_glass': {
      const { active, untilUs, by, reason, why, count } = change
      const facts = { event: 'break_glass', rig, active, until_us: untilUs, by, reason, why, count }
      log.warn(facts, active ? 'one person may order by hand alone' : 'the break-glass is over')
    }
  }
}

/** What people are to be told stands out by its severity; everything else that happens to an alarm is written down. */
function tellAlarm(log: Logger, rig: string, change: AlarmChange): void {
  const { kind, id, occurrence, severity, from, to, announce, endUs, text, refused } = change
  const facts = {
    ...{ event: 'alarm', rig, change: kind, alarm: id, occurrence, severity, from, to, announce, t_us: endUs },
    ...(refused === null ? {} : { refused }),
  }
  const line = `${rig}: ${id === '' ? 'alarms' : id} ${kind}: ${text}`
  if (!announce) log.info(facts, line)
  else if (severity === 'CRITICAL') log.error(facts, line)
  else log.warn(facts, line)
}

/** Grave ends are errors, whatever was asked. */
const GRAVE = ['VERIFY_FAILED', 'FAILED', 'TIMED_OUT', 'REJECTED', 'UNKNOWN_OUTCOME']

function tellAction(log: Logger, change: ActionChange): void {
  const { key, rig, rule, episode, action, target, state, from, reasons, attempt, endUs, note } = change
  const facts = {
    ...{ event: 'action', rig, rule, episode, action, target, state, from, reasons, attempt },
    ...{ t_us: endUs, action_key: key, ...(note === '' ? {} : { note }) },
  }
  const text = `${rig}: ${action} of ${target} is ${state}`
  if (GRAVE.includes(state)) log.error(facts, text)
  else log.info(facts, text)
}
