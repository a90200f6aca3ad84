import type { Fault } from '../core/fault.ts'
import { type MakeCarrier, numberOf, textOf } from './carrier.ts'
import type { CollectorSide } from './collector-side.ts'
import type { PeerStub, PeerWrongs } from './peer-stub.ts'

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
  let done = 0
  return {
    begin: () => undefined,
    move: () => {
      if (done >= cuts) return
      done += 1
      collector!.proxy.reconnect()
    },
    count: () => done,
  }
}

function wrong(wrongs: (fault: Fault) => PeerWrongs): MakeCarrier {
  return (fault, { peer }) => {
    const before = peer!.hits
    return {
      begin: () => peer!.behave(wrongs(fault)),
      end: () => peer!.behave({}),
      count: () => peer!.hits - before,
    }
  }
}

const peerDown: MakeCarrier = (_, { peer }) => {
  let stops = 0
  return {
    begin: async () => {
      await peer!.stop()
      stops += 1
    },
    end: () => peer!.start(),
    count: () => stops,
  }
}

/** The peer says something that it should not. */
function says(order: (fault: Fault, peer: PeerStub) => Readonly<Record<string, unknown>>): MakeCarrier {
  return (fault, { peer }) => {
    let said = 0
    return {
      begin: () => {
        peer!.say(order(fault, peer!))
        said += 1
      },
      count: () => said,
    }
  }
}

/** From then on it has another key; it says something at once, so that this is seen. */
const strangeKey: MakeCarrier = (_, { peer }) => {
  const before = peer!.hits
  return {
    begin: () => {
      peer!.behave({ strangeKey: true })
      peer!.say({ type: 'MODE_CHANGED', from_mode: 'nominal', to_mode: 'degraded', reason: 'under a strange key' })
    },
    end: () => peer!.behave({}),
    count: () => peer!.hits - before,
  }
}

export const OUTSIDE_CARRIERS: Readonly<Record<string, MakeCarrier>> = {
  'collector.down': down,
  'collector.slow': link((collector, fault) => collector.proxy.slow(numberOf(fault, 'late_ms'))),
  'collector.partition': link((collector) => collector.proxy.cut()),
  'collector.duplicate_after_reconnect': duplicate,
  'peer.down': peerDown,
  'peer.slow': wrong((fault) => ({ lateMs: numberOf(fault, 'late_ms') })),
  'peer.drop': wrong((fault) => ({
    dropEvery: Math.max(1, Math.round(1 / Math.max(0.001, numberOf(fault, 'share')))),
  })),
  'peer.revoked_key': strangeKey,
  'peer.nack': wrong(() => ({ nack: true })),
  'peer.version_skew': says((fault) => ({
    ...{ type: 'MODE_CHANGED', from_mode: 'nominal', to_mode: 'degraded', reason: 'another version' },
    contract_version: String(numberOf(fault, 'version')),
  })),
  'peer.conflicting_command': says((fault) => ({
    ...{ type: 'MODE_CHANGED', from_mode: 'startup', to_mode: textOf(fault, 'mode'), reason: 'a contradiction' },
  })),
}
