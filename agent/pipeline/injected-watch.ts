import type { Clock } from '../../shared/lib/clock.ts'
import { INJECTED_REFUSALS, type InjectedRefusal } from '../../shared/model/telemetry.ts'
import type { Millis } from '../../shared/units.ts'
import type { Evaluation } from './evaluation.ts'

const LOOK_EVERY_MS: Millis = 1_000
/** Looks without a word after one that said something: a bench that goes on sending must not fill the log. */
const QUIET_LOOKS = 10

/** Injected samples that a rig did not take: so many frames since it was last said. */
export type InjectedFacts = Readonly<{ rig: string; reason: InjectedRefusal; frames: number; example: string }>

export type InjectedWatchOptions = Readonly<{
  clock: Pick<Clock, 'every'>
  evaluation: Evaluation
  refused(facts: InjectedFacts): void
}>

/**
 * Says that injected samples came which were refused, of every rig, one without alarms too: at once, then every ten seconds
 * while they go on coming. @returns cancels
 */
export function watchInjected({ clock, evaluation, refused }: InjectedWatchOptions): () => void {
  const said = new Map<string, { frames: number; quiet: number }>()
  const countOf = (rig: Evaluation['state']['rigs'][number], reason: InjectedRefusal) =>
    rig.ledger.refusals.get(reason) ?? { count: 0, example: '' }
  // What came before this start was said then.
  for (const rig of evaluation.state.rigs)
    for (const reason of INJECTED_REFUSALS)
      said.set(`${rig.settings.rig} ${reason}`, { frames: countOf(rig, reason).count, quiet: 0 })
  function look(): void {
    for (const rig of evaluation.state.rigs)
      for (const reason of INJECTED_REFUSALS) {
        const { rig: name } = rig.settings
        const { count, example } = countOf(rig, reason)
        const before = said.get(`${name} ${reason}`) ?? { frames: 0, quiet: 0 }
        // A configuration that came into force counts from nothing.
        const frames = count < before.frames ? count : count - before.frames
        const speaks = frames > 0 && before.quiet === 0
        if (speaks) refused({ rig: name, reason, frames, example })
        const quiet = speaks ? QUIET_LOOKS - 1 : Math.max(0, before.quiet - 1)
        said.set(`${name} ${reason}`, { frames: speaks || frames === 0 ? count : before.frames, quiet })
      }
  }
  return clock.every(LOOK_EVERY_MS, look)
}
