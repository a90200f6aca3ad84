import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { killAll, runHb, startHb } from '../../scripts/demo/processes.ts'
import { ROOT } from '../../scripts/sources.ts'
import { type BenchFolder, createBenchFolder, freePort, runtimeYaml } from '../support/bench-folder.ts'
import { hbEnded } from '../support/hb-ended.ts'

type Json = Record<string, unknown>
type Shown = Readonly<{
  id: string
  seen: string
  state: string
  response: string | null
  out_of_service: string | null
}>

const LOOP = 'pressure-loop'
const RIG = (port: number): string => `  - rig: ${LOOP}
    program: demo
    registry_file: ${LOOP}.registry.yaml
    actions_policy_file: ${LOOP}.actions.yaml
    sources:
      - { name: daq-1, type: zmq, endpoint: "tcp://127.0.0.1:${port}" }
`
const EXECUTORS = ['pump', 'inlet-valve'].map(
  (target) =>
    `  - { target: ${target}, type: actuator, endpoint: "tcp://127.0.0.1:9", identity: ${target}, key_file: plc.key }\n`,
)

/** Everything that an agent of the loop needs, but the loop. */
async function makeLoop(folder: BenchFolder): Promise<void> {
  for (const name of ['ada', 'ben']) await runHb(['keys', 'create', name], folder.path)
  for (const kind of ['registry', 'actions'])
    copyFileSync(join(ROOT, 'hil-testbed/rigs', `${LOOP}.${kind}.yaml`), join(folder.path, `${LOOP}.${kind}.yaml`))
  folder.write('plc.key', `${'ab'.repeat(32)}\n`)
  const trusted = ['ada', 'ben'].map((name) => `  - { name: ${name}, public_key_file: ${name}.pub }\n`).join('')
  const executors = `${EXECUTORS.join('')}  - { target: control-room, type: notify, channels: [{ type: log }] }\n`
  const extra = `operators:\n${trusted}executors:\n${executors}`
  folder.write(
    'runtime.yaml',
    runtimeYaml({ clock: 'system', rigs: RIG(await freePort()), extra, ports: folder.ports }),
  )
}

/** An alarm of a rig as the collector lists it, once it does. */
async function ofAgents({ ports }: BenchFolder, id: string): Promise<Json> {
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${ports.operators}/api/alarms`)
    const { of_agents: alarms } = (await answer.json()) as { of_agents: Json[] }
    const found = alarms.find(({ alarm }) => alarm === id)
    if (found !== undefined) return found
    await new Promise((done) => setTimeout(done, 100))
  }
}

async function startAgent({ path }: BenchFolder) {
  const agent = startHb('agent', ['runtime', '--config', 'runtime.yaml', '--state', 'state'], { folder: path })
  await agent.event('agent_started')
  return agent
}

// verifies AL-5, AL-6, SE-36
t.test(
  'a rig that says nothing is an alarm: people are told, see it, acknowledge what they saw, and hide it',
  async (t) => {
    const folder = await createBenchFolder()
    t.teardown(() => {
      killAll()
      folder.remove()
    })
    await makeLoop(folder)
    const hb = async (...args: string[]): Promise<Json> => {
      const { stdout, stderr } = await hbEnded([...args, '--state', 'state', '--json'], folder.path)
      return JSON.parse(stdout === '' ? stderr.trim().split('\n').at(-1)! : stdout) as Json
    }
    const signed = (who: string, ...args: string[]) => hb('alarms', ...args, '--key', who, '--reason', 'looked at it')
    const shown = async (id: string): Promise<Shown> => {
      const { rigs } = (await hb('alarms', 'list', '--all')) as { rigs: [{ alarms: Shown[] }] }
      return rigs[0].alarms.find((one) => one.id === id)!
    }
    const raised = async (id: string): Promise<Shown> => {
      for (;;) {
        const one = await shown(id)
        if (one.state !== 'NORMAL') return one
      }
    }
    const agent = await startAgent(folder)
    t.match(await agent.event('notice'), { rig: LOOP, target: 'control-room' })
    t.match(await raised('rig-no-test'), { state: 'UNACK', seen: '1/CRITICAL', response: /missing or invalid/ })
    t.match(
      JSON.stringify(await signed('ada', 'ack', 'rig-no-test', '7/CRITICAL')),
      /ORDER_NOT_FOLLOWED.*occurrence_moved_on/s,
    )
    t.match(JSON.stringify(await signed('ada', 'ack', 'rig-no-test', '1')), /ORDER_REFUSED.*unknown_word/s)
    t.match(JSON.stringify(await signed('ada', 'ack', 'nobody', '1/CRITICAL')), /ORDER_NOT_FOLLOWED.*unknown_alarm/s)
    t.match(await signed('ada', 'ack', 'rig-no-test', '1/CRITICAL'), { state: 'done', by: ['ada'] })
    t.match(await shown('rig-no-test'), { state: 'ACKED' })
    t.match(await signed('ada', 'shelve', 'rig-no-test', '1/CRITICAL', '--for', '30'), { state: 'done' })
    t.match(JSON.stringify(await signed('ada', 'shelve', 'rig-fail', '0/-', '--for', '481')), /shelf_too_long/)
    const waits = await signed('ada', 'out', 'flow-lost')
    t.match(waits, { state: 'waits', by: ['ada'] }, 'hidden without an end: one person does not do that')
    t.match(await shown('flow-lost'), { out_of_service: null })
    const confirm = ['confirm', String(waits['order']).slice(0, 12), '--key', 'ben', '--reason', 'seen']
    t.match(await hb('orders', ...confirm), { state: 'done', by: ['ada', 'ben'] })
    process.kill(agent.pid, 'SIGKILL')
    await agent.exited

    const collector = startHb('collector', ['collector', '--config', 'collector.yaml'], { folder: folder.path })
    await collector.event('collector_started')
    const next = await startAgent(folder)
    t.match(await shown('rig-no-test'), { state: 'SHELVED', seen: '1/CRITICAL' })
    t.match(await shown('flow-lost'), { state: 'OUT_OF_SERVICE', out_of_service: 'looked at it' })
    t.match(await hb('alarms', 'list'), {
      rigs: [{ rig: LOOP, flood: null, kpis: { per_ten_minutes: { now: Number } } }],
    })
    t.match(await runHb(['alarms', 'list', '--state', 'state'], folder.path), /rig-no-test +1\/CRITICAL +SHELVED/)
    const there = await ofAgents(folder, 'rig-no-test')
    t.match(there, { agent: 'bench-1', rig: LOOP, severity: 'CRITICAL', state: 'SHELVED', occurrence: 1, id: null })
    t.equal(await next.stop(), 0)
    t.match(await ofAgents(folder, 'rig-no-test'), there, 'its agent is gone, and nothing of it is over')
    t.equal(await collector.stop(), 0)
    t.match(await runHb(['replay', '--state', 'state'], folder.path), /^equal: /)
  },
)
