import t from 'tap'
import { addChangepoints, changepointScore, scoreChangepoints } from '../../../scripts/eval/changepoint.ts'

type Case = Readonly<{
  rows: number
  changes: readonly number[]
  alarm: readonly (readonly [from: number, to: number])[]
}>

/** Rows a second apart; alarms stand from one row up to another. */
function sums({ rows, changes, alarm }: Case) {
  const all = Array.from({ length: rows }, (_, k) => k)
  return scoreChangepoints({
    timesMs: all.map((k) => k * 1000),
    changepoint: Uint8Array.from(all, (k) => (changes.includes(k) ? 1 : 0)),
    verdict: Uint8Array.from(all, (k) => (alarm.some(([from, to]) => k >= from && k < to) ? 1 : 0)),
  })
}
const standard = (given: Case): number => changepointScore(sums(given))!.standard
const near = (t: Tap, found: number, wanted: number, message: string): void =>
  void t.ok(Math.abs(found - wanted) < 1e-4, `${message}: ${found}`)
type Tap = Readonly<{ ok(value: unknown, message: string): boolean }>

t.test('never alarming gets 0, alarming at every change and nowhere else gets 100', (t) => {
  const changes = [100, 200]
  t.strictSame(changepointScore(sums({ rows: 400, changes, alarm: [] })), { standard: 0, low_fp: 0, low_fn: 0 })
  const perfect = changepointScore(sums({ rows: 400, changes, alarm: [[100, 200]] }))!
  near(t, perfect.standard, 100, 'standard')
  near(t, perfect.low_fp, 100, 'low_fp')
  near(t, perfect.low_fn, 100, 'low_fn')
  t.equal(changepointScore(sums({ rows: 400, changes: [], alarm: [[1, 2]] })), null, 'nothing to find')
  t.end()
})

t.test('the reward falls along a tanh from the begin of the window to its end', (t) => {
  // Half a window is place 500 of 1000: x = π (500/999 − 1/2) = 0.0015724, tanh x / tanh π/2 = 0.0017144,
  // reward = 0.555 (1 − 0.0017144) − 0.11 = 0.4440485; score = 100 (0.4440485 + 1) / 2.
  near(t, standard({ rows: 200, changes: [100], alarm: [[130, 200]] }), 72.202425, 'after 30 s')
  // The end of the window belongs to it and is worth a false alarm: 100 (−0.11 + 1) / 2.
  near(t, standard({ rows: 200, changes: [100], alarm: [[160, 200]] }), 44.5, 'after 60 s')
  // A second later it is a miss and a false alarm: 100 (−1 − 0.11 + 1) / 2.
  near(t, standard({ rows: 200, changes: [100], alarm: [[161, 200]] }), -5.5, 'after 61 s')
  t.end()
})

t.test('rows outside of windows cost by profile, and in a window only the first counts', (t) => {
  // Alarm on and off before the change: two false alarms; then a hit at once, and more changes of mind in the window.
  const { standard, low_fp, low_fn } = changepointScore(
    sums({
      rows: 300,
      changes: [100],
      alarm: [
        [10, 20],
        [100, 110],
        [120, 130],
      ],
    }),
  )!
  near({ ok: t.ok.bind(t) }, standard, (100 * (1 - 0.22 + 1)) / 2, 'standard')
  near({ ok: t.ok.bind(t) }, low_fp, (100 * (1 - 0.44 + 1)) / 2, 'low_fp')
  near({ ok: t.ok.bind(t) }, low_fn, (100 * (1 - 0.22 + 2)) / 3, 'low_fn')
  t.end()
})

t.test('an alarm that stands from the first row is a prediction at the first row', (t) => {
  near(t, standard({ rows: 200, changes: [100], alarm: [[0, 200]] }), -5.5, 'a miss and a false alarm')
  near(t, standard({ rows: 200, changes: [0], alarm: [[0, 200]] }), 100, 'a hit')
  t.end()
})

t.test('of overlapping windows the later one is cut', (t) => {
  // Windows 100 … 160 and, cut, 160 … 190. At 130 s only the first is hit: 0.4440485 and a miss.
  near(
    t,
    standard({ rows: 300, changes: [100, 130], alarm: [[130, 300]] }),
    (100 * (0.4440485 - 1 + 2)) / 4,
    'in the first',
  )
  // The border is in both: the last place of the first, the first place of the second.
  near(
    t,
    standard({ rows: 300, changes: [100, 130], alarm: [[160, 300]] }),
    (100 * (-0.11 + 1 + 2)) / 4,
    'on the border',
  )
  // 175 is half of what is left of the second window.
  near(
    t,
    standard({ rows: 300, changes: [100, 130], alarm: [[175, 300]] }),
    (100 * (-1 + 0.4440485 + 2)) / 4,
    'in the second',
  )
  t.end()
})

t.test('runs are joined by their sums before anything is divided', (t) => {
  const hit = sums({ rows: 200, changes: [100], alarm: [[100, 200]] })
  const miss = sums({ rows: 200, changes: [50, 150], alarm: [] })
  near(t, changepointScore(addChangepoints([hit, miss]))!.standard, (100 * (1 - 2 + 3)) / 6, 'one of three')
  t.end()
})
