import type { ActuatorHello, LossEffect } from '../../shared/protocol/actuator.ts'
import type { LinkTurn } from '../ports.ts'

/** When what comes in over a link is taken; without a turn at once. */
export type LinkTaken = Readonly<{ turn?: LinkTurn }>

/** What the configuration says of an actuator. */
export type ActuatorDeclared = Readonly<{
  /** Whether the rig is a testbed; an actuator that is something else is not driven. */
  testbed: boolean
  nonIdempotent: boolean
  /** What must happen when the permit is lost; null: the policy asks for none. */
  lossEffect: LossEffect | null
}>

/** Why an actuator is not the one that was declared; null when it is. */
export function actuatorMisfit(found: ActuatorHello, declared: ActuatorDeclared): string | null {
  const { testbed, idempotent, loss_effect: lossEffect } = found
  if (testbed !== declared.testbed)
    return `EXECUTOR_REFUSED: the actuator is ${testbed ? 'of a' : 'no'} testbed, the rig is ${declared.testbed ? 'one' : 'none'}`
  if (!idempotent && !declared.nonIdempotent)
    return 'EXECUTOR_REFUSED: the actuator does not know keys again, and is not declared non_idempotent'
  if (declared.lossEffect !== null && lossEffect !== declared.lossEffect)
    return `EXECUTOR_REFUSED: without a permit the actuator does ${lossEffect}, declared is ${declared.lossEffect}`
  return null
}
