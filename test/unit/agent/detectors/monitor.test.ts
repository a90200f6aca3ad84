import { createHash } from 'node:crypto'
import t from 'tap'
import {
  arraysOfMonitor,
  createMonitor,
  eventOf,
  type Monitor,
  stepMonitor,
  voiceOf,
} from '../../../../agent/core/detectors/monitor.ts'
import { fitDetectors } from '../../../../agent/core/detectors/replay-limits.ts'
import {
  BASELINE_ROWS,
  faulty,
  noisy,
  type Signal,
  stateOf,
  stepRow,
  stepTable,
  walking,
  watch,
} from '../../../support/detector-rig.ts'

const END = 900
/** A step and its return, a spike, a channel that sticks, one with rows left out, one that walks. */
const SIGNALS: readonly Signal[] = [
  faulty(noisy(1), () => 6, 500, 650),
  faulty(noisy(2), () => 20, 550, 551),
  (row) => noisy(3)(Math.min(row, 600)),
  (row) => (row % 7 === 3 ? Number.NaN : noisy(4)(row)),
  walking(5, { rows: END, step: 0.2 }),
]
const FITTED = fitDetectors([stepTable(SIGNALS, 0, BASELINE_ROWS)], SIGNALS.length)
const settings = { channels: FITTED.channels, rig: FITTED.rig, warmUpRows: 15 }

function run(monitor: Monitor, from: number, to: number): string {
  const digest = createHash('sha256')
  for (let row = from; row < to; row += 1) {
    stepMonitor(monitor, stepRow(SIGNALS, row))
    for (const { scores } of monitor.channels) digest.update(scores)
    digest.update(JSON.stringify(eventOf(monitor)))
  }
  return digest.digest('hex')
}

t.test('a monitor that is restored in any row goes on bit by bit as if it had not been', async (t) => {
  const whole = createMonitor(settings)
  const saved: Float64Array[][] = []
  for (let row = BASELINE_ROWS; row < END; row += 1) {
    saved.push(arraysOfMonitor(whole).map((array) => array.slice()))
    stepMonitor(whole, stepRow(SIGNALS, row))
  }
  for (let row = BASELINE_ROWS; row < END; row += 1) {
    const restored = createMonitor(settings)
    arraysOfMonitor(restored).forEach((array, k) => {
      array.set(saved[row - BASELINE_ROWS]![k]!)
    })
    stepMonitor(restored, stepRow(SIGNALS, row))
    const next = saved[row - BASELINE_ROWS + 1]?.flatMap((array) => [...array]) ?? stateOf(whole)
    if (!next.every((value, k) => Object.is(value, stateOf(restored)[k]))) t.fail(`differs after row ${row}`)
  }
  t.pass('the state of every row follows from that before it')
})

t.test('the same rows give the same bits', async (t) => {
  t.equal(run(createMonitor(settings), BASELINE_ROWS, END), run(createMonitor(settings), BASELINE_ROWS, END))
})

t.test('the order of channels does not matter', async (t) => {
  const order = [3, 0, 4, 2, 1]
  const turned = order.map((c) => SIGNALS[c]!)
  const fitted = fitDetectors([stepTable(turned, 0, BASELINE_ROWS)], turned.length)
  const [a, b] = [createMonitor(settings), createMonitor({ ...fitted, warmUpRows: 15 })]
  for (let row = BASELINE_ROWS; row < END; row += 1) {
    stepMonitor(a, stepRow(SIGNALS, row))
    stepMonitor(b, stepRow(turned, row))
    const [said, other] = [eventOf(a), eventOf(b)]
    const isSameChannel = said.channel === -1 ? other.channel === -1 : said.channel === order[other.channel]
    // What looks at all channels at once adds them up in their order.
    const isSameScore = Math.abs(said.score - other.score) <= 1e-9 * said.score
    if (said.state !== other.state || said.stream !== other.stream || !isSameChannel || !isSameScore)
      t.fail(`differs in row ${row}: ${JSON.stringify([said, other])}`)
  }
  t.pass('verdicts are those of the channels, wherever they stand')
})

t.test('nothing begins while a rig warms up', async (t) => {
  const signals = [faulty(noisy(1), () => 8, BASELINE_ROWS)]
  const fitted = fitDetectors([stepTable(signals, 0, BASELINE_ROWS)], 1)
  const found = watch(createMonitor({ ...fitted, warmUpRows: 15 }), signals, BASELINE_ROWS, 500)
  t.equal(found[0]!.from, BASELINE_ROWS + 17, 'the third row after the warm-up')
})

t.test('a channel in alarm has a voice, others have none', async (t) => {
  const monitor = createMonitor({ ...settings, rig: [] })
  watch(monitor, SIGNALS, BASELINE_ROWS, 560)
  const voice = voiceOf(monitor, 0)!
  t.equal(voice.stream, 'level')
  t.ok(voice.ratio > 1)
  t.ok(Math.abs(voice.distance! - 6) < 2, 'in the unit of the metric')
  t.equal(voiceOf(monitor, 3), null)
})

t.test('a channel costs at most 1 KiB', async (t) => {
  const bytes = arraysOfMonitor(createMonitor(settings)).reduce((sum, array) => sum + array.byteLength, 0)
  const numbers = FITTED.channels.flat().reduce((sum, fit) => sum + 8 * fit.numbers.length, 0)
  t.ok((bytes + numbers) / SIGNALS.length <= 1024, `${(bytes + numbers) / SIGNALS.length} bytes a channel`)
})
