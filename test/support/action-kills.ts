import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LIFECYCLE } from '../../agent/core/safety/lifecycle.ts'
import { BUNDLE, type Hb, type LogLine } from '../../scripts/demo/processes.ts'
import { type ActionState, hasEnded } from '../../shared/model/action.ts'
import { type RigActuator, startRigActuator } from './pressure-actuators.ts'
import { OVER_PRESSURE } from './pressure-plant.ts'
import { calm, createPressureRig, type PressureRig, type StartedAgent, type Told, untilTold } from './pressure-rig.ts'

/**
 * A moment at which the agent dies. `line`: at the line that says so, in the call that writes it; `effect`: when the
 * actuator says that it has done it. `fault` is what the actuator is told to be meanwhile; `effects` how often it must
 * have done the shutdown at the end: null for once or never, as it happened to be. `recovery`: it dies a second time,
 * at this line of the start that follows.
 */
export type KillPoint = Readonly<{
  name: string
  at: Readonly<Record<string, string>> | 'effect'
  fault: Readonly<{ fault: string; ms?: number }> | null
  effects: 0 | 1 | null
  recovery?: Readonly<Record<string, string>>
}>

const shutdown = (state: string) => ({ event: 'action', action: 'shutdown', state })

export const KILL_POINTS: readonly KillPoint[] = [
  { name: 'PROPOSED', at: shutdown('PROPOSED'), fault: null, effects: 0 },
  { name: 'GATE_PASSED', at: shutdown('GATE_PASSED'), fault: null, effects: 0 },
  { name: 'RELEASED', at: shutdown('RELEASED'), fault: null, effects: 0 },
  { name: 'SENT, not yet handed over', at: shutdown('SENT'), fault: null, effects: 0 },
  { name: 'SENT, handed over', at: { event: 'action_sent' }, fault: null, effects: null },
  { name: 'SENT, and the peer is deaf', at: { event: 'action_sent' }, fault: { fault: 'no_ack' }, effects: 0 },
  { name: 'SENT, done and not said', at: 'effect', fault: { fault: 'effect_without_ack' }, effects: 1 },
  { name: 'SENT, done and said late', at: 'effect', fault: { fault: 'late_ack', ms: 1000 }, effects: 1 },
  { name: 'ACCEPTED, not yet done', at: shutdown('ACCEPTED'), fault: { fault: 'slow', ms: 300 }, effects: 1 },
  { name: 'STARTED, done', at: shutdown('STARTED'), fault: { fault: 'slow', ms: 300 }, effects: 1 },
  { name: 'COMPLETED', at: shutdown('COMPLETED'), fault: null, effects: 1 },
  { name: 'COMPLETED without effect', at: shutdown('COMPLETED'), fault: { fault: 'ack_without_effect' }, effects: 0 },
  { name: 'VERIFIED', at: shutdown('VERIFIED'), fault: null, effects: 1 },
  {
    name: 'SENT, and again while its outcome is unknown',
    at: shutdown('SENT'),
    fault: null,
    effects: 0,
    recovery: shutdown('UNKNOWN_OUTCOME'),
  },
  {
    name: 'SENT, done, and again while its outcome is unknown',
    at: 'effect',
    fault: { fault: 'effect_without_ack' },
    effects: 1,
    recovery: shutdown('UNKNOWN_OUTCOME'),
  },
  {
    name: 'SENT, and again when the peer has said that it never had it',
    at: { event: 'action_sent' },
    fault: { fault: 'no_ack' },
    effects: 0,
    recovery: { event: 'action_asked' },
  },
]

/** How much later than the line the agent dies: in the call that writes it, a turn of its loop later, or milliseconds. */
export type KillDelay = 'at once' | 'next turn' | number

/**
 * `hb` that kills itself as `kill -9` does when it writes a line. Nothing but the process knows the moment that well:
 * whoever reads its lines sees it several arrows further on.
 */
function killingHb(folder: string, wanted: Readonly<Record<string, string>>, delay: KillDelay): Hb {
  const path = join(folder, 'kill-at.cjs')
  writeFileSync(path, killScript(wanted, delay))
  return { command: BUNDLE.command, before: ['--require', path, ...BUNDLE.before] }
}

function killScript(wanted: Readonly<Record<string, string>>, delay: KillDelay): string {
  const later = typeof delay === 'number' ? `setTimeout(kill, ${delay})` : 'setImmediate(kill)'
  return `const fs = require('node:fs')
const wanted = Object.entries(${JSON.stringify(wanted)})
const kill = () => process.kill(process.pid, 'SIGKILL')
const write = fs.writeSync
fs.writeSync = (fd, data, ...rest) => {
  const written = write(fd, data, ...rest)
  if (fd === 1 && String(data).split('\\n').some(fits)) ${delay === 'at once' ? 'kill()' : later}
  return written
}
function fits(text) {
  if (text === '') return false
  const line = JSON.parse(text)
  return wanted.every(([name, value]) => line[name] === value)
}
`
}

/** What a killed life came to. `problems` are what must not be, in words; empty when everything holds. */
export type KilledLife = Readonly<{
  name: string
  atDeath: string
  ends: readonly string[]
  kills: number
  problems: readonly string[]
}>

/** A rig with its actuators that is killed again and again, one state folder after the other. */
export class KillLane {
  private readonly rig: PressureRig
  private readonly pump: RigActuator
  private readonly valve: RigActuator
  private lives = 0

  private constructor(rig: PressureRig, pump: RigActuator, valve: RigActuator) {
    this.rig = rig
    this.pump = pump
    this.valve = valve
  }

  static async open(): Promise<KillLane> {
    const rig = await createPressureRig()
    const pump = await startRigActuator(rig, 'pump')
    const valve = await startRigActuator(rig, 'inlet-valve')
    rig.configure({ endpoints: { pump: pump.endpoint, 'inlet-valve': valve.endpoint } })
    return new KillLane(rig, pump, valve)
  }

  async close(): Promise<void> {
    for (const actuator of [this.pump, this.valve]) await actuator.program.stop()
    await this.rig.stop()
  }

  /** One agent, killed at a point, started again, and looked at when everything has ended. */
  async kill(point: KillPoint, delay: KillDelay): Promise<KilledLife> {
    const { rig } = this
    this.lives += 1
    const state = `life-${this.lives}`
    calm(rig)
    await this.pump.order(point.fault === null ? { fault: null } : { ...point.fault, times: 1 })
    // Of one that dies twice it is the second moment that varies.
    await this.dieAt(state, point, point.recovery === undefined ? delay : 'at once')
    const diedUs = Date.now() * 1000
    const lines: LogLine[] = []
    if (point.recovery !== undefined) {
      const again = await rig.agent(state, { hb: killingHb(rig.path, point.recovery, delay), ready: false })
      if (!(await diesWithin(again, 15_000))) throw new Error(`${state}: the agent did not come to the second point`)
      lines.push(...again.lines)
    }
    const next = await rig.agent(state)
    const told = await untilTold(rig, { state, what: 'an end of everything' }, (all) =>
      all.every(({ action }) => hasEnded(action.state)),
    )
    await next.program.stop()
    lines.push(...next.lines)
    const problems = [
      ...this.problemsOf(told, point, delay),
      ...told.flatMap((one) => unknownProblems(one, diedUs, lines)),
    ]
    problems.push(...(await replayProblems(rig, state)))
    const atDeath = told.map((one) => stateAt(one, diedUs)).find((one) => one !== null) ?? 'nothing'
    const kills = point.recovery === undefined ? 1 : 2
    const ends = told.map(({ action }) => `${action.action} ${action.state}`)
    return { name: `${point.name}, ${delay}`, atDeath, ends, kills, problems }
  }

  private async dieAt(state: string, { at }: KillPoint, delay: KillDelay): Promise<void> {
    const { rig, pump } = this
    const hb = at === 'effect' ? undefined : killingHb(rig.path, at, delay)
    const agent = await rig.agent(state, hb === undefined ? {} : { hb })
    await rig.arm(state)
    const before = pump.lines.length
    rig.plant.readings.bar = OVER_PRESSURE
    if (at === 'effect') {
      const isDone = (): boolean => pump.lines.slice(before).some(({ event }) => event === 'effect')
      for (let k = 0; k < 4000 && !isDone(); k += 1) await pause(2)
      await pause(typeof delay === 'number' ? delay : 0)
      process.kill(agent.program.pid, 'SIGKILL')
    }
    if (!(await diesWithin(agent, 15_000))) throw new Error(`${state}: the agent did not come to the point`)
  }

  private problemsOf(told: readonly Told[], point: KillPoint, delay: KillDelay): string[] {
    const problems = told.flatMap(lifecycleProblems)
    for (const actuator of [this.pump, this.valve]) {
      const effects = actuator.effects()
      for (const one of told) problems.push(...effectProblems(one, effects.get(one.action.key)))
      for (const [key, count] of effects) if (count > 1) problems.push(`${key} was done ${count} times`)
    }
    const effects = this.pump.effects()
    const done = told.reduce((sum, { action }) => sum + (effects.get(action.key) ?? 0), 0)
    // What is late may come further than its point; what a fault holds up may not.
    const isSure = point.effects === 1 || point.fault !== null || delay === 'at once'
    if (isSure && point.effects !== null && done !== point.effects)
      problems.push(`${done} effects of the pump, expected ${point.effects}`)
    const keys = new Set(told.map(({ action }) => action.key))
    const asked = this.pump.lines.filter(({ event, key }) => event === 'request' && keys.has(String(key)))
    if (asked.length > 1) problems.push(`asked ${asked.length} times: nothing is fired anew after a restart`)
    return problems
  }

  /** Keys that the actuators know and no ledger of any life does. */
  async strangers(): Promise<readonly string[]> {
    const known = new Set<string>()
    for (let life = 1; life <= this.lives; life += 1)
      for (const { action } of await this.rig.told(`life-${life}`)) known.add(action.key)
    return [this.pump, this.valve].flatMap((actuator) =>
      [...actuator.effects().keys()].filter((key) => !known.has(key)),
    )
  }
}

/** Exactly one end, nothing behind it but notes, and every step one that the table permits. */
function lifecycleProblems({ steps }: Told): string[] {
  const problems: string[] = []
  const moves = steps.filter(({ state, from }) => state !== from)
  const ends = moves.filter(({ state }) => hasEnded(state))
  if (ends.length !== 1 || moves.at(-1) !== ends[0])
    problems.push(`${ends.length} ends: ${steps.map(({ state, from }) => `${from}>${state}`).join(' ')}`)
  for (const { state, from } of moves)
    if (from !== null && !Object.values(LIFECYCLE[from]).includes(state))
      problems.push(`${from} does not lead to ${state}`)
  return problems
}

/** `effects` undefined: the actuator does not know the key. */
function effectProblems({ action, steps }: Told, effects: number | undefined): string[] {
  if (effects === undefined) return []
  const was = (state: string): boolean => steps.some((step) => step.state === state)
  const problems: string[] = []
  if (!was('RELEASED') || !was('SENT'))
    problems.push(`${action.key} came to the actuator and was never released and sent`)
  if (action.state === 'VERIFIED' && effects !== 1) problems.push(`${action.key} is VERIFIED with ${effects} effects`)
  return problems
}

/** State that the journal had at a time; null before it was one. */
function stateAt({ steps }: Told, atUs: number): ActionState | null {
  return steps.filter(({ nowUs }) => nowUs <= atUs).at(-1)?.state ?? null
}

/** What was under way when the agent died is said to be unknown, and critical, and its peer or its effect is asked (SE-15). */
function unknownProblems(one: Told, diedUs: number, lines: readonly LogLine[]): string[] {
  const { action, steps } = one
  const was = stateAt(one, diedUs)
  if (was === null || !['SENT', 'ACCEPTED', 'STARTED'].includes(was)) return []
  const problems: string[] = []
  if (!steps.some(({ state, from }) => state === 'UNKNOWN_OUTCOME' && from === was))
    problems.push(`died in ${was}, and that its outcome is unknown is not in the ledger`)
  if (!lines.some(({ alarm, severity }) => alarm === `unknown_outcome:${action.rule}` && severity === 'CRITICAL'))
    problems.push(`died in ${was}, and nobody said so`)
  // Who is down for longer than its effect is looked for finds it missing at the first slide, before its peer answers.
  const isTooLate = lines.filter(({ event }) => event === 'recovered').length > 1
  if (action.state !== 'VERIFIED' && !isTooLate && !lines.some(({ event }) => event === 'action_asked'))
    problems.push(`died in ${was}, and nobody asked`)
  return problems
}

async function replayProblems(rig: PressureRig, state: string): Promise<string[]> {
  const [replayed, listed] = await Promise.all([
    rig.json(['replay', '--state', state]),
    rig.json(['actions', 'list', '--state', state]),
  ])
  const problems: string[] = []
  if (replayed['equal'] !== true || replayed['unsigned'] !== 0) problems.push(`replay: ${JSON.stringify(replayed)}`)
  const open = (listed['actions'] as { state: Parameters<typeof hasEnded>[0] }[]).filter((one) => !hasEnded(one.state))
  if (open.length > 0) problems.push(`hb actions list shows ${open.length} that have not ended`)
  return problems
}

function diesWithin({ program }: StartedAgent, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms)
    void program.exited.then(() => {
      clearTimeout(timer)
      resolve(true)
    })
  })
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
