import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import { readPublicKey } from '../../shared/crypto/sign.ts'
import {
  type CollectorMessage,
  type HelloMessage,
  readCollectorMessage,
  SESSION_VERSION,
  writeMessage,
} from '../../shared/protocol/messages.ts'
import type { Millis } from '../../shared/units.ts'
import { readCbor } from '../oracle/cbor.ts'
import { framesOf } from '../oracle/record-frames.ts'
import { bytesIn } from '../oracle/signed-message.ts'
import { AGENT, type AgentFolder, DEPLOYMENT, PROGRAM } from './agent-folder.ts'
import type { HostTime } from './host-time.ts'
import type { Papers } from './rogue-collector.ts'

/** A signed batch, as the agent sent it. */
export type SentBatch = Readonly<{ epoch: number; batch_seq: number; cose: Uint8Array; records: Uint8Array }>

/** Kind of a record of an outbox that is a whole batch (docs/internals/formats.md). */
const BATCH = 1
/** Somebody who is not answered in time gives up. */
const ANSWERS_WITHIN_MS: Millis = 5_000

/** Whole batches in the outbox of a running agent, in order; what is being written is not there yet. */
export function batchesSent(state: string): readonly SentBatch[] {
  const outbox = join(state, 'outbox')
  const files = readdirSync(outbox).filter((name) => name.endsWith('.hbo'))
  return files.sort().flatMap((name) =>
    framesOf(readFileSync(join(outbox, name))).frames.flatMap(({ body }): SentBatch[] => {
      const { items } = readCbor(body)
      if (items[0]?.value !== BATCH) return []
      const [epoch, seq] = [Number(items[1]!.value), Number(items[2]!.value)]
      return [{ epoch, batch_seq: seq, cose: bytesIn(items[6]!), records: bytesIn(items[7]!) }]
    }),
  )
}

type Replay = Readonly<{
  /** Where the collector listens. */
  port: number
  papers: Papers
  folder: AgentFolder
  rig: string
  /** How many of the oldest that the collector has already. */
  most: number
  host: HostTime
}>

/**
 * Somebody who has the certificate of the agent, and what it signed before, sends that to its collector over a connection of
 * their own.
 *
 * @returns how many the collector answered, with a receipt or a refusal
 */
export async function replayBatches({ port, papers, folder, rig, most, host }: Replay): Promise<number> {
  const { ca, client } = papers
  const socket = new WebSocket(`wss://127.0.0.1:${port}/agent`, {
    ...{ ca: ca.certPem, cert: client.certPem, key: client.keyPem },
    ...{ minVersion: 'TLSv1.3', perMessageDeflate: false },
  })
  let [wanted, answered] = [0, 0]
  const over = new Promise<void>((resolve) => {
    socket.on('close', () => resolve())
    socket.on('error', () => resolve())
    socket.on('open', () => socket.send(writeMessage(helloOf(folder, rig))))
    socket.on('message', (data: Buffer) => {
      const read = readCollectorMessage(new Uint8Array(data))
      if (!read.ok) return
      if (read.message.t === 'resume') {
        const known = batchesBefore(folder, read.message).slice(0, most)
        wanted = known.length
        for (const batch of known) socket.send(writeMessage({ t: 'batch', ...batch }))
      }
      if (read.message.t === 'receipt' || read.message.t === 'refusal') answered += 1
      if (answered >= wanted) resolve()
    })
  })
  await Promise.race([over, host.sleep(ANSWERS_WITHIN_MS)])
  socket.terminate()
  return answered
}

/** Says that it is the agent: all of it can be read from what the agent sends, or is in its certificate. */
function helloOf(folder: AgentFolder, rig: string): HelloMessage {
  return {
    t: 'hello',
    v: SESSION_VERSION,
    ...{ agent: AGENT, deployment: DEPLOYMENT, epoch: batchesSent(folder.state).at(-1)?.epoch ?? 1 },
    spki: readPublicKey(readFileSync(join(folder.path, 'sign.pub.pem'), 'utf8')).spki,
    ...{ boot_id: 'replayed', version: 'replayed', programs: [PROGRAM], rigs: [{ rig, program: PROGRAM }] },
  }
}

type Resume = Extract<CollectorMessage, { t: 'resume' }>

/** A batch that the collector has not would be none of before. */
function batchesBefore({ state }: AgentFolder, { epoch, batch_seq: through }: Resume): readonly SentBatch[] {
  return batchesSent(state).filter((one) => one.epoch === epoch && one.batch_seq <= through)
}
