import { toHex } from '../shared/crypto/digest.ts'
import { entriesOf } from '../shared/model/alarms/state.ts'
import { type RigStateSaid, SEVERE_NAMED_MAX } from '../shared/model/config-state.ts'
import { CONFIG_STATE_VERSION, type ConfigStateMessage, RIGS_MAX, TEXT_MAX } from '../shared/protocol/messages.ts'
import type { BundleInForce } from './bundle-activation.ts'
import type { RigState } from './core/state.ts'
import type { AgentLoop } from './loop.ts'
import type { AgentStorage } from './storage.ts'

export type ConfigStateOf = Readonly<{ loop: AgentLoop; storage: AgentStorage; bundle: BundleInForce | null }>

/** Under what an agent runs, and how it is. */
export function configStateOf({ loop, storage, bundle }: ConfigStateOf): ConfigStateMessage {
  const { settings, rigs } = loop.evaluation.state
  const reasons = loop.ready()
  return {
    ...{ t: 'config_state', v: CONFIG_STATE_VERSION },
    config: settings === null ? '' : toHex(settings.configDigest),
    bundle:
      bundle === null
        ? { digest: '', number: 0, at_us: 0 }
        : { digest: bundle.digest, number: bundle.manifest.number, at_us: bundle.atUs },
    ready: reasons.length === 0,
    reasons: reasons.slice(0, RIGS_MAX).map(({ code, detail }) => `${code}: ${detail}`.slice(0, TEXT_MAX)),
    not_journaled: loop.intake.refusals.count,
    damage: storage.journal.unreadable.length + storage.outbox.damage.length,
    boot_id: loop.identity.bootId,
    rigs: rigs.slice(0, RIGS_MAX).map((rig) => rigSaid(rig, loop.live.verdictOf(rig.settings.rig))),
  }
}

function rigSaid({ settings, mode, safety }: RigState, verdict: string | null): RigStateSaid {
  const alarms = safety === null ? [] : entriesOf(safety.alarms)
  const severe = alarms
    .filter(({ level }) => level !== null && level !== 'WARNING')
    .map(({ id }) => id.slice(0, TEXT_MAX))
  return {
    ...{ rig: settings.rig, mode, verdict: verdict ?? '', arm: safety?.kernel.arm.state ?? '' },
    severe: severe.sort().slice(0, SEVERE_NAMED_MAX),
  }
}
