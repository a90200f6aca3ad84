import { signerFromPem } from '../../shared/crypto/sign.ts'
import { signDownlink } from '../../shared/protocol/downlink.ts'
import type { BundleAnswerMessage, HelloMessage } from '../../shared/protocol/messages.ts'
import type { Millis } from '../../shared/units.ts'
import type { Fault } from '../core/fault.ts'
import { agentBundle } from './agent-bundle.ts'
import { AGENT } from './agent-folder.ts'
import { replayBatches } from './batch-replay.ts'
import { type Carrier, type MakeCarrier, numberOf, type Reach, textOf } from './carrier.ts'
import type { CollectorSide } from './collector-side.ts'
import { benchKey } from './keys.ts'
import { RogueCollector, type Said } from './rogue-collector.ts'

/** How long the link is given, in time of this machine, to show what a fault does to it. */
const SHOWN_WITHIN_MS: Millis = 10_000
const LOOK_MS: Millis = 10

/**
 * Waits for what goes by time of this machine while that of the run stands: links to a collector know no other. In free run
 * time goes on, and nobody waits.
 */
async function whileTimeStands({ row, host }: Reach, isShown: () => Promise<boolean> | boolean): Promise<void> {
  if (row.clock.mode !== 'lockstep') return
  for (let waitedMs = 0; waitedMs < Math.min(SHOWN_WITHIN_MS, host.waitMs) && !(await isShown()); waitedMs += LOOK_MS)
    await host.sleep(LOOK_MS)
}

/** The link to the collector is changed while it acts; it counts what it held up, cut or refused. */
function link(
  begin: (collector: CollectorSide, fault: Fault) => Promise<void> | void,
  end: (collector: CollectorSide) => Promise<void> | void = (collector) => collector.proxy.mend(),
): MakeCarrier {
  return (fault, { collector }) => {
    const before = collector!.proxy.hits
    return {
      begin: () => begin(collector!, fault),
      end: () => end(collector!),
      count: () => collector!.proxy.hits - before,
    }
  }
}

/** Nothing comes through, and nobody says so: what is sent meanwhile is lost, and is known to be once the link is ended. */
const halfOpen: MakeCarrier = (_, reach) => {
  const { proxy } = reach.collector!
  const before = proxy.hits
  const count = (): number => proxy.hits - before
  return {
    begin: () => proxy.deafen(),
    end: async () => {
      await whileTimeStands(reach, () => count() > 0)
      proxy.mend()
    },
    count,
  }
}

const down: MakeCarrier = (_, { collector }) => {
  let stops = 0
  return {
    begin: async () => {
      collector!.proxy.cut()
      await collector!.down()
      stops += 1
    },
    end: async () => {
      await collector!.up()
      collector!.proxy.mend()
    },
    count: () => stops,
  }
}

/** Cut again and again while batches are on their way: what the collector has and has not receipted comes again. */
const duplicate: MakeCarrier = (fault, { collector }) => {
  const cuts = numberOf(fault, 'again')
  let [tried, cut] = [0, 0]
  return {
    begin: () => undefined,
    move: () => {
      if (tried >= cuts) return
      tried += 1
      cut += collector!.proxy.reconnect()
    },
    count: () => cut,
  }
}

/** Another one stands in the place of the collector while it acts. */
function rogue(
  reach: Reach,
  made: RogueCollector,
  { isShown, count }: Readonly<{ isShown: () => boolean; count: () => number }>,
): Carrier {
  return {
    begin: async () => {
      await reach.collector!.giveWay(made)
      await whileTimeStands(reach, isShown)
    },
    end: () => reach.collector!.takeBack(made),
    count,
  }
}

/** Goes on from the beginning, and asks for no batch: what there is stays where it is. */
const resume = ({ epoch }: HelloMessage): Said => ({ t: 'resume', epoch, batch_seq: 0, credit: 0 })

/** What the agent answers to what is asked of it, as what an order of people comes to. */
function answerOf({ taken, reasons }: BundleAnswerMessage): Readonly<{ state: string; refused: string }> {
  return { state: taken ? 'taken' : 'refused', refused: reasons.join('; ') }
}

/** It answers as one that says its version in front, and would take every batch. */
const versionSkew: MakeCarrier = (fault, reach) => {
  let greeted = 0
  const version = numberOf(fault, 'version')
  const greet = (hello: HelloMessage): readonly Said[] => {
    greeted += 1
    return [{ ...resume(hello), v: version, credit: 64 }]
  }
  const made = new RogueCollector(reach.collector!.papers, greet, () => undefined)
  return rogue(reach, made, { isShown: () => made.left > 0, count: () => greeted })
}

/** It asks for the bundle in force to be taken back, of which there is none; or somebody else asks, or somebody else is asked. */
const conflicting: MakeCarrier = (fault, reach) => {
  const how = textOf(fault, 'how')
  const { papers } = reach.collector!
  const signer = signerFromPem(how === 'other_key' ? benchKey('somebody else').privatePem : papers.receiptsPem)
  const command = { kind: 'bundle_back', id: 'bench', rig: '', digest: 'ab'.repeat(32), reason: 'a fault' } as const
  const agent = how === 'other_agent' ? 'another' : AGENT
  const asked = (): Said => ({ t: 'downlink', cose: signDownlink({ ...command, agent }, signer) })
  const made = new RogueCollector(
    papers,
    (hello) => [resume(hello), asked()],
    (message) => {
      if (message.t !== 'bundle_answer') return
      reach.ordered('bundle_back', ['collector'], answerOf(message))
    },
  )
  return rogue(reach, made, { isShown: () => made.stayed > 0, count: () => made.stayed })
}

/** People put a bundle in force, and then the collector offers one that they signed before it. */
const stalePolicy: MakeCarrier = (fault, reach) => {
  const { people, folder, ordered, nowUs } = reach
  const [old, inForce] = [1, 1 + numberOf(fault, 'versions')]
  let answers = 0
  const offered = (): Said => {
    const { bytes, digest } = agentBundle(folder, { number: old, madeUs: nowUs() })
    const offer = { kind: 'bundle', agent: AGENT, id: 'bench', rig: '', digest, bundle: bytes } as const
    return { t: 'downlink', cose: signDownlink(offer, signerFromPem(reach.collector!.papers.receiptsPem)) }
  }
  const made = new RogueCollector(
    reach.collector!.papers,
    (hello) => [resume(hello), offered()],
    (message) => {
      if (message.t !== 'bundle_answer') return
      answers += 1
      ordered('bundle', ['collector'], answerOf(message))
    },
  )
  const carrier = rogue(reach, made, { isShown: () => answers > 0, count: () => answers })
  return {
    ...carrier,
    begin: async (atUs) => {
      const { bytes } = agentBundle(folder, { number: inForce, madeUs: nowUs() })
      ordered('bundle', [...folder.pems.keys()], await people.activate(bytes))
      await carrier.begin(atUs)
    },
  }
}

/** It begins again under another authority, and every certificate of before is worth nothing. */
const revokedCertificate: MakeCarrier = (_, reach) => {
  const { collector } = reach
  let refused = 0
  const look = (): number => {
    refused = Math.max(refused, collector!.certificatesRefused)
    return refused
  }
  return {
    begin: async () => {
      await collector!.distrust()
      await whileTimeStands(reach, () => look() > 0)
    },
    move: () => void look(),
    end: () => collector!.trustAgain(),
    count: () => refused,
  }
}

/** Once the collector has something, somebody else sends it again. */
const replayedBatch: MakeCarrier = (fault, reach) => {
  const { collector, folder, row, host } = reach
  const most = numberOf(fault, 'batches')
  let answered = 0
  const tryIt = async (): Promise<boolean> => {
    if (answered > 0 || !(await collector!.hasBatch(most))) return answered > 0
    const { agentsPort: port, papers } = collector!
    answered = await replayBatches({ port, papers, folder, rig: row.rig.name, most, host })
    return answered > 0
  }
  return {
    begin: () => whileTimeStands(reach, tryIt),
    move: async () => void (await tryIt()),
    count: () => answered,
  }
}

export const COLLECTOR_CARRIERS: Readonly<Record<string, MakeCarrier>> = {
  'collector.down': down,
  'collector.slow': link((collector, fault) => collector.proxy.slow(numberOf(fault, 'late_ms'))),
  'collector.partition': link((collector) => collector.proxy.cut()),
  'collector.half_open': halfOpen,
  'collector.duplicate_after_reconnect': duplicate,
  'collector.version_skew': versionSkew,
  'collector.conflicting_command': conflicting,
  'collector.revoked_certificate': revokedCertificate,
  'collector.stale_policy_push': stalePolicy,
  'security.replayed_batch': replayedBatch,
}
