import { useEffect, useState } from 'preact/hooks'
import { AlarmPanel, AutonomousBar } from './alarm-panel.tsx'
import { Banner } from './banner.tsx'
import { FleetWall } from './fleet-wall.tsx'
import { Foot } from './foot.tsx'
import type { LinkState } from './link.ts'
import { LINK_LOST_MS, type RigState } from './look.ts'
import type { PageClock } from './page-clock.ts'
import { type PageModel, worstFirst } from './page-model.ts'
import { formatAge } from './quantities.ts'
import { RigView } from './rig-view.tsx'
import { RolloutPanel } from './rollout-panel.tsx'
import { FLEET_HREF, parseRoute } from './route.ts'
import { ActionsPanel, SafetyBar } from './safety-panel.tsx'
import type { View } from './view.ts'

type AppProps = Readonly<{ model: PageModel; clock: PageClock; link: LinkState; onChange(): void }>

/** The whole page, drawn from the model and one reading of the clocks. */
export function App({ model, clock, link, onChange }: AppProps) {
  const [filter, setFilter] = useState<RigState | null>(null)
  const [query, setQuery] = useState('')
  const [help, setHelp] = useState(false)
  const nowMs = clock.monotonicMs()
  const view: View = {
    model,
    nowMs,
    nowUs: clock.nowUs(),
    link,
    lost: isLost(model, nowMs),
    rigs: worstFirst(model, nowMs),
  }
  const route = parseRoute(location.hash)
  const shown = view.rigs.filter(({ row, state }) => (filter === null || state === filter) && fits(row, query))
  useKeys({ help: () => setHelp((was) => !was), clear: () => clear(setFilter, setQuery, setHelp) })
  return (
    <div class={view.lost ? 'page lost' : 'page'}>
      <Banner
        view={view}
        filter={filter}
        query={query}
        hidden={view.rigs.length - shown.length}
        onFilter={setFilter}
        onQuery={setQuery}
        onHelp={() => setHelp(!help)}
      />
      {view.lost && <Lost view={view} />}
      <AutonomousBar view={view} />
      <SafetyBar view={view} />
      {help && <Help />}
      <main>
        {route.page === 'rig' ? (
          <RigView view={view} route={route} clock={clock} onChange={onChange} />
        ) : (
          <>
            <FleetWall view={view} shown={shown} />
            <AlarmPanel view={view} />
            <ActionsPanel view={view} />
            <RolloutPanel view={view} />
          </>
        )}
      </main>
      <Foot view={view} />
    </div>
  )
}

/** As what must hold: an age that is not a number is an age that is too large. */
function isLost(model: PageModel, nowMs: number): boolean {
  return model.heardMs === null ? nowMs > LINK_LOST_MS : !(nowMs - model.heardMs < LINK_LOST_MS)
}

/** Nothing on the screen is live any more, and nobody may overlook it. */
function Lost({ view }: { view: View }) {
  const age = view.model.heardMs === null ? null : view.nowMs - view.model.heardMs
  const next = view.link.nextTryMs === null ? '' : ` · next try in ${formatAge(view.link.nextTryMs - view.nowMs)}`
  return (
    <div class="lost-bar" role="alert">
      DISCONNECTED — {age === null ? 'nothing heard yet' : `data age ${formatAge(age)}`}
      <span class="lost-note">Everything below is history. Rigs are watched by their agents all the same.{next}</span>
    </div>
  )
}

function Help() {
  return (
    <dl class="help">
      <dt>
        <kbd>/</kbd>
      </dt>
      <dd>find rigs</dd>
      <dt>
        <kbd>Esc</kbd>
      </dt>
      <dd>back to the fleet, clear filters</dd>
      <dt>
        <kbd>Enter</kbd>
      </dt>
      <dd>open the rig in focus</dd>
      <dt>
        <kbd>?</kbd>
      </dt>
      <dd>show or hide this</dd>
    </dl>
  )
}

function fits(row: PageModel['rigs'] extends Map<string, infer R> ? R : never, query: string): boolean {
  const wanted = query.trim().toLowerCase()
  if (wanted === '') return true
  const { vitals } = row
  const words = [
    row.rig,
    row.program,
    row.agent,
    vitals?.run?.run ?? '',
    vitals?.run?.article ?? '',
    ...(vitals?.channels.map((c) => c.channel) ?? []),
  ]
  return words.some((word) => word.toLowerCase().includes(wanted))
}

function clear(
  setFilter: (none: null) => void,
  setQuery: (none: string) => void,
  setHelp: (off: boolean) => void,
): void {
  setFilter(null)
  setQuery('')
  setHelp(false)
  location.hash = FLEET_HREF
}

function useKeys({ help, clear: back }: { help(): void; clear(): void }): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === 'Escape') {
        back()
        ;(document.activeElement as HTMLElement | null)?.blur()
        return
      }
      if (event.target instanceof HTMLInputElement) return
      if (event.key === '?') help()
      else if (event.key === '/') {
        event.preventDefault()
        document.getElementById('search')?.focus()
      }
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])
}
