import type { Fault } from '../core/fault.ts'
import { type MakeCarrier, numberOf, textOf } from './carrier.ts'
import type { PeerStub, PeerWrongs } from './peer-stub.ts'

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
    const before = peer!.hits
    return {
      begin: () => peer!.say(order(fault, peer!)),
      count: () => peer!.hits - before,
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

export const PEER_CARRIERS: Readonly<Record<string, MakeCarrier>> = {
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
