import type { ErrorCode } from '../../shared/errors/catalog.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import type { Downlink } from '../../shared/protocol/downlink.ts'
import {
  type AgentMessage,
  type BaselineAnswerMessage,
  type BundleAnswerMessage,
  type CollectorMessage,
  type ConfigStateMessage,
  type HelloMessage,
  readAgentMessage,
  type SliceMessage,
  writeMessage,
} from '../../shared/protocol/messages.ts'
import type { Micros } from '../../shared/units.ts'
import type { AgentConfigs } from '../agent-configs.ts'
import type { BaselineDownlinks, SentBaselines } from '../baseline-downlinks.ts'
import { type EnrolledAgent, judgeSession } from '../core/chain.ts'
import type { CollectorEvents } from '../events.ts'
import type { Fleet, RigVitals } from '../fleet.ts'
import { decisionId, parseDecisionId } from '../http/views.ts'
import type { Rollouts } from '../rollouts.ts'
import { SESSION_CODE } from '../session-codes.ts'
import { bytesOf } from '../store/batches.ts'
import type { Stores } from '../store/open.ts'
import type { Ingest, Offerer } from './ingest.ts'

/** The connection of one agent, without the socket: what it needs of one. */
export type SessionSocket = Readonly<{
  send(bytes: Uint8Array): void
  /** Stops and goes on reading, so that what has not been dealt with stays with the agent. */
  pause(): void
  resume(): void
  close(code: number, reason: string): void
}>

export type SessionOptions = Readonly<{
  id: string
  /** Agent that the certificate names. */
  certified: string
  /** When that certificate ends, wall time; null: not known. */
  certificateUntilUs: Micros | null
  enrolled: EnrolledAgent | null
  socket: SessionSocket
  stores: Stores
  ingest: Ingest
  fleet: Fleet
  clock: Pick<Clock, 'nowUs' | 'after'>
  events: CollectorEvents
  refuse(
    refusal: Readonly<{
      code: ErrorCode
      agent: string
      detail: string
      epoch: number | null
      batchSeq: number | null
    }>,
  ): Promise<void>
  publish(message: Readonly<Record<string, unknown>>): void
  /** Signs a request to this agent with the collector's key. */
  signDownlink(downlink: Downlink): Uint8Array
  baselines: Pick<BaselineDownlinks, 'session'>
  configs: Pick<AgentConfigs, 'said' | 'answered' | 'left'>
  rollouts: Pick<Rollouts, 'hear'>
  /** The hello was good: this session is now the one of its agent. */
  opened(): Promise<void>
}>

export interface AgentSession {
  /** One binary message. Never rejects. */
  receive(bytes: Uint8Array): Promise<void>
  /** Another session of the same agent has come, or the collector stops. */
  end(reason: 'replaced' | 'stopping'): void
  /** The socket has closed. */
  closed(reason: string): void
}

/** Batches an agent may have on the way. Given back one for one as they are dealt with. */
export const CREDIT_BATCHES = 64
/** Bytes of batches being dealt with; beyond it the socket is not read. */
export const IN_HAND_BYTES_MAX = 32 * 1024 * 1024
const HELLO_WITHIN_MS = 10_000
const SLICES_ASKED_AGAIN_MAX = 16
/** Longest text a refusal may carry. */
const DETAIL_CHARS_MAX = 512
/** Longer vitals are passed over. */
const VITALS_CHARS_MAX = 512 * 1024

/** WebSocket close codes: policy, try again later, going away, and ours for a session that another one replaced. */
const CLOSE = { refused: 1008, later: 1013, stopping: 1001, replaced: 4001 } as const

type State = {
  hello: HelloMessage | null
  offerer: Offerer | null
  baselines: SentBaselines
  credit: number
  inHandBytes: number
  over: boolean
}

/** hello → resume → batches within credit → receipts; vitals and slices beside them (decisions 19, 20). */
export function createSession(options: SessionOptions): AgentSession {
  const baselines = options.baselines.session(options.certified, (downlink) =>
    send(options, state, { t: 'downlink', cose: options.signDownlink(downlink) }),
  )
  const state: State = { hello: null, offerer: null, baselines, credit: 0, inHandBytes: 0, over: false }
  let queue: Promise<void> = Promise.resolve()
  const cancelHello = options.clock.after(HELLO_WITHIN_MS, () => {
    if (state.hello === null)
      void refuse(options, state, { code: 'SESSION_TIMEOUT', detail: `no hello within ${HELLO_WITHIN_MS} ms` })
  })

  return {
    receive(bytes) {
      // What waits here is in hand as well: vitals and slices that come faster than they are dealt with.
      inHand(options, state, bytes.length)
      // One after the other: the hello must be answered before what follows it is looked at.
      queue = queue
        .then(() => handle(options, state, bytes))
        .catch((error: unknown) => {
          options.events.broken('session', error)
          finish(options, state, CLOSE.later, 'error')
        })
        .then(() => inHand(options, state, -bytes.length))
      return queue
    },
    end(reason) {
      finish(options, state, CLOSE[reason], reason)
    },
    closed(reason) {
      cancelHello()
      state.over = true
      if (state.offerer !== null) state.offerer.open = false
      if (!options.fleet.left(options.certified, options.id)) return
      options.rollouts.hear({ kind: 'left', agent: options.certified })
      options.configs.left(options.certified)
      options.events.agentLeft({ agent: options.certified, session: options.id, reason })
      options.publish({ type: 'agent', agent: agentState(options, state, false) })
    },
  }
}

async function handle(options: SessionOptions, state: State, bytes: Uint8Array): Promise<void> {
  if (state.over) return
  const read = readAgentMessage(bytes)
  if (!read.ok) {
    await refuse(options, state, { code: 'SESSION_PROTOCOL', detail: read.reason })
    return
  }
  const { message } = read
  if (message.t === 'hello') await hello(options, state, message)
  else if (state.hello === null)
    await refuse(options, state, { code: 'SESSION_PROTOCOL', detail: `${message.t} before hello` })
  else await serve(options, state, message)
}

async function hello(options: SessionOptions, state: State, message: HelloMessage): Promise<void> {
  const { enrolled, certified, stores, clock } = options
  if (state.hello !== null) {
    await refuse(options, state, { code: 'SESSION_PROTOCOL', detail: 'a second hello' })
    return
  }
  const head = enrolled === null ? null : await stores.agents.head(enrolled.agent)
  const verdict = judgeSession({ enrolled, certified, head }, message)
  if (verdict.verdict !== 'accept') {
    await refuse(options, state, { code: SESSION_CODE[verdict.verdict], detail: verdict.detail, epoch: message.epoch })
    return
  }
  await stores.agents.declare(certified, {
    version: message.version,
    bootId: message.boot_id,
    rigs: message.rigs,
    nowUs: clock.nowUs(),
  })
  await options.opened()
  if (state.over) return
  state.hello = message
  state.offerer = { agent: enrolled!, open: true }
  state.credit = CREDIT_BATCHES
  const at = { epoch: head?.epoch ?? message.epoch, batch_seq: head?.batchSeq ?? 0 }
  send(options, state, { t: 'resume', ...at, credit: CREDIT_BATCHES })
  options.fleet.connected(certified, {
    session: options.id,
    version: message.version,
    epoch: message.epoch,
    rigs: message.rigs.map(({ rig }) => rig),
    certificateUntilUs: options.certificateUntilUs,
    ask: (request) => send(options, state, { t: 'downlink', cose: options.signDownlink(request) }),
    askSlice: (q) =>
      send(options, state, {
        t: 'downlink',
        cose: options.signDownlink({
          kind: 'slice_request',
          agent: certified,
          id: decisionId(q.agent, q.seq),
          rig: q.rig,
          fromUs: q.fromUs,
          toUs: q.toUs,
        }),
      }),
  })
  options.events.agentConnected({ agent: certified, version: message.version, session: options.id, ...at })
  options.publish({ type: 'agent', agent: agentState(options, state, true) })
  options.rollouts.hear({ kind: 'left', agent: certified })
  options.fleet.link(certified)?.ask({ kind: 'config_watch', agent: certified, id: options.id, rig: '' })
  for (const open of await stores.slices.open(certified, SLICES_ASKED_AGAIN_MAX))
    options.fleet.link(certified)?.askSlice(open)
}

async function serve(
  options: SessionOptions,
  state: State,
  message: Exclude<AgentMessage, HelloMessage>,
): Promise<void> {
  switch (message.t) {
    case 'batch':
    case 'batch_thinned':
      if (state.credit <= 0) {
        await refuse(options, state, {
          code: 'SESSION_CREDIT',
          detail: `more than ${CREDIT_BATCHES} batches on the way`,
        })
        return
      }
      state.credit -= 1
      take(options, state, message)
      return
    case 'vitals':
      heard(options, state, message.vitals)
      return
    case 'slice':
      await answered(options, state, message)
      return
    case 'baseline_answer':
      await baselineAnswered(options, state, message)
      return
    case 'bundle_answer':
      bundleAnswered(options, message)
      return
    case 'config_state':
      configSaid(options, message)
      return
  }
}

/** Not awaited by the reader: the next batch is verified while this one is. Order is kept by the ingest. */
function take(
  options: SessionOptions,
  state: State,
  message: Extract<AgentMessage, { t: 'batch' | 'batch_thinned' }>,
): void {
  const records = message.t === 'batch' ? message.records : null
  const bytes = bytesOf({ cose: message.cose, records })
  inHand(options, state, bytes)
  const place = { epoch: message.epoch, batch_seq: message.batch_seq }
  const offered = { epoch: message.epoch, batchSeq: message.batch_seq, cose: message.cose, records }
  options.ingest.offer(state.offerer!, offered).then((outcome) => {
    inHand(options, state, -bytes)
    state.credit += 1
    if (outcome.result === 'receipt') {
      send(options, state, { t: 'receipt', ...place, receipt: outcome.receipt })
      send(options, state, { t: 'credit', batches: 1 })
    } else if (outcome.result === 'refused') {
      send(options, state, {
        t: 'refusal',
        code: outcome.code,
        detail: outcome.detail.slice(0, DETAIL_CHARS_MAX),
        ...place,
      })
      finish(options, state, CLOSE.refused, outcome.code)
    } else if (outcome.result === 'unavailable') {
      options.events.unavailable({ code: outcome.code, agent: options.certified, detail: outcome.detail })
      finish(options, state, CLOSE.later, outcome.code)
    }
  })
}

/** The socket is not read while more is in hand than may be; read on when there is room. */
function inHand({ socket }: SessionOptions, state: State, bytes: number): void {
  const was = state.inHandBytes > IN_HAND_BYTES_MAX
  state.inHandBytes += bytes
  const is = state.inHandBytes > IN_HAND_BYTES_MAX
  if (is && !was) socket.pause()
  else if (was && !is) socket.resume()
}

/** Vitals are for looking only: what is wrong with them costs only themselves. */
function heard(options: SessionOptions, state: State, text: string): void {
  if (text.length > VITALS_CHARS_MAX) return
  let vitals: unknown
  try {
    vitals = JSON.parse(text)
  } catch {
    // Not JSON: nothing can be shown of it, and the next one comes in half a second.
    return
  }
  if (typeof vitals !== 'object' || vitals === null) return
  const { rig } = vitals as { rig?: unknown }
  const declared = state.hello?.rigs.find((known) => known.rig === rig)
  if (declared === undefined) return
  const mine: RigVitals = { ...vitals, rig: declared.rig, agent: options.certified, program: declared.program }
  options.fleet.heard(mine)
  options.publish({ type: 'vitals', vitals: mine })
  state.baselines.heard({ rig: declared.rig, program: declared.program, vitals: mine })
}

function bundleAnswered({ configs, rollouts, certified }: SessionOptions, message: BundleAnswerMessage): void {
  configs.answered(certified, message)
  const { id, what, taken, again_ms: againMs, reasons } = message
  rollouts.hear({ kind: 'answer', agent: certified, what, taken, againMs, reasons }, id)
}

function configSaid({ configs, rollouts, certified: agent }: SessionOptions, message: ConfigStateMessage): void {
  configs.said(agent, message)
  const { t: _, v: __, ...said } = message
  rollouts.hear({ kind: 'said', agent, said })
}

/** A refusal is for people to see: the rig goes on with what it has. */
async function baselineAnswered(options: SessionOptions, state: State, message: BaselineAnswerMessage): Promise<void> {
  if (!state.baselines.answered(message)) {
    await refuse(options, state, { code: 'SESSION_PROTOCOL', detail: 'an answer to a baseline nobody sent' })
    return
  }
  const { taken, rig, role, reason } = message
  if (taken) return
  const detail = `${rig} ${role}: ${reason}`
  const refusal = {
    code: 'BASELINE_NOT_ACTIVATED',
    agent: options.certified,
    detail,
    epoch: null,
    batchSeq: null,
  } as const
  await options.refuse(refusal)
}

async function answered(options: SessionOptions, state: State, message: SliceMessage): Promise<void> {
  const place = parseDecisionId(message.id)
  if (place === null || place.agent !== options.certified) {
    await refuse(options, state, { code: 'SESSION_PROTOCOL', detail: 'a slice nobody asked this agent for' })
    return
  }
  if (message.channels.some((c) => c.time_us.length !== c.value.length)) {
    await refuse(options, state, {
      code: 'SESSION_PROTOCOL',
      detail: 'a slice whose times and values do not fit together',
    })
    return
  }
  const body = message.ok ? JSON.stringify(message.channels.map(channelJson)) : null
  const reason = message.ok ? null : (message.reason ?? 'no reason given')
  const known = await options.stores.slices.answer(place.agent, place.seq, {
    body,
    reason,
    nowUs: options.clock.nowUs(),
  })
  if (known) options.publish({ type: 'slice', decision: message.id, ok: message.ok })
}

function channelJson(channel: SliceMessage['channels'][number]): Record<string, unknown> {
  const value = Array.from(channel.value, (v) => (Number.isFinite(v) ? v : null))
  return { channel: channel.channel, unit: channel.unit, t_us: Array.from(channel.time_us), value }
}

type Fault = Readonly<{ code: ErrorCode; detail: string; epoch?: number }>

async function refuse(options: SessionOptions, state: State, { code, detail, epoch }: Fault): Promise<void> {
  if (state.over) return
  await options.refuse({ code, agent: options.certified, detail, epoch: epoch ?? null, batchSeq: null })
  send(options, state, {
    t: 'refusal',
    code,
    detail: detail.slice(0, DETAIL_CHARS_MAX),
    ...(epoch === undefined ? {} : { epoch }),
  })
  finish(options, state, CLOSE.refused, code)
}

function finish(options: SessionOptions, state: State, code: number, reason: string): void {
  if (state.over) return
  state.over = true
  if (state.offerer !== null) state.offerer.open = false
  options.socket.close(code, reason)
}

function send(options: SessionOptions, state: State, message: CollectorMessage): void {
  if (!state.over) options.socket.send(writeMessage(message))
}

function agentState(options: SessionOptions, state: State, connected: boolean): Record<string, unknown> {
  const { hello } = state
  return {
    agent: options.certified,
    program: hello?.programs[0] ?? options.enrolled?.programs[0] ?? '',
    connected,
    version: hello?.version ?? '',
    rigs: hello?.rigs ?? [],
  }
}
