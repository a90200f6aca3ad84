import { BandSwatch, DecayClock, formatPercent, Inputs, isWeak } from './baseline-badge.tsx'
import type { BaselineJson, BookJson, Person, RequestJson } from './baselines.ts'
import { Glyph } from './glyph.tsx'
import type { RigRow } from './page-model.ts'
import { formatCount, formatUtcExact, formatValue } from './quantities.ts'

const DIGEST_SHOWN = 12
const SHOWN = 8

/** What the collector's book says of a rig: what is in force, what waits, and who said what. Read-only. */
export function BaselinePanel({ book, row }: { book: BookJson | null; row: RigRow }) {
  if (book === null) return null
  const family = row.vitals?.baselines.family ?? ''
  const own = book.baselines.filter(
    (one) => one.program === row.program && (one.rig === row.rig || (family !== '' && one.family === family)),
  )
  const inForce = own.filter((one) => one.inForce.length > 0)
  const waiting = own.filter((one) => one.inForce.length === 0 && one.request !== null && one.request.waitsFor !== '')
  const rest = own.length - inForce.length - waiting.length
  return (
    <section class="panel" aria-label="baselines">
      <h2>Baselines</h2>
      {book.damage !== '' && <p class="amber">The book of baselines is damaged: {book.damage}</p>}
      {own.length === 0 && <p class="quiet">The collector has no baseline for this rig.</p>}
      {inForce.map((one) => (
        <Baseline key={one.digest} of={one} row={row} book={book} />
      ))}
      {waiting.length > 0 && <h3>Waiting</h3>}
      {waiting.slice(0, SHOWN).map((one) => (
        <Baseline key={one.digest} of={one} row={row} book={book} />
      ))}
      {waiting.length > SHOWN && <p class="quiet">and {waiting.length - SHOWN} more that wait</p>}
      {rest > 0 && <p class="quiet">{rest} earlier ones are in the book.</p>}
      {own.length > 0 && <p class="quiet">Read-only here: what people say is signed with hb baseline. {book.note}.</p>}
    </section>
  )
}

function Baseline({ of, row, book }: { of: BaselineJson; row: RigRow; book: BookJson }) {
  const role = of.kind === 'rolling' ? 'rolling' : 'golden'
  const isIn = of.inForce.length > 0
  return (
    <div class="baseline" data-digest={of.digest}>
      <p class="baseline-head">
        <BandSwatch form={role} /> <b>{isIn ? of.inForce.join(' and ').toUpperCase() : `proposed as ${of.kind}`}</b>{' '}
        <span class="id" title={of.digest}>
          {of.digest.slice(0, DIGEST_SHOWN)}
        </span>{' '}
        <span class="label">confidence</span> <span class="num">{formatValue(of.confidence)}</span>
        <DecayClock factor={of.decay.factor} ageUs={of.decay.ageUs} reasons={of.decay.reasons} />
        <span class="label">mode</span> {of.mode}
        {of.tags.map((tag) => (
          <span class="badge" key={tag}>
            {tag}
          </span>
        ))}
        {isIn && <OnRig of={of} row={row} book={book} />}
      </p>
      {of.request !== null && <Said request={of.request} book={book} />}
      <Gate of={of} />
    </div>
  )
}

/** Whether the rig is compared with it: what is in force here is not yet in force there. Of another mode nobody says. */
function OnRig({ of, row, book }: { of: BaselineJson; row: RigRow; book: BookJson }) {
  const now = row.vitals?.baselines
  if (now?.mode !== of.mode) return <span class="quiet">the rig is in mode {now?.mode ?? '?'}</span>
  const has = (role: string) => (role === 'rolling' ? now.rolling : now.golden)
  if (of.inForce.every((role) => has(role)?.digest === of.digest && has(role)?.kind === role))
    return (
      <span>
        <Glyph name="check" /> the rig is compared with it
      </span>
    )
  const hasOther = of.inForce.every((role) =>
    book.baselines.some((one) => one.inForce.includes(role) && one.digest === has(role)?.digest),
  )
  // What a family shares gives way to what the rig has of its own, and to what is newer.
  return of.rig !== row.rig && hasOther ? (
    <span class="quiet">the rig is compared with another one in force</span>
  ) : (
    <span class="amber">
      <Glyph name="hourglass" /> the rig is not compared with it
    </span>
  )
}

function Said({ request, book }: { request: RequestJson; book: BookJson }) {
  const { proposer, reviewer, approvers, breakGlass } = request
  const steps = [
    { done: proposer !== null, text: `${nameOf(proposer)} proposed it` },
    { done: reviewer !== null, text: reviewer === null ? 'a review is missing' : `${nameOf(reviewer)} reviewed it` },
    ...approvers.map((one) => ({ done: true, text: `${nameOf(one)} approved it` })),
    ...(request.approvalsMissing > 0
      ? [{ done: false, text: `${request.approvalsMissing} of ${book.approvalsRequired} approvals are missing` }]
      : []),
  ]
  return (
    <>
      <ul class="steps">
        {steps.map(({ done, text }) => (
          <li key={text} class={done ? '' : 'amber'}>
            <Glyph name={done ? 'check' : 'filling'} /> {text}
          </li>
        ))}
        <li class="quiet" title={formatUtcExact(request.proposedUs)}>
          {request.status} since {formatUtcExact(request.changedUs)}
          {request.reason === '' ? '' : ` (“${request.reason}”)`}
        </li>
      </ul>
      {breakGlass !== null && (
        <p class="amber">
          <Glyph name="square" /> BREAK-GLASS by {nameOf(breakGlass.by)}
          {breakGlass.operator === '' ? '' : ` for ${breakGlass.operator}`}: “{breakGlass.reason}”,{' '}
          {breakGlass.over ? 'over since' : 'until'} {formatUtcExact(breakGlass.untilUs)}
        </p>
      )}
    </>
  )
}

function Gate({ of: { gate, segments } }: { of: BaselineJson }) {
  const { replayed, hard } = segments
  return (
    <details class="gate">
      <summary>
        <Glyph name={gate.passed ? 'check' : 'void'} />{' '}
        {gate.passed ? 'quality gate passed' : 'quality gate NOT passed'}{' '}
        <span class="quiet">
          confidence {formatValue(gate.confidence)}, {formatCount(replayed)} segments replayed of {formatCount(hard)}{' '}
          that hard actions ask for
        </span>
      </summary>
      {gate.reasons.map((reason) => (
        <p class="amber" key={reason}>
          {reason}
        </p>
      ))}
      <ul class="checklist">
        {gate.inputs.map((input) => (
          <li key={input.name} class={isWeak(input) ? 'amber' : ''}>
            <Glyph name={isWeak(input) ? 'square' : 'check'} /> {input.name.replaceAll('_', ' ')}{' '}
            <span class="num">{formatValue(input.value)}</span> <span class="quiet">bound</span>{' '}
            <span class="num">{formatValue(input.bound)}</span> <span class="quiet">score</span>{' '}
            <span class="num">{formatPercent(input.score)}</span>
          </li>
        ))}
      </ul>
      {gate.inputs.length === 0 && <Inputs inputs={[]} confidence={gate.confidence} />}
    </details>
  )
}

/** The name a key goes by; a key without one says so. */
function nameOf(person: Person | null): string {
  if (person === null) return 'nobody'
  return person.name === '' ? `key ${person.key.slice(0, DIGEST_SHOWN)}` : person.name
}
