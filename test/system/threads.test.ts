import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Push } from 'zeromq'
import { killAll, type Program, runHb, startHb } from '../../scripts/demo/processes.ts'
import { type BenchFolder, createBenchFolder, freePort, runtimeYaml } from '../support/bench-folder.ts'

const RIGS = ['north', 'east', 'south', 'west']
const THREADS = 3
const LIVES = 3
const SPEAKS_MS = 1_500
const SAMPLE_EVERY_MS = 5

const REGISTRY = `version: "1.0"
metrics:
  flow: { unit: L/min, nominal_rate_hz: 200, baseline_required: false, invariant_min: 0, invariant_max: 100 }
`
type Rig = { rig: string; verdict: string | null; counters: Record<string, number> }
type Ready = { decision_seq: number; rigs: Rig[] }

const readyOf = async (folder: BenchFolder): Promise<Ready> =>
  (await (await fetch(`http://127.0.0.1:${folder.ports.health}/ready`)).json()) as Ready

async function openFolder(ports: readonly number[]): Promise<BenchFolder> {
  const folder = await createBenchFolder()
  folder.write('flow.registry.yaml', REGISTRY)
  const rigs = RIGS.map(
    (rig, k) => `  - rig: ${rig}
    program: demo
    registry_file: flow.registry.yaml
    windows_ms: [250, 1000]
    sources: [{ name: daq, type: zmq, encoding: json, endpoint: "tcp://127.0.0.1:${ports[k]}" }]
`,
  ).join('')
  const text = runtimeYaml({ clock: 'system', rigs })
  folder.write(
    'runtime.yaml',
    text.replace(
      'decisions:',
      `health: { port: ${folder.ports.health} }\nevaluation: { threads: ${THREADS} }\ndecisions:`,
    ),
  )
  return folder
}

/** Every rig says something all the time; the last one says what breaks its limit. */
async function speak(ports: readonly number[]): Promise<void> {
  const sockets = ports.map((port) => {
    const socket = new Push({ linger: 0 })
    socket.connect(`tcp://127.0.0.1:${port}`)
    return socket
  })
  const untilMs = performance.now() + SPEAKS_MS
  for (let k = 0; performance.now() < untilMs; k += 1) {
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_EVERY_MS))
    const t_us = Date.now() * 1000
    for (const [r, socket] of sockets.entries())
      await socket.send(JSON.stringify({ channel: 'flow', t_us, value: r === RIGS.length - 1 ? 200 : 50 + (k % 7) }))
  }
  for (const socket of sockets) socket.close()
}

const run = (folder: BenchFolder): Program =>
  startHb('agent', ['runtime', '--config', 'runtime.yaml', '--state', 'state'], { folder: folder.path })

t.test(
  `four rigs on ${THREADS} threads, killed and started again: one sequence, and one evaluator gives it again`,
  async (t) => {
    const ports = await Promise.all(RIGS.map(() => freePort()))
    const folder = await openFolder(ports)
    t.teardown(() => {
      killAll()
      folder.remove()
    })
    let decided = 0
    for (let life = 1; life <= LIVES; life += 1) {
      const agent = run(folder)
      await agent.event('agent_started')
      await speak(ports)
      const { decision_seq, rigs } = await readyOf(folder)
      t.ok(decision_seq > decided, `life ${life}: ${decision_seq} decisions`)
      decided = decision_seq
      t.same(
        rigs.map(({ rig }) => rig),
        [...RIGS].sort(),
      )
      for (const { rig, verdict, counters } of rigs) {
        t.equal(verdict === 'FAIL', rig === 'west', `${rig} is ${verdict}`)
        t.ok(counters['evaluated']! > 0, 'and its samples are counted')
      }
      if (life < LIVES) process.kill(agent.pid, 'SIGKILL')
      else t.equal(await agent.stop(), 0, 'an orderly stop with threads')
      await agent.exited
    }
    const replayed = JSON.parse(await runHb(['replay', '--state', 'state', '--json'], folder.path)) as Record<
      string,
      unknown
    >
    t.equal(replayed['equal'], true, 'one evaluator gives the signed decisions again, byte for byte')
    t.equal(replayed['unsigned'], 0, 'and all of them are signed')
    t.ok(Number(replayed['decisions']) >= decided)
    t.comment(`counted: decisions of rigs on threads | ${replayed['decisions']} | replayed by one evaluator, equal`)
  },
)

t.test('a number of threads that makes no sense is the one mistake that is found', async (t) => {
  const folder = await openFolder(await Promise.all(RIGS.map(() => freePort())))
  t.teardown(() => folder.remove())
  t.match(await runHb(['config', 'check', 'runtime.yaml', '--json'], folder.path), /"ok":true/)
  const text = readFileSync(join(folder.path, 'runtime.yaml'), 'utf8')
  folder.write('runtime.yaml', text.replace(`threads: ${THREADS}`, 'threads: -1'))
  const error = await runHb(['config', 'check', 'runtime.yaml', '--json'], folder.path).catch(String)
  t.match(error, /ended with 78/)
  t.match(error, /"key":"evaluation\.threads"/)
  t.equal(error.match(/"key":/g)?.length, 1)
})
