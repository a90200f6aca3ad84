import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { NOBODY, type Trust } from '../shared/config/operators.ts'
import type { CollectorConfig } from '../shared/config/types.ts'
import { loadSigner, readPrivateFile } from '../shared/crypto/key-file.ts'
import { readPublicKey, type Signer } from '../shared/crypto/sign.ts'
import { HbError } from '../shared/errors/hb-error.ts'
import type { Clock } from '../shared/lib/clock.ts'
import { createLifecycle, type Lifecycle, type StopReport } from '../shared/lib/lifecycle.ts'
import { createLogger, type Logger } from '../shared/log/logger.ts'
import { signDownlink } from '../shared/protocol/downlink.ts'
import { signReceipt } from '../shared/protocol/receipt.ts'
import type { Millis } from '../shared/units.ts'
import type { AgentConfigs } from './agent-configs.ts'
import { AgentWatch } from './agent-watch.ts'
import { type AlarmWays, openAlarming, openAlarmWays } from './alarming.ts'
import { BaselineDownlinks } from './baseline-downlinks.ts'
import { BaselineBook } from './baselines.ts'
import type { EnrolledAgent } from './core/chain.ts'
import { DecayWatch } from './decay-watch.ts'
import { type CollectorEvents, createCollectorEvents } from './events.ts'
import { createFleet, type Fleet } from './fleet.ts'
import { type AlarmContext, alarmsJson } from './http/alarm-views.ts'
import { type BaselineContext, baselinesJson } from './http/baseline-views.ts'
import { createLiveFeed, type LiveFeed } from './http/live-feed.ts'
import { createOperators, type OperatorsOptions } from './http/operators.ts'
import { publishBatch } from './http/publish-batch.ts'
import { FLEET_BASELINES } from './http/routes.ts'
import { safetyJson } from './http/safety-views.ts'
import { refusalJson } from './http/views.ts'
import { collectorMetrics } from './metrics.ts'
import { openRollouts } from './rollout-parts.ts'
import type { Rollouts } from './rollouts.ts'
import { createStandingFeed } from './standing-feed.ts'
import { openStores, type Stores } from './store/open.ts'
import type { Refusal } from './store/refusals.ts'
import { StoreWatch } from './store-watch.ts'
import { createVerifyPool, type VerifyPool } from './verify/pool.ts'
import { type AgentsOptions, createAgentsListener } from './ws/agents.ts'
import { createIngest, type Ingest } from './ws/ingest.ts'

/** What a collector is made from: its configuration, the people it names, and the folder that paths in it are relative to. */
export type CollectorSettings = Readonly<{ config: CollectorConfig; trust?: Trust; folder: string }>

export type CollectorOptions = Readonly<{
  /** Logs go here; standard output when absent. */
  logger?: Logger
  /** File of the verify worker, and folder of the page; both are found by themselves. */
  workerFile?: string
  page?: string
}>

/** A collector. `start` throws what an operator must act on; the ports are known when it has settled. */
export interface Collector {
  start(): Promise<void>
  /** Stops in order: no new sessions, what is on its way is stored, the database is closed. Twice is fine. */
  stop(): Promise<StopReport>
  readonly agentsPort: number
  readonly operatorsPort: number
  readonly events: CollectorEvents
}

/** A stop that takes longer goes on to the next part. */
const STOP_MS: Millis = 10_000
/** Refusals waiting to be written; more are counted in the log only, so that a flood of them cannot hold up batches. */
export const REFUSALS_WAITING_MAX = 64

type Refuse = (refusal: Omit<Refusal, 'timeUs'> & Readonly<{ times?: number }>) => Promise<void>
type Parts = {
  stores: Stores
  pool: VerifyPool
  fleet: Fleet
  feed: LiveFeed
  ingest: Ingest
  book: BaselineBook
  decay: DecayWatch
  alarming: AlarmContext
  configs: AgentConfigs
  rollouts: Rollouts
  enrolled: ReadonlyMap<string, EnrolledAgent>
}

export function createCollector(settings: CollectorSettings, clock: Clock, options: CollectorOptions = {}): Collector {
  const { config } = settings
  const events = createCollectorEvents(options.logger ?? createLogger({ name: 'collector', level: config.log_level }))
  const lifecycle = createLifecycle({ clock, stopMs: STOP_MS })
  let agentsPort = 0
  let operatorsPort = 0

  return {
    async start() {
      // Everything that can be wrong with files is found before anything is opened.
      const files = readFiles(settings)
      const ways = openAlarmWays({ ...alarmFacts(settings), clock, events })
      const parts = await openParts({ settings, clock, options, events, signer: files.signer, ways })
      const made = { settings, options, events, parts, files, clock }
      const watch = createStoreWatch(made)
      addInner(lifecycle, parts, watch)
      const agents = createAgentsListener(agentsOptions(made))
      const operators = createOperators({
        ...operatorsOptions(made),
        metrics: collectorMetrics(agents, watch, { ...baselinesOf(parts), clock }, parts.alarming),
      })
      lifecycle.add({
        name: 'operators',
        start: async () => {
          operatorsPort = await operators.start()
        },
        stop: () => operators.stop(),
      })
      lifecycle.add({
        name: 'agents',
        start: async () => {
          agentsPort = await agents.start()
        },
        stop: () => agents.stop(),
      })
      // Last: a beat says that all of the above is there.
      const { heartbeat } = parts.alarming
      if (heartbeat !== null)
        lifecycle.add({ name: 'heartbeat', start: () => heartbeat.start(), stop: () => heartbeat.stop() })
      await lifecycle.start()
      events.started({
        agents: `wss://${config.agents_listen.host}:${agentsPort}/agent`,
        operators: `${config.operators_tls === undefined ? 'http' : 'https'}://${config.operators_listen.host}:${operatorsPort}/`,
        enrolled: parts.enrolled.size,
        key: Buffer.from(files.signer.keyId).toString('hex'),
      })
    },
    stop: () => lifecycle.stop(),
    get agentsPort() {
      return agentsPort
    },
    get operatorsPort() {
      return operatorsPort
    },
    events,
  }
}

/** What works without listening, in the order in which it starts. */
function addInner(lifecycle: Lifecycle, parts: Parts, watch: StoreWatch): void {
  const { stores, pool, ingest, decay, alarming, rollouts, feed } = parts
  lifecycle.add({ name: 'database', stop: () => stores.close() })
  lifecycle.add({ name: 'verify', stop: () => pool.close() })
  lifecycle.add({ name: 'ingest', stop: () => ingest.drained() })
  lifecycle.add({ name: 'store check', start: () => watch.start(), stop: () => watch.stop() })
  lifecycle.add({ name: 'baseline decay', start: () => decay.start(), stop: () => decay.stop() })
  lifecycle.add({ name: 'alarms', start: () => alarming.alarms.start(), stop: () => alarming.alarms.stop() })
  lifecycle.add({ name: 'rollouts', start: async () => rollouts.begin(), stop: () => rollouts.end() })
  lifecycle.add({ name: 'live', stop: () => feed.stop() })
}

type Files = Readonly<{
  signer: Signer
  agentsTls: AgentsOptions['tls']
  operatorsTls?: NonNullable<OperatorsOptions['tls']>
}>

function readFiles({ config, folder }: CollectorSettings): Files {
  const signer = loadSigner(resolve(folder, config.signing_key_file))
  const { tls, operators_tls: operatorsTls } = config
  const key = (file: string): Buffer => Buffer.from(readPrivateFile(resolve(folder, file)))
  const agentsTls = {
    ca: readInput(folder, tls.ca_file),
    cert: readInput(folder, tls.cert_file),
    key: key(tls.key_file),
  }
  if (operatorsTls === undefined) return { signer, agentsTls }
  return {
    signer,
    agentsTls,
    operatorsTls: { cert: readInput(folder, operatorsTls.cert_file), key: key(operatorsTls.key_file) },
  }
}

function readInput(folder: string, file: string): Buffer {
  const path = resolve(folder, file)
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new HbError('CONFIG_MISSING', { path }, { cause })
  }
}

/** Who may send, with the key of each. @throws HbError CONFIG_MISSING, KEY_REFUSED */
export function enrolledAgents({ config, folder }: CollectorSettings): ReadonlyMap<string, EnrolledAgent> {
  return new Map(
    config.agents.map((a) => {
      const { spki, realm } = readPublicKey(readInput(folder, a.public_key_file).toString('utf8'))
      return [a.agent, { agent: a.agent, deployment: config.deployment, realm, spki, programs: a.programs }]
    }),
  )
}

type Made = Readonly<{ settings: CollectorSettings; clock: Clock; options: CollectorOptions; events: CollectorEvents }>

type Opened = Made & Readonly<{ signer: Signer; ways: AlarmWays }>

async function openParts({ settings, clock, options, events, signer, ways }: Opened): Promise<Parts> {
  const { config, folder } = settings
  const enrolled = enrolledAgents(settings)
  const stores = await openStores(resolve(folder, config.data_dir), clock)
  await stores.agents.enrol([...enrolled.values()], clock.nowUs())
  const file = options.workerFile
  const pool = createVerifyPool({
    workers: config.verify_workers === 0 ? availableParallelism() : config.verify_workers,
    realm: config.realm,
    ...(file === undefined ? {} : { file }),
    failed: events.workerEnded,
  })
  const feed = createLiveFeed(clock)
  const watch = new AgentWatch(clock, await stores.batches.lastReceived([...enrolled.keys()]))
  let alarmsChanged = (): void => {}
  const safetyChanged = createStandingFeed({
    feed,
    make: async () => ({ type: 'safety', safety: await safetyJson(stores, clock.nowUs()) }),
    failed: (error) => events.broken('safety feed', error),
  })
  const ingest = createIngest({
    stores,
    pool,
    clock,
    signReceipt: (facts) => signReceipt(facts, signer),
    stored: (batch, decisions) => {
      watch.stored(batch.agent, batch.recvUs)
      publishBatch(feed, batch, decisions)
      if (!decisions.some(({ kind }) => kind === 'safety')) return
      safetyChanged()
      alarmsChanged()
    },
    refused: refuser({ stores, feed, events, clock }),
  })
  const alarming = await openAlarming({
    ...{ ...alarmFacts(settings), ways, stores, watch, ingest, clock, events },
    changed: () => alarmsChanged(),
  })
  const fleet = watch.over(createFleet(clock), (vitals) => alarming.alarms.heard(vitals))
  alarmsChanged = createStandingFeed({
    feed,
    make: async () => ({ type: 'alarms', alarms: await alarmsJson(alarming, stores, clock.nowUs()) }),
    failed: (error) => events.broken('alarms feed', error),
  })
  return {
    stores,
    pool,
    fleet,
    feed,
    ingest,
    alarming,
    enrolled,
    ...(await openBook({ settings, clock, events, stores, fleet, feed })),
    ...(await openRollouts({ ...settings, clock, events, stores, fleet, feed, enrolled })),
  }
}

function alarmFacts({ config, trust = NOBODY, folder }: CollectorSettings) {
  return { config, trust, folder }
}

type BookParts = Pick<Made, 'settings' | 'clock' | 'events'> & Pick<Parts, 'stores' | 'fleet' | 'feed'>

/** The book of baselines, and what looks at it; pages are told of every change. */
async function openBook(parts: BookParts): Promise<Pick<Parts, 'book' | 'decay'>> {
  const { settings, clock, events, stores, fleet, feed } = parts
  const store = stores.baselines
  let tell = (): void => {}
  let lookSoon = (): void => {}
  const book = await BaselineBook.open({
    ...{ store, trust: settings.trust ?? NOBODY, clock },
    changed({ kind, digest, rig, operator, request, reason }) {
      events.baselineSaid({ kind, baseline: digest, rig, by: operator, request, reason })
      if (kind === 'approve' || kind === 'rollback') lookSoon()
      tell()
    },
  })
  const { damage: found } = book
  if (found !== null) events.bookDamaged({ found })
  const decay = new DecayWatch({
    ...{ book, store, fleet, clock },
    changed: events.baselineDecayed,
    looked: () => tell(),
    broken: (error) => events.broken('baseline decay', error),
  })
  lookSoon = () => decay.soon()
  tell = () => {
    const baselines = baselinesJson({ book, decay }, { nowUs: clock.nowUs(), limit: FLEET_BASELINES })
    if (feed.clients > 0) feed.publish({ type: 'baselines', baselines })
  }
  return { book, decay }
}

function baselinesOf({ book, decay }: Parts): BaselineContext {
  return { book, decay }
}

type Common = Made & Readonly<{ parts: Parts; files: Files }>

function operatorsOptions({
  settings: { config },
  options,
  events,
  parts,
  files,
  clock,
}: Common): Omit<OperatorsOptions, 'metrics'> {
  return {
    context: {
      ...{ stores: parts.stores, fleet: parts.fleet, clock, deployment: config.deployment },
      baselines: baselinesOf(parts),
      alarming: parts.alarming,
      rollouts: { rollouts: parts.rollouts, configs: parts.configs },
    },
    feed: parts.feed,
    events,
    listen: config.operators_listen,
    ...(files.operatorsTls === undefined ? {} : { tls: files.operatorsTls }),
    ...(options.page === undefined ? {} : { page: options.page }),
  }
}

function agentsOptions({ settings: { config }, events, parts, files, clock }: Common): AgentsOptions {
  const { stores, ingest, fleet, feed, enrolled, book, configs, rollouts } = parts
  return {
    listen: config.agents_listen,
    tls: files.agentsTls,
    deployment: config.deployment,
    realm: config.realm,
    enrolled,
    clock,
    events,
    stores,
    ingest,
    fleet,
    configs,
    rollouts,
    refuse: refuser({ stores, feed, events, clock }),
    publish: feed.publish,
    signDownlink: (downlink) => signDownlink(downlink, files.signer),
    baselines: new BaselineDownlinks({ book, store: stores.baselines, clock, events }),
  }
}

function createStoreWatch({
  settings: { config, trust = NOBODY, folder },
  events,
  parts,
  files,
  clock,
}: Common): StoreWatch {
  const refuse = refuser({ stores: parts.stores, feed: parts.feed, events, clock })
  return new StoreWatch({
    folder: resolve(folder, config.data_dir),
    pool: parts.pool,
    key: readPublicKey(files.signer.spki, files.signer.realm),
    deployment: config.deployment,
    trust,
    clock,
    found: ({ agent, epoch, batch, what }) =>
      refuse({ code: 'EVIDENCE_DAMAGED', agent, detail: what, epoch, batchSeq: batch }),
    broken: (error) => events.broken('store check', error),
  })
}

/** Records a refusal, shows it on every page, and says it in the log. Never rejects: refusing must not fail. */
export function refuser({
  stores,
  feed,
  events,
  clock,
}: Readonly<{
  stores: Pick<Stores, 'refusals'>
  feed: Pick<LiveFeed, 'publish'>
  events: Pick<CollectorEvents, 'refused' | 'broken'>
  clock: Pick<Clock, 'nowUs'>
}>): Refuse {
  let waiting = 0
  return async (refusal) => {
    const timeUs = clock.nowUs()
    events.refused({
      code: refusal.code,
      agent: refusal.agent,
      detail: refusal.detail,
      epoch: refusal.epoch,
      batch_seq: refusal.batchSeq,
      times: refusal.times ?? 1,
    })
    feed.publish({ type: 'refusal', refusal: refusalJson({ ...refusal, timeUs }) })
    if (waiting >= REFUSALS_WAITING_MAX) return
    waiting += 1
    try {
      await stores.refusals.record({ ...refusal, timeUs })
    } catch (error) {
      events.broken('refusals', error)
    } finally {
      waiting -= 1
    }
  }
}
