import t from 'tap'
import type { Fault } from '../../../hil-testbed/core/fault.ts'
import { layoutOf } from '../../../hil-testbed/inject/layout.ts'
import { predecessorWish } from '../../../hil-testbed/inject/predecessor-names.ts'
import { type RowChanges, RowFaults } from '../../../hil-testbed/inject/row-faults.ts'
import { timeText } from '../../../hil-testbed/inject/row-text.ts'
import { fileFaults, type WishOptions, wishOf } from '../../../hil-testbed/inject/wishes.ts'
import { fault } from '../../support/instrumented-rig.ts'

const ALWAYS = { onsetUs: 0, durationUs: null, shape: 'step' as const, periodUs: 0, pulseUs: 0 }
const PLAIN: WishOptions = { params: {}, channels: null, timing: ALWAYS, rowClock: false }
/** Six rows, a second apart. */
const RECORDING = ['t_us;a;b', '0;1;10', '1000000;2;20', '2000000;3;30', '3000000;4;40', '4000000;5;50', '5000000;6;60']
const TABLE = ['metric,value,unit,tags', 'latency,10,ms,', 'resets,0,count,"a, ""b"""', 'latency,12,ms,']

type Wanted = Readonly<{
  lines?: readonly string[]
  faults: readonly Fault[]
  channels?: string[]
  rowClock?: boolean
  seed?: number
}>

/** The rows that come of a file, without its header. */
function injected({ lines = RECORDING, faults, channels, rowClock = false, seed = 1 }: Wanted): {
  header: string
  rows: string[]
  changes: RowChanges
} {
  const layout = layoutOf(lines[0]!, { path: 'x.csv', timeColumn: undefined })
  const options = { layout, seed, faults, channels: channels ?? null, rowClock }
  const rows = new RowFaults(options)
  const bytes = [...lines.slice(1).flatMap((line) => rows.take(line)), ...rows.end()]
  return {
    header: rows.header(lines[0]!),
    rows: bytes.map((one) => Buffer.from(one).toString('utf8').replace(/\n$/, '')),
    changes: rows.changes(),
  }
}

const MIDDLE = { onsetUs: 2_000_000, durationUs: 2_000_000 }

t.test(
  'a sensor fault changes the cells of its channel, says so in the row, and leaves the rest as it was',
  async (t) => {
    const bias = fault('sensor.bias', 'file', { offset: 0.5 }, MIDDLE)
    const { header, rows, changes } = injected({ faults: [bias], channels: ['a'] })
    t.equal(header, 't_us;a;b;hb_injected')
    t.same(rows, [
      '0;1;10;',
      '1000000;2;20;',
      '2000000;3.5;30;sensor.bias',
      '3000000;4.5;40;sensor.bias',
      '4000000;5;50;',
      '5000000;6;60;',
    ])
    t.match(changes, {
      rows_in: 6,
      rows_out: 6,
      rows_marked: 2,
      first_row: 3,
      last_row: 4,
      cells: { a: 2, b: undefined },
    })
  },
)

t.test('values that are said in words, and cells that are none', async (t) => {
  const of = (name: string, params: Fault['params'] = {}): string[] =>
    injected({ faults: [fault(name, 'file', params)], channels: ['a'], lines: RECORDING.slice(0, 2) }).rows
  t.same(of('sensor.dropout'), ['0;;10;sensor.dropout'])
  t.same(of('sensor.nan'), ['0;NaN;10;sensor.nan'])
  t.same(of('sensor.inf', { sign: 'minus' }), ['0;-Infinity;10;sensor.inf'])
  t.same(of('sensor.minus_zero'), ['0;-0;10;sensor.minus_zero'])
  const odd = ['t_us;a;b', '0;;x', 'late;1;2', '0;"1;5";3', '1;2']
  const rows = injected({ faults: [fault('sensor.bias', 'file')], lines: odd }).rows
  t.same(rows, ['0;;x;', 'late;1;2;', '0;"1;5";4;sensor.bias', '1;3;sensor.bias'], 'what is no number stays')
})

t.test('rows are frames: lost, repeated, moved and damaged, each marked', async (t) => {
  const of = (name: string, params: Fault['params'] = {}): string[] =>
    injected({ faults: [fault(name, 'file', params, MIDDLE)] }).rows.map((row) => `${row[0]}${row.split(';')[3]}`)
  t.same(of('comms.lose', { share: 1 }), ['0', '1comms.lose', '4', '5'], 'the row before a gap says so')
  t.same(of('comms.repeat'), ['0', '1', '2', '2comms.repeat', '3', '3comms.repeat', '4', '5'])
  t.same(of('comms.delay', { delay_ms: 1500 }), ['0', '1', '2comms.delay', '4', '3comms.delay', '5'])
  t.same(of('comms.partition'), ['0', '1', '2comms.partition', '3comms.partition', '4', '5'])
  const cut = injected({ faults: [fault('comms.corrupt', 'file', { how: 'truncate', count: 3 }, MIDDLE)] }).rows
  t.same(cut.slice(1, 4), ['1000000;2;20;', '2000000;3;comms.corrupt', '3000000;4;comms.corrupt'])
  const unending = injected({ faults: [{ ...fault('comms.partition', 'file'), onsetUs: 4_000_000 }] }).rows
  t.equal(unending.length, 6, 'what is kept to the end is written at the end')
})

t.test('times are turned in the way they are written', async (t) => {
  const skew = fault('time.skew', 'file', { skew_ms: -1.5 }, MIDDLE)
  t.same(injected({ faults: [skew] }).rows.slice(1, 3), ['1000000;2;20;', '1998500;3;30;time.skew'])
  const calendar = ['timestamp,a', '2026-01-01 00:00:00,1', '2026-01-01T00:00:02.25Z,2']
  t.same(injected({ lines: calendar, faults: [fault('time.skew', 'file', { skew_ms: 1500 })] }).rows, [
    '2026-01-01 00:00:01.5,1,time.skew',
    '2026-01-01T00:00:03.75Z,2,time.skew',
  ])
  const boot = injected({ lines: calendar, faults: [fault('time.wrong_epoch', 'file', { from: 'boot' })] }).rows
  t.same(boot, ['1970-01-01 00:00:00,1,time.wrong_epoch', '1970-01-01T00:00:02.25Z,2,time.wrong_epoch'])
  t.equal(timeText(1e18, '1999-01-01 00:00:00'), '1000000000000000000', 'a year that no calendar has')
})

t.test('columns have other names, are gone, or hold rubbish', async (t) => {
  const of = (name: string, params: Fault['params'], channels?: string[]) =>
    injected({
      faults: [fault(name, 'recording', params)],
      lines: RECORDING.slice(0, 2),
      ...(channels && { channels }),
    })
  t.match(of('recording.rename_column', { column: 'a', to: 'z' }), {
    header: 't_us;z;b;hb_injected',
    rows: ['0;1;10;recording.rename_column'],
  })
  t.match(of('recording.drop_column', { column: 'a' }), {
    header: 't_us;b;hb_injected',
    rows: ['0;10;recording.drop_column'],
  })
  t.same(of('recording.corrupt_cells', { share: 1 }, ['b']).rows, ['0;1;#ERR;recording.corrupt_cells'])
})

t.test('a table of metrics: each metric counts its own rows, quoted cells stay', async (t) => {
  const of = (name: string, params: Fault['params'], channels?: string[]): string[] =>
    injected({ lines: TABLE, faults: [fault(name, 'file', params)], ...(channels && { channels }) }).rows
  t.same(of('sensor.drift', { rate: 1 }), [
    'latency,10,ms,,',
    'resets,0,count,"a, ""b""",',
    'latency,13,ms,,sensor.drift',
  ])
  t.same(of('sensor.bias', { offset: 1 }, ['resets'])[1], 'resets,1,count,"a, ""b""",sensor.bias')
  t.same(of('comms.lose', { share: 1 }, ['latency']), ['resets,0,count,"a, ""b""",comms.lose'])
  t.same(of('recording.rename_column', { column: 'resets', to: 'r' })[1]?.slice(0, 4), 'r,0,')
  const twoLines = [TABLE[0]!, 'a,1,,"{""x"":', '2}"', 'b,1,,']
  t.same(
    injected({ lines: twoLines, faults: [fault('sensor.bias', 'file')] }).rows,
    ['a,1,,"{""x"":', '2}",', 'b,2,,,sensor.bias'],
    'a cell that spans lines is not torn',
  )
  const baseline = ['Metric,Baseline,Current,Delta', 'x,1,2,1']
  const { rows } = injected({ lines: baseline, faults: [fault('sensor.bias', 'file')] })
  t.same(rows, ['x,1,3,1,sensor.bias'], 'what a metric is now, not what it was')
})

t.test('a file that has a fault can have another; the same seed gives the same bytes', async (t) => {
  const noise = fault('sensor.noise', 'file', { sd: 1 })
  const first = injected({ faults: [noise] })
  t.same(injected({ faults: [noise] }).rows, first.rows)
  t.notSame(injected({ faults: [noise], seed: 2 }).rows, first.rows)
  const again = injected({ lines: [first.header, ...first.rows], faults: [fault('sensor.bias', 'file', {}, MIDDLE)] })
  t.equal(again.header, first.header)
  t.same(
    again.rows.map((row) => row.split(';')[3]),
    [
      'sensor.noise',
      'sensor.noise',
      ...Array.from({ length: 2 }, () => 'sensor.noise+sensor.bias'),
      'sensor.noise',
      'sensor.noise',
    ],
  )
})

t.test('every fault that a file may have changes one, when what it needs is given', async (t) => {
  const layout = layoutOf(RECORDING[0]!, { path: 'x.csv', timeColumn: undefined })
  const params = { low: 2, high: 3, value: 9, rate: 1, share: 1, step: 4, frames_per_s: 0.5 }
  for (const { name } of fileFaults()) {
    const wish = wishOf(name, layout, {
      ...PLAIN,
      params,
      timing: { ...ALWAYS, onsetUs: 1_000_000, durationUs: 3_000_000 },
    })
    const { changes } = injected({ faults: wish.faults })
    t.ok(changes.seen[0]!.count > 0 && changes.rows_marked > 0, name)
  }
})

t.test('faults of the Python system by its names and options, counted by rows', async (t) => {
  const layout = layoutOf(RECORDING[0]!, { path: 'x.csv', timeColumn: undefined })
  const cells = (name: string, options: object, channels: string[] | null = ['a']): string[] => {
    const wish = predecessorWish(name, options, { layout, wish: { ...PLAIN, channels } })
    const { rows } = injected({ faults: wish.faults, rowClock: wish.rowClock, ...(channels && { channels }) })
    return rows.map((row) => row.split(';')[1]!)
  }
  t.same(cells('spike', {}), ['2', '2', '3', '4', '5', '6'])
  t.same(cells('spike', { scale: 3, repeatSpike: true }), ['3', '6', '9', '12', '15', '18'])
  t.same(cells('sensor_drift', { driftPerRow: 0.5 }), ['1', '2.5', '4', '5.5', '7', '8.5'])
  t.same(cells('stuck_at', { value: 7 }), ['7', '7', '7', '7', '7', '7'])
  t.same(cells('duplication', { count: 3 }, null).length, 18)
  t.same(cells('missing', {}), ['', '', '', '', '', ''])
  t.ok(cells('missing', {}, null).length < 6)
  t.same(cells('value_corruption', { noiseScale: 0, offset: 2 }), ['3', '4', '5', '6', '7', '8'])
  t.notSame(cells('value_corruption', {}), ['1', '2', '3', '4', '5', '6'])
  const skewed = predecessorWish('time_skew', { skewSeconds: 2 }, { layout, wish: PLAIN })
  t.equal(injected({ faults: skewed.faults, rowClock: true }).rows[1]?.split(';')[0], '3000000')
  const schema = predecessorWish('schema_change', {}, { layout, wish: { ...PLAIN, channels: ['a'] } })
  t.equal(injected({ faults: schema.faults }).header, 't_us;a_renamed;b;hb_injected')
})

t.test('what is neither a recording nor a table is refused with what was looked for', async (t) => {
  t.throws(() => layoutOf('a,b', { path: 'x.csv', timeColumn: undefined }), /CSV_HEADER/)
  t.throws(() => layoutOf('t,b', { path: 'x.csv', timeColumn: 'when' }), /CSV_HEADER/)
  t.match(layoutOf('when,b', { path: 'x.csv', timeColumn: 'when' }), { kind: 'recording', time: 0 })
})
