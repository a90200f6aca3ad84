import { randomInt, randomUUID } from 'node:crypto'
import { resolve } from 'node:path'
import type { LoadedRuntime } from '../shared/config/load.ts'
import { loadSigner, readPrivateFile } from '../shared/crypto/key-file.ts'
import type { Signer, VerifyKey } from '../shared/crypto/sign.ts'
import { HbError } from '../shared/errors/hb-error.ts'
import type { Clock } from '../shared/lib/clock.ts'
import { createLifecycle, type Lifecycle, type StopReport } from '../shared/lib/lifecycle.ts'
import { createLogger, type Logger } from '../shared/log/logger.ts'
import type { Micros } from '../shared/units.ts'
import { openActing } from './acting.ts'
import { createActivatedFolder } from './adapters/activated-baselines.ts'
import { createAgentClock } from './adapters/agent-clock.ts'
import { createBundleFolder } from './adapters/bundle-folder.ts'
import { createControlServer } from './adapters/control-server.ts'
import { type Files, systemFiles } from './adapters/files.ts'
import { createHealthServer } from './adapters/health-server.ts'
import { RecordingOrder } from './adapters/recording-order.ts'
import { createSpans } from './adapters/spans.ts'
import { createSystemd, type Systemd } from './adapters/systemd.ts'
import { createUplink, type UplinkOptions } from './adapters/ws-uplink.ts'
import { type ActivationOptions, BaselineActivation, readActivations } from './baseline-activation.ts'
import { type AppliedNote, BundleActivation, readBundles, toldOf } from './bundle-activation.ts'
import { checkClock, checkNotBefore, decisionsSince } from './clock-check.ts'
import { type CodeIdentity, readCode } from './code-identity.ts'
import { agentDetail, agentStatus, type StatusOptions } from './detail.ts'
import { type AgentEvents, createAgentEvents } from './events.ts'
import { type AgentLoop, createAgentLoop } from './loop.ts'
import { agentMetrics } from './metrics.ts'
import { type Awaiting, awaitBench, type Outside } from './outside.ts'
import { openPeer, type Peer, type PeerAround } from './peer.ts'
import { takeReceipts } from './pipeline/receipts.ts'
import { recover } from './pipeline/recovery.ts'
import type { AgentClock, OutsideTime, Watchdog } from './ports.ts'
import { loadReceiptKey, readKeyFile } from './receipt-key.ts'
import { type Acting, proveTarget } from './rig-actions.ts'
import { addSources } from './sources.ts'
import { type AgentStorage, openStorage } from './storage.ts'
import { uplinkOptions } from './uplink-options.ts'

export type AgentOptions = Readonly<{
  loaded: LoadedRuntime
  statePath: string
  clock: Clock
  /** Time since the machine was started, its sleep included; asked of the system when absent. */
  bootUs?: () => Micros | null
  /** Logs go here; standard output when absent. */
  logger?: Logger
  /** The file system of the state folder; another one in tests. */
  files?: Files
}>

/** A running agent. `start` throws what an operator must act on, before any telemetry is taken. */
export interface Agent {
  start(): Promise<void>
  stop(signal: string): Promise<StopReport>
  /** Nobody waits any more for a bench that has not come; `start` settles then without having started anything. */
  giveUpWaiting(): void
  /** Settles when every recording is at its end; never for live rigs. */
  readonly ended: Promise<void>
  readonly healthAddress: string | null
}

/** A stop that takes longer goes on to the next part. */
const STOP_MS = 10_000

export function createAgent(options: AgentOptions): Agent {
  const { loaded, clock } = options
  const { agent: name, log_level: level } = loaded.config
  const logger = options.logger ?? createLogger({ name: `agent ${name}`, level })
  const events = createAgentEvents(logger)
  const lifecycle = createLifecycle({ clock, stopMs: STOP_MS })
  const systemd = createSystemd({ env: process.env, pid: process.pid, clock, failed: events.systemdFailed })
  let healthAddress: string | null = null
  let loop: AgentLoop | null = null
  const awaiting = loaded.config.clock === 'external' ? awaitBench(loaded, clock) : null
  let finish = (): void => {}
  const ended = new Promise<void>((resolve) => {
    finish = resolve
  })
  return {
    ended,
    get healthAddress() {
      return healthAddress
    },
    giveUpWaiting: () => awaiting?.giveUp(),
    async start() {
      const outside = await comeFor(awaiting, events)
      if (outside === 'nobody') return
      outside?.addClock(lifecycle)
      const opening = openAgent({ ...options, logger, systemd, outside }, events, lifecycle)
      const at = await orTold(opening, outside)
      loop = at.loop
      addParts(at, finish, (address) => {
        healthAddress = address
      })
      outside?.addBench(lifecycle)
      await orTold(lifecycle.start(), outside)
      const { agent, rigs } = loaded.config
      const { epoch } = at.storage.outbox
      systemd?.started(loaded.config.clock)
      events.started({ agent, rigs: rigs.length, epoch, health: healthAddress, state: options.statePath })
      outside?.begin(at.loop, finish)
    },
    async stop(signal) {
      events.stopping(signal)
      await systemd?.stopping()
      loop?.giveUpWaiting()
      const report = await lifecycle.stop()
      events.stopped({
        overdue: report.overdue,
        failed: report.failed.map(({ name }) => name),
        decisions: loop?.evaluation.state.decisionSeq ?? 0,
      })
      return report
    },
  }
}

function addParts(at: Running, finish: () => void, listening: (address: string) => void): void {
  addServers(at, listening)
  // Stopped before the uplink: what is signed last still goes out when the collector is there.
  at.lifecycle.add({ name: 'loop', start: () => at.loop.begin(), stop: () => at.loop.stop() })
  addPeer(at)
  addSources(at, finish)
}

type Opening = AgentOptions & Readonly<{ logger: Logger; systemd: Systemd | null; outside: Outside | null }>

/** The bench that moves the time of this agent; null where time goes on by itself. */
async function comeFor(awaiting: Awaiting | null, events: AgentEvents): Promise<Outside | 'nobody' | null> {
  if (awaiting === null) return null
  events.awaitingBench()
  return (await awaiting.outside()) ?? 'nobody'
}

/** Who waits for a start learns why there is none. */
async function orTold<T>(starting: Promise<T>, outside: Outside | null): Promise<T> {
  try {
    return await starting
  } catch (error) {
    await outside?.failed(error)
    throw error
  }
}

/** Reads everything that can be wrong, opens the state folder and brings the evaluator to where it was. */
async function openAgent(options: Opening, events: AgentEvents, lifecycle: Lifecycle): Promise<Running> {
  const { files = systemFiles, logger } = options
  const outside = options.outside?.time ?? null
  const clock = options.outside?.clock ?? createAgentClock(options)
  const keys = readKeys(options.loaded)
  checkClock(options.loaded, clock.nowUs())
  const code = readCode()
  const storage = openStorage(options.statePath, options.loaded, { signer: keys.signer, nowUs: clock.nowUs(), files })
  lifecycle.add({ name: 'state folder', stop: () => storage.close() })
  try {
    const folder = createActivatedFolder(files, storage.folder.path)
    const bundles = createBundleFolder(files, storage.folder.path)
    const under = readBundles(options.loaded, bundles, events)
    if (under.bundle !== null) events.bundleInForce(toldOf(under.bundle))
    const before = readActivations(under.configured, folder, events)
    const loaded = { ...under.configured, files: before.files }
    const peer = openPeer({ loaded, clock, logger, outside })
    const acting = await openActing({ loaded, clock, logger, files, folder: storage.folder.path, peer, outside })
    // A service manager goes by time of this machine.
    const watchdog = outside === null ? (options.systemd?.watchdog ?? null) : null
    const parts = { loaded, clock, events, storage, signer: keys.signer, code, acting, peer, watchdog, outside }
    const loop = await openLoop(parts)
    const taking: Taking = {
      nowUs: () => clock.nowUs(),
      configure: (next) => loop.configure(next),
      durable: () => storage.journal.sync(),
    }
    const activation = new BaselineActivation(
      { ...taking, loaded: under.configured, folder, events },
      before.files,
      before.activated,
    )
    const canAct = (): boolean => loop.actions !== null
    const applied = (note: AppliedNote): void => {
      loop.intake.take({ kind: 'policy_applied', nowUs: loop.nowUs(), ...note })
    }
    const bundle = new BundleActivation(
      { ...taking, disk: options.loaded, folder: bundles, events, baselines: activation, canAct, applied },
      under,
    )
    const recordings = new RecordingOrder()
    return { loaded, clock, events, storage, keys, loop, activation, bundle, lifecycle, recordings, peer, outside }
  } catch (error) {
    await storage.close()
    throw error
  }
}

/** How a configuration that comes while the agent runs takes effect. */
type Taking = Pick<ActivationOptions, 'nowUs' | 'configure' | 'durable'>
type Keys = Readonly<{
  signer: Signer
  receiptKey: VerifyKey | null
  uplink: Pick<UplinkOptions, 'url' | 'tls' | 'realm' | 'collectorKey'> | null
}>
type Parts = Readonly<{ loaded: LoadedRuntime; clock: AgentClock; events: AgentEvents; storage: AgentStorage }>
type Running = Parts &
  Readonly<{
    keys: Keys
    loop: AgentLoop
    activation: BaselineActivation
    bundle: BundleActivation
    lifecycle: Lifecycle
    recordings: RecordingOrder
    peer: Peer | null
    outside: OutsideTime | null
  }>
export type LoopParts = Parts &
  Readonly<{
    signer: Signer
    code: CodeIdentity
    acting?: Acting | null
    peer?: Peer | null
    watchdog?: Watchdog | null
    outside?: OutsideTime | null
  }>

/** Every file that can be wrong is read before anything is opened. */
function readKeys(loaded: LoadedRuntime): Keys {
  const { config, folder } = loaded
  const signer = loadSigner(resolve(folder, config.signing_key_file))
  const { collector } = config
  const receiptKey = loadReceiptKey(loaded)
  if (collector === undefined || receiptKey === null) return { signer, receiptKey, uplink: null }
  const tls = {
    ca: readKeyFile(resolve(folder, collector.ca_file)),
    cert: readKeyFile(resolve(folder, collector.cert_file)),
    key: readPrivateFile(resolve(folder, collector.key_file)),
  }
  return { signer, receiptKey, uplink: { url: collector.url, tls, realm: config.realm, collectorKey: receiptKey } }
}

/** Brings the evaluator of an opened state folder to where it was, whatever is damaged, and puts the loop around it. */
export async function openLoop(parts: LoopParts): Promise<AgentLoop> {
  const { loaded, clock, events, storage, signer, code } = parts
  const { journal, outbox, checkpoints } = storage
  tellDamage(storage, events)
  const recovered = await recover({
    journal,
    checkpoints,
    outbox,
    key: storage.key,
    nowUs: loaded.config.clock === 'recording' ? null : clock.nowUs(),
    decisionsSince: (timeUs) => decisionsSince(loaded, timeUs, clock.nowUs()),
    renewChain(reason) {
      outbox.beginEpoch(storage.folder.renewEpoch())
      events.chainRenewed({ epoch: outbox.epoch, reason })
    },
  })
  if (recovered.loss !== null) events.loss(recovered.loss)
  const { nowUs } = recovered.evaluation.state
  checkNotBefore(loaded, clock.nowUs(), nowUs)
  if (loaded.config.clock === 'system') clock.notBefore(nowUs)
  if (recovered.replayed > 0 || recovered.fromSeq > 0) {
    events.recovered({
      from_seq: recovered.fromSeq,
      replayed: recovered.replayed,
      unsigned: recovered.items.length,
      decisions: recovered.evaluation.state.decisionSeq,
      passed_over: recovered.passedOver.length,
    })
  }
  const { config } = loaded
  const loop = createAgentLoop({
    acting: parts.acting ?? null,
    peer: parts.peer ?? null,
    watchdog: parts.watchdog ?? null,
    outside: parts.outside ?? null,
    spans: createSpans(code.version),
    // Read only where it is asked for: an agent that needs no threads need not hold what makes them.
    shardThreads: async (count) => (await import('./adapters/shard-threads.ts')).createShardThreads(count),
    loaded,
    clock,
    events,
    storage,
    recovered,
    identity: {
      deployment: config.deployment,
      agent: config.agent,
      signer,
      code,
      bootId: randomUUID(),
    },
  })
  storage.outboxWatch.begin({ clock, events, batcher: loop.batcher })
  return loop
}

/** Says what was damaged before anything is made of it. */
function tellDamage({ journal, outbox, folder }: AgentStorage, events: AgentEvents): void {
  if (folder.mended) events.identityMended()
  if (journal.torn !== null) events.tornTail(journal.torn)
  for (const segment of journal.misnamed) events.segmentMisnamed({ segment })
  for (const damage of outbox.damage) events.outboxDamaged(damage)
}

function addServers(at: Running, listening: (address: string) => void): void {
  const {
    loaded: { config },
    loop,
    lifecycle,
    storage,
  } = at
  const around = { ...at, clock: at.outside?.host ?? at.clock }
  const uplink = at.keys.uplink === null ? null : createUplink(uplinkOptions(around, at.keys.uplink))
  if (uplink !== null) lifecycle.add({ name: 'uplink', start: () => uplink.start(), stop: () => uplink.stop() })
  loop.connect(uplink)
  const shown = (): StatusOptions => ({ loop, storage, uplink: uplink?.state ?? null, bundle: at.bundle.inForce })
  const status = (): Record<string, unknown> => ({ ...agentStatus(shown()), ...at.peer?.status() })
  const detail = (): Record<string, unknown> => agentDetail({ ...shown(), loaded: at.loaded, nowUs: at.clock.nowUs() })
  const { health } = config
  if (health !== undefined) {
    const server = createHealthServer({
      ...health,
      ready: loop.ready,
      status,
      detail,
      metrics: [...agentMetrics(loop, storage, uplink), ...(at.peer?.metrics() ?? [])],
    })
    lifecycle.add({ name: 'health', start: async () => listening(await server.start()), stop: () => server.stop() })
  }
  const control = createControlServer(storage.folder.path, {
    run: (order) => loop.orders.run(order, randomInt(0x10000)),
    channel: (order) => loop.orders.channel(order),
    orders: () => loop.orders.desktop(),
    alarms: () => loop.orders.alarms(),
    order: (signed) => loop.orders.signed(signed),
    proof: (target) => proveTarget(loop.actions, target),
    status,
    detail,
    receipts: (list) => takeFromStick(at, list),
    bundle: async (bytes) => toldOf(await at.bundle.take(bytes)),
  })
  lifecycle.add({ name: 'control', start: () => control.start(), stop: () => control.stop() })
}

/** Receipts that came on a stick. @throws HbError RECEIPT_FOREIGN and what is wrong with a signature; nothing was taken then */
async function takeFromStick(
  { loaded, storage: { outbox }, keys: { receiptKey }, loop }: Running,
  receipts: readonly Uint8Array[],
): Promise<Record<string, unknown>> {
  if (receiptKey === null) throw new HbError('USAGE', { expected: '`collector` or `receipts_key_file`' })
  const { fitting, known, problems } = await takeReceipts(receipts, {
    outbox,
    agent: loaded.config.agent,
    key: receiptKey,
  })
  const [wrong] = problems
  if (wrong !== undefined) throw new HbError(wrong.code, { batch: wrong.batch, reason: wrong.detail })
  loop.receipts += fitting.length
  return { taken: fitting.length, known, waiting: outbox.pending().batches }
}

/** Started when the loop takes inputs, and stopped before it: what a peer asks for is an input like any other. */
function addPeer({ peer, loop, lifecycle, events, clock, loaded: { config } }: Running): void {
  if (peer === null) return
  const around: PeerAround = {
    state: () => loop.evaluation.state,
    nowUs: () => (config.clock === 'recording' ? loop.evaluation.state.nowUs : clock.nowUs()),
    take: (input) => loop.intake.take(input) !== null,
    modeChanged: events.modeChanged,
  }
  lifecycle.add({ name: 'peer', start: () => peer.start(around), stop: () => peer.stop() })
}
