import { restoreState, snapshotState } from '../../agent/core/snapshot.ts'
import { createState } from '../../agent/core/state.ts'
import { type Effect, type EvaluatorInput, step } from '../../agent/core/step.ts'
import { evaluatorDigests } from '../../agent/pipeline/digests.ts'
import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { decodeSigned } from '../../shared/codec/signed-cbor.ts'
import { equalBytes } from '../../shared/crypto/digest.ts'
import type { Canonical } from '../../shared/model/decision.ts'

/**
 * Cuts an evaluation behind every input that has a configuration before it, restores the state from its bytes and goes on
 * for `followed` inputs.
 *
 * @returns how many cuts were made, and the first whose effects or state differ from those of the evaluation that was not cut
 */
export function cutEverywhere(
  inputs: readonly EvaluatorInput[],
  followed: number,
): { cuts: number; differs: string | null } {
  const whole = createState()
  const effects: Uint8Array[] = []
  const states = inputs.map((input) => {
    effects.push(bytesOf(step(whole, input, evaluatorDigests)))
    return { bytes: canonicalBytes(snapshotState(whole)), settings: whole.settings }
  })
  let cuts = 0
  for (let cut = 0; cut < inputs.length - 1; cut += 1) {
    const { bytes, settings } = states[cut]!
    if (settings === null) continue
    cuts += 1
    const state = restoreState(decodeSigned(bytes), settings)
    if (state === null) return { cuts, differs: `no state behind input ${cut}` }
    const end = Math.min(cut + followed, inputs.length - 1)
    for (let k = cut + 1; k <= end; k += 1)
      if (!equalBytes(bytesOf(step(state, inputs[k]!, evaluatorDigests)), effects[k]!))
        return { cuts, differs: `effects of input ${k} (${inputs[k]!.kind}) behind a cut at ${cut}` }
    if (!equalBytes(canonicalBytes(snapshotState(state)), states[end]!.bytes))
      return { cuts, differs: `the state ${end - cut} inputs behind a cut at ${cut}` }
  }
  return { cuts, differs: null }
}

function bytesOf(effects: readonly Effect[]): Uint8Array {
  return canonicalBytes(
    effects.map((e) => (e.kind === 'decided' ? [e.decision.seq, e.decision.values] : e)) as unknown as Canonical,
  )
}
