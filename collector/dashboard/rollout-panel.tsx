import { Chip, Glyph } from './glyph.tsx'
import type { Look } from './look.ts'
import { formatAge, formatUtcExact } from './quantities.ts'
import { type ConfigJson, oddFirst, type RolloutJson, runsOf } from './rollout.ts'
import type { View } from './view.ts'

/** Characters of a digest that are shown; all of them stand behind it. */
const DIGEST_SHOWN = 12
/** Agents that are named; more are counted. */
const ROWS = 40

/** Under which configuration every agent runs, and how the newest rollout stands. */
export function RolloutPanel({ view }: { view: View }) {
  const { configs, rollout } = view.model
  if (configs.size === 0 && rollout === null) return null
  const rows = oddFirst([...configs.values()])
  const kinds = new Set(rows.map(runsOf))
  return (
    <section class="panel configs" aria-label="configurations">
      <h2>Configurations</h2>
      {rollout !== null && <Rollout rollout={rollout} />}
      <p class="quiet">
        {kinds.size === 1 && !kinds.has('')
          ? `All ${rows.length} agents say that they run the same.`
          : `${rows.length} agents, ${[...kinds].filter((kind) => kind !== '').length} configurations${kinds.has('') ? ', and some that are not known' : ''}.`}
      </p>
      <ul>
        {rows.slice(0, ROWS).map((config) => (
          <li key={config.agent}>
            <ConfigRow view={view} config={config} />
          </li>
        ))}
        {rows.length > ROWS && <li class="quiet">and {rows.length - ROWS} more</li>}
      </ul>
    </section>
  )
}

function ConfigRow({ view, config }: { view: View; config: ConfigJson }) {
  const { agent, saidUs, refused, ready, reasons } = config
  const isThere = view.model.agents.get(agent)?.connected === true
  const ageMs = saidUs === null ? null : ((view.model.collectorNowUs ?? view.nowUs) - saidUs) / 1000
  return (
    <div class="config" data-agent={agent}>
      <b class="config-agent">{agent}</b>
      <Digest config={config} />
      <span class={isThere ? 'quiet' : 'amber'} title={formatUtcExact(saidUs)}>
        {!isThere && <Glyph name="clock" />}{' '}
        {isThere ? 'connected' : ageMs === null ? 'away' : `away, said ${formatAge(ageMs)} ago`}
      </span>
      <span class="config-why">
        {saidUs !== null && !ready && (
          <span class="amber" title={reasons.join('\n')}>
            <Glyph name="diamond" /> not ready{reasons.length > 0 && `: ${reasons[0]}`}{' '}
          </span>
        )}
        {refused !== null && (
          <span class="amber" title={refused.reasons.join('\n')}>
            <Glyph name="diamond" /> {refused.what === 'back' ? 'did not go back from' : 'refused'}{' '}
            {refused.digest.slice(0, DIGEST_SHOWN)}: {refused.reasons[0] ?? 'without a reason'}
            {refused.reasons.length > 1 && ` · ${refused.reasons.length - 1} more`}
          </span>
        )}
      </span>
    </div>
  )
}

function Digest({ config }: { config: ConfigJson }) {
  const { saidUs, bundle, config: files } = config
  if (saidUs === null) return <span class="config-runs unknown">unknown: it never said</span>
  if (bundle === null)
    return (
      <span class="config-runs" title={`files of its disk, configuration ${files}`}>
        files of its disk <span class="num">{files.slice(0, DIGEST_SHOWN) || 'not started'}</span>
      </span>
    )
  return (
    <span class="config-runs" title={`bundle ${bundle.number}, digest ${bundle.digest}, configuration ${files}`}>
      bundle {bundle.number} <span class="num">{bundle.digest.slice(0, DIGEST_SHOWN)}</span>
    </span>
  )
}

const LOOKS: Readonly<Record<string, Look>> = {
  RUNNING: { tone: 'watch', glyph: 'clock', text: 'RUNNING', meaning: 'agents get it, stage by stage' },
  COMPLETED: { tone: 'norm', glyph: 'check', text: 'COMPLETED', meaning: 'all agents have it and are well' },
  ROLLING_BACK: { tone: 'crit', glyph: 'triangle', text: 'ROLLING BACK', meaning: 'agents go back to what was before' },
  ROLLED_BACK: { tone: 'warn', glyph: 'square', text: 'ROLLED BACK', meaning: 'agents went back to what was before' },
}
const UNKNOWN: Look = {
  tone: 'unknown',
  glyph: 'void',
  text: 'UNKNOWN',
  meaning: 'a state that this page does not know',
}

function Rollout({ rollout }: { rollout: RolloutJson }) {
  const { id, status, number, digest, by, reason, stage, counts, agents, reasons, note } = rollout
  const named = (phase: string): string[] => agents.filter((one) => one.phase === phase).map(({ agent }) => agent)
  const lacking = [...named('not_back').map((agent) => `${agent} could not`), ...named('going_back')]
  return (
    <div class="rollout" data-rollout={id}>
      <Chip look={LOOKS[status] ?? UNKNOWN} /> rollout of bundle {number}{' '}
      <span class="num" title={digest}>
        {digest.slice(0, DIGEST_SHOWN)}
      </span>{' '}
      · stage {stage} of {counts.length} · {named('taken').length} of {agents.length} have it ·{' '}
      <span title={note}>
        by {by} <span class="quiet">({note})</span>
      </span>{' '}
      <span class="quiet">{reason}</span>
      {reasons.length > 0 && (
        <p class="amber" title={reasons.join('\n')}>
          <Glyph name="diamond" /> {reasons[0]}
          {lacking.length > 0 && ` · still to go back: ${lacking.join(', ')}`}
        </p>
      )}
    </div>
  )
}
