import t, { type Test } from 'tap'
import { killAll, type LogLine, type Program, runHb, startHb } from '../../scripts/demo/processes.ts'
import { createFleetFolder, FLEET_NAMES, type FleetFolder } from '../support/fleet-folder.ts'
import { hbEnded } from '../support/hb-ended.ts'

type Json = Record<string, unknown>
type Heard = Program & Readonly<{ lines: LogLine[] }>

function start(folder: FleetFolder, name: string, ...args: string[]): Heard {
  const lines: LogLine[] = []
  const program = startHb(name, args, { folder: folder.path, line: (line) => lines.push(line) })
  return Object.assign(program, { lines })
}
const startAgent = (folder: FleetFolder, agent: string): Heard =>
  start(folder, agent, 'runtime', '--config', `${agent}/runtime.yaml`, '--state', `${agent}/state`)
const startCollector = (folder: FleetFolder): Heard =>
  start(folder, 'collector', 'collector', '--config', 'collector.yaml')

const hb =
  ({ path }: FleetFolder) =>
  async (...args: string[]) => {
    const { code, stdout, stderr } = await hbEnded([...args, '--json'], path)
    const text = (stdout === '' ? stderr : stdout).trim().split('\n').at(-1)!
    return { code, json: JSON.parse(text) as Json, stderr }
  }

async function until<T>(what: string, look: () => Promise<T | null> | T | null, withinMs = 30_000): Promise<T> {
  for (let waited = 0; waited < withinMs; waited += 100) {
    const found = await (async () => look())().catch(() => null)
    if (found !== null) return found
    await new Promise((done) => setTimeout(done, 100))
  }
  throw new Error(`${what} did not come in time`)
}

type Shown = Readonly<{ agent: string; bundle: { digest: string; number: number } | null; ready: boolean | null }>
async function running(folder: FleetFolder): Promise<(string | null)[]> {
  const { configs } = (await (await fetch(`${folder.operators}/api/fleet`)).json()) as { configs: Shown[] }
  return configs.map(({ bundle }) => bundle?.digest ?? null)
}

/** A bundle of all three with this limit, signed by one person: there is no policy of actions. */
async function signedFleet(folder: FleetFolder, number: number, failMax: number): Promise<string> {
  folder.desk(failMax)
  const configs = FLEET_NAMES.map((agent) => `desk/${agent}/runtime.yaml`)
  const made = await hb(folder)(
    ...['bundle', 'fleet', '--config', ...configs, '--key', 'ada.key', '--out', `${number}.bundle`],
    ...['--number', String(number), '--reason', 'for the test'],
  )
  return String(made.json['digest'])
}

async function fleet(t: Test): Promise<FleetFolder> {
  const folder = await createFleetFolder()
  t.teardown(() => {
    killAll()
    folder.remove()
  })
  return folder
}

const ORDER = ['--key', 'ada.key', '--stages', '1,all', '--within', '1m', '--why', 'new pump']

t.test(
  'a rollout goes through over a killed collector; one that does no good goes back at its first agent',
  async (t) => {
    const folder = await fleet(t)
    const said = hb(folder)
    const collector = startCollector(folder)
    const agents = FLEET_NAMES.map((agent) => startAgent(folder, agent))
    const first = await signedFleet(folder, 7, 90_000)
    t.match((await said('bundle', 'verify', '7.bundle', '--config', 'bench-1/runtime.yaml')).json, { ok: true })
    await collector.event('collector_started')
    for (const agent of agents) await agent.event('verdict')
    await goesThrough(t, { folder, collector, agents, digest: first })
    await goesBack(t, { folder, agents, digest: first })
    await aborted(t, folder)
    for (const agent of agents) t.equal(await agent.stop(), 0)
    t.match(await runHb(['replay', '--state', 'bench-1/state'], folder.path), /^equal: /)
    const journal = await runHb(['journal', 'export', '--state', 'bench-1/state'], folder.path)
    t.match(journal, /"source":"rollout".*"version":"7".*"by":"ada".*"reason":"for the test"/)
    t.match(journal, /"source":"rollback".*"version":"7".*"by":"collector, rollout [0-9a-f]{16}".*FAIL/)
  },
)

type Fleet = Readonly<{ folder: FleetFolder; agents: readonly Heard[]; digest: string }>

/** With a kill of the collector after its first stage has begun. */
async function goesThrough(
  t: Test,
  { folder, collector, agents, digest }: Fleet & { collector: Heard },
): Promise<void> {
  const said = hb(folder)
  const start = ['rollout', 'start', '7.bundle', '--collector', folder.operators, ...ORDER, '--soak', '2s', '--detach']
  const strange = await said(...start, '--key', 'bench-1/sign.pem')
  t.match(strange, { code: 77, json: { error: { code: 'ROLLOUT_REFUSED' } } })
  t.match(strange.stderr, /unknown_key/)
  const begun = await said(...start)
  t.match(begun, { code: 0, json: { digest, stages: [1, 3] } })
  t.match(await said(...start), { code: 75, json: { error: { code: 'ROLLOUT_RUNNING' } } })
  await agents[0]!.event('bundle_activated')
  process.kill(collector.pid, 'SIGKILL')
  await collector.exited
  t.notOk(activated(agents[1]!, 7), 'the second had not got it')
  t.match(await startCollector(folder).event('rollout'), { what: 'resumed', rollout: begun.json['id'] })
  const done = await until('the end of the rollout', async () => {
    const now = (await said('rollout', 'status', '--collector', folder.operators)).json
    // A collector that has just begun may not answer yet.
    return now['status'] === undefined || now['status'] === 'RUNNING' ? null : now
  })
  t.match(done, { id: begun.json['id'], status: 'COMPLETED', by: 'ada', reason: 'new pump' })
  const steps = (done['record'] as { agent: string; what: string }[])
    .filter(({ what }) => what === 'taken' || what === 'stage_passed')
    .map(({ agent, what }) => `${agent} ${what}`.trim())
  t.same(steps.slice(0, 2), ['bench-1 taken', 'stage_passed'])
  t.same(steps.slice(2, 4).toSorted(), ['bench-2 taken', 'rack-3 taken'])
  t.same(steps.slice(4), ['stage_passed'])
  t.ok(await until('digests', () => allRun(folder, digest)))
}

/** A limit that any load is above. */
async function goesBack(t: Test, { folder, agents, digest }: Fleet): Promise<void> {
  const bad = await signedFleet(folder, 8, 0)
  const start = ['rollout', 'start', '8.bundle', '--collector', folder.operators, ...ORDER, '--soak', '5s']
  const ended = await hb(folder)(...start)
  t.match(ended, { code: 69, json: { status: 'ROLLED_BACK', agents: [{ phase: 'back' }, { phase: 'waiting' }] } })
  t.match(ended.stderr, /bench-1 taken[\s\S]*ROLLING_BACK: bench-1 rig host-of-bench-1: FAIL, PASS before/)
  t.match(ended.stderr, /bench-1 back[\s\S]*ROLLED_BACK/)
  t.match(await agents[0]!.event('bundle_taken_back'), { number: 8, digest: bad, to: 7 })
  t.ok(await until('digests', () => allRun(folder, digest)))
  t.notOk(
    agents.slice(1).some((agent) => activated(agent, 8)),
    'nobody else ever got it',
  )
}

/** By somebody else than who began it. Its first agent has just gone back and takes nothing for six seconds. */
async function aborted(t: Test, folder: FleetFolder): Promise<void> {
  await signedFleet(folder, 9, 80_000)
  const said = hb(folder)
  const to = ['--collector', folder.operators]
  const { json } = await said('rollout', 'start', '9.bundle', ...to, ...ORDER, '--soak', '9s', '--detach')
  const id = String(json['id'])
  t.match(await said('rollout', 'abort', id.slice(0, 4), ...to, '--key', 'grace.key', '--why', 'it leaks'), {
    code: 66,
  })
  t.match(await said('rollout', 'abort', id, ...to, '--key', 'grace.key', '--why', 'it leaks'), {
    json: { aborted: true },
  })
  t.match(
    await until('the end of it', async () => {
      const now = (await said('rollout', 'status', id.slice(0, 8), ...to)).json
      return now['status'] === 'ROLLED_BACK' ? now : null
    }),
    { reasons: ['aborted by grace: it leaks'], number: 9 },
  )
  const all = (await said('rollout', 'status', '--all', ...to)).json['rollouts'] as { status: string }[]
  t.same(
    all.map(({ status }) => status),
    ['ROLLED_BACK', 'ROLLED_BACK', 'COMPLETED'],
  )
}

function activated({ lines }: Heard, bundle: number): boolean {
  return lines.some(({ event, number }) => event === 'bundle_activated' && number === bundle)
}

async function allRun(folder: FleetFolder, digest: string): Promise<true | null> {
  return (await running(folder)).every((one) => one === digest) ? true : null
}
