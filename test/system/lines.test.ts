import { appendFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { killAll, runHb, startHb } from '../../scripts/demo/processes.ts'
import { type BenchFolder, createBenchFolder, runtimeYaml } from '../support/bench-folder.ts'

const REGISTRY = `version: "1.0"
metrics:
  flow: { unit: L/min, nominal_rate_hz: 20, baseline_required: false, invariant_min: 0, invariant_max: 100 }
`
const rig = (source: string): string => `  - rig: bench
    program: demo
    registry_file: flow.registry.yaml
    windows_ms: [1000]
    sources:
      - ${source}
`
type Rig = { counters: Record<string, number>; refused: { reason: string; count: number; example: string }[] }

async function rigOf(folder: BenchFolder): Promise<Rig> {
  const answer = await fetch(`http://127.0.0.1:${folder.ports.health}/ready`)
  return ((await answer.json()) as { rigs: Rig[] }).rigs[0]!
}

async function until(what: () => Promise<boolean>): Promise<void> {
  for (let k = 0; k < 150 && !(await what()); k += 1) await new Promise((resolve) => setTimeout(resolve, 40))
}

const verdictsIn = async (folder: BenchFolder, state: string): Promise<string[]> => {
  const text = await runHb(['decisions', 'list', '--state', state, '--json'], folder.path)
  return (JSON.parse(text) as { decisions: { verdict: string }[] }).decisions.map((d) => d.verdict)
}

t.test(
  'lines piped into an agent are evaluated, bad ones are counted, and the end of the pipe is a clean end',
  async (t) => {
    const folder = await createBenchFolder()
    t.teardown(() => {
      killAll()
      folder.remove()
    })
    folder.write('flow.registry.yaml', REGISTRY)
    const { collector: _, ...ports } = { ...folder.ports, collector: 0 }
    folder.write(
      'runtime.yaml',
      runtimeYaml({ clock: 'system', rigs: rig('{ name: pipe, type: stdin, line_bytes_max: 512 }') }).replace(
        'decisions:',
        `health: { port: ${ports.health} }\ndecisions:`,
      ),
    )
    const agent = startHb('agent', ['runtime', '--config', 'runtime.yaml', '--state', 'state'], {
      folder: folder.path,
      input: true,
    })
    await agent.event('agent_started')
    const input = agent.input!
    const say = (fields: Record<string, unknown>): boolean => input.write(`${JSON.stringify(fields)}\n`)
    input.write(`not json\n\n{"channel":"flow"}\n${'x'.repeat(2000)}\n`)
    say({ channel: 'pressure', t_us: Date.now() * 1000, value: 1 })
    say({ channel: 'flow', t_us: Date.now(), value: 1 })
    say({ channel: 'flow', t_us: Date.now() * 1000, value: 1, unit: 'gal' })
    let sent = 0
    const timer = setInterval(() => {
      sent += 1
      say({ channel: 'flow', t_us: Date.now() * 1000, value: 30 + (sent % 3), unit: 'L/min' })
    }, 50)
    await new Promise((resolve) => setTimeout(resolve, 2500))
    clearInterval(timer)
    await until(async () => (await rigOf(folder)).counters['received'] === sent + 3)
    const { counters, refused } = await rigOf(folder)
    t.match(counters, { received: sent + 3, rejected: 3, duplicate: 0, late: 0 })
    t.same(Object.fromEntries(refused.map((r) => [r.reason, r.count])), {
      malformed_json: 1,
      bad_time: 1,
      bad_row: 1,
      unknown_channel: 1,
      suspect_ms: 1,
      unit_mismatch: 1,
    })
    // Without an end of its line, it still is the last one.
    input.write(JSON.stringify({ channel: 'flow', t_us: Date.now() * 1000, value: 500 }))
    input.end()
    t.equal(await agent.exited, 0, 'it ends by itself, in order')
    t.match(await agent.event('source_ended'), { source: 'pipe' })
    const verdicts = await verdictsIn(folder, 'state')
    t.ok(verdicts.includes('PASS'))
    t.equal(verdicts.at(-1), 'FAIL', 'the last line was evaluated as well')
    const replay = JSON.parse(await runHb(['replay', '--state', 'state', '--json'], folder.path)) as object
    t.match(replay, { equal: true, unsigned: 0 })
    t.comment(`counted: piped lines | ${sent + 7} | 6 of them bad, each under its own reason`)
  },
)

t.test('a recording can be piped: its own times are the clock', async (t) => {
  const folder = await createBenchFolder()
  t.teardown(() => {
    killAll()
    folder.remove()
  })
  folder.write('flow.registry.yaml', REGISTRY)
  const source = '{ name: pipe, type: stdin, format: csv, time_column: t_us }'
  folder.write('runtime.yaml', runtimeYaml({ clock: 'recording', rigs: rig(source) }))
  const agent = startHb('agent', ['runtime', '--config', 'runtime.yaml', '--state', 'state'], {
    folder: folder.path,
    input: true,
  })
  await agent.event('agent_started')
  const rows = Array.from({ length: 4000 }, (_, k) => `${Date.UTC(2026, 0, 1) * 1000 + k * 50_000},${30 + (k % 5)}`)
  agent.input!.end(`t_us,flow\n${rows.join('\n')}\n`)
  t.equal(await agent.exited, 0)
  const verify = JSON.parse(await runHb(['journal', 'verify', '--state', 'state', '--json'], folder.path)) as object
  t.match(verify, { ok: true, kinds: { frame: 4000 } })
  t.same(await verdictsIn(folder, 'state'), ['NO_TEST', 'PASS'])
})

t.test(
  'a file that grows is followed through rotation, truncation and a restart, and nothing is taken twice',
  async (t) => {
    const folder = await createBenchFolder()
    t.teardown(() => {
      killAll()
      folder.remove()
    })
    folder.write('flow.registry.yaml', REGISTRY)
    const source = '{ name: log, type: tail, file: daq.csv, format: csv, time_column: t_us, from: start, poll_ms: 20 }'
    folder.write(
      'runtime.yaml',
      runtimeYaml({ clock: 'system', rigs: rig(source) }).replace(
        'decisions:',
        `health: { port: ${folder.ports.health} }\ndecisions:`,
      ),
    )
    const path = join(folder.path, 'daq.csv')
    const row = (value: number): string => `${Date.now() * 1000},${value}\n`
    const args = ['runtime', '--config', 'runtime.yaml', '--state', 'state']
    const first = startHb('first', args, { folder: folder.path })
    await first.event('agent_started')
    t.match(await first.event('source_file'), { what: 'missing' }, 'a file may come later')
    const received = async (n: number): Promise<Rig> => {
      await until(async () => (await rigOf(folder)).counters['received'] === n)
      return rigOf(folder)
    }
    writeFileSync(path, `t_us,flow\n${row(1)}${row(2).slice(0, -3)}`)
    t.match((await received(1)).counters, { received: 1 }, 'the line that is not finished is waited for')
    appendFileSync(path, `,2\n${row(3)}`)
    t.match((await received(3)).counters, { received: 3 })
    renameSync(path, `${path}.1`)
    writeFileSync(path, `t_us,flow\n${row(4)}`)
    await received(4)
    writeFileSync(path, `t_us,flow\n${row(5)}${row(6)}`)
    t.match((await received(6)).counters, { received: 6, late: 0, duplicate: 0, missing: 0 })
    t.equal(await first.stop(), 0)

    appendFileSync(path, row(7))
    const second = startHb('second', args, { folder: folder.path })
    await second.event('agent_started')
    appendFileSync(path, row(8))
    await until(async () => (await rigOf(folder)).counters['received'] === 8)
    const rigNow = await rigOf(folder)
    t.match(rigNow.counters, { received: 8, duplicate: 0, missing: 0 }, 'it goes on behind the last line')
    t.same(rigNow.refused, [])
    t.equal(await second.stop(), 0)
  },
)
