import type { Clock } from '../shared/lib/clock.ts'
import type { ConfigState } from '../shared/model/config-state.ts'
import type { BundleAnswerMessage, ConfigStateMessage } from '../shared/protocol/messages.ts'
import type { Micros } from '../shared/units.ts'
import type { CollectorEvents } from './events.ts'
import type { RolloutStore } from './store/rollouts.ts'

/** What an agent last answered to a bundle. */
export type AnswerSaid = Pick<BundleAnswerMessage, 'what' | 'digest' | 'taken' | 'reasons'> & Readonly<{ atUs: Micros }>
/** Under what an agent says that it runs, since when it was not heard of, and what it last answered; null: never heard. */
export type AgentConfig = Readonly<{
  agent: string
  said: ConfigState | null
  saidUs: Micros | null
  answer: AnswerSaid | null
}>

export type AgentConfigsOptions = Readonly<{
  store: Pick<RolloutStore, 'configs' | 'noteConfig' | 'noteAnswer'>
  clock: Pick<Clock, 'nowUs'>
  events: Pick<CollectorEvents, 'broken'>
  /** Pages are told of it. */
  changed(config: AgentConfig): void
}>

/** The same words again are written down this seldom. */
const KEEP_EVERY_US: Micros = 60_000_000

/** Under what every agent runs, in its own words, over its absence and over a stop of the collector. */
export class AgentConfigs {
  private readonly options: AgentConfigsOptions
  private readonly known: Map<string, AgentConfig>
  private readonly keptUs = new Map<string, Micros>()

  private constructor(options: AgentConfigsOptions, known: Map<string, AgentConfig>) {
    this.options = options
    this.known = known
  }

  static async open(options: AgentConfigsOptions): Promise<AgentConfigs> {
    const stored = (await options.store.configs()).map(
      ({ agent, saidUs, said, answer }): AgentConfig => ({
        ...{ agent, saidUs },
        said: said === null ? null : (JSON.parse(said) as ConfigState),
        answer: answer === null ? null : (JSON.parse(answer) as AnswerSaid),
      }),
    )
    return new AgentConfigs(options, new Map(stored.map((one) => [one.agent, one])))
  }

  of(agent: string): AgentConfig {
    return this.known.get(agent) ?? { agent, said: null, saidUs: null, answer: null }
  }

  said(agent: string, { t: _, v: __, ...said }: ConfigStateMessage): void {
    const { store, clock } = this.options
    const before = this.of(agent)
    const saidUs = clock.nowUs()
    const isNews = JSON.stringify(before.said) !== JSON.stringify(said)
    this.known.set(agent, { ...before, said, saidUs })
    if (isNews) this.options.changed(this.of(agent))
    const isOther = before.said?.config !== said.config || before.said.bundle.digest !== said.bundle.digest
    if (!isOther && saidUs - (this.keptUs.get(agent) ?? 0) < KEEP_EVERY_US) return
    this.keptUs.set(agent, saidUs)
    this.keep(store.noteConfig(agent, { said: JSON.stringify(said), saidUs }))
  }

  answered(agent: string, { what, digest, taken, reasons }: BundleAnswerMessage): void {
    const { store, clock } = this.options
    const answer = { what, digest, taken, reasons, atUs: clock.nowUs() }
    this.known.set(agent, { ...this.of(agent), answer })
    this.options.changed(this.of(agent))
    this.keep(store.noteAnswer(agent, JSON.stringify(answer)))
  }

  /** It went away: pages are told when it last said something. */
  left(agent: string): void {
    if (this.known.has(agent)) this.options.changed(this.of(agent))
  }

  private keep(work: Promise<void>): void {
    work.catch((error: unknown) => this.options.events.broken('configuration of an agent', error))
  }
}
