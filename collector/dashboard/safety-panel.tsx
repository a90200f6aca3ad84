import { Chip, Glyph } from './glyph.tsx'
import type { Look } from './look.ts'
import { formatUtc, formatUtcExact } from './quantities.ts'
import { hrefOfRig } from './route.ts'
import {
  type ActionJson,
  type ArmJson,
  type BreakGlassJson,
  isQuietEnd,
  type SafetyAlarmJson,
  STAGES,
  type StageMark,
  type StandingJson,
  stageMarks,
} from './safety.ts'
import type { View } from './view.ts'

/** Bypasses and alarms that are named on every screen; more are counted. */
const BAR_ROWS = 4
const ENDED_ROWS = 8

/** What stands on one rig; undefined when its agent has never said anything of actions. */
export function standingOf(view: View, agent: string, rig: string): StandingJson | undefined {
  return view.model.safety?.rigs.find((one) => one.rig === rig && one.agent === agent)
}

/** Bypasses and open safety alarms, on every screen while there are any. */
export function SafetyBar({ view }: { view: View }) {
  const rigs = view.model.safety?.rigs ?? []
  const inhibits = rigs.flatMap((at) => at.inhibits.map((inhibit) => ({ at, inhibit })))
  const alarms = rigs.flatMap((at) => at.alarms.map((alarm) => ({ at, alarm }))).sort(criticalFirst)
  const glasses = rigs.flatMap((at) => (at.breakGlass === null ? [] : [{ at, glass: at.breakGlass }]))
  if (glasses.length === 0 && inhibits.length === 0 && alarms.length === 0) return null
  return (
    <section class="safety-bar" aria-label="bypasses and safety alarms">
      {glasses.length > 0 && (
        <ul class="safety-rows" data-part="break-glass">
          <li class="safety-count">
            <Chip look={BREAK_GLASS} suffix={String(glasses.length)} />
          </li>
          {glasses.map(({ at, glass }) => (
            <li key={`${at.agent}/${at.rig}`}>
              <RigLink at={at} /> <Until bypass={glass} />{' '}
              <Persons names={glass.persons} note={view.model.safety?.note ?? ''} />{' '}
              <span class="quiet">{glass.reason}</span>
            </li>
          ))}
        </ul>
      )}
      {inhibits.length > 0 && (
        <ul class="safety-rows" data-part="inhibits">
          <li class="safety-count">
            <Chip look={INHIBITED} suffix={String(inhibits.length)} />
          </li>
          {inhibits.slice(0, BAR_ROWS).map(({ at, inhibit }) => (
            <li key={`${at.agent}/${at.rig}/${inhibit.subject}`}>
              <RigLink at={at} /> <b>{inhibit.subject}</b> <Until bypass={inhibit} />{' '}
              <Persons names={inhibit.persons} note={view.model.safety?.note ?? ''} />{' '}
              <span class="quiet">{inhibit.reason}</span>
            </li>
          ))}
          <More count={inhibits.length - BAR_ROWS} />
        </ul>
      )}
      {alarms.length > 0 && (
        <ul class="safety-rows" data-part="alarms">
          <li class="safety-count">
            <span class="label">safety alarms</span> <span class="num">{alarms.length}</span>
          </li>
          {alarms.slice(0, BAR_ROWS).map(({ at, alarm }) => (
            <li key={`${at.agent}/${at.rig}/${alarm.alarm}`} title={`since ${formatUtcExact(alarm.sinceUs)}`}>
              <Chip look={alarmLook(alarm)} /> <RigLink at={at} /> <span class="id">{alarm.alarm}</span>{' '}
              <span class="quiet">{alarm.text}</span>
            </li>
          ))}
          <More count={alarms.length - BAR_ROWS} />
        </ul>
      )}
    </section>
  )
}

/** Until when a bypass holds; what its agent has not said to be over is shown, for it may still be. */
function Until({ bypass }: { bypass: BreakGlassJson }) {
  return (
    <span class={bypass.over ? 'amber' : 'quiet'} title={formatUtcExact(bypass.untilUs)}>
      {bypass.over ? 'was to end' : 'until'} {formatUtc(bypass.untilUs, 0)}
    </span>
  )
}

const BREAK_GLASS: Look = {
  tone: 'warn',
  glyph: 'square',
  text: 'BREAK-GLASS',
  meaning: 'one person orders by hand what takes two, for a while',
}

const INHIBITED: Look = {
  tone: 'dist',
  glyph: 'void',
  text: 'INHIBITED',
  meaning: 'automatic actions are bypassed by two people, for a while',
}

function alarmLook({ severity }: SafetyAlarmJson): Look {
  if (severity === 'WARNING') return { tone: 'warn', glyph: 'square', text: 'WARN', meaning: 'a safety warning' }
  // A severity that is not known sorts and looks as the worst.
  return { tone: 'crit', glyph: 'triangle', text: 'CRIT', meaning: 'a critical safety alarm' }
}

function criticalFirst(a: { alarm: SafetyAlarmJson }, b: { alarm: SafetyAlarmJson }): number {
  return Number(a.alarm.severity === 'WARNING') - Number(b.alarm.severity === 'WARNING')
}

function RigLink({ at }: { at: StandingJson }) {
  return (
    <a class="rig-link" href={hrefOfRig(at.program, at.rig)}>
      {at.rig}
    </a>
  )
}

function More({ count }: { count: number }) {
  return count > 0 ? <li class="quiet">and {count} more</li> : null
}

/** Names that keys go by, and how far they are to be believed. */
function Persons({ names, note }: { names: readonly string[]; note: string }) {
  if (names.length === 0) return null
  return (
    <span title={note}>
      by {names.join(', ')} {note !== '' && <span class="quiet">({note})</span>}
    </span>
  )
}

/** Whether the rig may be acted on: ARMED until when and by whom, or PASSIVE. Nothing for a rig that never said. */
export function ArmBadge({ view, agent, rig, long }: { view: View; agent: string; rig: string; long: boolean }) {
  const standing = standingOf(view, agent, rig)
  if (standing === undefined) return null
  const { arm } = standing
  const note = view.model.safety?.note ?? ''
  const isAlone = view.model.agents.get(agent)?.connected === false
  const look = armLook(arm, view.model.collectorNowUs ?? view.nowUs)
  const until = arm?.state === 'ARMED' ? `until ${formatUtc(arm.untilUs, 0)}` : ''
  const names = arm === null || arm.persons.length === 0 ? '' : `by ${arm.persons.join(', ')}; ${note}`
  return (
    <span
      class={`arm arm-${look.tone}`}
      title={[look.meaning, until, names, arm?.reason ?? ''].filter((part) => part !== '').join(' · ')}
    >
      <Glyph name={look.glyph} /> <b>{look.text}</b>
      {until !== '' && <span class="num"> {until}</span>}
      {long && arm !== null && (
        <>
          {' '}
          <Persons names={arm.persons} note={note} />
        </>
      )}
      {isAlone && <span class="amber"> last known</span>}
      {standing.inhibits.length > 0 && <span class="amber"> · {standing.inhibits.length} inhibited</span>}
    </span>
  )
}

function armLook(arm: ArmJson | null, nowUs: number): Look {
  if (arm?.state === 'ARMED' && !arm.over && arm.untilUs !== null && nowUs < arm.untilUs)
    return { tone: 'watch', glyph: 'dot', text: 'ARMED', meaning: 'automatic actions are carried out' }
  if (arm?.state === 'ARMED')
    return { tone: 'unknown', glyph: 'void', text: 'ARMED?', meaning: 'its time is over and its agent has not said so' }
  if (arm?.state === 'OFF') return { tone: 'off', glyph: 'void', text: 'OFF', meaning: 'nothing is evaluated' }
  return {
    tone: 'off',
    glyph: 'clock',
    text: 'PASSIVE',
    meaning: 'nothing is done: it is recorded what would have been',
  }
}

/** Actions under way, and those that ended last, of one rig or of all. */
export function ActionsPanel({ view, rig }: { view: View; rig?: { agent: string; rig: string } }) {
  const all = view.model.safety?.actions ?? []
  const shown = rig === undefined ? all : all.filter((one) => one.rig === rig.rig && one.agent === rig.agent)
  const open = shown.filter((one) => one.open)
  const ended = shown.filter((one) => !one.open).slice(0, ENDED_ROWS)
  if (rig === undefined && (view.model.safety?.rigs ?? []).length === 0 && all.length === 0) return null
  return (
    <section class="panel actions" aria-label="actions">
      <h2>Actions under way</h2>
      {open.length === 0 && <p class="quiet">None.</p>}
      <ul>
        {open.map((one) => (
          <li key={one.key}>
            <ActionRow action={one} />
          </li>
        ))}
      </ul>
      {ended.length > 0 && <h2>Ended last</h2>}
      <ul>
        {ended.map((one) => (
          <li key={one.key}>
            <ActionRow action={one} />
          </li>
        ))}
      </ul>
    </section>
  )
}

function ActionRow({ action }: { action: ActionJson }) {
  const last = action.steps.at(-1)
  // Who it was stands behind it.
  const why = [...(last?.reasons ?? []), last?.note ?? ''].filter((part) => part !== '' && part !== 'BY')
  const grave = !action.open && !isQuietEnd(action.state)
  return (
    <div class="action" data-key={action.key} data-state={action.state}>
      <span class="action-what">
        <time title={`${formatUtcExact(action.timeUs)} · key ${action.key}`}>{formatUtc(action.timeUs)}</time>{' '}
        <a class="rig-link" href={hrefOfRig(action.program, action.rig)}>
          {action.rig}
        </a>{' '}
        <b>{action.action}</b> {action.target}{' '}
        <span class="quiet">{action.rule === '' ? 'ordered by people' : action.rule}</span>
      </span>
      <Stages action={action} />
      <span class={`action-state${grave ? ' tone-crit' : ''}`}>
        {grave && <Glyph name="triangle" />} <b>{action.state.replaceAll('_', ' ')}</b>
      </span>
      <span class="action-why quiet" title={why.join('\n')}>
        {why.join(' · ')}
        {last !== undefined && last.persons.length > 0 && ` · by ${last.persons.join(', ')}`}
      </span>
    </div>
  )
}

/** A dot a stage: filled, ring, dash or cross, so that its colour says nothing that its shape does not. */
function Stages({ action }: { action: ActionJson }) {
  const marks = stageMarks(action)
  return (
    <ol class="stages" aria-label={`stages of ${action.action} ${action.target}`}>
      {STAGES.map(({ name }, k) => (
        <li key={name} class={`stage stage-${marks[k]!.replaceAll(' ', '-')}`} title={`${name}: ${marks[k]}`}>
          <svg class="glyph" viewBox="0 0 12 12" aria-hidden="true" focusable="false">
            {shapeOf(marks[k]!)}
          </svg>
          <span class="stage-name">
            {name}
            <span class="only-read"> {marks[k]}</span>
          </span>
        </li>
      ))}
    </ol>
  )
}

function shapeOf(mark: StageMark) {
  switch (mark) {
    case 'reached':
      return <circle class="solid" cx="6" cy="6" r="4.5" />
    case 'left out':
      return <path class="line" d="M2 6h8" />
    case 'waited for':
      return (
        <path class="line" d="M6 1.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9M6 5.2a.8.8 0 1 0 0 1.6a.8.8 0 1 0 0-1.6" />
      )
    case 'ended here':
      return <path class="line" d="M2 2l8 8M10 2l-8 8" />
    case 'to come':
      return <path class="line" d="M6 1.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9" />
  }
}
