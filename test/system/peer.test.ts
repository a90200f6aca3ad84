import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Compile } from 'typebox/schema'
import { killAll, type LogLine, type Program, runHb, startHb } from '../../scripts/demo/processes.ts'
import { ROOT } from '../../scripts/sources.ts'
import { type BenchFolder, createBenchFolder, freePort, runtimeYaml } from '../support/bench-folder.ts'
import { hbEnded } from '../support/hb-ended.ts'

const REGISTRY = `version: "1.0"
metrics:
  flow: { unit: L/min, nominal_rate_hz: 20, baseline_required: false, invariant_min: 0, invariant_max: 100 }
`
const RIG = `  - rig: bench
    program: demo
    registry_file: flow.registry.yaml
    windows_ms: [1000]
    sources:
      - { name: pipe, type: stdin }
`
const SCHEMAS = new Map(
  readdirSync(join(ROOT, 'docs', 'reference', 'peer')).map((file) => {
    const schema = JSON.parse(readFileSync(join(ROOT, 'docs', 'reference', 'peer', file), 'utf8')) as { title: string }
    return [schema.title, Compile(schema)]
  }),
)

type Message = Readonly<{ type: string; status?: string; payload: Record<string, unknown>; [key: string]: unknown }>

/** An agent that is told one value 20 times a second, and a peer, each in a process of its own. */
async function bench(t: Test, kind: 'zmq' | 'webhook') {
  const folder = await createBenchFolder()
  t.teardown(() => {
    killAll()
    folder.remove()
  })
  const [peerPort, agentPort] = [await freePort(), await freePort()]
  folder.write('flow.registry.yaml', REGISTRY)
  folder.write('peer.key', '07'.repeat(32))
  const how =
    kind === 'zmq'
      ? `zmq: { endpoint: "tcp://127.0.0.1:${peerPort}" }`
      : `webhook: { url: "http://127.0.0.1:${peerPort}/hb", listen_port: ${agentPort} }`
  const peerYaml = `peer: { identity: waveos, key_file: peer.key, health_every_ms: 500, ${how} }\n`
  const extra = `health: { port: ${folder.ports.health} }\n${peerYaml}`
  folder.write('runtime.yaml', runtimeYaml({ clock: 'system', rigs: RIG, extra }))
  const args = ['runtime', '--config', 'runtime.yaml', '--state', 'state']
  const agent = startHb('agent', args, { folder: folder.path, input: true })
  await agent.event('agent_started')
  let value = 30
  const timer = setInterval(() => {
    agent.input!.write(`${JSON.stringify({ channel: 'flow', t_us: Date.now() * 1000, value })}\n`)
  }, 50)
  t.teardown(() => clearInterval(timer))
  const heard: Message[] = []
  const line = (said: LogLine): void => {
    if (said['event'] === 'received') heard.push(said['message'] as Message)
  }
  const endpoint = `${kind === 'zmq' ? 'tcp' : 'http'}://127.0.0.1:${peerPort}`
  const own = ['--key', 'peer.key', '--agent', 'bench-1', '--agent-url', `http://127.0.0.1:${agentPort}/peer`]
  const startPeer = (name: string): Program =>
    startHb(name, ['hil', 'peer', '--endpoint', endpoint, ...own], { folder: folder.path, input: true, line })
  return {
    ...{ folder, agent, heard, startPeer },
    say(next: number) {
      value = next
    },
  }
}

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let k = 0; k < 500; k += 1) {
    if (await isSo()) return
    await new Promise((resolve) => setTimeout(resolve, 40))
  }
  throw new Error(`never: ${what}`)
}

async function metric({ ports }: BenchFolder, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${ports.health}/metrics`)).text()
  const line = text.split('\n').find((one) => one.startsWith(`${name} `))
  return line === undefined ? 0 : Number(line.split(' ').at(-1))
}

const send = (peer: Program, order: Record<string, unknown>): boolean => peer.input!.write(`${JSON.stringify(order)}\n`)

for (const kind of ['zmq', 'webhook'] as const)
  t.test(`${kind}: a peer hears of a FAIL, changes a mode, and storms in vain`, async (t) => {
    const { folder, agent, heard, startPeer, say } = await bench(t, kind)
    const peer = startPeer('peer')
    const of = (type: string, status: string) => heard.find((one) => one.type === type && one.status === status)
    await until('health', () => of('HEALTH_EVENT', 'PASS') !== undefined)
    say(200)
    await until('drift', () => of('DRIFT_EVENT', 'FAIL') !== undefined)
    t.match(of('DRIFT_EVENT', 'FAIL'), {
      ...{ system_id: 'bench-1', severity: 'high', drift_metrics: ['flow'], action_allowed: false },
      payload: { rig: 'bench', mode: 'nominal', more: 0 },
    })
    t.match(of('HEALTH_EVENT', 'FAIL'), { primary_issue: /^flow reached 200 L\/min/, payload: { changed: true } })
    const { decision_id: number } = of('HEALTH_EVENT', 'FAIL')!
    await until('that it is signed', async () => (await metric(folder, 'hb_signed_seq')) >= Number(number))
    const listed = JSON.parse(
      await runHb(['decisions', 'list', '--state', 'state', '--json'], folder.path),
    ) as Decisions
    t.match(
      listed.decisions.find(({ seq }) => String(seq) === number),
      { verdict: 'FAIL' },
      'as the agent has it signed',
    )
    await until('a snapshot', () => heard.some((one) => one.type === 'DECISION_SNAPSHOT' && one['decision'] === 'FAIL'))

    send(peer, { type: 'MODE_CHANGED', from_mode: 'nominal', to_mode: 'maintenance', reason: 'no operator' })
    await until('a refusal', async () => (await metric(folder, 'hb_peer_refused_total{reason="mode_refused"}')) === 1)
    send(peer, { type: 'MODE_CHANGED', from_mode: 'nominal', to_mode: 'degraded', reason: 'pump B is out' })
    t.match(await agent.event('mode'), { to: 'degraded', by: 'peer waveos', reason: 'pump B is out' })
    const { stdout } = await hbEnded(['mode', 'show', '--state', 'state', '--json'], folder.path)
    t.match(JSON.parse(stdout), { rigs: [{ rig: 'bench', mode: 'degraded' }] })
    await until('events of that mode', () => heard.some(({ payload }) => payload['mode'] === 'degraded'))

    const policy = { policy_id: 'limits', version: '12', digest: 'ef'.repeat(32), by: 'ada', reason: 'new nozzle' }
    send(peer, { type: 'POLICY_APPLIED', ...policy, times: 200 })
    t.match(await agent.event('peer_policy_applied'), {
      ...{ peer: 'waveos', policy: 'limits', version: '12', digest: 'ef'.repeat(32), by: 'ada', reason: 'new nozzle' },
    })
    const told = async (name: string): Promise<number> => metric(folder, name)
    const limited = 'hb_peer_refused_total{reason="rate_limited"}'
    const taken = 'hb_peer_received_total{type="POLICY_APPLIED"}'
    await until('all of the storm', async () => (await told(limited)) + (await told(taken)) === 200)
    t.ok((await told(taken)) <= 3, 'one every six seconds')
    await until('health after it', () => heard.at(-1)?.type === 'HEALTH_EVENT')

    for (const one of heard) {
      const [isOne, problems] = SCHEMAS.get(one.type)!.Errors(one)
      t.ok(isOne, `${one.type}: ${JSON.stringify(problems)}`)
    }
    t.equal(new Set(heard.map((one) => one['message_id'])).size, heard.length, 'each once')
    t.comment(`counted: messages to a peer over ${kind} | ${heard.length} | as the published schemas say`)
    t.equal(await agent.stop(), 0)
    t.match(
      await runHb(['replay', '--state', 'state'], folder.path),
      /^equal: /,
      'the change of mode is in the journal',
    )
  })

type Decisions = Readonly<{ decisions: readonly Readonly<{ seq: number; verdict: string }>[] }>

t.test('a peer that is away, comes, and is killed holds nothing up; what changed meanwhile is told', async (t) => {
  const { folder, agent, heard, startPeer, say } = await bench(t, 'zmq')
  await agent.event('peer_down')
  say(200)
  const before = await metric(folder, 'hb_decision_seq')
  await until('decisions go on', async () => (await metric(folder, 'hb_decision_seq')) > before + 40)
  const peer = startPeer('late')
  await until('the change', () => heard.some((one) => one.type === 'DRIFT_EVENT' && one.status === 'FAIL'))
  process.kill(peer.pid, 'SIGKILL')
  await peer.exited
  const then = await metric(folder, 'hb_decision_seq')
  await until('decisions go on', async () => (await metric(folder, 'hb_decision_seq')) > then + 40)
  say(30)
  const heardBefore = heard.length
  startPeer('again')
  await until('that it is over', () =>
    heard.slice(heardBefore).some((one) => one.type === 'DRIFT_EVENT' && one.status === 'PASS'),
  )
  t.equal(await agent.stop(), 0)
})
