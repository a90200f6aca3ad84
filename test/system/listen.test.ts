import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Push } from 'zeromq'
import { killAll, runHb, startHb } from '../../scripts/demo/processes.ts'
import { createBenchFolder, freePort } from '../support/bench-folder.ts'

type Line = Record<string, unknown>
const linesOf = (text: string): Line[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)

t.test('what was proposed from listening passes the check and turns the rig LIMITS ONLY green', async (t) => {
  const folder = await createBenchFolder()
  t.teardown(() => {
    killAll()
    folder.remove()
  })
  const endpoint = `tcp://127.0.0.1:${await freePort()}`
  const rig = startHb('rig', ['hil', 'water-loop', '--endpoint', endpoint], { folder: folder.path })
  const listened = await runHb(
    ['listen', endpoint, '--for', '2.5', '--propose', 'bench', '--deployment', 'demo', '--json'],
    folder.path,
  )
  const lines = linesOf(listened)
  const messages = lines.filter((line) => line['event'] === 'message')
  t.ok(messages.length > 20, `${messages.length} messages`)
  t.match(messages.at(-1), { decoded: { rig: 'water-loop', source: 'daq', channels: 8 }, refused: null, remarks: [] })
  t.match(lines.at(-2), { event: 'heard', rig: 'water-loop', channels: { length: 8 } })
  const proposed = lines.at(-1) as Line & { metrics: Line[]; review: string[] }
  t.match(proposed, { event: 'proposed', time: 'source', windows_ms: [250, 1000, 10_000, 60_000] })
  t.same(
    proposed.metrics.map((m) => [m['nominal_rate_hz'], m['unit']]),
    Array.from({ length: 8 }, () => [100, null]),
    'the rate it publishes at; units it does not state',
  )
  t.equal(proposed.review.filter((line) => /states no unit/.test(line)).length, 8)
  t.equal(statSync(join(folder.path, 'bench', 'agent.pem')).mode & 0o777, 0o600)

  const check = JSON.parse(await runHb(['config', 'check', 'bench/runtime.yaml', '--json'], folder.path)) as Line
  t.match(check, { ok: true, rigs: [{ rig: 'water-loop', metrics: 8, limits_only: true }] })
  const verdicts: unknown[] = []
  const agent = startHb('agent', ['runtime', '--config', 'bench/runtime.yaml', '--state', 'state'], {
    folder: folder.path,
    line: (line) => line['event'] === 'verdict' && verdicts.push(line['verdict']),
  })
  await agent.event('agent_started')
  for (let k = 0; k < 200 && verdicts.at(-1) !== 'PASS'; k += 1) await new Promise((done) => setTimeout(done, 50))
  await new Promise((done) => setTimeout(done, 1000))
  t.equal(verdicts.at(-1), 'PASS', `verdicts: ${verdicts.join(', ')}`)
  t.equal(await agent.stop(), 0)
  await rig.stop()
  const list = JSON.parse(await runHb(['decisions', 'list', '--state', 'state', '--json'], folder.path)) as {
    decisions: Line[]
  }
  t.match(list.decisions.at(-1), { verdict: 'PASS', limits_only: true })
  t.comment(`counted: listened messages | ${messages.length} | from which the proposal was made`)

  const before = readFileSync(join(folder.path, 'bench', 'runtime.yaml'), 'utf8')
  await t.rejects(
    runHb(['listen', endpoint, '--for', '1', '--propose', 'bench', '--json'], folder.path),
    /ended with 64[\s\S]*nothing is overwritten/,
  )
  t.equal(readFileSync(join(folder.path, 'bench', 'runtime.yaml'), 'utf8'), before)
})

t.test('a source in milliseconds is asked about and dated by arrival, and that is green too', async (t) => {
  const folder = await createBenchFolder()
  t.teardown(() => {
    killAll()
    folder.remove()
  })
  const endpoint = `tcp://127.0.0.1:${await freePort()}`
  const push = new Push({ linger: 0 })
  push.connect(endpoint)
  let k = 0
  const timer = setInterval(() => {
    k += 1
    const sample = { channel: 'flow', t_us: Date.now(), value: 30 + (k % 7), unit: 'L/min', rig: 'old-rig' }
    void push.send(JSON.stringify(sample)).catch(() => undefined)
    if (k % 50 === 0) void push.send('rubbish').catch(() => undefined)
  }, 20)
  t.teardown(() => {
    clearInterval(timer)
    push.close()
  })
  const args = ['listen', endpoint, '--encoding', 'json', '--for', '2', '--propose', 'old', '--margin', '100']
  const text = await runHb(args, folder.path)
  t.match(text, /suspect_ms/)
  t.match(text, /not decoded {2}→ {2}REFUSED malformed_json/)
  t.match(text, /did you mean ms\?/)
  const runtime = readFileSync(join(folder.path, 'old', 'runtime.yaml'), 'utf8')
  t.match(runtime, 'time: arrival')
  t.match(readFileSync(join(folder.path, 'old', 'metric_registry.yaml'), 'utf8'), 'unit: "L/min"\n')
  const agent = startHb('agent', ['runtime', '--config', 'old/runtime.yaml', '--state', 'state'], {
    folder: folder.path,
  })
  await agent.event('agent_started')
  await new Promise((done) => setTimeout(done, 2000))
  t.equal(await agent.stop(), 0)
  const list = JSON.parse(await runHb(['decisions', 'list', '--state', 'state', '--json'], folder.path)) as {
    decisions: Line[]
  }
  // One of them: a machine that is busy elsewhere may leave the source silent for a moment.
  t.ok(list.decisions.some(({ verdict, limits_only: only }) => verdict === 'PASS' && only === true))
  t.match(JSON.parse(await runHb(['replay', '--state', 'state', '--json'], folder.path)), { equal: true })
})

t.test('from silence nothing is proposed, and nothing is written', async (t) => {
  const folder = await createBenchFolder()
  t.teardown(() => folder.remove())
  const endpoint = `tcp://127.0.0.1:${await freePort()}`
  await t.rejects(
    runHb(['listen', endpoint, '--for', '0.3', '--propose', 'silent', '--json'], folder.path),
    /ended with 69[\s\S]*NOTHING_HEARD/,
  )
  t.notOk(existsSync(join(folder.path, 'silent')))
  writeFileSync(join(folder.path, 'x'), '')
  await t.rejects(runHb(['listen', 'http://x', '--json'], folder.path), /ended with 64/)
  const listening = startHb('listen', ['listen', endpoint, '--for', '60', '--json'], { folder: folder.path })
  await new Promise((done) => setTimeout(done, 700))
  t.equal(await listening.stop(5000), 0, 'stopped sooner it ends at once, with what it heard')
  t.match(await listening.event('heard'), { messages: 0 })
})
