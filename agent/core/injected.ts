import type { Frame, InjectedRefusal } from '../../shared/model/telemetry.ts'
import type { RigState } from './state.ts'

/**
 * Why a frame that is marked as injected is not taken; null for one that is, and for one without a mark.
 *
 * Outside a testbed nothing of such a frame is taken, whoever signed its mark. In a testbed the mark must be the injector's,
 * unless all that its source says is injected anyway: then a signature adds nothing.
 */
export function injectedRefusal({ settings }: Pick<RigState, 'settings'>, frame: Frame): InjectedRefusal | null {
  const { injected: mark, provenance } = frame
  if (mark === undefined) return null
  if (settings.injected === undefined) return 'injected_refused'
  return provenance === 'injected' || settings.injected.isSigned(frame, mark) ? null : 'taint_forged'
}
