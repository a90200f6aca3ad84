import t from 'tap'
import { killAll, runHb, startHb } from '../../scripts/demo/processes.ts'
import { createBenchFolder, hostRig, runtimeYaml } from '../support/bench-folder.ts'

type Counts = Record<string, number>
type Top = {
  rigs: { counters: Counts; channels: { metric: string; counters: Counts }[]; verdict: string }[]
  rates: { rigs: { received_per_s: number; channels: number[]; sources: number[] }[] }
}

t.test('a running agent and a collector can be looked at; a ledger is seen to balance', async (t) => {
  const folder = await createBenchFolder()
  t.teardown(() => {
    killAll()
    folder.remove()
  })
  folder.write('runtime.yaml', runtimeYaml({ clock: 'system', rigs: hostRig(100), ports: folder.ports }))
  const top = (...args: string[]): Promise<string> => runHb(['top', '--once', '--every', '0.6', ...args], folder.path)
  await t.rejects(top('--health', `http://127.0.0.1:${folder.ports.health}`), /ended with 69[\s\S]*AGENT_NOT_RUNNING/)
  await t.rejects(top('--collector', `http://127.0.0.1:${folder.ports.operators}`), /ended with 69/)
  await t.rejects(top(), /ended with 64/)
  await t.rejects(top('--health', 'nonsense'), /ended with 64/)
  const collector = startHb('collector', ['collector', '--config', 'collector.yaml'], { folder: folder.path })
  await collector.event('collector_started')
  const agent = startHb('agent', ['runtime', '--config', 'runtime.yaml', '--state', 'state'], { folder: folder.path })
  await agent.event('uplink_connected')
  await agent.event('verdict')

  const looked = JSON.parse(await top('--state', 'state', '--json')) as Top
  const rig = looked.rigs[0]!
  t.match(looked, { v: 1, agent: 'bench-1', uplink: 'open', fills: [{ name: 'journal' }, { name: 'outbox' }, {}] })
  const { received, evaluated, late, duplicate, rejected, shed, pending } = rig.counters
  t.equal(received, evaluated! + late! + duplicate! + rejected! + shed! + pending!)
  const load = rig.channels.findIndex((c) => c.metric === 'load_1m')
  const rate = looked.rates.rigs[0]!.channels[load]!
  t.ok(rate > 5 && rate < 15, `${rate} Hz of 10`)
  t.ok(looked.rates.rigs[0]!.sources[0]! > 5)
  const page = await top('--health', `http://127.0.0.1:${folder.ports.health}`)
  t.match(page, /agent bench-1 of demo[\s\S]*journal +\d[\s\S]*rig this-host[\s\S]*CHANNEL +VERDICT +HZ[\s\S]*SOURCE/)
  t.notMatch(page, '\u001b')
  const fleet = await top('--collector', `http://127.0.0.1:${folder.ports.operators}`)
  t.match(fleet, /collector of demo[\s\S]*bench-1 +connected[\s\S]*this-host/)
  t.equal(await agent.stop(), 0)
  t.match(JSON.parse(await top('--collector', `http://127.0.0.1:${folder.ports.operators}`, '--json')), {
    agents: [{ agent: 'bench-1', connected: false }],
  })
  t.equal(await collector.stop(), 0)
})
