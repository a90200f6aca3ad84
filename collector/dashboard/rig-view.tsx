import { useEffect } from 'preact/hooks'
import { BaselineBadges } from './baseline-badge.tsx'
import { BaselinePanel } from './baseline-panel.tsx'
import { ChannelTable } from './channel-table.tsx'
import { ModeMark } from './fleet-wall.tsx'
import { changesOf, DecisionList } from './foot.tsx'
import { Chip } from './glyph.tsx'
import { metricLook, rigLook, verdictLook } from './look.ts'
import type { PageClock } from './page-clock.ts'
import { dataAgeMs, type PageModel, type RigRow, revisionOf, rigKey, rigState } from './page-model.ts'
import { formatAge, formatBytes, formatCount, formatUtc, formatUtcExact } from './quantities.ts'
import { FLEET_HREF, type Route } from './route.ts'
import { ActionsPanel, ArmBadge, standingOf } from './safety-panel.tsx'
import { SlicePlot } from './slice-plot.tsx'
import type { View } from './view.ts'
import { explainFinding } from './why.ts'
import type { DecisionJson, FindingJson, Vitals } from './wire-types.ts'

const FINDINGS_SHOWN = 8
const DECISIONS_SHOWN = 20
const REVISIONS_SHOWN = 8

type RigViewProps = Readonly<{ view: View; route: Extract<Route, { page: 'rig' }>; clock: PageClock; onChange(): void }>

/** One rig: what its channels say now, what was found, why, and the samples it was found in. */
export function RigView({ view, route, clock, onChange }: RigViewProps) {
  const { model } = view
  const row = model.rigs.get(rigKey(route.program, route.rig))
  const decisions = model.decisions.filter(
    (decision) =>
      decision.rig === route.rig &&
      (route.program === '' || decision.program === route.program || decision.program === ''),
  )
  const changes = changesOf(decisions)
  const chosen =
    decisions.find((decision) => decision.id === route.decision) ??
    (route.decision === null ? flagged(changes) : undefined)
  useEffect(() => {
    if (row !== undefined) row.seen = true
  })
  if (row === undefined) {
    return (
      <div class="rig">
        <p class="empty">
          Nothing has been heard of rig <b>{route.rig}</b> since this page was opened.{' '}
          <a href={FLEET_HREF}>Back to the fleet</a>
        </p>
      </div>
    )
  }
  return (
    <Known row={row} view={view} route={route} clock={clock} onChange={onChange} changes={changes} chosen={chosen} />
  )
}

type KnownProps = RigViewProps &
  Readonly<{ row: RigRow; changes: readonly DecisionJson[]; chosen: DecisionJson | undefined }>

function Known({ row, view, route, clock, onChange, changes, chosen }: KnownProps) {
  return (
    <article class="rig">
      <Head row={row} view={view} />
      {row.vitals !== null && <BaselineBadges vitals={row.vitals} />}
      <section class="panel" aria-label="channels">
        <h2>Channels</h2>
        {row.vitals === null ? <p class="quiet">No values yet.</p> : <ChannelTable vitals={row.vitals} />}
      </section>
      <div class="rig-columns">
        <section class="panel" aria-label="findings now">
          <h2>Now</h2>
          <Findings
            findings={row.vitals?.findings ?? []}
            none={row.vitals === null ? 'Nothing is known yet.' : 'Nothing to report: every judged window holds.'}
          />
        </section>
        <section class="panel" aria-label="why">
          <h2>
            {chosen === undefined ? (
              'No finding yet'
            ) : (
              <>
                Why: decision <span class="id">{chosen.id}</span>
              </>
            )}
          </h2>
          {chosen !== undefined && (
            <Chosen decision={chosen} model={view.model} clock={clock} vitals={row.vitals} onChange={onChange} />
          )}
          {chosen === undefined && route.decision !== null && (
            <p class="quiet">Decision {route.decision} is not among the last ones this page has heard of.</p>
          )}
        </section>
      </div>
      <section class="panel" aria-label="decisions of this rig">
        <h2>Changes of this rig</h2>
        <DecisionList model={view.model} decisions={changes.slice(0, DECISIONS_SHOWN)} />
      </section>
      {standingOf(view, row.agent, row.rig) !== undefined && <ActionsPanel view={view} rig={row} />}
      <BaselinePanel book={view.model.book} row={row} />
      <Revisions model={view.model} row={row} />
    </article>
  )
}

/** What late samples changed, newest first: nothing was done because of it, so it stands apart from the decisions. */
function Revisions({ model, row }: { model: PageModel; row: RigRow }) {
  const of = [...model.revisions.values()].filter((one) => one.rig === row.rig && one.program === row.program)
  if (of.length === 0) return null
  return (
    <section class="panel" aria-label="revisions of this rig">
      <h2>Revised by late samples</h2>
      <ul class="rows">
        {of
          .slice(-REVISIONS_SHOWN)
          .reverse()
          .map((one) => (
            <li key={one.id}>
              <time title={formatUtcExact(one.time_us)}>{formatUtc(one.time_us)}</time>{' '}
              <Chip look={verdictLook(one.verdict)} /> <span class="id">{one.id}</span> revises{' '}
              <span class="id">{one.revises}</span>{' '}
              <span class="why">{one.findings[0] === undefined ? '' : explainFinding(one.findings[0])}</span>
            </li>
          ))}
      </ul>
    </section>
  )
}

/** Where the present finding began: the newest change that flags something. Without one, none: a PASS needs no explanation. */
function flagged(decisions: readonly DecisionJson[]): DecisionJson | undefined {
  return (
    decisions.find((decision) => decision.verdict === 'FAIL' || decision.verdict === 'PASS_WITH_DRIFT') ??
    decisions.find((decision) => decision.findings.length > 0)
  )
}

function Head({ row, view }: { row: RigRow; view: View }) {
  const state = rigState(row, view.nowMs)
  const { vitals } = row
  return (
    <header class="rig-head">
      <a class="back" href={FLEET_HREF}>
        ← fleet
      </a>
      <h1>{row.rig}</h1>
      <Chip look={rigLook(state)} />
      {vitals?.limits_only && <span class="badge">LIMITS ONLY</span>}
      <ModeMark mode={vitals?.mode ?? '?'} />
      <ArmBadge view={view} agent={row.agent} rig={row.rig} long={true} />
      <span class="pair">
        <span class="label">run</span>{' '}
        {vitals?.run
          ? `${vitals.run.run} · ${vitals.run.article} · ${vitals.run.procedure} · ${vitals.run.operator}`
          : 'none'}
      </span>
      <span class="pair">
        <span class="label">data age</span> <span class="num">{formatAge(dataAgeMs(row, view.nowMs))}</span>
      </span>
      <span class="pair">
        <span class="label">{row.sawChange ? 'for' : 'for at least'}</span>{' '}
        <span class="num">{formatAge(view.nowMs - row.sinceMs)}</span>
      </span>
      <span class="pair">
        <span class="label">program</span> {row.program || '—'}
      </span>
      <span class="pair">
        <span class="label">agent</span> {row.agent || '—'}
      </span>
      {vitals !== null && <Ledger vitals={vitals} />}
    </header>
  )
}

/** What became of every sample: a loss that nobody sees is the worst kind. */
function Ledger({ vitals }: { vitals: Vitals }) {
  const { received, evaluated, late, duplicate, rejected, shed, missing } = vitals.counters
  const lost = late + rejected + shed + missing
  return (
    <span class="pair" title={`evaluated through ${formatUtcExact(vitals.time_us)}`}>
      <span class="label">samples</span> <span class="num">{formatCount(received)}</span> in,{' '}
      <span class="num">{formatCount(evaluated)}</span> evaluated,{' '}
      <span class={lost > 0 ? 'num amber' : 'num'}>
        {formatCount(late)} late, {formatCount(rejected)} rejected, {formatCount(shed)} shed
      </span>
      , {formatCount(duplicate)} duplicate,{' '}
      <span class={missing > 0 ? 'num amber' : 'num'}>{formatCount(missing)}</span> frames missing · outbox{' '}
      {formatCount(vitals.outbox.batches)} ({formatBytes(vitals.outbox.bytes)})
    </span>
  )
}

function Findings({ findings, none }: { findings: readonly FindingJson[]; none: string }) {
  if (findings.length === 0) return <p class="quiet">{none}</p>
  return (
    <ul class="findings">
      {findings.slice(0, FINDINGS_SHOWN).map((finding) => (
        <li key={`${finding.metric} ${finding.ground} ${finding.window_us}`}>
          <Chip look={metricLook(finding.verdict)} /> <span class="why">{explainFinding(finding)}</span>
        </li>
      ))}
      {findings.length > FINDINGS_SHOWN && <li class="quiet">and {findings.length - FINDINGS_SHOWN} more</li>}
    </ul>
  )
}

function Chosen({
  decision,
  model,
  clock,
  vitals,
  onChange,
}: {
  decision: DecisionJson
  model: PageModel
  clock: PageClock
  vitals: Vitals | null
  onChange(): void
}) {
  const revised = revisionOf(model, decision)
  return (
    <>
      {revised !== null && (
        <p class="amber">
          Late samples revised this by decision <span class="id">{revised.id}</span>: {revised.verdict}. What was done
          stays done.
        </p>
      )}
      <p class="quiet">
        {formatUtcExact(decision.time_us)} · batch {decision.batch?.batch_seq ?? '—'}{' '}
        {decision.receipt_us === null ? '' : `· receipted ${formatUtcExact(decision.receipt_us)}`}
      </p>
      <Findings findings={decision.findings} none="Every judged window held." />
      {decision.findings[0] !== undefined && (
        <SlicePlot
          key={decision.id}
          decision={decision}
          finding={decision.findings[0]}
          clock={clock}
          channel={vitals?.channels.find((c) => c.metric === decision.findings[0]!.metric) ?? null}
          onChange={onChange}
        />
      )}
    </>
  )
}
