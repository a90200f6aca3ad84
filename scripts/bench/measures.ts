import { collector } from './collector.ts'
import { drain } from './drain.ts'
import { evidence } from './evidence.ts'
import { gate } from './gate.ts'
import { kernel } from './kernel.ts'
import { ledger } from './ledger.ts'
import { lockstep } from './lockstep.ts'
import type { Measure } from './measure.ts'
import { nominal } from './nominal.ts'
import { reach } from './reach.ts'
import { silence } from './silence.ts'
import { start } from './start.ts'
import { threads } from './threads.ts'
import { throughput } from './throughput.ts'

/** Everything the bench measures, in order of its running. */
export const MEASURES: readonly Measure[] = [
  ...kernel(),
  ...start(),
  ...throughput(),
  ...threads(),
  ...nominal(),
  ...silence(),
  ...evidence(),
  ...collector(),
  ...drain(),
  ...lockstep(),
  ...gate(),
  ...ledger(),
  ...reach(),
]
