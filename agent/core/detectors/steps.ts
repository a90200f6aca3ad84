/** One step of every channel of a rig: means over at most `step` of time, and the extremes. NaN in `mean`: nothing new. */
export type StepRow = Readonly<{
  mean: Float64Array
  min: Float64Array
  max: Float64Array
  first: Float64Array
  last: Float64Array
}>

/** Rows one after the other, channel by channel: `mean[row * channels + channel]`. */
export type StepTable = StepRow & Readonly<{ channels: number; rows: number; timeUs: Float64Array }>

export function createStepRow(channels: number): StepRow {
  return {
    mean: new Float64Array(channels).fill(Number.NaN),
    min: new Float64Array(channels),
    max: new Float64Array(channels),
    first: new Float64Array(channels),
    last: new Float64Array(channels),
  }
}

/** Rows `from` to `to` of a table, without copying. */
export function sliceSteps(table: StepTable, from: number, to: number): StepTable {
  const { channels } = table
  const cut = (column: Float64Array) => column.subarray(from * channels, to * channels)
  return {
    channels,
    rows: to - from,
    timeUs: table.timeUs.subarray(from, to),
    mean: cut(table.mean),
    min: cut(table.min),
    max: cut(table.max),
    first: cut(table.first),
    last: cut(table.last),
  }
}

/** A table backwards in time: the newest row first, and within each the last value before the first. */
export function reverseSteps(table: StepTable): StepTable {
  const { channels, rows } = table
  const turned = (column: Float64Array, width: number) => {
    const values = new Float64Array(column.length)
    for (let row = 0; row < rows; row += 1)
      values.set(column.subarray((rows - 1 - row) * width, (rows - row) * width), row * width)
    return values
  }
  return {
    channels,
    rows,
    timeUs: turned(table.timeUs, 1),
    mean: turned(table.mean, channels),
    min: turned(table.min, channels),
    max: turned(table.max, channels),
    first: turned(table.last, channels),
    last: turned(table.first, channels),
  }
}

/** Row `row` of a table, without copying. */
export function rowOfSteps(table: StepTable, row: number): StepRow {
  const { channels } = table
  const cut = (column: Float64Array) => column.subarray(row * channels, (row + 1) * channels)
  return {
    mean: cut(table.mean),
    min: cut(table.min),
    max: cut(table.max),
    first: cut(table.first),
    last: cut(table.last),
  }
}

/** One step of one channel as a row of its own, without copying. */
export function cellOfSteps(table: StepTable, at: number): StepRow {
  const cut = (column: Float64Array) => column.subarray(at, at + 1)
  return {
    mean: cut(table.mean),
    min: cut(table.min),
    max: cut(table.max),
    first: cut(table.first),
    last: cut(table.last),
  }
}

/** Means of one channel, oldest first, without the rows in which it has none. */
export function meansOf(table: StepTable, channel: number): Float64Array {
  const means = new Float64Array(table.rows)
  let n = 0
  for (let row = 0; row < table.rows; row += 1) {
    const mean = table.mean[row * table.channels + channel]!
    if (!Number.isNaN(mean)) {
      means[n] = mean
      n += 1
    }
  }
  return means.subarray(0, n)
}
