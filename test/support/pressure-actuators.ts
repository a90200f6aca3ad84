import { join } from 'node:path'
import { readActuatorBook } from '../../hil-testbed/actuator-book.ts'
import { type LogLine, type Program, startHb } from '../../scripts/demo/processes.ts'
import { AGENT, type PressureRig, type TargetName } from './pressure-rig.ts'

/** A simulated actuator of the pressure loop in a process of its own: its effect stops the flow of the plant. */
export type RigActuator = Readonly<{
  program: Program
  endpoint: string
  lines: readonly LogLine[]
  /** Settles when a fault that is wanted, or none, is in force. */
  order(fault: Readonly<Record<string, unknown>>): Promise<void>
  /** Effects by key, from its own file. */
  effects(): ReadonlyMap<string, number>
}>

export async function startRigActuator(rig: PressureRig, target: TargetName): Promise<RigActuator> {
  const file = `${target}.jsonl`
  const args = ['--endpoint', 'tcp://127.0.0.1:0', '--key', `${target}.key`, '--state', file, '--agent', AGENT]
  const lines: LogLine[] = []
  let heard = (): void => undefined
  const program = startHb(target, ['hil', 'actuator', '--id', target, ...args], {
    folder: rig.path,
    input: true,
    line(line) {
      lines.push(line)
      if (line['event'] === 'effect') rig.plant.readings.flow = 0
      if (line['event'] === 'fault_wanted') heard()
    },
  })
  const { endpoint } = await program.event('listening')
  return {
    program,
    endpoint: String(endpoint),
    lines,
    order: (fault) =>
      new Promise((resolve) => {
        heard = resolve
        program.input!.write(`${JSON.stringify(fault)}\n`)
      }),
    effects: () => {
      const { keys } = readActuatorBook(join(rig.path, file))
      return new Map([...keys].map(([key, entry]) => [key, entry.effects]))
    },
  }
}
