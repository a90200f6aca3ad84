/** How a target is timed, where it differs from what is usual here. */
export type TargetLines = Readonly<Partial<Record<'pump' | 'inlet-valve', Readonly<Partial<TargetTimes>>>>>
export type TargetTimes = {
  send_timeout_ms: number
  accept_timeout_ms: number
  start_timeout_ms: number
  complete_timeout_ms: number
  retries: number
  back_off_ms: number
  non_idempotent: boolean
  /** Absent: nobody asks for a proof. */
  proof_every_h?: number
}

/** From the fault to harm: long enough for a slow actuator to be killed at on a busy machine. */
export const FTTI_MS = 20_000
/** An effect is looked for so long after the start of an action. */
export const VERIFY_MS = 1500

const USUAL: TargetTimes = {
  send_timeout_ms: 500,
  accept_timeout_ms: 1000,
  start_timeout_ms: 1000,
  complete_timeout_ms: 1000,
  retries: 1,
  back_off_ms: 50,
  non_idempotent: false,
}

/** One shutdown by two of three transmitters, verified by the flow, and the inlet when that does not help. */
export function pressurePolicy(times: TargetLines = {}): string {
  return `version: 2
decision_authority: { min_confidence: 0.5 }
targets:
${target('pump', 'plc-1', times.pump)}${target('inlet-valve', 'plc-2', times['inlet-valve'])}hazards:
${hazard('shutdown', 'pump', 'critical')}    on_unknown: safe_state
${hazard('isolate', 'inlet-valve', 'marginal')}    on_unknown: alarm
rules:
  - id: over-pressure
    action: shutdown
    target: pump
    vote: 2oo3
    modes: [nominal]
    conditions:
${['p_a', 'p_b', 'p_c'].map((metric) => `      - { metric: ${metric}, window_ms: 250, op: ">", value: 7, fresh_ms: 500 }`).join('\n')}
    rearm: two_person
    clear_ms: 500
    escalation: { action: isolate, target: inlet-valve }
budgets:
  - { action: shutdown, target: pump, most: 100, window_ms: 3600000 }
  - { action: isolate, target: inlet-valve, most: 100, window_ms: 3600000 }
`
}

function target(name: string, plc: string, times: Partial<TargetTimes> = {}): string {
  const lines = Object.entries({ ...USUAL, ...times }).map(([key, value]) => `    ${key}: ${value}\n`)
  return `  - name: ${name}
    executor: actuator
    groups: [publisher:${plc}, daq:${plc}, power:psu-${plc}, host:${plc}]
${lines.join('')}`
}

function hazard(action: string, name: string, inadvertent: string): string {
  return `  - action: ${action}
    target: ${name}
    inadvertent: ${inadvertent}
    omission: critical
    reason: the loop bursts, and a stop in the middle of a run stalls the article
    ftti_ms: ${FTTI_MS}
    safe_state: no flow into the vessel
    second_layer: pressure relief valve
    verify: { metric: flow, window_ms: 250, op: "<", value: 1, within_ms: ${VERIFY_MS} }
`
}
