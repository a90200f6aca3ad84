import type { AlarmJson, AlarmSite, AutonomousJson } from './alarms.ts'
import { Chip, Glyph } from './glyph.tsx'
import type { Look } from './look.ts'
import { formatAge, formatUtc, formatUtcExact } from './quantities.ts'
import type { View } from './view.ts'

/** Alarms of one site that are named; more are counted. */
const SITE_ROWS = 24
const AUTONOMOUS_ROWS = 6

/**
 * Agents that were armed when they were last heard: on every screen, because what stands below about their rigs is history while
 * they go on acting.
 */
export function AutonomousBar({ view }: { view: View }) {
  const { autonomous = [], untold = [], beat = '' } = view.model.alarms ?? {}
  if (autonomous.length === 0 && untold.length === 0 && beat === '') return null
  return (
    <section class="autonomous-bar" role="alert" aria-label="agents on their own">
      {autonomous.slice(0, AUTONOMOUS_ROWS).map((one) => (
        <Autonomous key={one.agent} one={one} nowUs={view.model.collectorNowUs ?? view.nowUs} />
      ))}
      {autonomous.length > AUTONOMOUS_ROWS && <div class="quiet">and {autonomous.length - AUTONOMOUS_ROWS} more</div>}
      {untold.map(({ target, waiting, problem }) => (
        <div key={target} class="amber">
          <Glyph name="diamond" /> <b>{target}</b> cannot be told of alarms, {waiting ?? '?'} wait{' '}
          <span class="quiet">{problem}</span>
        </div>
      ))}
      {beat !== '' && (
        <div class="amber">
          <Glyph name="diamond" /> <b>no heartbeat</b> goes out from this collector <span class="quiet">{beat}</span>
        </div>
      )}
    </section>
  )
}

function Autonomous({ one, nowUs }: { one: AutonomousJson; nowUs: number }) {
  const age = one.lastUs === null ? 'no contact yet' : `last contact ${formatAge((nowUs - one.lastUs) / 1000)} ago`
  return (
    <div data-agent={one.agent}>
      <Chip look={AUTONOMOUS} /> <b>{one.agent}</b>{' '}
      <span title={formatUtcExact(one.lastUs)}>
        {age}
        {one.lastUs !== null && `, ${formatUtc(one.lastUs, 0)}`}
      </span>{' '}
      <span class="quiet">
        armed {one.over ? 'was to end' : 'until'} {formatUtc(one.untilUs, 0)} · acts by itself on {one.rigs.join(', ')}
      </span>
    </div>
  )
}

const AUTONOMOUS: Look = {
  tone: 'dist',
  glyph: 'hourglass',
  text: 'AUTONOMOUS',
  meaning: 'armed when it was last heard, and not heard now: it acts by itself',
}

/** Open alarms, by site. */
export function AlarmPanel({ view }: { view: View }) {
  const { alarms } = view.model
  if (alarms === null) return null
  const sites = alarms.sites.filter((site) => site.alarms.length > 0)
  return (
    <section class="panel alarms" aria-label="open alarms">
      <h2>Open alarms</h2>
      {sites.length === 0 && <p class="quiet">None.</p>}
      {sites.map((site) => (
        <Site key={site.site} site={site} note={alarms.note} />
      ))}
    </section>
  )
}

function Site({ site, note }: { site: AlarmSite; note: string }) {
  const held = site.alarms.filter((alarm) => alarm.suppressedBy.startsWith('under:'))
  const shown = site.alarms.filter((alarm) => !held.includes(alarm))
  const more = site.more + Math.max(0, shown.length - SITE_ROWS)
  return (
    <div class="alarm-site" data-site={site.site}>
      <h3>
        {site.site === '' ? 'no site' : site.site}{' '}
        {site.agents !== null && <span class="quiet">{site.agents} agents</span>}
      </h3>
      <ul class="alarm-rows">
        {shown.slice(0, SITE_ROWS).map((alarm) => (
          <li key={`${alarm.agent}/${alarm.rig}/${alarm.id}`}>
            <AlarmRow alarm={alarm} note={note} />
          </li>
        ))}
        {more > 0 && <li class="quiet">and {more} more</li>}
      </ul>
      {held.length > 0 && (
        <details class="alarm-held">
          <summary>
            {held.length} under the alarm of the site, not told by themselves:{' '}
            <span class="quiet">{[...new Set(held.map((alarm) => alarm.agent || alarm.id))].join(', ')}</span>
          </summary>
          <ul class="alarm-rows">
            {held.map((alarm) => (
              <li key={alarm.id}>
                <AlarmRow alarm={alarm} note={note} />
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  )
}

function AlarmRow({ alarm, note }: { alarm: AlarmJson; note: string }) {
  return (
    <div class="alarm" data-alarm={alarm.id} data-state={alarm.state}>
      <Chip look={severityLook(alarm.severity)} />
      <span class="alarm-what" title={alarm.response}>
        <b>{alarm.title}</b> <span class="quiet">{alarm.text}</span>
      </span>
      <span class="alarm-id num">
        {alarm.origin === 'agent' ? `${alarm.agent} ${alarm.rig}` : alarm.id}
        {alarm.occurrence !== null && ` #${alarm.occurrence}`}
      </span>
      <time class="num" title={formatUtcExact(alarm.sinceUs)}>
        since {formatUtc(alarm.sinceUs, 0)}
      </time>
      <span class="alarm-state" title={note}>
        {stateText(alarm)}
      </span>
    </div>
  )
}

const STATE_TEXTS: Readonly<Record<string, string>> = {
  UNACK: 'not acknowledged',
  RTN_UNACK: 'over, not acknowledged',
  LATCHED: 'over, to be confirmed',
}

/** At an agent alarms are acknowledged where it is. */
const OF_AGENTS: Readonly<Record<string, string>> = {
  ...STATE_TEXTS,
  RAISED: 'see the agent',
  ACKED: 'acknowledged there',
}

/** The state in words; one that this page does not know stands as it came. */
function stateText({ state, origin, signed, ackedBy, suppressedBy, shelf, outOfService }: AlarmJson): string {
  if (shelf !== null) return `shelved by ${shelf.by} until ${formatUtc(shelf.untilUs, 0)}: ${shelf.reason}`
  if (outOfService !== '') return `out of service: ${outOfService}`
  if (suppressedBy !== '') return 'told with its site'
  if (origin === 'agent') return `${OF_AGENTS[state] ?? state}${signed ? '' : ' · last said, unsigned'}`
  if (state === 'ACKED') return `acknowledged by ${ackedBy || '?'}`
  return STATE_TEXTS[state] ?? state
}

/** A severity that is not known sorts and looks as one that nobody knows. */
function severityLook(severity: string): Look {
  if (severity === 'WARNING') return { tone: 'warn', glyph: 'square', text: 'WARNING', meaning: 'a warning' }
  if (severity === 'CRITICAL') return { tone: 'crit', glyph: 'triangle', text: 'CRITICAL', meaning: 'a critical alarm' }
  return { tone: 'unknown', glyph: 'void', text: 'UNKNOWN', meaning: 'how bad it is, nobody knows' }
}
