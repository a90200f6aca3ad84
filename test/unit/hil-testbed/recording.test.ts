import t from 'tap'
import { RecordedPlant } from '../../../hil-testbed/core/plants/recording.ts'
import { createRecordedInstrumentation } from '../../../hil-testbed/core/recorded-instrumentation.ts'
import { type Recording, readRecording } from '../../../hil-testbed/core/recording.ts'
import { checkScenarios } from '../../../hil-testbed/scenario/load.ts'
import { BEGIN_US, sensor } from '../../support/instrumented-rig.ts'
import { scenarioFolder } from '../../support/scenario-folder.ts'

/** Two acquisitions; `b` is slower, was late once, and once said to be bad; `a` broke off between 10 and 30 ms. */
const TEXT = `t_us;taken_us;a;b;c
0;1000;1;2;
0;2000;;;30
10000;11000;1.5;;
30000;31000;2;NaN@2;
20000;32000;;2.5@1;
30000;33000;;;31
`

function recording(text: string): Recording {
  const read = readRecording(text)
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  return read.recording
}

t.test(
  'acquisitions send what was recorded, when it came: gaps, late samples and qualities as they were',
  async (t) => {
    const sensors = [sensor('a'), sensor('b'), sensor('c', { source: 'daq-2' })]
    const options = { rig: 'rig-1', seed: 7, sensors, beginUs: BEGIN_US }
    const instruments = createRecordedInstrumentation(options, recording(TEXT))
    const sent = [10_000, 20_000, 40_000].map((toUs) =>
      instruments.frames(toUs).map(({ source, seq, channels, timeUs, value, quality, injected, dueUs }) => ({
        ...{ source, seq, channels, at: [...timeUs].map((us) => us - BEGIN_US), value: [...value] },
        ...{ quality: quality === null ? null : [...quality], injected, dueUs },
      })),
    )
    const good = { quality: null, injected: [] }
    t.strictSame(sent, [
      [
        { ...good, source: 'daq-1', seq: 0, channels: ['a', 'b'], at: [0], value: [1, 2], dueUs: 1000 },
        { ...good, source: 'daq-2', seq: 0, channels: ['c'], at: [0], value: [30], dueUs: 2000 },
      ],
      [{ ...good, source: 'daq-1', seq: 1, channels: ['a'], at: [10_000], value: [1.5], dueUs: 11_000 }],
      [
        {
          ...{ source: 'daq-1', seq: 2, channels: ['a', 'b'], at: [30_000], value: [2, Number.NaN] },
          ...{ quality: [0, 2], injected: [], dueUs: 31_000 },
        },
        {
          ...{ source: 'daq-1', seq: 3, channels: ['b'], at: [20_000], value: [2.5] },
          ...{ quality: [1], injected: [], dueUs: 32_000 },
        },
        { ...good, source: 'daq-2', seq: 1, channels: ['c'], at: [30_000], value: [31], dueUs: 33_000 },
      ],
    ])
  },
)

t.test('times of the same channels are one frame, channel by channel', async (t) => {
  const text = 't_us;taken_us;a;b\n0;5;1;10\n10;5;2;20\n20;5;3;30\n'
  const options = { rig: 'rig-1', seed: 7, sensors: [sensor('a'), sensor('b')], beginUs: BEGIN_US }
  const frames = createRecordedInstrumentation(options, recording(text)).frames(5)
  t.strictSame(
    frames.map(({ timeUs, value }) => [timeUs.length, [...value]]),
    [[3, [1, 2, 3, 10, 20, 30]]],
  )
})

t.test('a plant that was says what came last, and before its first sample that one', async (t) => {
  const plant = new RecordedPlant(recording('t_us;taken_us;a;b\n0;0;1;\n10;20;2;5\n'))
  t.strictSame([plant.read('a'), plant.read('b')], [1, 5])
  plant.advance(10)
  t.strictSame([plant.read('a'), plant.atUs], [1, 10])
  plant.advance(25)
  t.strictSame([plant.read('a'), plant.read('b')], [2, 5])
  t.throws(() => plant.set('pump'), /no input/)
})

const WRONG: readonly [what: string, text: string, line: number, found: RegExp][] = [
  ['another header', 'time;a\n0;1\n', 1, /time;a/],
  ['no channel', 't_us;taken_us\n0;0\n', 1, /t_us/],
  ['a channel twice', 't_us;taken_us;a;a\n0;0;1;1\n', 1, /a;a/],
  ['no row', 't_us;taken_us;a\n', 2, /no row/],
  ['a row that is too short', 't_us;taken_us;a;b\n0;0;1\n', 2, /3 cells/],
  ['a time that is none', 't_us;taken_us;a\nnow;0;1\n', 2, /`now`/],
  ['rows out of order', 't_us;taken_us;a\n0;9;1\n0;8;1\n', 3, /`8`/],
  ['a cell that is no number', 't_us;taken_us;a\n0;0;1,5\n', 2, /`1,5` for a/],
  ['a quality that there is not', 't_us;taken_us;a\n0;0;1@7\n', 2, /1@7/],
]

for (const [what, text, line, found] of WRONG)
  t.test(`a recording with ${what} is refused with its line`, async (t) => {
    const read = readRecording(text)
    t.match(read, { ok: false, problems: [{ line, found }] })
  })

const SCENARIO = `hil: 1
id: FIELD-VESSEL-7
title: what was
rig: was
clock: { duration_s: 1, begin_us: 1790000000000000 }
plant: { file: slice.csv }
expect: [{ never: { verdict: FAIL } }]
`
const RIG = `hil_rig: 1
name: was
sensors: { p_a: { of: p_a, rate_hz: 10 } }
registry: ../vessel/registry.yaml
baseline: { kind: none }
operators: [alice, bob, carol]
`

t.test('scenarios on a recording: what one cannot have is said with its place', async (t) => {
  const folder = scenarioFolder(t)
  folder.put('slice.csv', 't_us;taken_us;p_a\n0;0;5\n')
  folder.put('rigs/was/rig.yaml', RIG)
  const at = folder.put('try.scenario.yaml', SCENARIO)
  const told = (text: string, rig = RIG): string[] => {
    folder.put('rigs/was/rig.yaml', rig)
    folder.put('try.scenario.yaml', text)
    return checkScenarios([at]).problems.map(({ key, found, expected }) => `${key}: ${found}, ${expected}`)
  }
  const sound = checkScenarios([at])
  t.strictSame(sound.problems, [])
  t.match(sound.rows[0], {
    clock: { beginUs: 1_790_000_000_000_000 },
    rig: { plant: { model: 'recording', file: /slice\.csv$/ }, baseline: { kind: 'none', file: null } },
  })
  const fault = 'steps: [{ at: 10ms, inject: { id: F1, target: p_a, class: sensor.bias, offset: 1 } }]\n'
  t.match(told(SCENARIO + fault), [/^steps\[0\]\.inject\.class: .*a recording is sent as it was/])
  t.match(told(`${SCENARIO}steps: [{ at: 10ms, stimulate: { pump: 0 } }]\n`), [/a recording has no inputs/])
  t.match(told(SCENARIO.replace('{ file:', '{ model: vessel, file:')), [/^plant\.model: `model` and `file`/])
  t.match(told(SCENARIO.replace('slice.csv', 'gone.csv')), [/there is no such file/])
  t.match(told(SCENARIO.replace('{ duration', '{ mode: free_run, duration')), [/^clock\.begin_us: /])
  t.match(told(SCENARIO.replace('1790000000000000', '1')), [/^clock\.begin_us: /])
  t.match(told(SCENARIO, RIG.replace('of: p_a', 'of: p_z')), [
    /^sensors\.p_a\.of: `p_z`, a signal of the plant \(p_a\)/,
  ])
  t.match(told(SCENARIO, RIG.replace('kind: none', 'kind: file')), [/^baseline\.kind: one of `kind: file` and `file`/])
  t.match(told(SCENARIO, RIG.replace('kind: none', 'kind: file, file: rig.yaml')), [/: CBOR_REFUSED, a baseline/])
})
