import type { MetricSource } from '../shared/lib/metrics.ts'
import type { PeerSender } from './adapters/peer-sender.ts'
import type { PeerInbound } from './pipeline/peer-inbound.ts'

/** What `/metrics` shows of the peer. Labels are types of messages and names of refusals: closed sets. */
export function peerMetrics(peer: Readonly<{ sender: PeerSender; inbound: PeerInbound | null }>): MetricSource[] {
  const { queue, counts } = peer.sender
  return [
    {
      name: 'hb_peer_messages_waiting',
      help: 'Messages that wait to go to the peer, by kind.',
      kind: 'gauge',
      labels: ['kind'],
      read: () => Object.entries(queue.waiting).map(([kind, value]) => ({ value, labels: { kind } })),
    },
    {
      name: 'hb_peer_sent_total',
      help: 'Messages to the peer since the start, by what became of them; failed ones that are events go again.',
      kind: 'counter',
      labels: ['outcome'],
      read: () => Object.entries(counts).map(([outcome, value]) => ({ value, labels: { outcome } })),
    },
    {
      name: 'hb_peer_dropped_total',
      help: 'Events for the peer since the start that made room, by type. Requests for actions never do.',
      kind: 'counter',
      labels: ['type'],
      read: () => Object.entries(queue.dropped).map(([type, value]) => ({ value, labels: { type } })),
    },
    {
      name: 'hb_peer_received_total',
      help: 'Messages of the peer since the start that counted, by type.',
      kind: 'counter',
      labels: ['type'],
      read: () => Object.entries(peer.inbound?.taken ?? {}).map(([type, value]) => ({ value, labels: { type } })),
    },
    {
      name: 'hb_peer_refused_total',
      help: 'Messages of the peer since the start that counted for nothing, by reason.',
      kind: 'counter',
      labels: ['reason'],
      read: () => [...(peer.inbound?.refusals ?? [])].map(([reason, value]) => ({ value, labels: { reason } })),
    },
  ]
}
