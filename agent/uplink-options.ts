import { randomBytes } from 'node:crypto'
import type { LoadedRuntime } from '../shared/config/load.ts'
import type { Clock } from '../shared/lib/clock.ts'
import type { Micros } from '../shared/units.ts'
import type { UplinkOptions } from './adapters/ws-uplink.ts'
import type { BaselineActivation } from './baseline-activation.ts'
import type { BundleActivation } from './bundle-activation.ts'
import { configStateOf } from './config-state.ts'
import type { AgentEvents } from './events.ts'
import { FleetOffers } from './fleet-offers.ts'
import type { AgentLoop } from './loop.ts'
import { readSlice } from './pipeline/slice.ts'
import type { AgentStorage } from './storage.ts'

type Around = Readonly<{
  loaded: LoadedRuntime
  /** Time of this machine. */
  clock: Clock
  events: AgentEvents
  storage: AgentStorage
  loop: AgentLoop
  activation: BaselineActivation
  bundle: BundleActivation
}>

/** Samples of a span arrive a little after it. */
const SLICE_LATE_US: Micros = 10_000_000

/** What the uplink asks of the agent around it, and tells it. */
export function uplinkOptions(
  { loaded, clock, events, storage, loop, activation, bundle }: Around,
  link: Pick<UplinkOptions, 'url' | 'tls' | 'realm' | 'collectorKey'>,
): UplinkOptions {
  const { config } = loaded
  const { identity } = loop
  const offers = new FleetOffers({ bundles: bundle, monotonicUs: () => clock.monotonicUs() })
  return {
    ...link,
    clock,
    outbox: storage.outbox,
    random: () => randomBytes(4).readUInt32LE() / 0x1_0000_0000,
    hello: () => ({
      t: 'hello',
      v: 1,
      agent: config.agent,
      deployment: config.deployment,
      epoch: storage.outbox.epoch,
      spki: identity.signer.spki,
      boot_id: identity.bootId,
      version: identity.code.version,
      programs: [...new Set(config.rigs.map((rig) => rig.program))],
      rigs: config.rigs.map(({ rig, program }) => ({ rig, program })),
    }),
    renewChain: (reason, aboveEpoch) => loop.renewChain(reason, aboveEpoch),
    async slice({ id, rig, fromUs, toUs }) {
      const settings = loop.evaluation.state.settings
      const fromSeq = loop.timeIndex.before(fromUs) ?? storage.journal.seqBefore(fromUs)
      const slice =
        settings === null
          ? { ok: false as const, reason: 'not_started' }
          : await readSlice(storage.journal, settings, {
              rig,
              fromUs,
              toUs,
              fromSeq,
              untilNowUs: toUs + SLICE_LATE_US,
              pause: () => clock.sleep(0),
            })
      return slice.ok
        ? { t: 'slice', id, ok: true, rig, channels: slice.channels }
        : { t: 'slice', id, ok: false, rig, channels: [], reason: slice.reason }
    },
    baseline: (downlink) => activation.take(downlink),
    bundle: (downlink) => (downlink.kind === 'bundle' ? offers.offered(downlink) : offers.back(downlink)),
    configState: () => configStateOf({ loop, storage, bundle: bundle.inForce }),
    events: {
      connected: ({ epoch, batchSeq }) => events.uplinkConnected({ epoch, batch_seq: batchSeq }),
      lost: events.uplinkLost,
      refused: events.uplinkRefused,
      downlinkRefused: events.downlinkRefused,
      badReceipt: (batch, reason) => events.badReceipt({ batch, reason }),
      receipted: () => {
        loop.receipts += 1
      },
      failed: (error) => events.broken('uplink', error),
    },
  }
}
