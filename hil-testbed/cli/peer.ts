import { createInterface } from 'node:readline'
import type { Command } from 'commander'
import { loadMacKey } from '../../shared/crypto/mac.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { stopSignals } from '../../shared/lib/stop-signals.ts'
import { ACK_STAGES } from '../../shared/protocol/peer-contract.ts'
import { HilPeer, type Order, TIMES_MAX } from '../peer.ts'
import { numberIn, say } from './options.ts'

type PeerOptions = Readonly<{
  endpoint: string
  key: string
  id: string
  agent: string
  agentUrl?: string
  ack: string
  ackMs: string
  ackTimes: string
  ackId?: string
  ackFrom?: string
}>

const MS_MAX = 600_000
/** Longest order on standard input. */
const ORDER_CHARS_MAX = 128 * 1024

/** Adds `hb hil peer`. */
export function peerCommand(hil: Command): void {
  hil
    .command('peer')
    .description('a simulated peer: says what an agent tells it, acknowledges actions, is wrong when it is told to be')
    .requiredOption('--endpoint <address>', 'listen here: tcp://127.0.0.1:5701, or http://127.0.0.1:5701')
    .requiredOption('--key <file>', 'key shared with the agent: 64 hex digits, mode 600')
    .option('--id <id>', 'name of the peer', 'waveos')
    .option('--agent <id>', 'name of the agent', 'agent')
    .option('--agent-url <url>', 'where the agent takes posts, with http://')
    .option(
      '--ack <stages>',
      `acknowledge actions with these of ${ACK_STAGES.join(', ')}, or none`,
      'accepted,completed',
    )
    .option('--ack-ms <ms>', 'so much later', '0')
    .option('--ack-times <n>', 'so many times', '1')
    .option('--ack-id <key>', 'for this action, whichever was asked for')
    .option('--ack-from <id>', 'under another identity')
    .option('--json', 'errors as JSON too; what it writes is JSON lines anyway')
    .addHelpText(
      'after',
      '\nOn standard input, a line such as {"type":"MODE_CHANGED","from_mode":"nominal","to_mode":"degraded","reason":"pump","times":1} is sent; what it leaves out of the envelope is filled in.',
    )
    .action(peer)
}

async function peer(options: PeerOptions): Promise<void> {
  const { endpoint, id, agent, ackId, ackFrom } = options
  const clock = systemClock()
  const acks = {
    stages: stagesOf(options.ack),
    afterMs: numberIn(options.ackMs, '--ack-ms', { min: 0, max: MS_MAX }),
    times: numberIn(options.ackTimes, '--ack-times', { min: 1, max: TIMES_MAX }),
    ...{ actionId: ackId ?? null, from: ackFrom ?? null },
  }
  const key = loadMacKey(options.key)
  const made = new HilPeer({
    ...{ endpoint, id, agent, clock, key: () => key, agentUrl: options.agentUrl ?? null },
    acks: () => acks,
    say: (event, facts) => say({ event, ...facts }),
  })
  say({ event: 'listening', peer: id, endpoint: await made.start() })
  const orders = createInterface({ input: process.stdin }).on('line', (line) => made.send(ordered(line)))
  await stopSignals(clock).first
  orders.close()
  await made.stop()
  say({ event: 'stopped' })
}

function stagesOf(text: string): string[] | null {
  if (text === 'none') return null
  const stages = text.split(',')
  const wrong = stages.find((stage) => !(ACK_STAGES as readonly string[]).includes(stage))
  if (wrong === undefined) return stages
  throw new HbError('USAGE', { option: '--ack', found: wrong, expected: `none, or some of ${ACK_STAGES.join(', ')}` })
}

/** @throws HbError USAGE: a bench that gives wrong orders must not go on as if they had been heard. */
function ordered(line: string): Order {
  try {
    const order: unknown = JSON.parse(line.slice(0, ORDER_CHARS_MAX))
    if (typeof order === 'object' && order !== null && !Array.isArray(order)) return order as Order
  } catch {
    // It is refused with those that are JSON of another kind.
  }
  throw new HbError('USAGE', { found: line.slice(0, 256), expected: 'one JSON object on a line' })
}
