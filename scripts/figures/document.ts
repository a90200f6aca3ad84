import type { Share, Spread } from '../../hil-testbed/report/statistics.ts'
import type { Measured } from './collect.ts'
import type { Rate } from './rate.ts'
import { remarkOn } from './remarks.ts'
import { SETTLED_US, WATCHED_US } from './rows.ts'
import { type ClassFigures, type Detection, type FaultFigures, figuresOf, type QuietFigures } from './summary.ts'

/** Columns of the tables of faults. */
export const COLUMNS = [
  'Fault',
  'Magnitude',
  'Injected',
  'Named',
  'Missed',
  'Latency p50',
  'p95',
  'max',
  'Told',
  'First said',
  'Counted',
  'Before',
  'Trips',
] as const

/** Row of what the agent is meant to bear, among the classes. */
const BORNE = 'meant to be borne'

const INTRO = `<!-- Written by \`npm run -s hil:figures -- --write\` from what it measured. -->

How soon and how surely the agent tells each fault that the acquisitions of a rig can have, and how often it tells one that is
not there. Measured on the real bench: the program as it is built, its evidence read by the oracle, one fault a run, on the
[vessel](../../hil-testbed/rigs/vessel) at rest with its golden baseline, armed. What the faults do is in [faults.md](faults.md).`

/** The document of what was measured. */
export function documentOf(measured: Measured): string {
  const { faults, classes, borne, quiet } = figuresOf(measured)
  const parts = [
    '# Figures of detection',
    INTRO,
    about(measured),
    '## By class',
    CLASS_TEXT,
    table(
      ['Class', 'Variants', ...COLUMNS.slice(2, 9), 'Trips'],
      [...classes, { ...borne, class: BORNE }].map(classRow),
    ),
    '## Without a fault',
    quietText(quiet),
    ...classes.flatMap(({ class: name }) => [
      `## ${name}`,
      table(COLUMNS, faults.filter(({ variant }) => variant.class.startsWith(`${name}.`)).map(faultRow)),
    ]),
    '## What the columns say',
    COLUMN_TEXT,
    '## What is missed, and why',
    missedText(faults),
    '## What these figures do not show',
    LIMITS,
  ]
  return `${parts.join('\n\n')}\n`
}

function about({ commit, clean, date, seeds, machine, command, host_s: hostS, minutes, complete }: Measured): string {
  const rows = [
    ['sources', `${commit}${clean ? '' : ', with changes'}`],
    ['date', date],
    ['seeds', `1 … ${seeds}, each of every row; the moment of a fault follows from seed and row`],
    ['nominal runs', `${seeds} of ${minutes} min`],
    ['command', `\`${command}\``],
    ['machine', `${machine}; ${Math.ceil(hostS / 60)} min. Lock-step: the figures are the same on any machine`],
  ]
  const text = rows.map(([name, what]) => `- ${name}: ${what}`).join('\n')
  return complete ? text : `${text}\n- **broken off before the last run**`
}

function faultRow({ variant, magnitude, ...detection }: FaultFigures): string[] {
  const name = `\`${variant.class}\`${variant.borne ? ' (borne)' : ''}`
  const { said, counted, alarmedBefore } = detection
  const [named, missed, p50, p95, max, told] = measures(detection, variant.borne)
  return [
    ...[name, magnitude, injectedText(detection), named!, missed!, p50!, p95!, max!, told!],
    ...[said.slice(0, 3).join(', ') || '–', counted.map((word) => word.replace(/ ×.*/, '')).join(', ') || '–'],
    ...[String(alarmedBefore), String(detection.trips)],
  ]
}

function classRow({ class: name, variants, ...detection }: ClassFigures): string[] {
  return [
    name,
    String(variants),
    injectedText(detection),
    ...measures(detection, name === BORNE),
    String(detection.trips),
  ]
}

/** Cells from `Named` to `Told`. What is meant to be borne cannot be missed. */
function measures({ named, missed, namedAfter, told }: Detection, borne: boolean): string[] {
  return [String(named.count), borne ? '–' : shareText(missed), ...latencies(namedAfter), String(told.count)]
}

function injectedText({ injected, runs, broken }: Detection): string {
  const why = Object.entries(broken).map(([reason, count]) => `; ${count} not counted: ${reason}`)
  return `${injected}/${runs}${why.join('')}`
}

function latencies(spread: Spread | null): string[] {
  return spread === null ? ['–', '–', '–'] : [spread.p50, spread.p95, spread.max].map((us) => (us / 1000).toFixed(0))
}

function shareText({ of, share, low, high }: Share): string {
  return of === 0 ? '–' : `${percent(share)} (${percent(low)}–${percent(high)})`
}

const percent = (share: number): string => `${Number((100 * share).toFixed(1))} %`

function rateText({ count, perHour, low, high }: Rate): string {
  return `${count}, ${perHour.toFixed(2)}/h (${low.toFixed(2)}–${high.toFixed(2)})`
}

function quietText({
  hours,
  alarms,
  alarmedShare,
  signals,
  trips,
  said,
  told,
  named,
  runs,
  broken,
}: QuietFigures): string {
  const watched = table(
    ['Hours', 'False alarms', 'Time in alarm', 'Alarms signed or told to people', 'Spurious trips'],
    [[hours.toFixed(2), rateText(alarms), percent(alarmedShare), rateText(signals), rateText(trips)]],
  )
  const reasons = Object.entries(broken).map(([reason, count]) => `${count} of ${runs} runs not counted: ${reason}. `)
  const watchS = WATCHED_US / 1_000_000
  return `${watched}

${reasons.join('')}A false alarm: the rig stops being PASS; from ${SETTLED_US / 1_000_000} s on, when all windows are full. Rates are an hour, with exact 95 % intervals
(Poisson). Said without a fault: ${said.join(', ') || 'nothing'}.

Had a fault begun in them every ${watchS} s that does nothing, **${told.count} of ${told.of}** would have counted as told and **${named.count}** as named on
\`p_b\`: so much of the tables below is chance (at most ${percent(told.high)} and ${percent(named.high)}).`
}

function missedText(faults: readonly FaultFigures[]): string {
  const missed = faults.filter(({ variant, missed: { count } }) => count > 0 && !variant.borne)
  const lines = missed.map(({ variant, magnitude, missed: { count, of } }) => {
    const what = `\`${variant.class}\`, ${magnitude}: ${count} of ${of}`
    return `- ${what}. ${remarkOn(variant, 'missed') ?? 'Why is not known.'}`
  })
  const tripped = faults.filter(({ trips }) => trips > 0)
  const trips = tripped.map(
    ({ variant, magnitude, trips: count, injected }) =>
      `- \`${variant.class}\`, ${magnitude}: ${count} trips in ${injected} runs. ${remarkOn(variant, 'tripped') ?? 'Why is not known.'}`,
  )
  const told = faults.filter(({ variant, told: { count } }) => variant.borne && count > 0)
  const borne = told.map(
    ({ variant, magnitude, told: { count, of } }) =>
      `- \`${variant.class}\`, ${magnitude}, is meant to be borne and was told in ${count} of ${of}. ${remarkOn(variant, 'told') ?? 'Why is not known.'}`,
  )
  return [...lines, ...borne, ...trips].join('\n') || 'Nothing is.'
}

/** A table of Markdown. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)].join('\n')
}

const CLASS_TEXT = `Over the variants of a class that are more than the agent is meant to bear. How many of them are weak and how many strong was chosen
here: a share of a class says less than the rows below.`

const COLUMN_TEXT = `- **Magnitude**: parameters of the fault; σ is the standard deviation of the noise of its channel (\`p_b\`: 0.02 bar at 5 bar).
  Sensor faults are on \`p_b\`, faults of link and clock on \`daq-2\`, which samples \`p_b\` alone. \`(borne)\`: within lateness and duplicates, which
  the agent is there to bear; a record about it would be a false alarm, and not telling it is no miss.
- **Injected**: runs in which the bench saw the fault change something on its way to the agent, of all runs. The rest counts nowhere.
- **Named**: runs with a signed decision, within ${WATCHED_US / 1_000_000} s of the first effect, that has a finding about a channel of the fault which the decision
  before the effect did not have. This is what counts as detected here. **Missed** is the rest, with the 95 % interval of Wilson.
- **Latency**: of the named, from the first effect to the event time of that decision, ms: the end of its slide (50 ms). The agent
  decides a slide when its lateness has passed, 200 ms later, or 250 ms when a channel is silent, and signs a batch each 500 ms:
  who waits for the word itself waits so much longer.
- **Told**: runs with *any* signed record in that time that says something else than before: other verdict, drivers, alarm, action. It is what
  the oracle of the bench and its reports call detected; it is never less than named, and a false alarm at the right time counts.
- **First said**: verdict and ground of the finding that named it, with how many runs.
- **Counted**: counters of the signed batches that were not zero at the end; all are zero in a run without a fault. Losses, duplicates and
  late frames are on record there even where no verdict changes.
- **Before**: runs that were not PASS at the first effect. **Trips**: hard actions that were released, of the armed rig; the plant is never in danger here.`

const LIMITS = `- One rig with white noise at rest. What moves, wanders or is coloured is harder, and its baseline looser: see
  [how detection is evaluated](../internals/detection-evaluation.md) for recordings of a real one.
- Faults begin at once and in full when all windows are full and no alarm stands. What comes during an alarm is not measured.
- Frames of a sender nobody knows (\`comms.insert\`) are told by their values alone: they are evaluated like others, and no counter has them.
- Magnitudes were chosen to show where it begins to fail, not as they are frequent in the field.
- Hours without a false alarm are hours of a plant that cannot surprise.`
