import { Chip, Glyph } from './glyph.tsx'
import { RIG_STATES, type RigState, rigLook } from './look.ts'
import { countStates, watermarkLagMs } from './page-model.ts'
import { formatAge, formatCount, formatUtc, formatUtcExact } from './quantities.ts'
import type { View } from './view.ts'
import type { Vitals } from './wire-types.ts'

type BannerProps = Readonly<{
  view: View
  filter: RigState | null
  query: string
  hidden: number
  onFilter(state: RigState | null): void
  onQuery(query: string): void
  onHelp(): void
}>

/** The two lines that are on every screen: what kind of data this is, how old, how much of it is bad, who is connected. */
export function Banner(props: BannerProps) {
  const { view } = props
  return (
    <header class="banner">
      <div class="banner-line">
        <SourceLabel view={view} />
        <span class="pair" title={`this browser's clock: ${formatUtcExact(view.nowUs)}`}>
          <span class="label">UTC</span> <time class="clock">{formatUtc(view.nowUs)}</time>
        </span>
        <WatermarkLag view={view} />
        <span class="rule" />
        <StateCounts {...props} />
        <span class="spring" />
        <LinkLamp view={view} />
      </div>
      <div class="banner-line">
        <Custody view={view} />
        <span class="spring" />
        {props.hidden > 0 && <span class="hidden-note">{formatCount(props.hidden)} filtered</span>}
        <label class="search">
          <span class="label">find</span>
          <input
            id="search"
            type="search"
            value={props.query}
            placeholder="rig, run, article, channel"
            maxLength={64}
            autocomplete="off"
            spellcheck={false}
            aria-label="find rigs by name, run, article or channel"
            onInput={(event) => props.onQuery(event.currentTarget.value)}
          />
        </label>
        <button type="button" class="quiet-button" onClick={props.onHelp}>
          <kbd>?</kbd> keys
        </button>
      </div>
    </header>
  )
}

/** LIVE, REPLAY or TESTBED, whichever of them is on this screen, and the installation it is of. */
function SourceLabel({ view }: { view: View }) {
  const heard = view.rigs.filter(({ state }) => state !== 'LOST').flatMap(({ row }) => row.vitals ?? [])
  const kinds = new Set(heard.map(kindOf))
  const shown = KINDS.filter((kind) => kinds.has(kind)).join(' + ') || 'NO DATA'
  // What was live is not live any more: the label is the last thing that may claim otherwise.
  const label = view.lost ? 'NOT LIVE' : shown
  const tone = label === 'LIVE' ? 'live' : view.lost || label === 'NO DATA' ? 'unknown' : 'other'
  return (
    <>
      <span class={`source source-${tone}`} title="what kind of data is on this screen">
        {label}
      </span>
      {view.model.label !== '' && <b>{view.model.label}</b>}
    </>
  )
}

const KINDS = ['LIVE', 'REPLAY', 'TESTBED'] as const

function kindOf(vitals: Vitals): (typeof KINDS)[number] {
  if (vitals.clock === 'recording') return 'REPLAY'
  return vitals.simulation ? 'TESTBED' : 'LIVE'
}

function WatermarkLag({ view }: { view: View }) {
  let worst: number | null = null
  let skewMs: number | null = null
  for (const { row } of view.rigs) {
    if (row.vitals === null || row.vitals.clock === 'recording') continue
    worst = Math.max(worst ?? 0, watermarkLagMs(row.vitals))
  }
  if (view.model.collectorNowUs !== null && view.model.heardMs !== null) {
    skewMs = (view.nowUs - view.model.collectorNowUs) / 1000 - (view.nowMs - view.model.heardMs)
  }
  return (
    <>
      <span class="pair" title="how far the slowest rig's event time is behind its clock">
        <span class="label">wm-lag</span>{' '}
        <span class="num">{worst === null ? '—' : `${(worst / 1000).toFixed(2)} s`}</span>
      </span>
      {skewMs !== null && (
        <span class="pair" title="this browser's clock against the collector's">
          <span class="label">skew</span>{' '}
          <span class="num">
            {Math.abs(skewMs) < 10_000 ? `${skewMs.toFixed(0)} ms` : `${(skewMs / 1000).toFixed(0)} s`}
          </span>
        </span>
      )}
    </>
  )
}

function StateCounts({ view, filter, onFilter }: BannerProps) {
  const counts = countStates(view.rigs)
  return (
    <fieldset class="counts" aria-label="rigs by state">
      {RIG_STATES.map((state) => {
        const look = rigLook(state)
        const active = counts[state] > 0
        return (
          <button
            type="button"
            key={state}
            class={`count ${active ? `tone-${look.tone}` : 'count-none'}${filter === state ? ' count-on' : ''}`}
            aria-pressed={filter === state}
            title={`${look.text}: ${look.meaning}. Shows only these.`}
            onClick={() => onFilter(filter === state ? null : state)}
          >
            <Glyph name={look.glyph} />
            <span class="count-number">{counts[state]}</span>
            <span class="count-text">{look.text}</span>
          </button>
        )
      })}
    </fieldset>
  )
}

/** Who is connected and how far the proof has come: agents, decisions waiting in outboxes, what was refused. */
function Custody({ view }: { view: View }) {
  const agents = [...view.model.agents.values()]
  const connected = agents.filter((agent) => agent.connected).length
  const rigs = view.rigs.map(({ row }) => row.vitals).filter((vitals) => vitals !== null)
  const limitsOnly = rigs.filter((vitals) => vitals.limits_only).length
  // An agent with several rigs reports the same outbox with each of them.
  const waiting = new Map(view.rigs.map(({ row }) => [row.agent, row.vitals?.outbox.batches ?? 0]))
  const unreceipted = [...waiting.values()].reduce((sum, batches) => sum + batches, 0)
  const rate = rigs.reduce((sum, vitals) => sum + vitals.samples_per_s, 0)
  return (
    <>
      <span class="pair">
        <span class="label">agents</span>{' '}
        <span class={connected < agents.length ? 'num amber' : 'num'}>
          {connected}/{agents.length}
        </span>
      </span>
      <span class="pair">
        <span class="label">rigs</span> <span class="num">{view.rigs.length}</span>
      </span>
      <span class="pair">
        <span class="label">samples/s</span> <span class="num">{formatCount(rate)}</span>
      </span>
      <span class="pair" title="batches that are signed and durable at the rig and not yet receipted">
        <span class="label">unreceipted</span> <span class="num">{formatCount(unreceipted)}</span>
      </span>
      {limitsOnly > 0 && (
        <span class="pair">
          <span class="badge">LIMITS ONLY</span> <span class="num">{limitsOnly}</span>
        </span>
      )}
      <span class="rule" />
      <span
        class="pair"
        title="batches and sessions that the collector would not take; listed at the foot of the fleet page"
      >
        <span class={view.model.refusals.length > 0 ? 'amber' : 'label'}>
          {view.model.refusals.length > 0 && <Glyph name="diamond" />} refused
        </span>{' '}
        <span class={view.model.refusals.length > 0 ? 'num amber' : 'num'}>{view.model.refusals.length}</span>
      </span>
      {view.model.notUnderstood > 0 && (
        <span class="pair" title="messages that this page does not know: it may be older than the collector">
          <span class="amber">not understood</span>{' '}
          <span class="num amber">{formatCount(view.model.notUnderstood)}</span>
        </span>
      )}
    </>
  )
}

function LinkLamp({ view }: { view: View }) {
  const age = view.model.heardMs === null ? null : view.nowMs - view.model.heardMs
  if (view.lost) {
    return (
      <Chip
        look={{ tone: 'unknown', glyph: 'hourglass', text: 'link', meaning: 'nothing heard from the collector' }}
        suffix={formatAge(age)}
      />
    )
  }
  return (
    <span class="pair" title="time since anything was heard from the collector">
      <span class="label">link</span> <Glyph name="dot" /> <span class="num">{formatAge(age)}</span>
    </span>
  )
}
