import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { donorsOf, earlierSegments, ownBaseline, partKey } from '../../../scripts/eval/history.ts'
import { slicesOf } from '../../../scripts/eval/normal-run.ts'
import { beginMs, endMs, faultsOf } from '../../../scripts/eval/recording.ts'
import { campaignOf, parseSkab, readSkab } from '../../../scripts/eval/skab.ts'
import { parseTep, readTep } from '../../../scripts/eval/tep.ts'
import { skabText, writeSkab } from '../../support/small-corpus.ts'

const HEADER = 'datetime;Pressure;Current;anomaly;changepoint'

t.test('files of the SKAB layout are read whatever their line ends, and gaps are no numbers', (t) => {
  const lines = [HEADER, '2020-03-09 10:14:33;1.5;-2;0.0;0.0', '2020-03-09 10:14:35;;3;1.0;1.0', '']
  const read = parseSkab('a/1.csv', `\uFEFF${lines.join('\r\n')}`, { labelled: true })
  t.strictSame(read, parseSkab('a/1.csv', lines.join('\n'), { labelled: true }))
  t.strictSame(read.channels, ['Pressure', 'Current'], 'labels and time are no channels')
  t.strictSame(read.rows, [Float64Array.from([1.5, -2]), Float64Array.from([Number.NaN, 3])])
  t.strictSame([...read.anomaly, ...read.changepoint], [0, 1, 0, 1])
  t.equal(read.timesMs[1]! - read.timesMs[0]!, 2000)
  t.equal(campaignOf(read.timesMs[0]!), '2020-03-09')
  t.end()
})

t.test('what is no file of the layout is told with its place', (t) => {
  const parse = (text: string) => () => parseSkab('a/1.csv', text, { labelled: true })
  t.throws(parse('datetime;Pressure\n'), { exitCode: 65, message: /no column anomaly, changepoint/ })
  t.throws(parse(`${HEADER}\n2020-03-09 10:14:33;1;2;0\n`), { exitCode: 65, message: /data row 0: 4 cells/ })
  t.throws(parse(`${HEADER}\n2020-03-09 10:14:33;1;2;0;0\nsoon;1;2;0;0\n`), { message: /data row 1: soon is no time/ })
  t.throws(() => readSkab(join(t.testdir({}), 'nowhere')), { exitCode: 66, message: /no corpus/ })
  t.throws(() => readTep(t.testdir({}), ['d01_te.dat']), {
    exitCode: 66,
    message: /d00\.dat, d00_te\.dat, d01_te\.dat/,
  })
  t.end()
})

t.test('a table of TEP may lie on its side; the fault begins at row 160', (t) => {
  const upright = Array.from({ length: 200 }, (_, row) => `  ${row}.5e+00   ${row + 1000}\r`).join('\n')
  const lying = [0, 1]
    .map((c) => Array.from({ length: 200 }, (_, row) => (c === 0 ? row + 0.5 : row + 1000)).join('  '))
    .join('\n')
  const read = parseTep('d01_te.dat', upright, { faultRow: 160, beginMs: 5000 })
  t.strictSame(read.rows, parseTep('d00.dat', lying, {}).rows)
  t.strictSame([read.rows.length, read.channels.length, read.timesMs[1]], [200, 2, 6000])
  t.strictSame(faultsOf(read.anomaly, 0), [{ from: 160, to: 200 }])
  t.throws(() => parseTep('d01_te.dat', '1 2\n3\n4 5\n', {}), { name: 'EvaluationError', exitCode: 65 })
  t.end()
})

t.test('a run knows only runs of the same day that had ended before it began', (t) => {
  const folder = t.testdir({})
  const fault = { from: 560, to: 640, channel: 2, by: 40 }
  writeSkab(folder, {
    'valve1/2.csv': { seed: 5, begin: '2020-03-09 10:58:00', rows: 700, fault },
    'valve1/3.csv': { seed: 6, begin: '2020-03-09 12:00:00', rows: 700, fault },
    'valve1/4.csv': { seed: 7, begin: '2020-03-09 09:00:00', rows: 390, fault: { ...fault, from: 300, to: 380 } },
  })
  const corpus = readSkab(folder)
  const known = (id: string, start: number, isRejected = (_: string): boolean => false): string[] =>
    earlierSegments(ownBaseline(corpus.labelled.get(id)!, start)!, donorsOf(corpus, start), (part) =>
      isRejected(part.recording.id),
    ).map(({ part }) => partKey(part))
  t.strictSame(
    known('valve1/1.csv', 0),
    ['valve1/0.csv 0 400'],
    '10:58 is not over at 11:00, and 390 rows are no baseline',
  )
  t.strictSame(
    known('valve1/3.csv', 40),
    ['valve1/0.csv 40 440', 'valve1/2.csv 40 440', 'valve1/1.csv 40 440'],
    'in order of time',
  )
  t.strictSame(
    known('valve1/3.csv', 0, (id) => id === 'valve1/2.csv'),
    ['valve1/0.csv 0 400', 'valve1/1.csv 0 400'],
    'what the gate rejected is left out',
  )
  t.strictSame(known('valve1/0.csv', 0), [])
  const normal = known('other/5.csv', 0)
  t.strictSame(
    normal,
    [0, 400, 800, 1200, 1600].map((from) => `anomaly-free/anomaly-free.csv ${from} ${from + 400}`),
  )
  t.end()
})

t.test('a slice of a normal run knows no row of itself, and nothing that seems to be behind it', (t) => {
  const recording = parseSkab('n/1.csv', skabText({ seed: 1, begin: '2020-02-08 13:00:00', rows: 4700 }), {
    labelled: false,
  })
  const slices = slicesOf(recording, 'others', () => false)
  t.equal(slices.length, 9)
  for (const { order, part } of slices) {
    t.equal(part.to - part.from, 750)
    t.equal(order.own.to, part.from)
    for (const { part: known, shiftMs } of order.earlier) {
      t.ok(known.to <= order.own.from || known.from >= part.to, `${known.from} beside ${order.own.from}`)
      t.ok(endMs(known) + shiftMs < beginMs(order.own), 'told as earlier')
    }
    const begins = order.earlier.map(({ part: known, shiftMs }) => beginMs(known) + shiftMs)
    t.strictSame(
      begins,
      begins.toSorted((a, b) => a - b),
    )
  }
  t.equal(slices[0]!.order.earlier.length, 8)
  const past = slicesOf(recording, 'earlier', ({ from }) => from === 400)
  t.strictSame(
    past.map(({ order }) => order.earlier.map(({ part }) => part.from)),
    [
      [],
      [0],
      [0],
      [0, 800],
      [0, 800, 1200],
      [0, 800, 1200, 1600],
      [0, 800, 1200, 1600, 2000],
      [0, 800, 1200, 1600, 2000, 2400],
      [0, 800, 1200, 1600, 2000, 2400, 2800],
    ],
    'only the past, without what the gate rejected',
  )
  t.ok(slicesOf(recording, 'own', () => false).every(({ order }) => order.earlier.length === 0))
  t.end()
})

t.test('a folder without files of the layout is no corpus', (t) => {
  const folder = t.testdir({})
  mkdirSync(join(folder, 'valve1'))
  writeFileSync(join(folder, 'valve1', 'notes.txt'), 'nothing')
  t.throws(() => readSkab(folder), { name: 'EvaluationError', exitCode: 66 })
  const other = join(folder, 'elsewhere')
  writeSkab(other)
  mkdirSync(join(folder, 'linked'))
  symlinkSync(join(other, 'valve1'), join(folder, 'linked', 'valve1'))
  t.strictSame(
    [...readSkab(join(folder, 'linked')).labelled.keys()],
    ['valve1/0.csv', 'valve1/1.csv'],
    'links are followed',
  )
  t.end()
})
