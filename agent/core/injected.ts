import type { Frame, InjectedRefusal } from '../../shared/model/telemetry.ts'
import type { RigState } from './state.ts'

/**
 * Why a frame with injected samples is not taken; null for one that is, and for one without any.
 *
 * Outside a testbed nothing of such a frame is taken, whoever signed its mark. In a testbed the mark must be the injector's;
 * what a source of the agent itself says of its own samples (a column of a recording) needs no signature.
 */
export function injectedRefusal({ settings }: Pick<RigState, 'settings'>, frame: Frame): InjectedRefusal | null {
  const { injected: mark, provenance } = frame
  if (mark === undefined && provenance !== 'injected') return null
  if (settings.injected === undefined) return 'injected_refused'
  return mark === undefined || settings.injected.isSigned(frame, mark) ? null : 'taint_forged'
}
