import type { CheckResult } from './checks.ts'
import { onceArmable } from './operators.ts'
import { type DaqName, makePressureFolder, type PressureFolder, RIG } from './pressure-folder.ts'
import { type Hb, type LogLine, type Program, runHb, startHb } from './processes.ts'

/** The agent starts, windows fill and two people arm before the valve sticks. */
const FAULT_AFTER_S = 8
/** Windows fill before anybody arms: what is armed blind goes to its safe state. */
const FILL_MS = 1_500
/** From the fault to the last thing that can come of it. */
const WATCH_MS = 6_000

type Wiring = Readonly<Partial<Record<DaqName, string>>>
/** Each transmitter on an acquisition of its own, as the registry says. */
const AS_BUILT: Wiring = { 'daq-1': 'p_a', 'daq-2': 'p_b', 'daq-3': 'flow', 'daq-4': 'p_c' }
/** Somebody has patched a second transmitter onto the acquisition of the first. */
const PATCHED: Wiring = { 'daq-1': 'p_a,p_b', 'daq-3': 'flow', 'daq-4': 'p_c' }

type Scenario = Readonly<{ name: string; armed: boolean; wiring: Wiring; stuck: string | null }>
type Action = Readonly<{ key: string; action: string; target: string; state: string; t_us: number }>
type Step = Readonly<{ state: string; at_us: number; t_us: number; reasons: readonly string[] }>

/** What a scenario came to. `lines` are those of the agent, `plant` those of the plant. */
type Outcome = Readonly<{
  actions: readonly Action[]
  steps: ReadonlyMap<string, readonly Step[]>
  lines: readonly LogLine[]
  plant: readonly LogLine[]
  effects: number
}>

/**
 * Over-pressure in the simulated loop three times: armed, armed with a transmitter stuck and another one wired wrongly, and
 * passive. The actuator is a process of its own that counts what it does.
 */
export async function demonstrateActions(hb: Hb, say: (text: string) => void): Promise<CheckResult[]> {
  const folder = await makePressureFolder('.demo-actions', hb, say)
  const { path } = folder
  const lint = JSON.parse(await runHb(['policy', 'lint', '--config', 'runtime.yaml', '--json'], path, hb)) as Json
  say(`  policy linted: ${JSON.stringify(lint['budgets'] ?? lint['ok'] ?? true).slice(0, 160)}`)
  const actuators = await startActuators(folder)
  try {
    const results: CheckResult[] = []
    const armed = await play(folder, { name: 'armed', armed: true, wiring: AS_BUILT, stuck: null }, say)
    results.push(...checkArmed(armed))
    const stuck = await play(folder, { name: 'stuck', armed: true, wiring: PATCHED, stuck: 'p_c' }, say)
    results.push(...checkStuck(stuck))
    const passive = await play(folder, { name: 'passive', armed: false, wiring: AS_BUILT, stuck: null }, say)
    results.push(...checkPassive(passive))
    return results
  } finally {
    for (const actuator of actuators) await actuator.stop()
  }
}

type Json = Record<string, unknown>

async function startActuators({ path, hb, actuators }: PressureFolder): Promise<Program[]> {
  const programs: Program[] = []
  for (const [id, endpoint] of Object.entries(actuators)) {
    const args = ['--endpoint', endpoint, '--key', `${id}.key`, '--state', `${id}.state`, '--id', id]
    const program = startHb(id, ['hil', 'actuator', ...args, '--agent', 'bench-2'], {
      folder: path,
      hb,
      input: true,
    })
    await program.event('listening')
    programs.push(program)
  }
  return programs
}

async function play(folder: PressureFolder, scenario: Scenario, say: (text: string) => void): Promise<Outcome> {
  const { path, hb } = folder
  const { name, armed, wiring, stuck } = scenario
  say(
    `\n  ${name}: ${armed ? 'armed by two people' : 'passive'}${stuck === null ? '' : `, ${stuck} stuck, p_b patched onto daq-1`}`,
  )
  const before = await effectsOf(folder)
  const [lines, plant]: [LogLine[], LogLine[]] = [[], []]
  const state = `state-${name}`
  const tell = (line: LogLine): void => {
    lines.push(line)
    const text = actionText(line)
    if (text !== null) say(`    ${text}`)
  }
  const args = Object.entries(wiring).flatMap(([daq, channels]) => [
    '--daq',
    `${daq}=${folder.daqs[daq as DaqName]}=${channels}`,
  ])
  const fault = ['--fault-after', String(FAULT_AFTER_S), ...(stuck === null ? [] : ['--stuck', stuck])]
  const wires = ['--actuator', 'pump.state', '--actuator', 'inlet-valve.state']
  const loop = startHb(`plant-${name}`, ['hil', RIG, ...args, ...fault, ...wires], {
    folder: path,
    hb,
    line: (line) => plant.push(line),
  })
  await loop.event('publishing')
  const agent = startHb(`agent-${name}`, ['runtime', '--config', 'runtime.yaml', '--state', state, '--stay'], {
    folder: path,
    hb,
    line: tell,
  })
  await agent.event('agent_started')
  await new Promise((done) => setTimeout(done, FILL_MS))
  if (armed) await arm(folder, state)
  await loop.event('fault_injected')
  await new Promise((done) => setTimeout(done, WATCH_MS))
  await loop.stop()
  await agent.stop()
  const { actions } = JSON.parse(await runHb(['actions', 'list', '--state', state, '--json'], path, hb)) as {
    actions: Action[]
  }
  const steps = new Map<string, Step[]>()
  for (const { key } of actions) {
    const shown = JSON.parse(await runHb(['actions', 'show', key, '--state', state, '--json'], path, hb)) as {
      transitions: Step[]
    }
    steps.set(key, shown.transitions)
  }
  return { actions, steps, lines, plant, effects: (await effectsOf(folder)) - before }
}

/** Two people arm what is in force, each with their own key. */
async function arm({ path, hb }: PressureFolder, state: string): Promise<void> {
  const ask = ['arm', '--state', state, '--key', 'ada.pem', '--reason', 'run 12', '--for', '1h', '--json']
  await onceArmable(async () => {
    const { order } = JSON.parse(await runHb(ask, path, hb)) as { order: string }
    await runHb(['orders', 'confirm', order, '--state', state, '--key', 'ben.pem', '--reason', 'seen'], path, hb)
  })
}

async function effectsOf({ path, hb, actuators }: PressureFolder): Promise<number> {
  let effects = 0
  for (const id of Object.keys(actuators)) {
    const counted = JSON.parse(
      await runHb(['hil', 'actuator-count', '--state', `${id}.state`, '--json'], path, hb),
    ) as { effects: number }
    effects += counted.effects
  }
  return effects
}

function actionText(line: LogLine): string | null {
  const { event } = line
  if (event === 'arm') return `ARM      ${String(line['state'])} (${String(line['reason'])})`
  if (event === 'safety_alarm' && line['active'] === true)
    return `ALARM    ${String(line['severity'])} ${String(line['alarm'])}`
  if (event !== 'action' || line['action'] === 'notify') return null
  const grounds = (line['reasons'] as string[]).join(', ')
  return `ACTION   ${String(line['action'])} of ${String(line['target'])}: ${String(line['state'])}${grounds === '' ? '' : ` (${grounds})`}`
}

const shutdownsOf = ({ actions }: Outcome): readonly Action[] => actions.filter(({ action }) => action === 'shutdown')

/** When the valve stuck. */
function faultOf({ plant }: Outcome): number {
  return Number(plant.find(({ event }) => event === 'fault_injected')?.['t_us'])
}

function checkArmed(outcome: Outcome): CheckResult[] {
  const [done] = shutdownsOf(outcome)
  const steps = done === undefined ? [] : (outcome.steps.get(done.key) ?? [])
  const at = (state: string): number => steps.find((step) => step.state === state)?.at_us ?? Number.NaN
  const faultUs = faultOf(outcome)
  const stoppedUs = Number(outcome.plant.find(({ event }) => event === 'flow_stopped')?.['t_us'])
  const harm = outcome.plant.some(({ event }) => event === 'harm')
  const ms = (us: number): string => `${(us / 1000).toFixed(0)} ms`
  return [
    {
      name: 'over-pressure, armed: the pump is stopped, and seen to be by a channel that it has no hand in',
      ok: done?.state === 'VERIFIED' && done.t_us > faultUs && outcome.effects === 1 && !harm,
      detail: `${done?.state ?? 'no shutdown'}, ${outcome.effects} effect of the actuators, line of harm ${harm ? 'passed' : 'not reached'}`,
    },
    {
      name: 'reaction time of the shutdown against its FTTI',
      ok: stoppedUs - (done?.t_us ?? Number.NaN) < 2_600_000,
      detail: `slide that showed it → released ${ms(at('RELEASED') - (done?.t_us ?? 0))}, accepted ${ms(at('ACCEPTED') - (done?.t_us ?? 0))}, flow stopped ${ms(stoppedUs - (done?.t_us ?? 0))}, of 2600 ms; valve stuck → flow stopped ${ms(stoppedUs - faultUs)}`,
    },
  ]
}

function checkStuck(outcome: Outcome): CheckResult[] {
  const denied = shutdownsOf(outcome)
  const reasons = denied.flatMap(({ key }) => outcome.steps.get(key) ?? []).flatMap((step) => step.reasons)
  const why = reasons.filter((reason) => /^(NOT_INDEPENDENT|STALE)/.test(reason))
  const alarms = outcome.lines.filter(({ event, active }) => event === 'safety_alarm' && active === true)
  return [
    {
      name: 'the same with a stuck transmitter and two on one acquisition: denied, with its reason, and an alarm',
      ok:
        denied.length > 0 &&
        denied.every(({ state }) => state === 'GATE_DENIED') &&
        why.length > 0 &&
        alarms.length > 0 &&
        outcome.effects === 0,
      detail: `${denied.map(({ state }) => state).join(', ') || 'no proposal'}; ${why[0] ?? reasons.join(', ')}; alarms ${[...new Set(alarms.map(({ alarm }) => String(alarm)))].join(', ') || 'none'}; ${outcome.effects} effects`,
    },
  ]
}

function checkPassive(outcome: Outcome): CheckResult[] {
  const would = shutdownsOf(outcome)
  return [
    {
      name: 'the same in PASSIVE: what would have been done is recorded, and nothing is done',
      ok:
        would.some(({ state, t_us }) => state === 'WOULD_HAVE_DONE' && t_us > faultOf(outcome)) &&
        outcome.effects === 0,
      detail: `${would.map(({ state }) => state).join(', ') || 'no proposal'}; actuator counter ${outcome.effects}`,
    },
  ]
}
