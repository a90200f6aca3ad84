import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { NOMINAL_CSV_BYTES_MAX } from '../../agent/pipeline/nominal-csv.ts'
import { BUNDLE, runHb } from '../../scripts/demo/processes.ts'
import { decodeBaseline } from '../../shared/codec/baseline-record.ts'
import { noiseAt } from '../../shared/lib/prng.ts'
import type { BaselineRecord } from '../../shared/model/baseline.ts'
import { createBenchFolder, runtimeYaml } from '../support/bench-folder.ts'

const CHANNELS = ['flow', 'pressure', 'current'] as const
const FAULT_ROW = 300

/** A row of three channels at one sample a second; from the fault on the flow is ten noises lower. */
function rowAt(row: number, faulty: boolean): Record<string, number> {
  const values = CHANNELS.map((_, c) => 10 * (c + 1) + 0.2 * noiseAt(3, c, row))
  if (faulty && row >= FAULT_ROW) values[0] = values[0]! - 2
  return Object.fromEntries(CHANNELS.map((name, c) => [name, values[c]!]))
}

type Answer = {
  t_ms: number
  state: string
  score: number | null
  drivers: { channel: string; contribution: number }[]
  confidence: number | null
  verdict: string
}

/** An evaluator as a process: one line in, one line out. */
function lockstep(folder: string, ...args: string[]) {
  const child = spawn(BUNDLE.command, [...BUNDLE.before, 'lockstep', '--config', 'watch.yaml', ...args], {
    cwd: folder,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    async ask(line: object): Promise<unknown> {
      child.stdin.write(`${JSON.stringify(line)}\n`)
      return JSON.parse((await lines.next()).value as string)
    },
    async end(): Promise<number> {
      const ended = new Promise<number>((done) => child.on('exit', (code) => done(code ?? 1)))
      child.stdin.end()
      return await ended
    },
  }
}

const REGISTRY = `version: "1.0"
metrics:
${CHANNELS.map((name) => `  ${name}: { unit: "1", nominal_rate_hz: 1 }`).join('\n')}
`

function config(baseline: string): string {
  return runtimeYaml({
    clock: 'recording',
    rigs: `  - rig: stand
    program: pumps
    registry_file: stand.registry.yaml
${baseline}    slide_ms: 500
    lateness_ms: 0
    windows_ms: [10000]
    sources:
      - { name: lines, type: stdin, format: json }
`,
  })
}

t.test(
  'rows are answered one by one; a fault is an event with its driver, and a restart changes nothing',
  async (t) => {
    const folder = await createBenchFolder()
    t.teardown(folder.remove)
    folder.write('stand.registry.yaml', REGISTRY)
    folder.write('make.yaml', config(''))
    folder.write('watch.yaml', config('    baseline_file: stand.hbb\n'))
    // As a spreadsheet writes it: a byte order mark, CRLF, `;` and decimal commas.
    const csv = ['time;flow;pressure;current']
    for (let row = 0; row < 400; row += 1) {
      const values = Object.values(rowAt(row - 400, false)).map((value) => String(value).replace('.', ','))
      csv.push([String(row * 1_000_000), ...values].join(';'))
    }
    writeFileSync(join(folder.path, 'nominal.csv'), `\uFEFF${csv.join('\r\n')}\r\n`)
    const made = ['baseline', 'create', '--config', 'make.yaml', '--csv', 'nominal.csv', '--decimal', 'comma']
    const created = JSON.parse(await runHb([...made, '--out', 'stand.hbb', '--json'], folder.path)) as object
    t.match(created, { ok: true, kind: 'draft', segments: 1, metrics: 3 })

    const whole = lockstep(folder.path)
    const answers: Answer[] = []
    for (let row = 0; row < 600; row += 1)
      answers.push((await whole.ask({ t_ms: row * 1000, ch: rowAt(row, true) })) as Answer)
    t.match(await whole.ask({ stats: true }), { channels: 3 })
    t.equal(await whole.end(), 0)
    t.ok(
      answers.slice(0, FAULT_ROW).every(({ state }) => state !== 'alarm'),
      'nothing before the fault',
    )
    const first = answers.findIndex(({ state }) => state === 'alarm')
    t.ok(first >= FAULT_ROW && first < FAULT_ROW + 30, `alarm in row ${first}`)
    t.equal(answers[first]!.drivers[0]!.channel, 'flow')
    t.equal(answers[first]!.verdict, 'PASS_WITH_DRIFT')
    t.equal(answers[first]!.confidence, 0.5, 'one replayed segment is half a confidence at most')

    const state = join(folder.path, 'state.bin')
    const again: Answer[] = []
    for (const [from, to] of [
      [0, first + 2],
      [first + 2, 600],
    ] as const) {
      const part = lockstep(folder.path, '--checkpoint', state)
      for (let row = from; row < to; row += 1)
        again.push((await part.ask({ t_ms: row * 1000, ch: rowAt(row, true) })) as Answer)
      t.match(await part.ask({ checkpoint: true }), { checkpoint: to })
      await part.end()
    }
    t.same(again, answers, 'stopped and gone on in the middle of the alarm, it answers the same')
    rmSync(state)
  },
)

t.test('run folders make the same baseline as their signals, and one without signals says so', async (t) => {
  const folder = await createBenchFolder()
  t.teardown(folder.remove)
  folder.write('stand.registry.yaml', REGISTRY)
  folder.write('make.yaml', config(''))
  const rows = ['timestamp,flow,pressure,current']
  for (let row = 0; row < 400; row += 1)
    rows.push([new Date(row * 1000).toISOString(), ...Object.values(rowAt(row - 400, false))].join(','))
  mkdirSync(join(folder.path, 'run-1'))
  mkdirSync(join(folder.path, 'run-2'))
  const meta = { schema_version: '1.0', program: 'pumps', subsystem: 'loop', test_name: 'idle' }
  for (const id of ['run-1', 'run-2']) {
    folder.write(`${id}/run_meta.json`, JSON.stringify({ ...meta, run_id: id }))
    folder.write(`${id}/metrics.csv`, 'metric,value,unit,tags\nflow,10,,\n')
  }
  folder.write('run-1/signals.csv', `${rows.join('\n')}\n`)
  folder.write('signals.csv', `${rows.join('\n')}\n`)
  const create = async (out: string, ...from: string[]): Promise<BaselineRecord> => {
    await runHb(['baseline', 'create', '--config', 'make.yaml', ...from, '--out', out], folder.path)
    return decodeBaseline(readFileSync(join(folder.path, out)))
  }
  const ofRun = await create('run.hbb', '--run', 'run-1')
  const ofFile = await create('file.hbb', '--csv', 'signals.csv')
  t.same(ofRun.metrics, ofFile.metrics)
  t.equal(ofRun.segments[0]!.source, 'run-1')
  await t.rejects(create('twice.hbb', '--csv', 'signals.csv', 'signals.csv'), /BASELINE_TWICE/, 'nothing counts twice')
  await t.rejects(create('both.hbb', '--run', 'run-1', 'run-1'), /BASELINE_TWICE/)
  const silent = rows.map((row, k) => (k === 0 ? row : row.replace(/,[^,]*/, ',')))
  folder.write('silent.csv', `${silent.join('\n')}\n`)
  const golden = create('silent.hbb', '--csv', 'silent.csv', '--kind', 'golden', '--draft')
  await t.rejects(
    golden,
    /BASELINE_GATE[\s\S]*too little of flow[\s\S]*blank cells.*flow 400/,
    'a metric that is not there is missed',
  )
  await t.rejects(create('none.hbb', '--run', 'run-2'), /RUN_MISSING[\s\S]*signals/)
})

t.test('a recording whose times go back, or without a time, makes no baseline and says which row', async (t) => {
  const folder = await createBenchFolder()
  t.teardown(folder.remove)
  folder.write('stand.registry.yaml', REGISTRY)
  folder.write('make.yaml', config(''))
  folder.write('back.csv', 'time,flow,pressure,current\n5000000,1,2,3\n4000000,1,2,3\n')
  folder.write('none.csv', 'when,flow,pressure,current\n5000000,1,2,3\n')
  const create = (csv: string) =>
    runHb(['baseline', 'create', '--config', 'make.yaml', '--csv', csv, '--out', 'x.hbb'], folder.path)
  await t.rejects(create('back.csv'), /CSV_TIMES[\s\S]*row = 3/)
  await t.rejects(create('absent.csv'), /CONFIG_MISSING[\s\S]*absent/)
  // Empty bytes, so that the disk need not hold them.
  folder.write('large.csv', '')
  truncateSync(join(folder.path, 'large.csv'), NOMINAL_CSV_BYTES_MAX + 1)
  await t.rejects(create('large.csv'), /CONFIG_TOO_LARGE/)
  await t.rejects(create('none.csv'), /CSV_HEADER[\s\S]*t_us/)
})
