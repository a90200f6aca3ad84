import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Compile } from 'typebox/schema'
import { type Program, runHb } from '../../scripts/demo/processes.ts'
import { ROOT } from '../../scripts/sources.ts'
import { hbEnded } from '../support/hb-ended.ts'
import { metricOf, peerBench, send, until } from '../support/peer-bench.ts'

const SCHEMAS = new Map(
  readdirSync(join(ROOT, 'docs', 'reference', 'peer')).map((file) => {
    const schema = JSON.parse(readFileSync(join(ROOT, 'docs', 'reference', 'peer', file), 'utf8')) as { title: string }
    return [schema.title, Compile(schema)]
  }),
)

type Bench = Awaited<ReturnType<typeof peerBench>>
type Decisions = Readonly<{ decisions: readonly Readonly<{ seq: number; verdict: string }>[] }>

async function hearsOfFail(t: Test, { folder, heard, say }: Bench): Promise<void> {
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
  await until('that it is signed', async () => (await metricOf(folder, 'hb_signed_seq')) >= Number(number))
  const listed = JSON.parse(await runHb(['decisions', 'list', '--state', 'state', '--json'], folder.path)) as Decisions
  t.match(
    listed.decisions.find(({ seq }) => String(seq) === number),
    { verdict: 'FAIL' },
    'as the agent has it signed',
  )
  await until('a snapshot', () => heard.some((one) => one.type === 'DECISION_SNAPSHOT' && one['decision'] === 'FAIL'))
}

async function changesMode(t: Test, { folder, agent, heard }: Bench, peer: Program): Promise<void> {
  send(peer, { type: 'MODE_CHANGED', from_mode: 'nominal', to_mode: 'maintenance', reason: 'no operator' })
  await until('a refusal', async () => (await metricOf(folder, 'hb_peer_refused_total{reason="mode_refused"}')) === 1)
  send(peer, { type: 'MODE_CHANGED', from_mode: 'nominal', to_mode: 'degraded', reason: 'pump B is out' })
  t.match(await agent.event('mode'), { to: 'degraded', by: 'peer waveos', reason: 'pump B is out' })
  const { stdout } = await hbEnded(['mode', 'show', '--state', 'state', '--json'], folder.path)
  t.match(JSON.parse(stdout), { rigs: [{ rig: 'bench', mode: 'degraded' }] })
  await until('events of that mode', () => heard.some(({ payload }) => payload['mode'] === 'degraded'))
}

async function stormsInVain(t: Test, { folder, agent }: Bench, peer: Program): Promise<void> {
  const policy = { policy_id: 'limits', version: '12', digest: 'ef'.repeat(32), by: 'ada', reason: 'new nozzle' }
  send(peer, { type: 'POLICY_APPLIED', ...policy, times: 200 })
  t.match(await agent.event('peer_policy_applied'), {
    ...{ peer: 'waveos', policy: 'limits', version: '12', digest: 'ef'.repeat(32), by: 'ada', reason: 'new nozzle' },
  })
  const told = async (name: string): Promise<number> => metricOf(folder, name)
  const limited = 'hb_peer_refused_total{reason="rate_limited"}'
  const taken = 'hb_peer_received_total{type="POLICY_APPLIED"}'
  await until('all of the storm', async () => (await told(limited)) + (await told(taken)) === 200)
  t.ok((await told(taken)) <= 3, 'one every six seconds')
  const ready = await (await fetch(`http://127.0.0.1:${folder.ports.health}/ready`)).json()
  t.match(ready, {
    peer: {
      identity: 'waveos',
      breaker: 'closed',
      policies: [{ policy: 'limits', digest: policy.digest, by: 'ada' }],
    },
  })
}

for (const kind of ['zmq', 'webhook'] as const)
  t.test(`${kind}: a peer hears of a FAIL, changes a mode, and storms in vain`, async (t) => {
    const bench = await peerBench(t, kind)
    const { folder, agent, heard, startPeer } = bench
    const peer = startPeer('peer')
    await hearsOfFail(t, bench)
    await changesMode(t, bench, peer)
    await stormsInVain(t, bench, peer)
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

t.test('a peer that is away, comes, and is killed holds nothing up; what changed meanwhile is told', async (t) => {
  const { folder, agent, heard, startPeer, say } = await peerBench(t, 'zmq')
  await agent.event('peer_down')
  say(200)
  const before = await metricOf(folder, 'hb_decision_seq')
  await until('decisions go on', async () => (await metricOf(folder, 'hb_decision_seq')) > before + 40)
  const peer = startPeer('late')
  await until('the change', () => heard.some((one) => one.type === 'DRIFT_EVENT' && one.status === 'FAIL'))
  process.kill(peer.pid, 'SIGKILL')
  await peer.exited
  const then = await metricOf(folder, 'hb_decision_seq')
  await until('decisions go on', async () => (await metricOf(folder, 'hb_decision_seq')) > then + 40)
  say(30)
  const heardBefore = heard.length
  startPeer('again')
  await until('that it is over', () =>
    heard.slice(heardBefore).some((one) => one.type === 'DRIFT_EVENT' && one.status === 'PASS'),
  )
  t.equal(await agent.stop(), 0)
})
