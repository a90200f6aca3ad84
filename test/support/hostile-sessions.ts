import { connect as connectTcp } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { WebSocket } from 'ws'
import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { encodeTransport } from '../../shared/codec/transport.ts'
import { openCose, signCose } from '../../shared/crypto/cose.ts'
import { readPublicKey, type Signer } from '../../shared/crypto/sign.ts'
import { BATCH_TYP } from '../../shared/protocol/batch.ts'
import { type HelloMessage, writeMessage } from '../../shared/protocol/messages.ts'
import { RECEIPT_TYP } from '../../shared/protocol/receipt.ts'
import { createBatchMaker, type LinkTls, type MadeBatch } from './agent-double.ts'
import type { createCollectorFolder } from './collector-folder.ts'

/** Who attacks: what they hold, and where the collector listens. */
export type Attacker = ReturnType<typeof createCollectorFolder> & Readonly<{ port: number }>

/** One thing a stranger, or an agent gone bad, may do. `waits`: the answer is a time limit. */
export type SessionCase = Readonly<{
  name: string
  expect: string
  waits?: boolean
  /** Settles when the collector has ended the connection, with the milliseconds since the last byte was sent. */
  run(at: Attacker): Promise<number>
}>

const since = (startMs: number): number => performance.now() - startMs

/** Writes bytes to a socket that is open and waits for its end. */
function raw(port: number, bytes: Uint8Array | string | null, tls: ConnectionOptions | null): Promise<number> {
  return new Promise((done) => {
    let startMs = performance.now()
    const place = { host: '127.0.0.1', port }
    const ready = (): void => {
      startMs = performance.now()
      if (bytes !== null) socket.write(bytes)
    }
    const socket = tls === null ? connectTcp(place, ready) : connectTls({ ...tls, ...place }, ready)
    socket.on('error', () => undefined)
    socket.on('data', () => undefined)
    socket.on('end', () => socket.end())
    socket.on('close', () => done(since(startMs)))
  })
}

/** A byte of a header now and then, for as long as it is let. */
function trickle(port: number, tls: LinkTls): Promise<number> {
  return new Promise((done) => {
    const startMs = performance.now()
    let timer: NodeJS.Timeout | undefined
    const socket = connectTls({ host: '127.0.0.1', port, ...tls }, () => {
      socket.write('GET /agent HTTP/1.1\r\nHost: x\r\nX: ')
      // After the beginning of the request: before it the same letters would be rubbish.
      timer = setInterval(() => socket.write('y'), 20)
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearInterval(timer)
      done(since(startMs))
    })
  })
}

type Open = Readonly<{ socket: WebSocket; closed: Promise<void> }>

function open(port: number, tls: LinkTls, deflate = false): Promise<Open> {
  const socket = new WebSocket(`wss://127.0.0.1:${port}/agent`, { ...tls, perMessageDeflate: deflate })
  const closed = new Promise<void>((done) => socket.on('close', () => done()))
  return new Promise((done, fail) => {
    socket.on('open', () => done({ socket, closed }))
    socket.on('error', fail)
  })
}

/** Opens a session as `agent` and sends messages; settles when it is over. */
async function session(
  { port, certificateOf }: Attacker,
  messages: readonly (Uint8Array | string)[],
  agent = 'bench-1',
): Promise<number> {
  const { socket, closed } = await open(port, certificateOf(agent))
  socket.on('error', () => undefined)
  const startMs = performance.now()
  for (const message of messages) socket.send(message)
  await closed
  return since(startMs)
}

export function helloOf({ bench }: Attacker, change: Partial<HelloMessage> = {}): Uint8Array {
  return writeMessage({
    t: 'hello',
    v: 1,
    agent: 'bench-1',
    deployment: 'demo',
    epoch: 1,
    spki: bench.signer.spki,
    boot_id: 'boot',
    version: '0.1.0',
    programs: ['demo'],
    rigs: [{ rig: 'water-loop', program: 'demo' }],
    ...change,
  })
}

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte)

const http = (text: string) => (at: Attacker) => raw(at.port, text, at.certificateOf('bench-1'))
const tls = (of: (at: Attacker) => ConnectionOptions) => (at: Attacker) =>
  raw(at.port, 'GET /agent HTTP/1.1\r\n\r\n', of(at))
const plain = (bytes: Uint8Array | string | null) => (at: Attacker) => raw(at.port, bytes, null)
const get = 'GET /agent HTTP/1.1\r\nHost: x\r\n'

/** What is no session yet, and becomes none. */
export function doorCases(): SessionCase[] {
  return [...strangerCases(), ...silentCases(), ...helloCases()]
}

/** Who is nobody. */
function strangerCases(): SessionCase[] {
  return [
    { name: 'no certificate', expect: 'AGENT_CERTIFICATE', run: tls((at) => ({ ca: at.ca.certPem })) },
    {
      name: 'a certificate of another authority',
      expect: 'AGENT_CERTIFICATE',
      run: tls((at) => at.certificateOf('bench-1', at.otherCa)),
    },
    {
      name: 'TLS 1.2',
      expect: 'HANDSHAKE_REFUSED',
      run: tls((at) => ({ ...at.certificateOf('bench-1'), maxVersion: 'TLSv1.2' })),
    },
    { name: 'HTTP without TLS', expect: 'HANDSHAKE_REFUSED', run: plain('GET / HTTP/1.1\r\nHost: x\r\n\r\n') },
    { name: 'rubbish without TLS', expect: 'HANDSHAKE_REFUSED', run: plain(filled(4096, 0xaa)) },
    { name: 'a megabyte of zeros without TLS', expect: 'HANDSHAKE_REFUSED', run: plain(filled(1024 * 1024, 0)) },
    {
      name: 'a TLS record of a length that is not allowed',
      expect: 'HANDSHAKE_REFUSED',
      run: plain(bytesOf('16 03 01 ff ff 01 00')),
    },
    { name: 'rubbish instead of a request', expect: 'SESSION_PROTOCOL', run: http('\u0000\u0001\u0002\r\n\r\n') },
    { name: 'a header of 64 KB', expect: 'SESSION_PROTOCOL', run: http(`${get}X: ${'y'.repeat(65_536)}\r\n\r\n`) },
    {
      name: 'two lengths in one request',
      expect: 'SESSION_PROTOCOL',
      run: http(`${get}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`),
    },
  ]
}

/** Who says nothing, or not enough. */
function silentCases(): SessionCase[] {
  return [
    { name: 'TCP and then nothing', expect: 'SESSION_TIMEOUT', waits: true, run: plain(null) },
    {
      name: 'half a TLS hello and then nothing',
      expect: 'SESSION_TIMEOUT',
      waits: true,
      run: plain(bytesOf('16 03 01 02 00 01 00')),
    },
    {
      name: 'TLS and then nothing',
      expect: 'SESSION_TIMEOUT',
      waits: true,
      run: (at) => raw(at.port, null, at.certificateOf('bench-1')),
    },
    {
      name: 'a request that never ends',
      expect: 'SESSION_TIMEOUT',
      waits: true,
      run: (at) => trickle(at.port, at.certificateOf('bench-1')),
    },
    { name: 'a session without a hello', expect: 'SESSION_TIMEOUT', waits: true, run: (at) => session(at, []) },
  ]
}

/** Who says what is not so. */
function helloCases(): SessionCase[] {
  return [
    {
      name: 'an agent nobody enrolled',
      expect: 'AGENT_UNKNOWN',
      run: (at) => session(at, [helloOf(at, { agent: 'ghost' })], 'ghost'),
    },
    {
      name: 'an agent that says it is another',
      expect: 'AGENT_UNKNOWN',
      run: (at) => session(at, [helloOf(at)], 'rack-2'),
    },
    {
      name: 'another deployment',
      expect: 'AGENT_WRONG_DEPLOYMENT',
      run: (at) => session(at, [helloOf(at, { deployment: 'other' })]),
    },
    {
      name: 'another key',
      expect: 'AGENT_WRONG_KEY',
      run: (at) => session(at, [helloOf(at, { spki: at.rack.signer.spki })]),
    },
    {
      name: 'a program of somebody else',
      expect: 'AGENT_WRONG_PROGRAM',
      run: (at) => session(at, [helloOf(at, { rigs: [{ rig: 'water-loop', program: 'secret' }] })]),
    },
  ]
}

/** Messages that are none. */
export function messageCases(): SessionCase[] {
  const first = (bytes: Uint8Array | string) => (at: Attacker) => session(at, [bytes])
  const after =
    (...messages: readonly (Uint8Array | string)[]) =>
    (at: Attacker) =>
      session(at, [helloOf(at), ...messages])
  const hello = (change: Record<string, unknown>) => (at: Attacker) =>
    session(at, [helloOf(at, change as Partial<HelloMessage>)])
  const protocol: [string, (at: Attacker) => Promise<number>][] = [
    ['text', first('hello')],
    ['nothing', first(new Uint8Array(0))],
    ['rubbish', first(filled(1000, 0xff))],
    ['a megabyte of rubbish', after(filled(1024 * 1024, 0x5a))],
    ['2^31 bytes claimed', after(bytesOf('a1 61 74 5a 80000000'))],
    ['2^31 entries claimed', after(bytesOf('ba 80000000'))],
    ['2^64 elements claimed', after(bytesOf('9b ffffffffffffffff'))],
    ['100 000 levels', after(filled(100_000, 0x81))],
    ['a length that is not given', after(bytesOf('bf 61 74 61 78 ff'))],
    ['a key twice', after(bytesOf('a2 61 74 61 78 61 74 61 78'))],
    [
      'a number of 400 KB',
      after(new Uint8Array(Buffer.concat([bytesOf('a1 61 74 c2 5a 00061a80'), filled(400_000, 0xff)]))),
    ],
    ['a regular expression', after(bytesOf('a1 61 74 d8 1b 82 66 526567457870 61 78'))],
    ['bytes after the end', after(new Uint8Array([...encodeTransport({ t: 'vitals', vitals: '' }), 0]))],
    ['a kind nobody knows', after(encodeTransport({ t: 'shutdown', rig: 'water-loop' }))],
    ['a kind of the other side', after(writeMessage({ t: 'credit', batches: 4096 }))],
    ['a field nobody knows', after(encodeTransport({ t: 'vitals', vitals: '{}', more: 1 }))],
    ['__proto__', after(encodeTransport(JSON.parse('{"t":"vitals","vitals":"{}","__proto__":{"a":1}}')))],
    ['an epoch below zero', hello({ epoch: -1 })],
    ['an epoch that is no number', hello({ epoch: Number.NaN })],
    ['a version of tomorrow', hello({ v: 2 })],
    [
      'more rigs than there are',
      hello({ rigs: Array.from({ length: 65 }, (_, k) => ({ rig: `r${k}`, program: 'demo' })) }),
    ],
    ['a name with a path in it', hello({ agent: '../bench-1' })],
    ['a second hello', (at) => session(at, [helloOf(at), helloOf(at)])],
    [
      'a batch before the hello',
      first(writeMessage({ t: 'batch', epoch: 1, batch_seq: 1, cose: filled(10, 1), records: filled(10, 1) })),
    ],
    [
      'a slice nobody asked for',
      after(writeMessage({ t: 'slice', id: 'x', ok: true, rig: 'water-loop', channels: [] })),
    ],
    ['17 MiB in one message', after(filled(17 * 1024 * 1024, 1))],
    ['2 000 pieces of one message', pieces],
    ['a compressed frame that was not agreed', compressed],
  ]
  return protocol.map(([name, run]) => ({ name, expect: 'SESSION_PROTOCOL', run }))
}

async function pieces({ port, certificateOf }: Attacker): Promise<number> {
  const { socket, closed } = await open(port, certificateOf('bench-1'))
  socket.on('error', () => undefined)
  const startMs = performance.now()
  for (let k = 0; k < 2_000; k += 1) socket.send(filled(1, k % 250), { fin: false })
  await closed
  return since(startMs)
}

/** Offers compression, is not given it, and sends a bomb of zeros all the same: RSV1 is set by hand. */
async function compressed({ port, certificateOf }: Attacker): Promise<number> {
  const { socket, closed } = await open(port, certificateOf('bench-1'), true)
  if (socket.extensions !== '') throw new Error(`compression was agreed: ${socket.extensions}`)
  const inner = Reflect.get(socket, '_socket') as { write(bytes: Uint8Array): void }
  socket.on('error', () => undefined)
  const startMs = performance.now()
  inner.write(Uint8Array.of(0xc2, 0x80 | 4, 0, 0, 0, 0, 1, 2, 3, 4))
  await closed
  return since(startMs)
}

const flipped = (bytes: Uint8Array, at: number): Uint8Array => bytes.map((byte, i) => (i === at ? byte ^ 1 : byte))
const sent = (of: (at: Attacker, good: MadeBatch) => MadeBatch) => (at: Attacker) => {
  const { epoch, batchSeq, cose, records } = of(at, first(at))
  return session(at, [helloOf(at), writeMessage({ t: 'batch', epoch, batch_seq: batchSeq, cose, records })])
}
const again = (
  at: Attacker,
  cose: Uint8Array,
  change: { typ?: string; payload?: Uint8Array; signer?: Signer },
): Uint8Array => {
  const { bench } = at
  const read = openCose(cose, { typ: BATCH_TYP, key: readPublicKey(bench.signer.spki) })
  return signCose({ ...read, signer: bench.signer, ...change })
}
const other = (at: Attacker): MadeBatch =>
  createBatchMaker({ signer: at.rack.signer, deployment: 'demo', agent: 'rack-2' })()
const made = (expect: string, name: string, of: (at: Attacker, good: MadeBatch) => MadeBatch): SessionCase => ({
  name,
  expect,
  run: sent(of),
})

/** Batches of somebody who has a key, or nearly one. */
export function batchCases(): SessionCase[] {
  return [...forgedCases(), ...chainCases()]
}

function forgedCases(): SessionCase[] {
  return [
    made('BATCH_SIGNATURE', 'a batch signed by another agent', (at) =>
      createBatchMaker({ signer: at.rack.signer, deployment: 'demo', agent: 'bench-1' })(),
    ),
    made('BATCH_SIGNATURE', 'a batch of another agent', (at) => other(at)),
    made('BATCH_SIGNATURE', 'a flipped bit in the signature', (_, good) => ({
      ...good,
      cose: flipped(good.cose, good.cose.length - 2),
    })),
    made('BATCH_SIGNATURE', 'a flipped bit in what was signed', (_, good) => ({
      ...good,
      cose: flipped(good.cose, good.cose.length - 100),
    })),
    made('BATCH_SIGNATURE', 'a signature of zeros', (_, good) => ({
      ...good,
      cose: new Uint8Array([...good.cose.subarray(0, -64), ...filled(64, 0)]),
    })),
    made('COSE_SHAPE', 'another type under the same key', (at, good) => ({
      ...good,
      cose: again(at, good.cose, { typ: RECEIPT_TYP }),
    })),
    made('COSE_SHAPE', 'no tag', (_, good) => ({ ...good, cose: good.cose.subarray(1) })),
    made('COSE_SHAPE', 'a list of three', (_, good) => ({
      ...good,
      cose: new Uint8Array([0xd2, ...canonicalBytes([new Uint8Array(1), new Map(), new Uint8Array(1)])]),
    })),
    made('CBOR_REFUSED', 'a cut message', (_, good) => ({ ...good, cose: good.cose.subarray(0, 100) })),
    made('COSE_SHAPE', 'nothing', (_, good) => ({ ...good, cose: new Uint8Array(0) })),
    made('BATCH_SHAPE', 'a payload that is a list, signed', (at, good) => ({
      ...good,
      cose: again(at, good.cose, { payload: canonicalBytes([1, 2]) }),
    })),
    made('BATCH_SHAPE', 'a payload without keys, signed', (at, good) => ({
      ...good,
      cose: again(at, good.cose, { payload: canonicalBytes(new Map()) }),
    })),
    made('BATCH_ROOT', 'records of nothing', (_, good) => ({ ...good, records: new Uint8Array([0xa0]) })),
    made('BATCH_ROOT', 'records of another batch', (at, good) => ({
      ...good,
      records: maker(at)({ keep: false, verdict: 'FAIL' }).records,
    })),
    made('SESSION_PROTOCOL', 'a number outside that is not the one inside', (_, good) => ({ ...good, batchSeq: 8 })),
    made('SESSION_PROTOCOL', 'an epoch outside that is not the one inside', (_, good) => ({ ...good, epoch: 7 })),
  ]
}

/** Batches that do not follow what the collector has. */
function chainCases(): SessionCase[] {
  return [
    made('CHAIN_GAP', 'a batch too far', (at) => maker(at)({ keep: false, batchSeq: 9 })),
    made('CHAIN_GAP', 'decisions left out', (at) =>
      maker(at)({ keep: false, batchSeq: 2, firstSeq: 99, prev: first(at).identity }),
    ),
    made('CHAIN_WRONG_PREV', 'another predecessor', (at) =>
      maker(at)({ keep: false, batchSeq: 2, firstSeq: 11, prev: filled(32, 9) }),
    ),
    made('CHAIN_REPLAY', 'decisions told again', (at) =>
      maker(at)({ keep: false, batchSeq: 2, firstSeq: 1, prev: first(at).identity }),
    ),
    made('CHAIN_EQUIVOCATION', 'another batch with a number that is taken', (at) =>
      maker(at)({ keep: false, verdict: 'FAIL' }),
    ),
    made('AGENT_WRONG_PROGRAM', 'a rig that was never declared', (at) =>
      maker(at)({ keep: false, batchSeq: 2, firstSeq: 11, prev: first(at).identity, rig: 'other-rig' }),
    ),
    made('CHAIN_REPLAY', 'a batch of another deployment', (at) =>
      maker(at)({ keep: false, batchSeq: 2, firstSeq: 11, prev: first(at).identity, deployment: 'other' }),
    ),
  ]
}

const maker = ({ bench }: Attacker) => createBatchMaker({ signer: bench.signer, deployment: 'demo', agent: 'bench-1' })
/** The one batch that the collector has: the same bytes every time. */
export const first = (at: Attacker): MadeBatch => maker(at)()
