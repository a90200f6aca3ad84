import { createHash } from 'node:crypto'
import t from 'tap'
import {
  completeRows,
  crossSumsOf,
  relationOf,
  residualColumns,
  unitsOf,
} from '../../../../agent/core/detectors/conditional-residual.ts'
import {
  lackOfRelation,
  MULTIVARIATE,
  MULTIVARIATE_CHANNELS_MAX,
} from '../../../../agent/core/detectors/multivariate.ts'
import { rowOfSteps, type StepTable } from '../../../../agent/core/detectors/steps.ts'
import { noiseAt } from '../../../../shared/lib/prng.ts'
import { stepTable } from '../../../support/step-tables.ts'

const BASELINE_ROWS = 400

/**
 * A loop of four channels: what flows is seen by a flow meter, by the pressure it makes and by the current it takes; the
 * temperature has nothing to do with it.
 */
function loopRow(row: number): number[] {
  const demand = noiseAt(1, 0, row)
  return [
    20 + 2 * demand + 0.2 * noiseAt(1, 1, row),
    5 - 0.5 * demand + 0.05 * noiseAt(1, 2, row),
    1.5 + 0.1 * demand + 0.01 * noiseAt(1, 3, row),
    60 + noiseAt(1, 4, row),
  ]
}

function loopRows(from: number, to: number, change: (values: number[], row: number) => void = () => {}): number[][] {
  return Array.from({ length: to - from }, (_, k) => {
    const values = loopRow(from + k)
    change(values, from + k)
    return values
  })
}

const NUMBERS = MULTIVARIATE.fit([stepTable(loopRows(0, BASELINE_ROWS))])!

/** Scores of every row, with nothing held. */
function scoresOf(numbers: readonly number[], table: StepTable, state = begun(numbers)): number[][] {
  const to = { held: new Uint8Array(table.channels), scores: new Float64Array(table.channels) }
  return Array.from({ length: table.rows }, (_, row) => {
    MULTIVARIATE.step(numbers, state, rowOfSteps(table, row), to)
    return [...to.scores]
  })
}

function begun(numbers: readonly number[]): Float64Array {
  const state = new Float64Array(MULTIVARIATE.fields(numbers))
  MULTIVARIATE.begin(numbers, state)
  return state
}

function largestOf(scores: readonly number[][], channel: number): number {
  return Math.max(...scores.map((row) => row[channel]!))
}

t.test('a residual is the channel minus what the others say, by hand', async (t) => {
  // Alike in six rows of eight, so that the correlation is a half; spreads 1 and 2 about 10 and −4.
  const cycle = [
    [1, 1],
    [1, 1],
    [1, 1],
    [-1, -1],
    [-1, -1],
    [-1, -1],
    [1, -1],
    [-1, 1],
  ].map(([a, b]) => [10 + a!, -4 + 2 * b!])
  const { rows, mean } = completeRows([stepTable(cycle)])
  t.same([...mean], [10, -4])
  const relation = relationOf([crossSumsOf(rows, mean, [0, 4]), crossSumsOf(rows, mean, [4, 8])], mean)!
  t.same([...relation.scale], [1, 2])
  const slope = 0.5 / 1.001
  const units = unitsOf(relation)
  const [first, second] = residualColumns(rows, relation, [0, 8]).map((x, c) => x.map((value) => value * units[c]!))
  t.ok(Math.abs(first![0]! - (1 - slope)) < 1e-12)
  t.ok(Math.abs(first![6]! - (1 + slope)) < 1e-12)
  t.ok(Math.abs(second![6]! - 2 * (-1 - slope)) < 1e-12, 'in the unit of the channel')
})

t.test('nothing is said of a rig that goes on as it was', async (t) => {
  const scores = scoresOf(NUMBERS, stepTable(loopRows(BASELINE_ROWS, BASELINE_ROWS + 4000)))
  for (let c = 0; c < 4; c += 1)
    t.ok(largestOf(scores, c) < MULTIVARIATE.limitMin + 1, `channel ${c}: ${largestOf(scores, c)}`)
  t.ok(MULTIVARIATE.eventRatio(NUMBERS) < 1.3)
})

t.test('a step in one channel is found and is the channel’s own, far inside what it may show', async (t) => {
  for (let faulty = 0; faulty < 3; faulty += 1) {
    // Four noises of the meter are less than half of what the demand moves it by.
    const size = [0.8, 0.2, 0.04][faulty]!
    const table = stepTable(
      loopRows(400, 430, (values, row) => {
        if (row >= 420) values[faulty] = values[faulty]! + size
      }),
    )
    const row = scoresOf(NUMBERS, table)[28]!
    t.ok(row[faulty]! > MULTIVARIATE.limitMin, `channel ${faulty}: ${row[faulty]}`)
    t.equal(row.indexOf(Math.max(...row)), faulty)
  }
})

t.test('the deviation is in the unit of the channel, and lets go of a level that stays', async (t) => {
  const state = begun(NUMBERS)
  const table = stepTable(
    loopRows(400, 480, (values) => {
      values[0] = values[0]! + 3
    }),
  )
  const to = { held: Uint8Array.of(1, 1, 1, 1), scores: new Float64Array(4) }
  for (let row = 0; row < table.rows; row += 1) MULTIVARIATE.step(NUMBERS, state, rowOfSteps(table, row), to)
  const held = MULTIVARIATE.deviation(NUMBERS, state, 0)
  t.ok(Math.abs(held - 3) < 0.5, `${held}`)
  MULTIVARIATE.release(NUMBERS, state, 0)
  scoresOf(NUMBERS, table, state)
  t.ok(Math.abs(MULTIVARIATE.deviation(NUMBERS, state, 0)) < 0.3)
})

t.test('a fault that is known puts nothing on channels that are well', async (t) => {
  // Four channels that have nothing to do with each other, but for what chance made of a hundred rows.
  const loose = (from: number, to: number, off: number) =>
    stepTable(
      Array.from({ length: to - from }, (_, k) =>
        [0, 1, 2, 3].map((c) => noiseAt(8, c, from + k) + (c === 0 ? off : 0)),
      ),
    )
  const numbers = MULTIVARIATE.fit([loose(0, 100, 0)])!
  const largest = (held: Uint8Array): number[] => {
    const state = begun(numbers)
    const to = { held, scores: new Float64Array(4) }
    const table = loose(100, 200, 60)
    const most = [0, 0, 0, 0]
    for (let row = 0; row < table.rows; row += 1) {
      MULTIVARIATE.step(numbers, state, rowOfSteps(table, row), to)
      to.scores.forEach((score, c) => {
        most[c] = Math.max(most[c]!, score)
      })
    }
    return most
  }
  const known = largest(Uint8Array.of(1, 0, 0, 0))
  t.ok(known[0]! > 100)
  t.ok(
    known.slice(1).every((score) => score < MULTIVARIATE.limitMin),
    `${known}`,
  )
  const unknown = largest(Uint8Array.of(0, 0, 0, 0))
  t.ok(Math.max(...unknown.slice(1)) > MULTIVARIATE.limitMin, 'as it would be otherwise')
})

t.test('a relation that breaks is found though every channel stays in its range', async (t) => {
  const nominal = loopRows(0, BASELINE_ROWS)
  const range = [0, 1, 2, 3].map((c) => nominal.map((row) => row[c]!)).map((x) => [Math.min(...x), Math.max(...x)])
  // The pressure is one that was, of another time: as high and as noisy as ever, and not that of this flow.
  const broken = loopRows(400, 500, (values, row) => {
    values[1] = nominal[row - 400]![1]!
  })
  for (const row of broken) for (const c of [1]) t.ok(row[c]! >= range[c]![0]! && row[c]! <= range[c]![1]!)
  const scores = scoresOf(NUMBERS, stepTable(broken))
  const beyond = scores.filter((row) => Math.max(...row) > MULTIVARIATE.limitMin).length
  t.ok(beyond > 60, `${beyond} of 100 rows`)
  t.ok(largestOf(scores, 1) > 10)
  t.ok(largestOf(scores, 3) < MULTIVARIATE.limitMin, 'the temperature has no part in it')
})

t.test('a channel that never moved takes no part, and repeats of a channel harm nobody', async (t) => {
  const rows = (from: number, to: number, level: number) =>
    loopRows(from, to).map((values) => [...values, level, values[0]!])
  const numbers = MULTIVARIATE.fit([stepTable(rows(0, 400, 7))])!
  t.ok(numbers.every(Number.isFinite))
  const scores = scoresOf(numbers, stepTable(rows(400, 600, 9)))
  t.equal(largestOf(scores, 4), 0)
  for (const c of [0, 1, 2, 3, 5]) t.ok(largestOf(scores, c) < MULTIVARIATE.limitMin + 1)
})

t.test('a silent channel is no case against the others, and one slower than the rows is kept', async (t) => {
  const silent = stepTable(
    loopRows(400, 600, (values) => {
      values[1] = Number.NaN
    }),
  )
  const scores = scoresOf(NUMBERS, silent)
  t.equal(largestOf(scores, 1), 0)
  for (const c of [0, 2, 3]) t.ok(largestOf(scores, c) < MULTIVARIATE.limitMin + 1, `${c}: ${largestOf(scores, c)}`)

  const slow = (from: number, to: number) =>
    stepTable(
      loopRows(from, to, (values, row) => {
        if (row % 3 !== 0) values[3] = Number.NaN
      }),
    )
  const slowNumbers = MULTIVARIATE.fit([slow(0, 399)])!
  const kept = scoresOf(slowNumbers, slow(399, 600))
  t.ok(largestOf(kept, 3) > 0 && largestOf(kept, 3) < MULTIVARIATE.limitMin + 1)
  t.ok(
    kept.every((row) => row[3]! > 0),
    'what it said last is still what it says',
  )
  const gone = stepTable(
    loopRows(400, 410, (values) => {
      values.fill(Number.NaN, 1)
    }),
  )
  t.ok(scoresOf(NUMBERS, gone).every((row) => row.every((score) => score === 0)))
})

t.test('hostile values give scores that are numbers', async (t) => {
  const table = stepTable([
    [1e300, -1e300, 1e-300, 0],
    [-1e300, 1e300, Number.MAX_VALUE, -Number.MAX_VALUE],
    loopRow(400),
  ])
  for (const row of scoresOf(NUMBERS, table)) for (const score of row) t.ok(score >= 0 && score <= 1_000_000)
  const flat = MULTIVARIATE.fit([stepTable(Array.from({ length: 200 }, () => [1e308, -1e308]))])!
  t.ok(
    scoresOf(flat, stepTable([[0, 0]]))
      .flat()
      .every(Number.isFinite),
  )
})

t.test('too few rows, one channel and too many channels have no relation, and it is said why', async (t) => {
  const table = (rows: number, channels: number) =>
    stepTable(Array.from({ length: rows }, (_, row) => Array.from({ length: channels }, (_, c) => noiseAt(2, c, row))))
  t.equal(MULTIVARIATE.fit([]), null)
  t.equal(MULTIVARIATE.fit([table(400, 1)]), null)
  t.equal(MULTIVARIATE.fit([table(99, 4)]), null)
  t.equal(MULTIVARIATE.fit([table(199, 40)]), null, 'fewer rows than five a channel')
  t.not(MULTIVARIATE.fit([table(200, 40)]), null)
  t.not(MULTIVARIATE.fit([table(100, 40), table(100, 40)]), null, 'older segments help')
  t.equal(MULTIVARIATE.fit([table(1000, MULTIVARIATE_CHANNELS_MAX + 1)]), null)
  t.equal(MULTIVARIATE.fit([table(1000, MULTIVARIATE_CHANNELS_MAX)])![0], MULTIVARIATE_CHANNELS_MAX)
  t.equal(lackOfRelation(129, 5000), '129 channels, at most 128')
  t.equal(lackOfRelation(52, 200), '200 steps, at least 260 for 52 channels')
  t.equal(lackOfRelation(1, 200), 'one channel alone')
  t.equal(lackOfRelation(52, 260), null)
})

t.test('older segments tell how channels go together, and only the newest where they are', async (t) => {
  const elsewhere = loopRows(0, 90, (values) => {
    values[0] = values[0]! + 500
  })
  t.equal(MULTIVARIATE.fit([stepTable(loopRows(90, 120))]), null)
  const numbers = MULTIVARIATE.fit([stepTable(elsewhere), stepTable(loopRows(90, 120))])!
  const scores = scoresOf(numbers, stepTable(loopRows(120, 200)))
  for (let c = 0; c < 4; c += 1) t.ok(largestOf(scores, c) < MULTIVARIATE.limitMin + 1, `${largestOf(scores, c)}`)
  t.ok(MULTIVARIATE.eventRatio(numbers) < 2)
})

t.test('a relation that moved by itself must move further to be an event', async (t) => {
  const moving = MULTIVARIATE.fit([
    stepTable(
      loopRows(0, 400, (values, row) => {
        values[0] = values[0]! + (row < 160 ? 0.4 : 0)
      }),
    ),
  ])!
  t.ok(MULTIVARIATE.eventRatio(moving) > 1.8, `${MULTIVARIATE.eventRatio(moving)}`)
})

t.test('a gap in time makes it less sure, but for what is in alarm', async (t) => {
  const state = begun(NUMBERS)
  scoresOf(NUMBERS, stepTable(loopRows(400, 420)), state)
  const before = state.slice()
  MULTIVARIATE.skip(NUMBERS, state, { steps: 1000, held: Uint8Array.of(0, 0, 0, 1) })
  const fields = MULTIVARIATE.fields(NUMBERS) / 4
  const moved = [0, 1, 2, 3].map((c) => state[c * fields + 1]! > before[c * fields + 1]!)
  t.ok(moved.slice(0, 3).some(Boolean))
  t.equal(moved[3], false)
  t.equal(MULTIVARIATE.deviation(NUMBERS, state, 0), 0)
  t.not(MULTIVARIATE.deviation(NUMBERS, state, 3), 0)
})

t.test('the order of channels does not matter, to the last bit', async (t) => {
  // One of them nearly repeats another, and silences and alarms come and go.
  const rows = (from: number, to: number) =>
    loopRows(from, to, (values, row) => {
      values.push(values[0]! + 0.001 * noiseAt(1, 9, row))
      if (row > 450 && row < 470) values[1] = Number.NaN
      if (row > 460 && row < 480) values[2] = Number.NaN
    })
  const run = (turned: readonly number[]) => {
    const table = (from: number, to: number) => stepTable(rows(from, to).map((values) => turned.map((c) => values[c]!)))
    const numbers = MULTIVARIATE.fit([table(0, 200), table(200, 240)])!
    const state = begun(numbers)
    const to = { held: new Uint8Array(5), scores: new Float64Array(5) }
    const watched = table(400, 600)
    const seen: number[][] = []
    for (let row = 0; row < watched.rows; row += 1) {
      for (const c of [0, 3]) to.held[turned.indexOf(c)] = row > 100 ? 1 : 0
      MULTIVARIATE.step(numbers, state, rowOfSteps(watched, row), to)
      const at = (c: number) => turned.indexOf(c)
      seen.push([0, 1, 2, 3, 4].flatMap((c) => [to.scores[at(c)]!, MULTIVARIATE.deviation(numbers, state, at(c))]))
    }
    return { seen, ratio: MULTIVARIATE.eventRatio(numbers) }
  }
  const straight = run([0, 1, 2, 3, 4])
  for (const turned of [
    [4, 3, 2, 1, 0],
    [2, 0, 4, 1, 3],
  ])
    t.same(run(turned), straight)
})

t.test('the state is all it remembers: cut off anywhere it goes on with the same bits', async (t) => {
  const table = stepTable(
    loopRows(400, 700, (values, row) => {
      if (row > 500) values[0] = values[0]! + 1
      if (row % 7 === 0) values[2] = Number.NaN
    }),
  )
  const whole = scoresOf(NUMBERS, table)
  const state = begun(NUMBERS)
  const part = (from: number, to: number): StepTable => ({
    ...table,
    rows: to - from,
    mean: table.mean.subarray(from * 4, to * 4),
  })
  scoresOf(NUMBERS, part(0, 137), state)
  const restored = Float64Array.from(state)
  scoresOf(MULTIVARIATE.fit([stepTable(loopRows(900, 1300))])!, part(0, 50))
  t.same(scoresOf([...NUMBERS], part(137, 300), restored), whole.slice(137))
})

t.test('a fit and its scores have these bits and no others', async (t) => {
  const bytes = (values: readonly number[]) => Buffer.from(Float64Array.from(values).buffer)
  const hash = createHash('sha256')
    .update(bytes(NUMBERS))
    .update(bytes(scoresOf(NUMBERS, stepTable(loopRows(400, 600))).flat()))
  t.equal(hash.digest('hex'), 'c4435ab25805f7bb051a56a8856a95eb49e8e6a997bc7992b72d30a92b8ada7c')
})
