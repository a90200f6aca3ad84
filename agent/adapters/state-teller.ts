import type { Clock } from '../../shared/lib/clock.ts'
import type { ConfigStateMessage } from '../../shared/protocol/messages.ts'
import type { Micros, Millis } from '../../shared/units.ts'

/** How often it is looked whether something changed, and how often it is said again when nothing did. */
const LOOK_MS: Millis = 250
const AGAIN_US: Micros = 5_000_000

export type StateTellerOptions = Readonly<{
  clock: Pick<Clock, 'every' | 'monotonicUs'>
  state(): ConfigStateMessage
  send(state: ConfigStateMessage): void
}>

/** Tells the collector under what the agent runs, for as long as a session lasts in which it asked for that. */
export class StateTeller {
  private readonly options: StateTellerOptions
  private cancel: (() => void) | null = null
  private last = ''
  private lastUs: Micros = 0

  constructor(options: StateTellerOptions) {
    this.options = options
  }

  begin(): void {
    this.end()
    this.cancel = this.options.clock.every(LOOK_MS, () => this.look())
    this.look()
  }

  end(): void {
    this.cancel?.()
    this.cancel = null
    this.last = ''
  }

  private look(): void {
    const { clock, state, send } = this.options
    const said = state()
    const text = JSON.stringify(said)
    const nowUs = clock.monotonicUs()
    if (text === this.last && nowUs - this.lastUs < AGAIN_US) return
    this.last = text
    this.lastUs = nowUs
    send(said)
  }
}
