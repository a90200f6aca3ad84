import { rmSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { LINES_NAMED_MAX, NOT_NUMBERS_SHARE_MAX, RAGGED_SHARE_MAX } from '../../agent/pipeline/csv-cells.ts'
import { runHb } from '../../scripts/demo/processes.ts'
import { noiseAt } from '../../shared/lib/prng.ts'
import { createBenchFolder, runtimeYaml } from '../support/bench-folder.ts'

const ROWS = 400
const REGISTRY = `version: "1.0"
metrics:
  flow: { unit: "1", nominal_rate_hz: 1 }
  pressure: { unit: "1", nominal_rate_hz: 1, required: false }
`
const RIG = `  - rig: stand
    program: pumps
    registry_file: stand.registry.yaml
    slide_ms: 500
    lateness_ms: 0
    windows_ms: [10000]
    sources:
      - { name: lines, type: stdin, format: json }
`

/** The text of a row, from its number and what would stand in it. */
type RowText = (row: number, cells: readonly [time: string, flow: string, pressure: string]) => string

const plain: RowText = (_, cells) => cells.join(',')
/** A value in place of the flow in some rows. */
const instead = (cell: string, isHit: (row: number) => boolean): RowText => {
  return (row, [time, flow, pressure]) => [time, isHit(row) ? cell : flow, pressure].join(',')
}

function csvText(rowText: RowText, header = 'time,flow,pressure'): string {
  const value = (channel: number, row: number): string => (100 + noiseAt(5, channel, row)).toFixed(3)
  const rows = Array.from({ length: ROWS }, (_, row) =>
    rowText(row, [String(row * 1_000_000), value(0, row), value(1, row)]),
  )
  return `${[header, ...rows].join('\n')}\n`
}

async function bench(t: Test) {
  const folder = await createBenchFolder()
  t.teardown(folder.remove)
  folder.write('stand.registry.yaml', REGISTRY)
  folder.write('make.yaml', runtimeYaml({ clock: 'recording', rigs: RIG }))
  const create = async (text: string, ...more: string[]): Promise<string> => {
    folder.write('rec.csv', text)
    rmSync(join(folder.path, 'x.hbb'), { force: true })
    const args = ['baseline', 'create', '--config', 'make.yaml', '--csv', 'rec.csv', '--out', 'x.hbb', ...more]
    return await runHb(args, folder.path)
  }
  return { create, path: folder.path }
}

t.test(
  'cells that are no numbers are counted, with column and lines; blank ones are missing and no more',
  async (t) => {
    const { create } = await bench(t)
    const few = ROWS * NOT_NUMBERS_SHARE_MAX
    const some = csvText(instead('oops', (row) => row < few))
    t.match(await create(some), /rec\.csv: flow: 4 of 400 cells are no numbers \(lines 2, 3, 4, …: "oops"\)/)
    t.match(JSON.parse(await create(some, '--json')), {
      recordings: [
        {
          file: 'rec.csv',
          rows: ROWS,
          ragged_rows: { count: 0, first_lines: [], found: null },
          columns: [
            {
              column: 'flow',
              blank: 0,
              not_numbers: { count: few, first_lines: [2, 3, 4].slice(0, LINES_NAMED_MAX), found: 'oops' },
            },
          ],
        },
      ],
    })
    await t.rejects(
      create(csvText(instead('oops', (row) => row <= few))),
      /CSV_CELLS[\s\S]*column = "flow"[\s\S]*5 of 400[\s\S]*lines = "2, 3, 4, …"[\s\S]*oops[\s\S]*at most 1 %/,
      'one more is too much',
    )
    const blank = csvText(instead('  ', (row) => row % 8 === 0))
    t.match(await create(blank), /rec\.csv: blank cells, where nothing was measured: flow 50/)
    t.match(JSON.parse(await create(blank, '--json')), {
      recordings: [{ columns: [{ column: 'flow', cells: ROWS, blank: 50, not_numbers: { count: 0, found: null } }] }],
    })
    t.match(JSON.parse(await create(csvText(plain), '--json')), { recordings: [{ columns: [] }] })
    await t.rejects(
      create(some, '--kind', 'golden'),
      /BASELINE_GATE[\s\S]*flow: 4 of 400 cells are no numbers/,
      'where the gate says no, what may be the cause stands beside it',
    )
  },
)

t.test('what is too large for a number is none, and a channel is not constant because of it', async (t) => {
  const { create } = await bench(t)
  for (const cell of ['1e400', '-1e400', '1e200']) {
    const half = csvText((row, [time, , pressure]) => [time, row % 2 === 0 ? cell : '100', pressure].join(','))
    await t.rejects(create(half), new RegExp(`CSV_CELLS[\\s\\S]*200 of 400[\\s\\S]*found = "${cell}"`), cell)
    const once = csvText(instead(cell, (row) => row === 9))
    t.match(await create(once), `flow: 1 of 400 cells are no numbers (line 11: "${cell}")`)
  }
})

t.test('rows with other cells than the header are not taken, and more than a few are refused', async (t) => {
  const { create } = await bench(t)
  const few = ROWS * RAGGED_SHARE_MAX
  const short = (until: number): string =>
    csvText((row, [time, flow, pressure]) => [time, flow, ...(row < until ? [] : [pressure])].join(','))
  const long = (until: number): string => csvText((row, cells) => [...cells, ...(row < until ? ['7'] : [''])].join(','))
  t.match(await create(short(few)), /rec\.csv: 4 of 400 rows not taken \(lines 2, 3, 4, …: "2 cells under 3 columns"\)/)
  t.match(JSON.parse(await create(long(few), '--json')), {
    recordings: [
      { ragged_rows: { count: few, first_lines: [2, 3, 4], found: '4 cells under 3 columns' }, columns: [] },
    ],
  })
  await t.rejects(create(short(few + 1)), /CSV_CELLS[\s\S]*ragged_rows = "5 of 400"[\s\S]*2 cells under 3 columns/)
  await t.rejects(create(long(ROWS)), /CSV_CELLS[\s\S]*ragged_rows = "400 of 400"[\s\S]*4 cells under 3 columns/)
})

t.test('a column that feeds no metric, or is left out, may say what it likes', async (t) => {
  const { create } = await bench(t)
  const noted = csvText((row, cells) => [...cells, `note ${row}`].join(','), 'time,flow,pressure,note')
  t.match(JSON.parse(await create(noted, '--json')), { recordings: [{ columns: [] }] })
  const words = csvText((_, [time, flow]) => [time, flow, 'high'].join(','))
  await t.rejects(
    create(words),
    /CSV_CELLS[\s\S]*column = "pressure"/,
    'a metric that is not required has a baseline too',
  )
  t.match(JSON.parse(await create(words, '--ignore-column', 'pressure', '--json')), { metrics: 1 })
})

t.test('a decimal comma that nobody declared is told as what it is, and read when it is declared', async (t) => {
  const { create, path } = await bench(t)
  const comma = (cells: readonly string[]): string[] => cells.map((cell) => cell.replace('.', ','))
  const header = 'time;flow;pressure'
  const sheet = csvText((_, cells) => comma(cells).join(';'), header)
  await t.rejects(
    create(sheet),
    /CSV_CELLS[\s\S]*400 of 400[\s\S]*found = "\d+,\d+"[\s\S]*a decimal mark\? `--decimal comma` declares it/,
  )
  const read = { metrics: 2, recordings: [{ columns: [], ragged_rows: { count: 0 } }] }
  t.match(JSON.parse(await create(sheet, '--decimal', 'comma', '--json')), read)
  const quoted = csvText((_, [time, ...values]) => [time, ...comma(values).map((cell) => `"${cell}"`)].join(','))
  await t.rejects(create(quoted), /CSV_CELLS[\s\S]*a decimal mark\?/)
  for (const [name, text] of [
    ['in quotes between commas', quoted],
    ['between tabs', csvText((_, cells) => comma(cells).join('\t'), 'time\tflow\tpressure')],
  ] as const)
    t.match(JSON.parse(await create(text, '--decimal', 'comma', '--json')), read, name)
  await mkdir(join(path, 'run-1'))
  const meta = { schema_version: '1.0', run_id: 'run-1', program: 'pumps', subsystem: 'loop', test_name: 'idle' }
  await writeFile(join(path, 'run-1', 'run_meta.json'), JSON.stringify({ ...meta, decimal: 'comma' }))
  await writeFile(join(path, 'run-1', 'metrics.csv'), 'metric;value;unit;tags\nflow;10,5;;\n')
  await writeFile(join(path, 'run-1', 'signals.csv'), sheet.replace('time', 'ts'))
  const ofRun = ['baseline', 'create', '--config', 'make.yaml', '--run', 'run-1', '--out', 'run.hbb', '--json']
  t.match(JSON.parse(await runHb(ofRun, path)), read, 'declared in run_meta.json')
  const cut = csvText((_, cells) => comma(cells).join(','))
  for (const said of [[], ['--decimal', 'comma']])
    await t.rejects(create(cut, ...said), /CSV_CELLS[\s\S]*5 cells under 3 columns[\s\S]*`;` or a tab/, 'cut in two')
  await t.rejects(create(sheet, '--decimal', 'coma'), /USAGE[\s\S]*--decimal[\s\S]*point or comma/)
})
