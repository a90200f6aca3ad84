import { type ConnectionOptions, connect } from 'node:tls'
import { WebSocket } from 'ws'
import type { UplinkOptions } from '../../agent/adapters/ws-uplink.ts'
import type { Signer } from '../../shared/crypto/sign.ts'
import type { Canonical, DecisionItem } from '../../shared/model/decision.ts'
import type { BatchHeader } from '../../shared/protocol/batch.ts'
import { buildBatch, genesisPrev } from '../../shared/protocol/batch.ts'
import {
  type AgentMessage,
  type CollectorMessage,
  readCollectorMessage,
  writeMessage,
} from '../../shared/protocol/messages.ts'

/** A batch with everything that is sent of it. */
export type MadeBatch = Readonly<{
  epoch: number
  batchSeq: number
  firstSeq: number
  count: number
  cose: Uint8Array
  records: Uint8Array
  identity: Uint8Array
}>

const digest = (n: number): Uint8Array => new Uint8Array(32).fill(n)

/** Makes chained batches of ten decisions: a record and a range of nine that said the same. */
export function createBatchMaker({
  signer,
  deployment,
  agent,
  epoch = 1,
  firstSeq = 1,
  tens = 1,
}: {
  signer: Signer
  deployment: string
  agent: string
  epoch?: number
  firstSeq?: number
  /** Ten decisions each: one full record and a range of nine. */
  tens?: number
}) {
  let prev = genesisPrev({ deployment, agent, epoch, spki: signer.spki })
  let batchSeq = 0
  let seq = firstSeq
  return (change: Partial<BatchHeader> & { rig?: string; verdict?: string; keep?: boolean } = {}): MadeBatch => {
    const { rig = 'water-loop', verdict = 'PASS', keep = true, ...header } = change
    const first = header.firstSeq ?? seq
    const items = Array.from({ length: tens }, (_, k) => itemsFrom(first + 10 * k, rig, verdict)).flat()
    const last = seq + 10 * tens - 1
    const whole: BatchHeader = {
      ...plainHeader({ deployment, agent, epoch, batchSeq: batchSeq + 1, prev, firstSeq: seq, count: 10 * tens }),
      span: { firstUs: seq * 50_000, lastUs: last * 50_000, watermarkUs: last * 50_000 },
      ...header,
    }
    const made = buildBatch({ header: whole, items, seed: new Uint8Array(32).fill(7), signer })
    if (keep) {
      prev = made.identity
      batchSeq = whole.batchSeq
      seq = whole.firstSeq + whole.count
    }
    return { epoch: whole.epoch, batchSeq: whole.batchSeq, firstSeq: whole.firstSeq, count: whole.count, ...made }
  }
}

/** A header that says nothing out of the ordinary. */
export function plainHeader(
  who: Pick<BatchHeader, 'deployment' | 'agent' | 'epoch' | 'batchSeq' | 'prev' | 'firstSeq' | 'count'>,
): BatchHeader {
  return {
    ...who,
    span: { firstUs: 50_000, lastUs: 50_000, watermarkUs: 50_000 },
    clock: { monoUs: 1, wallUs: 2, bootId: 'boot', sync: 'unknown', errorUs: null },
    code: { exe: digest(4), version: '0.1.0', node: 'v24', evaluator: 1, execArgvEmpty: true },
    config: digest(5),
    baselines: [digest(6)],
    gaps: [],
    counters: { received: 1, evaluated: 1, late: 0, duplicate: 0, rejected: 0, shed: 0, missing: 0 },
    flags: { breakGlass: false, simulation: true, degraded: false },
    journal: { id: new Uint8Array(16), first: 1, last: 2 },
    run: '',
  }
}

/** A full record and a range of nine that said the same. */
export function itemsFrom(seq: number, rig: string, verdict: string): DecisionItem[] {
  const core: Canonical = {
    v: 1,
    seq,
    rig,
    t_us: seq * 50_000,
    verdict,
    limits_only: false,
    mode: 'nominal',
    run: null,
    code: 1,
    config: digest(5),
    baseline: digest(6),
    slice: digest(8),
    drivers: verdict === 'PASS' ? [] : [['flow', 'FAIL', 'deviation', 1_000_000]],
    more: 0,
    action: null,
  }
  const measured = verdict === 'PASS' ? [] : [['flow', 50, 28.5, 28, 29, 1_000]]
  const limits = verdict === 'PASS' ? [] : [['flow', 'l/min', null, 32.1, 0.2, -18, 3]]
  const names = { channels: verdict === 'PASS' ? [] : ['Volume Flow RateRMS'], article: null, procedure: null }
  const unchanged: Canonical = {
    v: 1,
    unchanged: [[rig, seq, verdict]],
    t_first_us: (seq + 1) * 50_000,
    t_last_us: (seq + 9) * 50_000,
  }
  return [
    { kind: 'record', seq, values: [core, measured, names, limits, null, null], chain: digest(seq % 250) },
    {
      kind: 'range',
      first: seq + 1,
      last: seq + 9,
      count: 9,
      values: [unchanged, null, null, null, null, null],
      chain: digest((seq + 9) % 250),
    },
  ]
}

export type LinkTls = Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'maxVersion'>

/** The far end of a session, as a test holds it. */
export type AgentDouble = Readonly<{
  send(message: AgentMessage): void
  sendBatch(batch: MadeBatch): void
  sendBytes(bytes: Uint8Array | string): void
  /** The next message of this kind that has not been asked for yet. */
  next<T extends CollectorMessage['t']>(t: T): Promise<Extract<CollectorMessage, { t: T }>>
  closed: Promise<number>
  close(): void
}>

const PATIENCE_MS = 10_000

/** Connects as an agent; rejects when the collector does not let it in. */
export function connectAgent(port: number, tls: LinkTls): Promise<AgentDouble> {
  const socket = new WebSocket(`wss://127.0.0.1:${port}/agent`, { ...tls, perMessageDeflate: false })
  const inbox: CollectorMessage[] = []
  const waiting: { t: string; take(message: CollectorMessage): void }[] = []
  socket.on('message', (data: Buffer) => {
    const read = readCollectorMessage(data)
    if (!read.ok) throw new Error(`the collector sent nonsense: ${read.reason}`)
    const at = waiting.findIndex((w) => w.t === read.message.t)
    if (at >= 0) waiting.splice(at, 1)[0]!.take(read.message)
    else inbox.push(read.message)
  })
  const closed = new Promise<number>((done) => socket.on('close', (code) => done(code)))
  const double: AgentDouble = {
    send: (message) => socket.send(writeMessage(message)),
    sendBatch: (b) =>
      socket.send(
        writeMessage({ t: 'batch', epoch: b.epoch, batch_seq: b.batchSeq, cose: b.cose, records: b.records }),
      ),
    sendBytes: (bytes) => socket.send(bytes),
    next<T extends CollectorMessage['t']>(t: T) {
      const at = inbox.findIndex((m) => m.t === t)
      if (at >= 0) return Promise.resolve(inbox.splice(at, 1)[0] as Extract<CollectorMessage, { t: T }>)
      return new Promise<Extract<CollectorMessage, { t: T }>>((done, fail) => {
        const timer = setTimeout(() => fail(new Error(`no ${t} within ${PATIENCE_MS} ms`)), PATIENCE_MS)
        waiting.push({
          t,
          take: (message) => {
            clearTimeout(timer)
            done(message as Extract<CollectorMessage, { t: T }>)
          },
        })
      })
    },
    closed,
    close: () => socket.close(),
  }
  return new Promise((done, fail) => {
    socket.on('open', () => done(double))
    socket.on('error', fail)
  })
}

/** A bare TLS handshake; resolves with the protocol, rejects when the other side ends it. */
export function handshake(port: number, tls: LinkTls): Promise<string> {
  return new Promise((done, fail) => {
    const socket = connect({ host: '127.0.0.1', port, ...tls })
    socket.on('error', fail)
    // With TLS 1.3 a refusal comes after the client believes it is connected, so it waits to be spoken to.
    socket.on('secureConnect', () => socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'))
    socket.on('data', () => {
      done(socket.getProtocol() ?? '')
      socket.destroy()
    })
    socket.on('close', () => fail(new Error('closed')))
  })
}

/** An agent that takes no baseline from anybody. */
export const noBaseline: UplinkOptions['baseline'] = async ({ id, rig, role }) => ({
  ...{ t: 'baseline_answer', v: 1, id, rig, role },
  taken: false,
  reason: 'none',
})

/** An agent that takes no bundle, and runs under none. */
export const noBundles: Pick<UplinkOptions, 'bundle' | 'configState'> = {
  bundle: async ({ id, kind, digest }) => ({
    ...{ t: 'bundle_answer', v: 1, id, what: kind === 'bundle' ? 'offer' : 'back', digest },
    ...{ taken: false, again_ms: 0, reasons: ['none'] },
  }),
  configState: () => ({
    ...{ t: 'config_state', v: 1, config: '', bundle: { digest: '', number: 0, at_us: 0 }, ready: true, reasons: [] },
    ...{ not_journaled: 0, damage: 0, boot_id: 'b', rigs: [] },
  }),
}
