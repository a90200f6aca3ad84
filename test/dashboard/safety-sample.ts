import { HOSTILE } from './fleet-sample.ts'

const NOTE = 'keys distinct, persons unproven'
const NAMED = { agent: 'bench-1', program: 'demo', rig: 'water-loop' }
const WAY = ['PROPOSED', 'GATE_PASSED', 'RELEASED', 'SENT', 'ACCEPTED', 'STARTED', 'COMPLETED', 'VERIFIED'] as const

type Step = Readonly<{ state: string; reasons?: readonly string[]; persons?: readonly string[]; note?: string }>

function actionOf(number: number, timeUs: number, steps: readonly Step[], more: object = {}) {
  const { state } = steps.at(-1)!
  return {
    ...NAMED,
    ...{
      key: String(number).padStart(64, '0'),
      rule: 'over_pressure',
      episode: number,
      action: 'shutdown',
      target: 'pump',
    },
    ...{
      params: null,
      state,
      open: false,
      attempt: 1,
      deadline_us: timeUs + 2_000_000,
      time_us: timeUs,
      steps_before: 0,
    },
    steps: steps.map(({ state: at, reasons = [], persons = [], note = '' }, k) => ({
      ...{
        id: `bench-1:${100 * number + k}`,
        time_us: timeUs - 10_000 * (steps.length - k),
        receipt_us: timeUs,
        from: null,
      },
      ...{ end_us: timeUs, state: at, reasons, conditions: [], persons, note },
    })),
    ...more,
  }
}
const way = (length: number): Step[] => WAY.slice(0, length).map((state) => ({ state }))

/** A rig that is armed and shut down, one that is passive and bypassed, and one whose time is over. */
export function safetyOf(nowUs: number) {
  const place = { id: 'bench-1:9', time_us: nowUs - 60_000_000, receipt_us: nowUs }
  const arm = { ...place, state: 'ARMED', until_us: nowUs + 3_600_000_000, over: false, persons: ['ada', 'grace'] }
  const inhibit = {
    ...{ ...place, subject: 'rule:low_flow', until_us: nowUs + 600_000_000, over: false, count: 3 },
    ...{ persons: ['ada', 'kay'], reason: `the valve is changed ${HOSTILE}` },
  }
  const glass = {
    ...{ ...place, until_us: nowUs + 600_000_000, over: false, count: 1 },
    ...{ persons: ['ada'], reason: `night shift ${HOSTILE}` },
  }
  const alarm = (name: string, severity: string, text: string) => ({ ...place, alarm: name, severity, text })
  return {
    note: NOTE,
    counts: { armed: 1, passive: 2, break_glass: 1, inhibits: 1, alarms: 2 },
    rigs: [
      {
        ...{ ...NAMED, arm: { ...arm, reason: 'ordered' }, break_glass: glass, inhibits: [] },
        alarms: [alarm('verify_failed:over_pressure', 'CRITICAL', 'shutdown pump: VERIFY_FAILED TIMEOUT')],
      },
      {
        ...{ ...NAMED, agent: 'rack-1', rig: 'host', break_glass: null, inhibits: [inhibit] },
        arm: { ...arm, state: 'PASSIVE', until_us: 0, persons: ['kay'], reason: 'the shift ends' },
        alarms: [alarm('inhibited:rule:low_flow', 'WARNING', 'rule:low_flow is inhibited')],
      },
      {
        ...{ ...NAMED, agent: 'rack-1', rig: 'skab-valve', break_glass: null, inhibits: [], alarms: [] },
        arm: { ...arm, until_us: nowUs - 1, over: true, reason: 'ordered' },
      },
    ],
    actions: [
      actionOf(5, nowUs, way(6), { open: true }),
      actionOf(4, nowUs - 1_000_000, [{ state: 'PROPOSED' }, { state: 'GATE_HELD', reasons: ['VETO 5000ms'] }], {
        ...{ open: true, action: 'failover', target: 'inlet-valve', rule: 'low_flow' },
      }),
      actionOf(3, nowUs - 60_000_000, [...way(7), { state: 'VERIFY_FAILED', reasons: ['TIMEOUT', 'p_c 7.9<8'] }]),
      actionOf(2, nowUs - 90_000_000, way(8)),
      actionOf(1, nowUs - 120_000_000, [
        { state: 'PROPOSED' },
        { state: 'GATE_DENIED', reasons: ['NOT_INDEPENDENT:daq-2', 'CONF<0.9', HOSTILE], persons: [] },
      ]),
      actionOf(0, nowUs - 150_000_000, [
        { state: 'PROPOSED' },
        { state: 'GATE_PASSED' },
        { state: 'CANCELLED', reasons: ['BY'], persons: ['kay'], note: 'a drill' },
      ]),
    ],
  }
}
