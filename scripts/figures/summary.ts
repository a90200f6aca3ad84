import { type Share, type Spread, spreadOf, wilson } from '../../hil-testbed/report/statistics.ts'
import type { Measured } from './collect.ts'
import type { Quiet, Trial } from './measure.ts'
import { type Rate, rateOf } from './rate.ts'
import { magnitudeOf, type Variant } from './variants.ts'

const HOUR_US = 3_600_000_000

/** What is known of some runs with a fault in them. Shares are of those in which it was injected and that can be counted. */
export type Detection = Readonly<{
  runs: number
  /** Runs that cannot be counted, by reason. */
  broken: Readonly<Record<string, number>>
  injected: number
  /** A record named one of its channels. */
  named: Share
  missed: Share
  namedAfter: Spread | null
  /** Any record said something else than before. */
  told: Share
  toldAfter: Spread | null
  /** What was said of the channel first, the most frequent first. */
  said: readonly string[]
  counted: readonly string[]
  alarmedBefore: number
  trips: number
}>

export type FaultFigures = Detection & Readonly<{ variant: Variant; magnitude: string }>
export type ClassFigures = Detection & Readonly<{ class: string; variants: number }>

export type QuietFigures = Readonly<{
  runs: number
  broken: Readonly<Record<string, number>>
  hours: number
  alarms: Rate
  /** Share of the time in which the rig was not PASS. */
  alarmedShare: number
  signals: Rate
  trips: Rate
  /** What was said when nothing was wrong, the most frequent first. */
  said: readonly string[]
  /** How often something would have been taken for a detection in a watch in which nothing was injected. */
  told: Share
  /** The same for a record about the channel that most faults are on. */
  named: Share
}>

export type Figures = Readonly<{
  faults: readonly FaultFigures[]
  classes: readonly ClassFigures[]
  /** Those that the agent is meant to bear; left out of the classes. */
  borne: ClassFigures
  quiet: QuietFigures
}>

/** Channel whose chance of being named is the yardstick: that of the sensor faults. */
const YARDSTICK = 'p_b'

export function figuresOf({ faults, quiet }: Pick<Measured, 'faults' | 'quiet'>): Figures {
  const of = (name: string, some: Measured['faults']): ClassFigures => ({
    ...{ class: name, variants: some.length },
    ...detectionOf(some.flatMap(({ trials }) => trials)),
  })
  const meant = faults.filter(({ variant }) => !variant.borne)
  const classes = [...new Set(meant.map(({ variant }) => classOf(variant)))]
  return {
    faults: faults.map(({ variant, trials }) => ({
      ...{ variant, magnitude: magnitudeOf(variant) },
      ...detectionOf(trials),
    })),
    classes: classes.map((name) =>
      of(
        name,
        meant.filter(({ variant }) => classOf(variant) === name),
      ),
    ),
    borne: of(
      'borne',
      faults.filter(({ variant }) => variant.borne),
    ),
    quiet: quietFigures(quiet),
  }
}

export function detectionOf(trials: readonly Trial[]): Detection {
  const sound = trials.filter(({ broken }) => broken === '')
  const injected = sound.filter((trial) => trial.injected)
  const named = injected.flatMap((trial) => (trial.named === null ? [] : [trial.named]))
  const told = injected.flatMap(({ told_us: us }) => (us === null ? [] : [us]))
  return {
    ...{ runs: trials.length, broken: tally(trials.flatMap(({ broken }) => (broken === '' ? [] : [broken]))) },
    injected: injected.length,
    named: wilson(named.length, injected.length),
    missed: wilson(injected.length - named.length, injected.length),
    namedAfter: spreadOf(named.map(({ after_us: us }) => us)),
    told: wilson(told.length, injected.length),
    toldAfter: spreadOf(told),
    said: frequent(named.map(({ verdict, ground }) => `${verdict} ${ground}`)),
    counted: frequent(injected.flatMap(({ counted }) => counted)),
    alarmedBefore: injected.filter((trial) => trial.alarmed_before).length,
    trips: injected.reduce((sum, trial) => sum + trial.trips, 0),
  }
}

function quietFigures(all: readonly Quiet[]): QuietFigures {
  const sound = all.filter(({ broken }) => broken === '')
  const sum = (of: (one: Quiet) => number): number => sound.reduce((total, one) => total + of(one), 0)
  const watchedUs = sum(({ watched_us: us }) => us)
  const hours = watchedUs / HOUR_US
  const alarms = sound.flatMap((one) => one.alarms)
  const spans = sum((one) => one.spans)
  return {
    ...{ runs: all.length, broken: tally(all.flatMap(({ broken }) => (broken === '' ? [] : [broken]))), hours },
    alarms: rateOf(alarms.length, hours),
    alarmedShare: alarms.reduce((total, { for_us: us }) => total + us, 0) / watchedUs,
    signals: rateOf(
      sum(({ signals }) => signals.length),
      hours,
    ),
    trips: rateOf(
      sum(({ trips }) => trips),
      hours,
    ),
    said: frequent([...alarms.flatMap(({ found }) => found), ...sound.flatMap(({ signals }) => signals)]),
    told: wilson(
      sum((one) => one.spans_told),
      spans,
    ),
    named: wilson(
      sum((one) => one.spans_named[YARDSTICK] ?? 0),
      spans,
    ),
  }
}

export function classOf({ class: name }: Variant): string {
  return name.slice(0, name.indexOf('.'))
}

function tally(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1
  return counts
}

/** Words with how often they came, the most frequent first, equals by the alphabet. */
function frequent(words: readonly string[]): string[] {
  return Object.entries(tally(words))
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .map(([word, count]) => `${word} ×${count}`)
}
