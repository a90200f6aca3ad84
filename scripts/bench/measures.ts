import { kernel } from './kernel.ts'
import type { Measure } from './measure.ts'
import { throughput } from './throughput.ts'

/** Everything the bench measures, in order of its running. */
export const MEASURES: readonly Measure[] = [...kernel(), ...throughput()]
