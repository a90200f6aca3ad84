import type { Micros } from '../units.ts'

/** Level and spread of the means of one window width while nothing is wrong, in the unit of the metric; `limit` in spreads. */
export type BaselineWindow = Readonly<{
  widthUs: Micros
  windows: number
  mean: number
  spread: number
  min: number
  max: number
  limit: number
}>

/** The samples a baseline was made from, and the window widths that were seen often enough. */
export type BaselineMetric = Readonly<{
  metric: string
  unit: string
  count: number
  mean: number
  sd: number
  min: number
  max: number
  windows: readonly BaselineWindow[]
}>
