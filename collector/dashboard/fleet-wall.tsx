import { Chip } from './glyph.tsx'
import { isUnusualMode, modeLetter, type RigState, rigLook } from './look.ts'
import { dataAgeMs, HISTORY_POINTS_MAX, type RigRow } from './page-model.ts'
import { formatAge, formatRatio, NO_NUMBER } from './quantities.ts'
import { hrefOfRig } from './route.ts'
import { ArmBadge } from './safety-panel.tsx'
import { Sparkline } from './sparkline.tsx'
import type { View } from './view.ts'
import { summarizeFinding } from './why.ts'

/** More rigs than this are drawn as small tiles, so that 300 of them stand on one screen. */
const LARGE_TILES_MAX = 40

/** A tile a rig, worst first. `shown` is what the filters left. */
export function FleetWall({ view, shown }: { view: View; shown: View['rigs'] }) {
  if (view.rigs.length === 0) return <Nothing view={view} />
  const size = shown.length > LARGE_TILES_MAX ? 'wall-small' : 'wall-large'
  return (
    <ul class={`wall ${size}`} aria-label="rigs, worst first">
      {shown.map(({ row, state }) => (
        <li key={row.key}>
          <Tile row={row} state={state} view={view} small={size === 'wall-small'} />
        </li>
      ))}
      {shown.length === 0 && (
        <li class="empty">
          No rig fits the filter. <kbd>Esc</kbd> clears it.
        </li>
      )}
    </ul>
  )
}

function Nothing({ view }: { view: View }) {
  const heard = view.model.heardMs !== null
  return (
    <p class="empty" role="status">
      {heard
        ? 'The collector has not heard from any rig yet. A tile appears with the first vitals of an agent.'
        : 'Connecting to the collector. Nothing is known yet.'}
    </p>
  )
}

type TileProps = Readonly<{ row: RigRow; state: RigState; view: View; small: boolean }>

function Tile({ row, state, view, small }: TileProps) {
  const { nowMs } = view
  const { vitals } = row
  const look = rigLook(state)
  const age = formatAge(dataAgeMs(row, nowMs))
  const old = state === 'LOST' || nowMs - row.heardMs > 2000
  const ratio = row.history.at(-1) ?? null
  return (
    <a
      class={`tile tile-${look.tone}${old ? ' old' : ''}`}
      href={hrefOfRig(row.program, row.rig)}
      data-rig={row.rig}
      aria-label={`${row.rig}: ${look.text}, ${look.meaning}; data age ${age}`}
    >
      <span class="tile-head">
        <Chip look={look} suffix={state === 'LOST' ? age : undefined} pulse={state === 'FAIL' && !row.seen} />
        <span
          class="tile-name"
          title={`${row.rig} · program ${row.program || 'not stated'} · agent ${row.agent || 'not stated'}`}
        >
          {row.rig}
        </span>
        {vitals?.clock === 'recording' && <span class="badge">REPLAY</span>}
        {vitals?.simulation && vitals.clock !== 'recording' && <span class="badge">{small ? 'SIM' : 'TESTBED'}</span>}
        {vitals?.limits_only && <span class="badge">{small ? 'LIM' : 'LIMITS ONLY'}</span>}
        <ModeMark mode={vitals?.mode ?? '?'} small={small} />
      </span>
      {!small && (
        <span class="tile-why" title={firstWhy(row, state)}>
          {firstWhy(row, state)}
        </span>
      )}
      <span class="tile-arm">
        <ArmBadge view={view} agent={row.agent} rig={row.rig} long={false} />
      </span>
      <span class="tile-plot">
        <Sparkline history={row.history} pointsMax={HISTORY_POINTS_MAX} />
        {!small && (
          <span class="num tile-ratio" title="worst channel against what is allowed: 1× is the edge">
            {ratio === null ? NO_NUMBER : `${formatRatio(ratio)}×`}
          </span>
        )}
      </span>
      <span class="tile-foot">
        <span class="tile-run">{vitals?.run ? `${vitals.run.run} · ${vitals.run.article}` : 'no run'}</span>
        <span class="num age">{age}</span>
      </span>
    </a>
  )
}

/** The mode as letter and word: the letter for a glance along a wall, the word because letters are learnt. */
export function ModeMark({ mode, small }: { mode: string; small?: boolean }) {
  return (
    <span class={isUnusualMode(mode) ? 'mode amber' : 'mode'} title={`mode ${mode}`}>
      <b class="mode-letter">{modeLetter(mode)}</b>
      {!small && <span>{mode}</span>}
    </span>
  )
}

function firstWhy(row: RigRow, state: RigState): string {
  const { vitals } = row
  if (vitals === null) return 'nothing heard yet'
  if (state === 'LOST') return `last known: ${vitals.verdict.replaceAll('_', ' ')}`
  const [first, ...more] = vitals.findings
  if (first !== undefined) return `${summarizeFinding(first)}${more.length > 0 ? ` · ${more.length} more` : ''}`
  const held = vitals.channels.filter((channel) => channel.verdict === 'PASS').length
  return `${held} of ${vitals.channels.length} channels hold`
}
