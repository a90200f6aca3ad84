import type { Micros } from '../../shared/units.ts'
import type { Fault, FaultSeen } from '../core/fault.ts'
import { faultKind } from '../core/faults/catalogue.ts'
import type { Instrumentation } from '../core/out-frame.ts'
import type { Plant } from '../core/plant.ts'
import type { BenchEvent } from '../core/run-record.ts'
import type { ScenarioRow, Step, TimedStep } from '../core/scenario.ts'
import { compileCondition } from '../oracle/formula.ts'
import type { AgentLife } from './agent-life.ts'
import type { CarriedFaults } from './carried-faults.ts'
import type { People } from './orders.ts'
import type { Pace } from './pace.ts'
import { framesUntil } from './rig-plant.ts'
import type { RunFiles } from './run-files.ts'
import type { PlantEffect } from './stubs.ts'
import type { Transmitter } from './transmitter.ts'

/** What a run is made of while it goes. */
export type Stage = Readonly<{
  row: ScenarioRow
  plant: Plant
  instruments: Instrumentation
  transmitter: Transmitter
  pace: Pace
  people: People
  agent: Pick<AgentLife, 'mustLive' | 'fell'>
  files: RunFiles
  carried: CarriedFaults
  /** Effects of actuators on their way to the plant; taken out when they are due. */
  effects: PlantEffect[]
  signal: AbortSignal
  /** Told after each quantum. */
  moved(atUs: Micros): void
}>

/** A second person may have to wait until windows are full or a link has answered. */
const ARM_WITHIN_US: Micros = 5_000_000

type Open = { readonly step: TimedStep; readonly holds: () => boolean; done: boolean }

/** Steps that set the plant back, whether anybody answers or not. */
const SAFE_ALONE: ReadonlySet<Step['do']> = new Set(['actuator', 'stimulate', 'mark', 'clear'])

/** Moves plant, instruments, actuators and agent through a scenario, quantum by quantum. */
export class Conductor {
  atUs: Micros = 0
  private readonly stage: Stage
  private readonly open: Open[]
  private readonly watched: { readonly fault: Fault; begun: boolean; ended: boolean }[] = []

  constructor(stage: Stage) {
    this.stage = stage
    const read = (signal: string): number => stage.plant.read(signal)
    this.open = stage.row.steps.map((step) => {
      const when = step.when === null ? null : compileCondition(step.when)
      return { step, holds: () => when === null || when(read), done: false }
    })
    // Faults with a time of their own begin exactly then, not at the end of a quantum.
    for (const { step } of this.open)
      if (step.when === null) for (const one of step.steps) if (one.do === 'inject') this.watch(one.fault)
  }

  /** From the start through the setup and all steps to the end. */
  async play(): Promise<void> {
    const { row } = this.stage
    this.sawTruth()
    for (const step of row.setup) await this.perform(step)
    while (this.atUs < row.clock.durationUs) await this.quantum()
    for (const { step, done } of this.open)
      if (!done) this.event({ kind: 'never_came', what: step.when ?? `${step.atUs} µs` })
  }

  /** Back to safe, in order: what the scenario says, and then an end of every fault. */
  async teardown(): Promise<void> {
    for (const step of this.stage.row.teardown) await this.perform(step)
    await this.stage.carried.endAll(this.atUs)
  }

  /**
   * Back to safe after a run that broke off: everything of it that needs neither an agent nor time, whatever of it goes
   * wrong. The rest is left out, and noted.
   */
  async makeSafe(): Promise<void> {
    const { row, carried } = this.stage
    for (const step of row.teardown)
      if (SAFE_ALONE.has(step.do)) await this.attempt(`teardown ${step.do}`, this.perform(step))
      else this.event({ kind: 'note', text: `left out of the teardown: ${step.do}` })
    for (const id of carried.acting) await this.attempt(`end of ${id}`, carried.clear(id, this.atUs))
  }

  private async attempt(what: string, done: Promise<void>): Promise<void> {
    await done.catch((error: Error) => this.event({ kind: 'note', text: `${what}: ${error.message}` }))
  }

  seen(): readonly FaultSeen[] {
    return [...this.stage.instruments.seen(), ...this.stage.carried.seen()]
  }

  private async quantum(): Promise<void> {
    const { row, pace, transmitter, instruments, plant, agent, signal } = this.stage
    signal.throwIfAborted()
    const fromUs = this.atUs
    const toUs = Math.min(fromUs + row.clock.quantumUs, row.clock.durationUs)
    for (let at = fromUs; at < toUs; ) {
      const next = this.nextInstant(at, toUs)
      const external = row.rig.plant.command !== null
      await transmitter.send(await framesUntil(next, { instruments, plant, external }))
      await plant.advance(next)
      pace.fireUntil(next)
      this.applyEffects(next)
      at = next
    }
    this.atUs = toUs
    this.tellFaults()
    await pace.advance(toUs, transmitter.sent).catch((error: unknown) => {
      // An agent that a fault ends while it is waited for says nothing any more.
      if (!agent.fell) throw error
    })
    agent.mustLive()
    this.sawTruth()
    await this.stage.carried.move(toUs)
    await this.performDue()
    this.stage.moved(toUs)
  }

  private nextInstant(atUs: Micros, toUs: Micros): Micros {
    const due = [toUs, this.stage.pace.nextUs() ?? toUs, ...this.stage.effects.map((effect) => effect.atUs)]
    return Math.min(...due.filter((us) => us > atUs))
  }

  private applyEffects(nowUs: Micros): void {
    const { effects, plant } = this.stage
    for (const effect of effects.filter(({ atUs }) => atUs <= nowUs)) {
      effects.splice(effects.indexOf(effect), 1)
      for (const [input, value] of Object.entries(effect.inputs)) plant.set(input, value)
      this.eventAt(nowUs, { kind: 'plant_effect', actuator: effect.target, key: effect.key })
    }
  }

  private async performDue(): Promise<void> {
    for (const one of this.open) {
      const { step } = one
      if (one.done || step.atUs > this.atUs || !one.holds()) continue
      one.done = true
      if (step.note !== '') this.event({ kind: 'note', text: step.note })
      for (const each of step.steps) await this.perform(each)
    }
  }

  private async perform(step: Step): Promise<void> {
    const { plant, people, instruments, carried } = this.stage
    switch (step.do) {
      case 'inject':
        // One that waited for its condition begins now.
        if (!this.watched.some(({ fault }) => fault.id === step.fault.id))
          this.watch({ ...step.fault, onsetUs: this.atUs })
        return
      case 'clear':
        instruments.clear(step.id, this.atUs)
        await carried.clear(step.id, this.atUs)
        return
      case 'stimulate':
      case 'actuator':
        for (const [input, value] of Object.entries(step.inputs)) plant.set(input, value)
        this.event({ kind: 'stimulus', inputs: step.inputs })
        return
      case 'mark':
        this.event({ kind: 'mark', name: step.name })
        return
      case 'wait':
        await this.until(this.atUs + step.forUs, () => false)
        return
      case 'await': {
        const holds = compileCondition(step.condition)
        if (!(await this.until(this.atUs + step.withinUs, () => holds((signal) => plant.read(signal)))))
          this.event({ kind: 'never_came', what: step.condition })
        return
      }
      case 'arm':
        await this.arm(step.by, step.forUs)
        return
      case 'disarm':
        await this.order('disarm', [step.by], {})
        return
      case 'order':
        await this.order(step.kind, step.by, step.fields)
        return
      default: {
        const never: never = step
        throw new Error(`no such step: ${JSON.stringify(never)}; ${people === null}`)
      }
    }
  }

  /** Goes on until something holds. @returns whether it came before that time, or the end of the run */
  private async until(toUs: Micros, holds: () => boolean): Promise<boolean> {
    while (this.atUs < Math.min(toUs, this.stage.row.clock.durationUs)) {
      if (holds()) return true
      await this.quantum()
    }
    return holds()
  }

  /** Two people arm; what stands against it only because the run has just begun is waited for. */
  private async arm(by: readonly string[], forUs: Micros): Promise<void> {
    const { people, pace } = this.stage
    const lastUs = this.atUs + ARM_WITHIN_US
    for (;;) {
      const untilUs = pace.clock.nowUs() + forUs
      const asked = await people.give(by[0]!, { kind: 'arm', untilUs })
      const done =
        asked.state === 'waits' ? await people.give(by[1] ?? by[0]!, { kind: 'confirm', subject: asked.order }) : asked
      const answer = done.refused === '' ? done.state : done.refused
      const isLast = done.state !== 'refused' || !/not_yet|DEAD_MAN|PROTECTION_LOST|PEER_DOWN/.test(answer)
      if (isLast || this.atUs >= lastUs) {
        this.event({ kind: 'order', order: 'arm', by, answer })
        return
      }
      await this.quantum()
    }
  }

  private async order(
    kind: string,
    by: readonly string[],
    fields: Readonly<Record<string, string | number>>,
  ): Promise<void> {
    const { people, pace } = this.stage
    const { for_s: forS, ...rest } = fields
    const untilUs = forS === undefined ? {} : { untilUs: pace.clock.nowUs() + Number(forS) * 1_000_000 }
    const asked = await people.give(by[0]!, { kind, ...rest, ...untilUs })
    const second = by[1]
    const done =
      asked.state === 'waits' && second !== undefined
        ? await people.give(second, { kind: 'confirm', subject: asked.order })
        : asked
    this.event({ kind: 'order', order: kind, by, answer: done.refused === '' ? done.state : done.refused })
  }

  private watch(fault: Fault): void {
    this.watched.push({ fault, begun: false, ended: false })
    if (faultKind(fault.class)?.by === 'instrumentation') this.stage.instruments.inject(fault)
    else this.stage.carried.inject(fault)
  }

  private tellFaults(): void {
    for (const one of this.watched) {
      const { id, class: of, target, onsetUs, durationUs } = one.fault
      if (!one.begun && onsetUs <= this.atUs) {
        one.begun = true
        this.eventAt(onsetUs, { kind: 'fault_begun', id, class: of, target })
      }
      if (one.begun && !one.ended && durationUs !== null && onsetUs + durationUs <= this.atUs) {
        one.ended = true
        this.eventAt(onsetUs + durationUs, { kind: 'fault_ended', id, class: of, target })
      }
    }
  }

  private sawTruth(): void {
    const { files, plant } = this.stage
    files.sawTruth(this.atUs, (signal) => plant.read(signal))
  }

  private event(event: Untimed): void {
    this.eventAt(this.atUs, event)
  }

  private eventAt(atUs: Micros, event: Untimed): void {
    this.stage.files.event({ t_us: atUs, ...event } as BenchEvent)
  }
}

type Untimed = BenchEvent extends infer E ? (E extends unknown ? Omit<E, 't_us'> : never) : never
