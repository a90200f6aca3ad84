import { Glyph } from './glyph.tsx'
import { formatAge, formatValue, NO_NUMBER } from './quantities.ts'
import type { BaselineVitals, GateInput, Vitals } from './wire-types.ts'

/** Below this a baseline has decayed so far that a person should see it without looking for it. */
const DECAY_LOUD_RATIO = 0.5
const WEAK_RATIO = 0.8
const DIGEST_SHOWN = 12

/** What a rig is compared with and how far that is to be believed: a badge each, with the inputs behind it. */
export function BaselineBadges({ vitals }: { vitals: Vitals }) {
  const { golden, rolling, mode } = vitals.baselines
  if (golden === null && rolling === null) return null
  return (
    <div class="badges">
      {golden !== null && <Badge as="golden" of={golden} mode={mode} />}
      {rolling !== null && <Badge as="rolling" of={rolling} mode={mode} />}
      <EventMark vitals={vitals} />
    </div>
  )
}

function Badge({ as, of, mode }: { as: 'golden' | 'rolling'; of: BaselineVitals; mode: string }) {
  const isDraft = of.kind === 'draft'
  const isLoud = isDraft || of.decay < DECAY_LOUD_RATIO
  const word = isDraft ? `DRAFT as ${as}` : as.toUpperCase()
  return (
    <details class={`baseline-badge ${as}${isLoud ? ' loud' : ''}`} data-role={as}>
      <summary title={of.inputs.map(inputText).join('\n')}>
        <BandSwatch form={as} /> <b>{word}</b> <span class="label">confidence</span>{' '}
        <span class="num">{formatValue(of.confidence)}</span>
        <DecayClock factor={of.decay} ageUs={of.age_us} reasons={of.decay_reasons} />
      </summary>
      <p class="quiet">
        <span class="id">{of.digest.slice(0, DIGEST_SHOWN)}</span> · mode {mode} ·{' '}
        {isDraft ? 'a draft never arms anything' : 'certified by the operators this agent trusts'}
      </p>
      <Inputs inputs={of.inputs} confidence={of.confidence} />
      {of.decay_reasons.length > 0 && (
        <p class="amber">
          What is left of it now: {formatValue(of.decay)} ({of.decay_reasons.join('; ')}). Decisions carry{' '}
          {formatValue(of.confidence)} until their configuration is taken again.
        </p>
      )}
    </details>
  )
}

/** How old the data is, and what is left of it. */
export function DecayClock({
  factor,
  ageUs,
  reasons,
}: {
  factor: number | null
  ageUs: number | null
  reasons: readonly string[]
}) {
  const isWhole = factor === 1
  return (
    <span class={`decay${isWhole ? '' : ' amber'}`} title={reasons.join('\n') || 'nothing has decayed'}>
      <Glyph name="clock" /> <span class="num">{formatDays(ageUs)}</span>
      {isWhole ? '' : ` · ${formatPercent(factor)} left`}
    </span>
  )
}

/** The terms that a confidence is the product of, so that anybody can do the sum again. */
export function Inputs({ inputs, confidence }: { inputs: readonly GateInput[]; confidence: number | null }) {
  if (inputs.length === 0) return <p class="quiet">What its confidence is made of is not known here.</p>
  return (
    <table class="inputs">
      <thead>
        <tr>
          <th scope="col">input</th>
          <th scope="col" class="right">
            found
          </th>
          <th scope="col" class="right">
            bound
          </th>
          <th scope="col" class="right">
            score
          </th>
        </tr>
      </thead>
      <tbody>
        {inputs.map((input) => (
          <tr key={input.name} class={isWeak(input) ? 'amber' : ''}>
            <th scope="row">{input.name.replaceAll('_', ' ')}</th>
            <td class="num right">{formatValue(input.value)}</td>
            <td class="num right">{formatValue(input.bound)}</td>
            <td class="num right">
              {input.score < 1 ? '× ' : ''}
              {formatValue(input.score)}
            </td>
          </tr>
        ))}
        <tr>
          <th scope="row">product</th>
          <td />
          <td />
          <td class="num right">{formatValue(confidence)}</td>
        </tr>
      </tbody>
    </table>
  )
}

/** The same drawing as in the channel table: golden is filled, rolling is hollow. */
export function BandSwatch({ form }: { form: 'golden' | 'rolling' | 'level' }) {
  return (
    <svg class="swatch" viewBox="0 0 26 14" aria-hidden="true" focusable="false">
      {form === 'golden' && <rect class="bar-band" x={1} y={3} width={24} height={8} />}
      {form === 'rolling' && <rect class="bar-rolling" x={1} y={2} width={24} height={10} />}
      {form === 'level' && <path class="bar-level" d="M5 1H2V13H5M21 1H24V13H21M13 4V10" />}
    </svg>
  )
}

function EventMark({ vitals: { event } }: { vitals: Vitals }) {
  if (event === null) return null
  const by = event.stream === null ? '' : ` · ${event.stream}${event.channel === null ? '' : ` of ${event.channel}`}`
  const sure = event.confidence === null ? '' : ` · ${formatPercent(event.confidence)} sure`
  const word = { warming_up: 'WARMING UP', nominal: 'QUIET', alarm: 'ALARM' }[event.state] ?? event.state
  return (
    <span class={`event${event.state === 'alarm' ? ' amber' : ''}`} title="largest score of an event stream, in limits">
      <Glyph name={event.state === 'alarm' ? 'square' : event.state === 'nominal' ? 'check' : 'filling'} />{' '}
      <span class="label">events</span> <b>{word}</b> <span class="label">score</span>{' '}
      <span class="num">{formatValue(event.score)}</span> <span class="label">limit 1</span>
      {by}
      {sure}
    </span>
  )
}

/** A term that costs little is the way of things: from twenty segments one in twenty-one is unknown. */
export function isWeak({ score }: GateInput): boolean {
  return !(score >= WEAK_RATIO)
}

function inputText({ name, value, bound, score }: GateInput): string {
  return `${name}: ${formatValue(value)} (bound ${formatValue(bound)}), score ${formatValue(score)}`
}

export function formatPercent(ratio: number | null): string {
  return ratio === null ? NO_NUMBER : `${Math.floor(ratio * 1000) / 10} %`
}

/** An age that is told in days when it is long. */
export function formatDays(ageUs: number | null): string {
  if (ageUs === null) return NO_NUMBER
  const days = ageUs / 86_400_000_000
  return days < 1 ? formatAge(ageUs / 1000) : `${Math.floor(days * 10) / 10} d`
}
