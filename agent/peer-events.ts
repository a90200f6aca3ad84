import type { Logger } from '../shared/log/logger.ts'
import type { PeerRefusal } from '../shared/protocol/peer-reader.ts'
import type { PolicyNote } from './pipeline/peer-inbound.ts'

export type PeerEvents = ReturnType<typeof createPeerEvents>

/** What is said of the peer: a change of the link, what it changed, and what of it was refused. */
export function createPeerEvents(log: Logger, peer: string) {
  return {
    up: () => log.info({ event: 'peer_up', peer }, 'the peer takes what it is told'),
    down: (reason: string) =>
      log.warn(
        { event: 'peer_down', peer, reason },
        'the peer takes nothing; events wait, the oldest of health go first',
      ),
    listening: (address: string) => log.info({ event: 'peer_listening', peer, address }, 'the peer may post here'),
    policyApplied: ({ policy, version, digest, by, reason }: PolicyNote) =>
      log.warn(
        { event: 'peer_policy_applied', peer, policy, version, digest, by, reason },
        'the peer runs under another policy of its own',
      ),
    refused: (refusal: PeerRefusal, detail: string) =>
      log.warn({ event: 'peer_refused', peer, refusal, detail }, 'a message of the peer counts for nothing'),
  }
}
