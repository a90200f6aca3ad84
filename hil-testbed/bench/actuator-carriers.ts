import type { DeviceFault } from '../actuator-device.ts'
import type { Fault } from '../core/fault.ts'
import { faultKind } from '../core/faults/catalogue.ts'
import { type MakeCarrier, numberOf, type Reach } from './carrier.ts'
import type { ActuatorStub, EffectChange } from './stubs.ts'

const ALWAYS = 1_000_000_000

function stubOf({ target }: Fault, { stubs }: Reach): ActuatorStub {
  return stubs.find(({ spec }) => spec.target === target)!
}

/** The link and the memory of the actuator are wrong; it counts the requests that met it. */
function device(kind: DeviceFault): MakeCarrier {
  return (fault, reach) => {
    const { link } = stubOf(fault, reach)
    const takesMs = faultKind(fault.class)!.params.some(({ name }) => name === 'late_ms')
    const before = link.device.faulty
    return {
      begin: () => link.device.want({ kind, ms: takesMs ? numberOf(fault, 'late_ms') : 0, times: ALWAYS }),
      end: () => link.device.want(null),
      count: () => link.device.faulty - before,
    }
  }
}

/** The hardware behind it is wrong, and the link says nothing of it. */
function hardware(change: (fault: Fault, inputs: Reach['inputs']) => EffectChange): MakeCarrier {
  return (fault, reach) => {
    const stub = stubOf(fault, reach)
    let hits = 0
    const right = stub.change
    return {
      begin: () => {
        const wrong = change(fault, reach.inputs)
        stub.change = (inputs) => {
          hits += 1
          return wrong(inputs)
        }
      },
      end: () => {
        stub.change = right
      },
      count: () => hits,
    }
  }
}

const mapped = (
  inputs: Readonly<Record<string, number>>,
  to: (name: string, value: number) => number,
): Record<string, number> => Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, to(name, value)]))

export const ACTUATOR_CARRIERS: Readonly<Record<string, MakeCarrier>> = {
  'actuator.no_ack': device('no_ack'),
  'actuator.nack': device('nack'),
  'actuator.late_ack': device('late_ack'),
  'actuator.ack_without_effect': device('ack_without_effect'),
  'actuator.effect_without_ack': device('effect_without_ack'),
  'actuator.double_execution': device('double_execution'),
  'actuator.forget_keys': device('forget_keys'),
  'actuator.slow': device('slow'),
  'actuator.stuck': hardware(() => () => ({})),
  'actuator.partial': hardware(
    (fault, known) => (inputs) =>
      mapped(inputs, (name, value) => {
        const from = known[name]?.initial ?? 0
        return from + (value - from) * numberOf(fault, 'effect')
      }),
  ),
  'actuator.reversed': hardware(
    (_, known) => (inputs) =>
      mapped(inputs, (name, value) => {
        const { minimum, maximum } = known[name] ?? { minimum: 0, maximum: 0 }
        return minimum + maximum - value
      }),
  ),
}
