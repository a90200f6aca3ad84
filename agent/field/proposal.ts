import { invariant } from '../../shared/lib/assert.ts'
import { WINDOW_SAMPLES_MIN } from '../core/settings.ts'
import type { ChannelFacts, Observation, SourceFacts } from './observation.ts'

/** What is asked for beside what was heard. */
export type ProposalAsk = Readonly<{
  deployment: string
  agent: string
  program: string
  endpoint: string
  pattern: 'pull' | 'sub'
  bind: boolean | undefined
  encoding: 'cbor' | 'json'
  source: string
  /** Share of the span that was seen by which limits are wider at either end. */
  marginPercent: number
  heardSeconds: number
  madeAt: string
}>

/** A configuration for somebody to review, and in words what could not be told. */
export type Proposal = Readonly<{
  runtime: string
  registry: string
  time: 'source' | 'arrival'
  windowsMs: readonly number[]
  metrics: readonly MetricProposal[]
  leftOut: readonly Readonly<{ channel: string; reason: string }>[]
  /** What a person has to look at before it may be trusted. */
  review: readonly string[]
}>

export type MetricProposal = Readonly<{
  metric: string
  unit: string
  unitKnown: boolean
  rateHz: number
  min: number
  max: number
  seen: Readonly<{ min: number; max: number }>
}>

/** Names of the files a proposal is made of. */
export const PROPOSAL_FILES = {
  runtime: 'runtime.yaml',
  registry: 'metric_registry.yaml',
  key: 'agent.pem',
  publicKey: 'agent.pem.pub',
} as const

/** Unit of a channel whose source does not say one. It is no unit, so that one which is stated later does not fit. */
export const UNIT_UNKNOWN = 'unknown'
/** Longest unit of a registry; what is longer is no unit. */
const UNIT_MAX = 32
const WINDOWS_MS = [250, 1000, 10_000, 60_000] as const
const WINDOW_MS_MAX = 3_600_000
const SLIDES_MS = [50, 250, 1000] as const
const SLOW_SLIDE_MS = 1000
/** Slides × metrics that may be kept: half of what `hb config check` permits. */
const CELLS_MAX = 4_000_000
/** The default of `max_future_ms`, which is kept beside the windows. */
const FUTURE_MS = 5000
/** A clock this far off is still taken to be a clock. */
const OFFSET_MAX_US = 2_000_000
const LATENESS_MS = { min: 200, max: 60_000, step: 50 } as const

/** Turns what was heard into a configuration that passes `hb config check`. Pure. */
export function propose(heard: Pick<Observation, 'rig' | 'channels' | 'sources'>, ask: ProposalAsk): Proposal {
  const sources = heard.sources()
  const base = timeBase(sources)
  const leftOut: { channel: string; reason: string }[] = []
  const metrics: MetricProposal[] = []
  for (const facts of heard.channels()) {
    const reason = unusable(facts)
    if (reason === null) metrics.push(metricOf(facts, ask.marginPercent))
    else leftOut.push({ channel: facts.channel, reason })
  }
  const latenessMs = latenessFor(sources, base.time)
  const widths = windowsFor(metrics)
  const slideMs = slideFor(metrics.length, Math.max(...widths) + latenessMs)
  const windowsMs = widths.filter((widthMs) => widthMs % slideMs === 0)
  const rig = heard.rig ?? 'rig-1'
  const review = [
    ...base.remarks,
    ...metrics.filter((m) => !m.unitKnown).map((m) => `${m.metric}: its source states no unit`),
    ...leftOut.map(({ channel, reason }) => `${channel}: left out, ${reason}`),
    'every limit is only what was seen, made wider; what the rig may be is for you to say',
  ]
  const about = { rig, time: base.time, windowsMs, slideMs, latenessMs, ask, review }
  return {
    runtime: runtimeText(about),
    registry: registryText(metrics, about),
    time: base.time,
    windowsMs,
    metrics,
    leftOut,
    review,
  }
}

/** Whether the times of the sources can be believed, with what was measured. */
export function timeBase(sources: readonly SourceFacts[]): { time: 'source' | 'arrival'; remarks: string[] } {
  const remarks: string[] = []
  let believable = true
  for (const { source, behindUs, looksLike } of sources) {
    if (looksLike !== null) {
      believable = false
      remarks.push(
        `${source}: did you mean ${looksLike}? Its times make sense only in ${looksLike}, and are µs here; until its source sends µs it is dated by arrival`,
      )
    } else if (behindUs !== null && !(Math.abs(behindUs) <= OFFSET_MAX_US)) {
      believable = false
      const side = behindUs > 0 ? 'behind' : 'ahead of'
      remarks.push(
        `${source}: its times are ${secondsOf(Math.abs(behindUs))} ${side} the clock of this machine; it is dated by arrival`,
      )
    }
  }
  return { time: believable ? 'source' : 'arrival', remarks }
}

function unusable({ rateHz, samples, range }: ChannelFacts): string | null {
  if (range === null) return 'no number was seen, so there is nothing to judge it by'
  if (rateHz === null || !(rateHz > 0)) return `${samples} samples at one moment say no rate`
  const neededMs = (WINDOW_SAMPLES_MIN * 1000) / rateHz
  if (neededMs > WINDOW_MS_MAX) return `at ${shortNumber(rateHz)} Hz no window up to an hour holds five samples`
  return null
}

function metricOf({ channel, rateHz, range, units }: ChannelFacts, marginPercent: number): MetricProposal {
  invariant(rateHz !== null && range !== null, 'a channel without a rate or numbers is left out')
  const unit = units.length === 1 ? units[0]!.trim() : ''
  const unitKnown = unit !== '' && unit.length <= UNIT_MAX
  const about = { metric: channel, unit: unitKnown ? unit : UNIT_UNKNOWN, unitKnown, rateHz: roundRate(rateHz) }
  return { ...about, ...widened(range, marginPercent), seen: { min: range.min, max: range.max } }
}

/** A rate with no more digits than its neighbourhood needs: 99.4 is 100, 33.4 is 33. */
export function roundRate(rateHz: number): number {
  for (const digits of [1, 2, 3]) {
    const rounded = Number(rateHz.toPrecision(digits))
    if (Math.abs(rounded - rateHz) <= 0.03 * rateHz) return rounded
  }
  return Number(rateHz.toPrecision(3))
}

/** The span that was seen, wider by a share of it at either end and rounded outwards. A level that never moved counts as a tenth of itself. */
export function widened(
  { min, max }: { min: number; max: number },
  marginPercent: number,
): { min: number; max: number } {
  const span = max > min ? max - min : max === 0 ? 1 : Math.abs(max) / 10
  const margin = (span * marginPercent) / 100
  const low = min - margin
  const high = max + margin
  const step = 10 ** (Math.floor(Math.log10(Math.max(high - low, 1e-290))) - 1)
  return { min: tidy(Math.floor(low / step) * step), max: tidy(Math.ceil(high / step) * step) }
}

function tidy(value: number): number {
  return Number(value.toPrecision(12))
}

/** The usual widths that some channel fills, and wider ones for channels that fill none of them. */
function windowsFor(metrics: readonly MetricProposal[]): number[] {
  const fills = (widthMs: number, rateHz: number): boolean => (rateHz * widthMs) / 1000 >= WINDOW_SAMPLES_MIN
  const widths = new Set<number>(WINDOWS_MS.filter((widthMs) => metrics.some((m) => fills(widthMs, m.rateHz))))
  for (const { rateHz } of metrics) {
    if ([...widths].some((widthMs) => fills(widthMs, rateHz))) continue
    const needed = Math.ceil((WINDOW_SAMPLES_MIN * 1000) / rateHz / SLOW_SLIDE_MS) * SLOW_SLIDE_MS
    widths.add(Math.min(WINDOW_MS_MAX, needed))
  }
  // At most eight widths are permitted: the widest serves every slow channel.
  const sorted = [...widths].sort((a, b) => a - b)
  return sorted.length <= 8 ? sorted : [...sorted.slice(0, 7), sorted.at(-1)!]
}

/** The shortest slide that fits into memory; a wide window of many channels needs a longer one. */
function slideFor(metrics: number, keptMs: number): number {
  const fits = SLIDES_MS.find((slideMs) => ((keptMs + FUTURE_MS) / slideMs) * metrics <= CELLS_MAX)
  return fits ?? SLOW_SLIDE_MS
}

function latenessFor(sources: readonly SourceFacts[], time: 'source' | 'arrival'): number {
  const ages = sources.map((s) => (time === 'arrival' ? s.spanUs : Math.max(0, s.oldestUs)))
  const neededMs = (1.5 * Math.max(0, ...ages)) / 1000 + LATENESS_MS.step
  const stepped = Math.ceil(neededMs / LATENESS_MS.step) * LATENESS_MS.step
  return Math.min(LATENESS_MS.max, Math.max(LATENESS_MS.min, stepped))
}

type About = Readonly<{
  rig: string
  time: 'source' | 'arrival'
  windowsMs: readonly number[]
  slideMs: number
  latenessMs: number
  ask: ProposalAsk
  review: readonly string[]
}>

function runtimeText({ rig, time, windowsMs, slideMs, latenessMs, ask, review }: About): string {
  const bind = ask.bind === undefined ? '' : `        bind: ${ask.bind}\n`
  return `# A proposal of \`hb listen\`, ${ask.madeAt}, from ${shortNumber(ask.heardSeconds)} s. To be reviewed:
${review.map((line) => `# - ${comment(line)}`).join('\n')}
version: 1
deployment: ${ask.deployment}
agent: ${ask.agent}
signing_key_file: ${PROPOSAL_FILES.key}
rigs:
  - rig: ${rig}
    program: ${ask.program}
    registry_file: ${PROPOSAL_FILES.registry}
    windows_ms: [${windowsMs.join(', ')}] # those that its rates can fill
    slide_ms: ${slideMs}
    lateness_ms: ${latenessMs} # one and a half times the age of the oldest sample at its arrival
    sources:
      - name: ${ask.source}
        type: zmq
        pattern: ${ask.pattern}
        endpoint: ${JSON.stringify(ask.endpoint)}
${bind}        encoding: ${ask.encoding}
        time: ${time}
`
}

function registryText(metrics: readonly MetricProposal[], { ask }: About): string {
  const parts = metrics.map((m) => {
    const unit = m.unitKnown ? '' : ' # the source states none; write what it is'
    return [
      `  ${JSON.stringify(m.metric)}:`,
      `    unit: ${JSON.stringify(m.unit)}${unit}`,
      `    nominal_rate_hz: ${m.rateHz} # as measured`,
      '    baseline_required: false # judged by limits alone',
      `    # proposed: seen ${m.seen.min} to ${m.seen.max}, wider by ${ask.marginPercent} % of that span at either end`,
      `    fail_min: ${m.min}`,
      `    fail_max: ${m.max}`,
    ].join('\n')
  })
  return `# A proposal of \`hb listen\`, ${ask.madeAt}, from ${shortNumber(ask.heardSeconds)} s. Limits are what was seen, made wider:
# they say what the rig did, not what it may do. Review every one.
version: "1.0"
metrics:
${parts.join('\n')}
`
}

/** Foreign text in a comment must stay in its line. */
function comment(text: string): string {
  return text.replace(/[^\P{C}]/gu, '?')
}

function secondsOf(us: number): string {
  return us < 120_000_000 ? `${shortNumber(us / 1_000_000)} s` : `${shortNumber(us / 3_600_000_000)} h`
}

function shortNumber(value: number): string {
  return String(Number(value.toPrecision(3)))
}
