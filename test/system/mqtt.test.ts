import t from 'tap'
import { killAll, runHb, startHb } from '../../scripts/demo/processes.ts'
import { createBenchFolder, runtimeYaml } from '../support/bench-folder.ts'
import { PUBACK, publishBytes, startBrokerDouble } from '../support/broker-double.ts'
import { hbEnded } from '../support/hb-ended.ts'

const SAMPLES = 60
const REGISTRY = `version: "1.0"
metrics:
  flow: { unit: L/min, nominal_rate_hz: 20, baseline_required: false, invariant_min: 0, invariant_max: 100 }
`

t.test(
  'messages of a broker are journaled, acknowledged, and decided on; the same journal gives it again',
  async (t) => {
    const folder = await createBenchFolder()
    const broker = await startBrokerDouble()
    t.teardown(async () => {
      killAll()
      await broker.close()
      folder.remove()
    })
    folder.write('flow.registry.yaml', REGISTRY)
    const rigs = (more: string): string => `  - rig: bench
    program: demo
    registry_file: flow.registry.yaml
    windows_ms: [1000]
    sources:
      - { name: bus, type: mqtt, url: "${broker.url}", protocol: mqtt311${more} }
`
    folder.write(
      'wrong.yaml',
      runtimeYaml({ clock: 'system', rigs: rigs(', user: a, password_file: absent, topics: ["#/a"]') }),
    )
    const wrong = await hbEnded(['config', 'check', 'wrong.yaml'], folder.path)
    t.equal(wrong.code, 78)
    t.match(wrong.stdout + wrong.stderr, /password_file[\s\S]*absent/)
    t.match(wrong.stdout + wrong.stderr, /topics\[0\]/, 'both at once')

    folder.write('runtime.yaml', runtimeYaml({ clock: 'system', rigs: rigs('') }))
    const agent = startHb('agent', ['runtime', '--config', 'runtime.yaml', '--state', 'state'], { folder: folder.path })
    t.match(await agent.event('source_broker'), {
      what: 'connected',
      rig: 'bench',
      source: 'bus',
      session: 'new',
      qos: 1,
    })
    const [side] = broker.sides
    for (let k = 0; k < SAMPLES; k += 1) {
      const text = `{"metric":"flow","value":${30 + (k % 3)},"ts":${Date.now() / 1000}}`
      side!.send(publishBytes({ topic: 'hb/metrics/flow', text, qos: 1, id: k + 1 }))
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    for (let k = 0; k < 100 && side!.packets.filter(({ type }) => type === PUBACK).length < SAMPLES; k += 1)
      await new Promise((resolve) => setTimeout(resolve, 20))
    t.equal(side!.packets.filter(({ type }) => type === PUBACK).length, SAMPLES)
    t.equal(await agent.stop(), 0)
    t.equal(side!.packets.at(-1)!.type, 14, 'it says goodbye')
    const { decisions } = JSON.parse(await runHb(['decisions', 'list', '--state', 'state', '--json'], folder.path)) as {
      decisions: { verdict: string }[]
    }
    t.ok(decisions.some(({ verdict }) => verdict === 'PASS'))
    t.match(JSON.parse(await runHb(['replay', '--state', 'state', '--json'], folder.path)), {
      equal: true,
      unsigned: 0,
    })
  },
)
