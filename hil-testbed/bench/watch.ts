import type { Clock } from '../../shared/lib/clock.ts'
import { createScreen, type ScreenStream, styled } from '../../shared/lib/screen.ts'
import type { Micros } from '../../shared/units.ts'
import type { RunView } from './run.ts'

/** A person sees no more than so many pictures a second. */
const EVERY_US: Micros = 200_000
const BAR = 40
const NEWS_SHOWN = 8

type Line = Readonly<Record<string, unknown>>

/** Live view of a run: truth, what the agent says of it, faults, alarms, actions. */
export function createWatch(
  stream: ScreenStream,
  { noColor, host }: Readonly<{ noColor: boolean; host: Pick<Clock, 'monotonicUs'> }>,
): Readonly<{ show(view: RunView): void; close(): void }> {
  const screen = createScreen(stream)
  const style = styled(stream, noColor)
  let shownUs = Number.NEGATIVE_INFINITY
  return {
    show(view) {
      const nowUs = host.monotonicUs()
      if (nowUs - shownUs < EVERY_US) return
      shownUs = nowUs
      const { row, atUs, signals, truth, agentSaid, telemetry } = view
      const share = atUs / row.clock.durationUs
      const filled = Math.round(share * BAR)
      const verdict = String(lastOf(agentSaid, 'verdict')?.['verdict'] ?? '(none yet)')
      const armed = String(lastOf(agentSaid, 'arm')?.['state'] ?? 'PASSIVE')
      screen.draw([
        style('strong', `${row.id}.${row.row}  ${row.title}`),
        `${'█'.repeat(filled)}${'·'.repeat(BAR - filled)} ${seconds(atUs)} of ${seconds(row.clock.durationUs)}, ${row.clock.mode}, seed ${row.seed}`,
        '',
        style('dim', 'plant (truth)'),
        ...signals.map((signal) => `  ${signal.padEnd(24)} ${truth(signal).toPrecision(6)}`),
        style('dim', 'telemetry as it was sent'),
        ...row.rig.sensors.map(
          ({ channel, of }) => `  ${channel.padEnd(24)} ${telemetry(channel)}${''.padEnd(2)} of ${of}`,
        ),
        '',
        `verdict  ${style(verdict === 'PASS' ? 'good' : 'bad', verdict)}    rig ${armed}`,
        `faults   ${faultsAt(view).join(', ') || 'none'}`,
        ...news(agentSaid).map((text) => `  ${text}`),
      ])
    },
    close: () => screen.close(),
  }
}

const seconds = (us: number): string => `${(us / 1_000_000).toFixed(2)} s`

function lastOf(said: readonly Line[], event: string): Line | undefined {
  return said.findLast((line) => line['event'] === event)
}

function faultsAt({ row, atUs }: RunView): string[] {
  return row.steps.flatMap(({ steps }) =>
    steps.flatMap((step) => {
      if (step.do !== 'inject') return []
      const { id, class: of, target, onsetUs, durationUs } = step.fault
      const acts = onsetUs <= atUs && (durationUs === null || atUs < onsetUs + durationUs)
      return acts ? [`${id} ${of} on ${target}`] : []
    }),
  )
}

/** The newest alarms and steps of actions. */
function news(said: readonly Line[]): string[] {
  const found = said.filter(({ event }) => event === 'safety_alarm' || event === 'alarm' || event === 'action')
  return found
    .slice(-NEWS_SHOWN)
    .map((line) =>
      line['event'] === 'action'
        ? `ACTION ${String(line['action'])} of ${String(line['target'])}: ${String(line['state'])}`
        : `ALARM  ${String(line['severity'] ?? '')} ${String(line['alarm'] ?? line['id'] ?? '')} ${String(line['to'] ?? (line['active'] === true ? 'active' : 'over'))}`,
    )
}
