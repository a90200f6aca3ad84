import t from 'tap'
import { killAll, runHb, startHb } from '../../scripts/demo/processes.ts'
import { type BenchFolder, createBenchFolder, hostRig, recordedLoop, runtimeYaml } from '../support/bench-folder.ts'

const json = async (folder: BenchFolder, ...args: string[]): Promise<Record<string, unknown>> =>
  JSON.parse(await runHb([...args, '--json'], folder.path)) as Record<string, unknown>
const failure = async (folder: BenchFolder, ...args: string[]): Promise<string> => {
  try {
    await runHb([...args, '--json'], folder.path)
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

t.test('a test run is journaled, stands in every decision and batch, and is listed', async (t) => {
  const folder = await createBenchFolder()
  t.teardown(() => {
    killAll()
    folder.remove()
  })
  folder.write('runtime.yaml', runtimeYaml({ clock: 'system', rigs: hostRig(200) }))
  const who = ['--article', 'SN-0042', '--procedure', 'TP-7', '--operator', 'Ada']
  t.match(await failure(folder, 'run', 'start', '--state', 'state', ...who), /STATE_MISSING/)
  const agent = startHb('agent', ['runtime', '--config', 'runtime.yaml', '--state', 'state'], { folder: folder.path })
  await agent.event('agent_started')

  t.match(await failure(folder, 'run', 'stop', '--state', 'state'), /RUN_REFUSED/)
  t.match(await failure(folder, 'run', 'start', '--state', 'state', ...who, '--rig', 'nowhere'), /RIG_UNKNOWN/)
  const started = await json(folder, 'run', 'start', '--state', 'state', ...who)
  t.match(started, { run: /^run-\d{8}t\d{6}z-[0-9a-f]{4}$/, rigs: ['this-host'] })
  t.match(await failure(folder, 'run', 'start', '--state', 'state', ...who), /RUN_REFUSED/)
  await json(folder, 'run', 'note', '--state', 'state', '--text', 'valve touched by hand')
  await agent.event('run')
  await new Promise((resolve) => setTimeout(resolve, 1500))
  await json(folder, 'run', 'stop', '--state', 'state')
  t.equal(await agent.stop(), 0)
  t.match(await failure(folder, 'run', 'stop', '--state', 'state'), /AGENT_NOT_RUNNING/)

  const { runs } = (await json(folder, 'runs', 'list', '--state', 'state')) as { runs: Record<string, unknown>[] }
  t.match(runs, [
    {
      run: started['run'],
      rig: 'this-host',
      program: 'demo',
      article: 'SN-0042',
      procedure: 'TP-7',
      operator: 'Ada',
      notes: ['valve touched by hand'],
    },
  ])
  t.type(runs[0]?.['stopped_us'], 'number')
  t.same(
    ((await json(folder, 'runs', 'list', '--state', 'state', '--program', 'other')) as { runs: unknown[] }).runs,
    [],
  )
  const digest = await json(folder, 'decisions', 'digest', '--state', 'state')
  let inRun = 0
  for (let seq = 1; seq <= Number(digest['decisions']); seq += 4) {
    const decision = await json(folder, 'decisions', 'show', String(seq), '--state', 'state')
    if (decision['run'] === started['run']) inRun += 1
  }
  t.ok(inRun > 0, `${inRun} of the decisions looked at name the run`)
  t.match(await json(folder, 'replay', '--state', 'state'), { equal: true, unsigned: 0 })
})

t.test('commands say what they found: verify, export, replay of a span, doctor, keys', async (t) => {
  const folder = await createBenchFolder()
  t.teardown(() => folder.remove())
  await runHb(['hil', 'water-loop', '--csv', 'loop.csv', '--seconds', '20', '--fault-after', '10'], folder.path)
  folder.write('runtime.yaml', runtimeYaml({ clock: 'recording', rigs: recordedLoop() }))
  t.match(await json(folder, 'config', 'check', 'runtime.yaml'), {
    ok: true,
    rigs: [{ rig: 'water-loop', metrics: 8, limits_only: false }],
  })
  t.match(await json(folder, 'config', 'explain', 'speed', '--config', 'runtime.yaml'), {
    keys: [{ meaning: /real time/, default: '1', now: [{ value: 'max', set: true, file: 'runtime.yaml' }] }],
    mistakes: 0,
  })
  t.match(await failure(folder, 'config', 'explain', 'sped'), /USAGE[\s\S]*did you mean `speed`/)
  await runHb(['runtime', '--config', 'runtime.yaml', '--state', 'state'], folder.path)
  t.match(await json(folder, 'journal', 'verify', '--state', 'state'), {
    ok: true,
    kinds: { frame: 2000, config: 1, operator: 2 },
    damage: [],
  })
  const lines = (await runHb(['journal', 'export', '--state', 'state', '--from', '3', '--to', '5'], folder.path))
    .trim()
    .split('\n')
  t.same(
    lines.map((line) => (JSON.parse(line) as { seq: number }).seq),
    [3, 4, 5],
  )
  t.match(JSON.parse(lines[0]!), { kind: 'frame', rig: 'water-loop', frames: [{ source: 'file', seq: 0 }] })
  t.match(await json(folder, 'replay', '--state', 'state', '--from', '100', '--to', '200'), { equal: true })
  t.match(await failure(folder, 'replay', '--state', 'state', '--from', 'x'), /USAGE/)
  t.match(await failure(folder, 'decisions', 'show', '999999', '--state', 'state'), /DECISION_UNKNOWN/)
  const { decisions } = (await json(folder, 'decisions', 'list', '--state', 'state', '--verdict', 'FAIL')) as {
    decisions: { findings: { channel: string }[] }[]
  }
  t.equal(decisions[0]?.findings[0]?.channel, 'Volume Flow RateRMS')
  t.match(await json(folder, 'doctor', '--config', 'runtime.yaml', '--state', 'state'), { ok: true })
  t.match(await json(folder, 'keys', 'create', 'new.pem'), { key_id: /^[0-9a-f]{32}$/ })
  t.match(await failure(folder, 'keys', 'create', 'new.pem'), /USAGE/, 'a key is never overwritten')
  t.match(
    await failure(folder, 'baseline', 'create', '--from', 'state', '--rig', 'nowhere', '--out', 'x.hbb'),
    /BASELINE_TOO_SHORT/,
  )
})
