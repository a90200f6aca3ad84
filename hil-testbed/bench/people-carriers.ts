import type { Micros } from '../../shared/units.ts'
import { type MakeCarrier, numberOf, once, textOf } from './carrier.ts'
import type { Forgery } from './transmitter.ts'

/** `target` of an operator fault is a person; the order it is about is an arming unless an alarm is named. */
const HOUR_US: Micros = 3_600_000_000

const doubleClick: MakeCarrier = ({ target }, { people, nowUs, ordered }) =>
  once(async () => {
    const first = await people.give(target, { kind: 'arm', untilUs: nowUs() + HOUR_US })
    const again = await people.handIn(first.bytes)
    ordered('arm', [target], first)
    ordered('arm', [target], again)
  })

const samePerson: MakeCarrier = ({ target }, { people, nowUs, ordered }) =>
  once(async () => {
    const asked = await people.give(target, { kind: 'arm', untilUs: nowUs() + HOUR_US })
    ordered('arm', [target], asked)
    ordered('confirm', [target, target], await people.give(target, { kind: 'confirm', subject: asked.order }))
  })

/** Somebody asks now, and somebody else confirms when nothing waits any more. */
const expiredApproval: MakeCarrier = (fault, { row, people, nowUs, ordered }) => {
  const other = row.rig.operators.find((name) => name !== fault.target) ?? fault.target
  let [asked, dueUs, done] = ['', Number.POSITIVE_INFINITY, 0]
  return {
    begin: async (atUs) => {
      const answer = await people.give(fault.target, { kind: 'arm', untilUs: nowUs() + HOUR_US })
      ordered('arm', [fault.target], answer)
      asked = answer.order
      dueUs = atUs + CONFIRM_WITHIN_US + numberOf(fault, 'late_ms') * 1000
    },
    move: async (atUs) => {
      if (atUs < dueUs || done > 0) return
      done = 1
      ordered('confirm', [other], await people.give(other, { kind: 'confirm', subject: asked }))
    },
    count: () => done,
  }
}

/** Confirms an arming for another configuration than the one that is in force. */
const approveAfterChange: MakeCarrier = ({ target }, { row, people, nowUs, ordered }) =>
  once(async () => {
    const other = row.rig.operators.find((name) => name !== target) ?? target
    const asked = await people.give(target, { kind: 'arm', untilUs: nowUs() + HOUR_US })
    ordered('arm', [target], asked)
    const changed = { kind: 'confirm', subject: asked.order, config: '00'.repeat(32) }
    ordered('confirm', [target, other], await people.give(other, changed))
  })

/** Acknowledges the occurrence of an alarm that is over: the same signed order, handed in when it has come again. */
const ackOld: MakeCarrier = (fault, { people, ordered }) => {
  const alarm = String(fault.params['alarm'] ?? '')
  let done = 0
  return {
    begin: async () => {
      const first = await people.give(fault.target, { kind: 'alarm_ack', subject: alarm })
      ordered('alarm_ack', [fault.target], first)
      const again = await people.handIn(first.bytes)
      ordered('alarm_ack', [fault.target], again)
      done = 1
    },
    count: () => done,
  }
}

const shelve: MakeCarrier = (fault, { people, nowUs, ordered }) =>
  once(async () => {
    const untilUs = nowUs() + numberOf(fault, 'for_s') * 1_000_000
    const order = { kind: 'alarm_shelve', subject: String(fault.params['alarm'] ?? ''), untilUs }
    ordered('alarm_shelve', [fault.target], await people.give(fault.target, order))
  })

/** Orders that hide alarms, as fast as they can be signed. */
const flood: MakeCarrier = (fault, { row, people, nowUs, ordered }) => {
  const everyUs = 1_000_000 / numberOf(fault, 'rate')
  const alarm = String(fault.params['alarm'] ?? '')
  let [nextUs, given] = [0, 0]
  return {
    begin: (atUs) => {
      nextUs = atUs
    },
    move: async (atUs) => {
      for (; nextUs <= atUs; nextUs += everyUs) {
        const untilUs = nowUs() + numberOf(fault, 'for_s') * 1_000_000 + given
        const who = row.rig.operators.includes(fault.target) ? fault.target : row.rig.operators[0]!
        ordered('alarm_shelve', [who], await people.give(who, { kind: 'alarm_shelve', subject: alarm, untilUs }))
        given += 1
      }
    },
    count: () => given,
  }
}

/** Marks of injected frames are wrong while it acts. */
const forgedTaint: MakeCarrier = (fault, { transmitter }) => ({
  begin: () => {
    transmitter.forgery = textOf(fault, 'how') as Forgery
  },
  end: () => {
    transmitter.forgery = null
  },
  count: () => transmitter.forged,
})

/** A waiting order is confirmed within this (docs/operating/actions.md); the bench has the figure of its own. */
const CONFIRM_WITHIN_US: Micros = 120_000_000

export const PEOPLE_CARRIERS: Readonly<Record<string, MakeCarrier>> = {
  'operator.double_click': doubleClick,
  'operator.same_person_approves': samePerson,
  'operator.expired_approval': expiredApproval,
  'operator.approve_after_change': approveAfterChange,
  'operator.ack_old_occurrence': ackOld,
  'operator.shelve_during_escalation': shelve,
  'security.suppression_flood': flood,
  'security.forged_taint': forgedTaint,
}
