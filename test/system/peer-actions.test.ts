import t from 'tap'
import { onceArmable } from '../../scripts/demo/operators.ts'
import { runHb } from '../../scripts/demo/processes.ts'
import type { BenchFolder } from '../support/bench-folder.ts'
import { metricOf, peerBench, until } from '../support/peer-bench.ts'

const POLICY = `version: 2
targets:
  - name: plant
    executor: peer
    groups: []
    send_timeout_ms: 500
    accept_timeout_ms: 1500
    start_timeout_ms: 1500
    complete_timeout_ms: 1500
    retries: 0
hazards:
  - action: notify
    target: plant
    inadvertent: none
    omission: marginal
    reason: a flow that is high is for the plant to know
    ftti_ms: 60000
    safe_state: the plant knows
rules:
  - id: high
    action: notify
    target: plant
    vote: 1ooN
    modes: [nominal, degraded]
    conditions:
      - { id: a, metric: flow, window_ms: 1000, op: ">", value: 100, persistence: 2 }
    params: { level: 2 }
    rearm: auto
    clear_ms: 1000
budgets:
  - { action: notify, most: 30, window_ms: 3600000 }
`
const PEOPLE = ['ada', 'ben'] as const

async function prepare(folder: BenchFolder) {
  for (const name of PEOPLE) await runHb(['keys', 'create', name], folder.path)
  folder.write('flow.actions.yaml', POLICY)
  const trusted = PEOPLE.map((name) => `  - { name: ${name}, public_key_file: ${name}.pub }\n`).join('')
  const more = `operators:\n${trusted}executors:\n  - { target: plant, type: peer }\n`
  return { rig: '    actions_policy_file: flow.actions.yaml\n', more }
}

/** Two people arm what is in force. */
async function arm({ path }: BenchFolder): Promise<void> {
  const [ada, ben] = PEOPLE.map((name) => ['--key', name, '--reason', 'run 12', '--state', 'state', '--json'])
  await onceArmable(async () => {
    const { order } = JSON.parse(await runHb(['arm', ...ada!], path)) as { order: string }
    await runHb(['orders', 'confirm', order, ...ben!], path)
  })
}

type Actions = { actions: { key: string; action: string; target: string; state: string }[] }
const actionsOf = async ({ path }: BenchFolder): Promise<Actions['actions']> =>
  (JSON.parse(await runHb(['actions', 'list', '--state', 'state', '--json'], path)) as Actions).actions
const REFUSED = (reason: string): string => `hb_peer_refused_total{reason="${reason}"}`

// verifies SE-14, SE-16
t.test('an armed action goes to the peer as an ACTION_REQUEST, and is what its acks say, each once', async (t) => {
  const { folder, heard, startPeer, say } = await peerBench(t, 'zmq', prepare)
  startPeer('peer', '--ack', 'accepted,started,completed', '--ack-times', '2')
  await until('health', () => heard.some(({ type }) => type === 'HEALTH_EVENT'))
  await arm(folder)
  say(200)
  const asked = () => heard.filter(({ type }) => type === 'ACTION_REQUEST')
  await until('a request', () => asked().length > 0)
  t.match(asked()[0], {
    ...{ action_type: 'notify', target: 'plant', params: { level: 2 }, action_allowed: true },
    payload: { rig: 'bench', attempt: 1 },
  })
  await until('all acks', async () => (await metricOf(folder, REFUSED('repeated_ack'))) === 3)
  t.equal(await metricOf(folder, 'hb_peer_received_total{type="ACTION_ACK"}'), 3)

  await until('the end', async () => ['COMPLETED', 'VERIFIED'].includes((await actionsOf(folder))[0]?.state ?? ''))
  const [action] = await actionsOf(folder)
  t.match(action, { key: asked()[0]!['action_id'], action: 'notify', target: 'plant' })
  const isAllowed = (): boolean =>
    heard.some(({ type, action_allowed }) => type === 'DRIFT_EVENT' && action_allowed === true)
  t.ok(isAllowed(), 'events say that the rig is armed')
  t.equal(asked().length, 1, 'once for the episode')
})

// verifies SE-16, SE-41
t.test('acks of another action or by another name leave an action to its time limit', async (t) => {
  const { folder, heard, startPeer, say } = await peerBench(t, 'webhook', prepare)
  startPeer('peer', '--ack', 'completed', '--ack-from', 'mallory')
  await until('health', () => heard.some(({ type }) => type === 'HEALTH_EVENT'))
  await arm(folder)
  say(200)
  await until('a refusal', async () => (await metricOf(folder, REFUSED('wrong_identity'))) === 1)
  await until('the end', async () => (await actionsOf(folder))[0]?.state === 'TIMED_OUT')
  t.equal(await metricOf(folder, 'hb_peer_received_total{type="ACTION_ACK"}'), 0)
})

// verifies SE-16
t.test('an ack that comes after the time limit is noted beside the action and does not change its end', async (t) => {
  const { folder, agent, heard, startPeer, say } = await peerBench(t, 'zmq', prepare)
  startPeer('peer', '--ack', 'completed', '--ack-ms', '3000')
  await until('health', () => heard.some(({ type }) => type === 'HEALTH_EVENT'))
  await arm(folder)
  say(200)
  await until('the end', async () => (await actionsOf(folder))[0]?.state === 'TIMED_OUT')
  await until('the ack', async () => (await metricOf(folder, 'hb_peer_received_total{type="ACTION_ACK"}')) === 1)
  const { key } = (await actionsOf(folder))[0]!
  const shown = JSON.parse(await runHb(['actions', 'show', key, '--state', 'state', '--json'], folder.path)) as Json
  t.match(JSON.stringify(shown), /completed/i, 'it is in the ledger')
  t.equal((await actionsOf(folder))[0]!.state, 'TIMED_OUT')
  t.equal(await agent.stop(), 0)
})

type Json = Record<string, unknown>
