import t from 'tap'
import { killAll, runHb, startHb } from '../../scripts/demo/processes.ts'
import { signSamplesMark } from '../../shared/codec/injected-mark.ts'
import { encodeSample } from '../../shared/codec/json-samples.ts'
import { generateSigner, type Signer } from '../../shared/crypto/sign.ts'
import { REALMS, type Realm } from '../../shared/model/realm.ts'
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

// verifies SE-12
t.test(
  'a sample that a bench injected is seen as such through a broker, and production does not take it',
  async (t) => {
    t.teardown(killAll)
    const injector = generateSigner('testbed')
    const stranger = generateSigner('testbed')
    const inRealm = async (realm: Realm): Promise<void> => {
      const isTestbed = realm === 'testbed'
      const folder = await createBenchFolder({ realm })
      const broker = await startBrokerDouble()
      t.teardown(async () => {
        await broker.close()
        folder.remove()
      })
      folder.write('flow.registry.yaml', REGISTRY)
      folder.write('injector.pub', injector.publicPem)
      const rigs = `  - rig: bench
    program: demo
    registry_file: flow.registry.yaml
${isTestbed ? '    testbed: true\n' : ''}    sources:
      - { name: bus, type: mqtt, url: "${broker.url}", protocol: mqtt311 }
`
      const extra = isTestbed ? 'realm: testbed\ninjector_key_file: injector.pub\n' : ''
      folder.write('runtime.yaml', runtimeYaml({ clock: 'system', rigs, extra }))
      const agent = startHb(realm, ['runtime', '--config', 'runtime.yaml', '--state', 'state'], { folder: folder.path })
      await agent.event('source_broker')
      const [side] = broker.sides
      let id = 0
      const send = (signer: Signer): void => {
        const timeUs = Date.now() * 1000
        const injected = signSamplesMark({ rig: 'bench', timesUs: [timeUs] }, ['flow'], signer)
        const text = new TextDecoder().decode(encodeSample({ channel: 'flow', timeUs, value: 30, injected }))
        id += 1
        side!.send(publishBytes({ topic: 'hb/metrics/flow', text, qos: 1, id }))
      }
      send(injector.signer)
      send(stranger.signer)
      const what = isTestbed ? 'taint_forged' : 'injected_refused'
      t.match(await agent.event(what), { rig: 'bench', reason: what }, `${realm}: it is said`)
      t.equal(await agent.stop(), 0)
      t.match(JSON.parse(await runHb(['replay', '--state', 'state', '--json'], folder.path)), { equal: true })
      const made = await hbEnded(['baseline', 'create', '--from', 'state', '--out', 'never.hbb'], folder.path)
      const told = /INJECTED_DATA[\s\S]*samples = 1\b[\s\S]*flow/
      if (isTestbed) t.match(made, { code: 65, stderr: told }, 'no baseline is made of it')
      else t.notMatch(made.stderr, /INJECTED_DATA/, 'of what was refused nothing is in the windows')
    }
    await Promise.all(REALMS.map(inRealm))
  },
)
