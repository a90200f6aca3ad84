import type { BaselineRequest, BookState } from '../shared/model/baseline-book.ts'
import type { BaselineSubject } from '../shared/model/baseline-statement.ts'
import { MODES, type Mode } from '../shared/model/verdict.ts'
import { BASELINE_ROLES, type BaselineDownlink, type BaselineRole } from '../shared/protocol/downlink.ts'
import type { BaselineAnswerMessage } from '../shared/protocol/messages.ts'
import type { Micros } from '../shared/units.ts'
import type { BaselineBook } from './baselines.ts'
import { currentFor, type FamilySlots, familySlots } from './core/family-slots.ts'
import type { CollectorEvents } from './events.ts'
import type { BaselineStore } from './store/baselines.ts'

/** A rig as its vitals say it is: its family, the mode it is in, and what it is compared with in it. */
export type RigSaid = Readonly<{ rig: string; program: string; vitals: Readonly<Record<string, unknown>> }>

export type BaselineDownlinksOptions = Readonly<{
  book: BaselineBook
  store: Pick<BaselineStore, 'nextNumber'>
  clock: Readonly<{ nowUs(): Micros }>
  events: Pick<CollectorEvents, 'baselineSent' | 'baselineAnswered' | 'broken'>
}>

/** What one session was sent; it goes with the session. */
export type SentBaselines = Readonly<{
  /** Called with every vitals of a rig: sends what the book has in force and the rig does not. */
  heard(said: RigSaid): void
  /** @returns false when nothing of the kind was sent. */
  answered(answer: BaselineAnswerMessage): boolean
}>

type Wanted = Readonly<{ digest: string; role: BaselineRole; mode: Mode; version: string }>
type Sent = { readonly version: string; readonly id: string; readonly digest: string; answered: boolean }

/**
 * Sends baselines to the agents whose rigs say that they have others. Vitals are not believed for anything but this: an
 * agent that lies about what it has is sent what it should have, and verifies that for itself.
 */
export class BaselineDownlinks {
  private readonly options: BaselineDownlinksOptions
  private families: Readonly<{ of: BookState; slots: FamilySlots }> | null = null

  constructor(options: BaselineDownlinksOptions) {
    this.options = options
  }

  session(agent: string, send: (downlink: BaselineDownlink) => void): SentBaselines {
    const sent = new Map<string, Sent>()
    const { events } = this.options
    return {
      heard: ({ rig, program, vitals }) => {
        for (const wanted of this.wantedOf({ rig, program, vitals })) {
          const key = `${rig} ${wanted.role} ${wanted.mode}`
          // Once a session: an agent that refused it needs a person, or other statements. In every mode: a rig that
          // changes to and fro is not sent the same again.
          if (sent.get(key)?.version === wanted.version) continue
          const id = `baseline:${rig}:${wanted.role}:${wanted.version}`
          sent.set(key, { version: wanted.version, id, digest: wanted.digest, answered: false })
          this.send(send, { agent, id, rig, wanted }).catch((error: unknown) => {
            sent.delete(key)
            events.broken('baseline downlink', error)
          })
        }
      },
      answered: ({ id, rig, role, taken, reason }) => {
        const one = MODES.map((mode) => sent.get(`${rig} ${role} ${mode}`)).find((each) => each?.id === id)
        if (one === undefined || one.answered) return false
        one.answered = true
        events.baselineAnswered({ agent, rig, role, baseline: one.digest, taken, reason })
        return true
      },
    }
  }

  private async send(
    send: (downlink: BaselineDownlink) => void,
    { agent, id, rig, wanted }: { agent: string; id: string; rig: string; wanted: Wanted },
  ): Promise<void> {
    const { book, store, clock, events } = this.options
    const bundle = await book.bundle(wanted.digest)
    const number = await store.nextNumber(agent, clock.nowUs())
    send({ kind: 'baseline', agent, id, rig, role: wanted.role, number, bundle })
    events.baselineSent({ agent, rig, role: wanted.role, baseline: wanted.digest })
  }

  private wantedOf({ rig, program, vitals }: RigSaid): Wanted[] {
    const said = saidOf(vitals)
    if (said === null || this.options.book.damage !== null) return []
    const own = { program, rig, family: said.family, mode: said.mode }
    return BASELINE_ROLES.flatMap((role) => {
      const digest = this.wantedDigest(own, role, said[role])
      if (digest === null) return []
      return [{ digest, role, mode: said.mode, version: `${digest}:${this.lastWordOn(digest)}` }]
    })
  }

  private wantedDigest(own: BaselineSubject, role: BaselineRole, said: Said | null): string | null {
    const { book, clock } = this.options
    const { state } = book.log
    const current = currentFor(state, this.familiesOf(state), { of: own, role, nowUs: clock.nowUs() })
    // The same record with another standing: the rig has it without its statements, or with older ones.
    if (current !== null) return current.digest === said?.digest && said.kind === role ? null : current.digest
    if (said?.kind !== role) return null
    return newestOf(state.requests, said.digest)?.status === 'expired' ? said.digest : null
  }

  private familiesOf(state: BookState): FamilySlots {
    if (this.families?.of !== state) this.families = { of: state, slots: familySlots(state) }
    return this.families.slots
  }

  /** Number of the last statement about a baseline: what is sent is another thing after it. */
  private lastWordOn(digest: string): number {
    return this.options.book.log.entries.findLast(({ statement }) => statement?.digest === digest)?.statement?.seq ?? 0
  }
}

type Said = Readonly<{ digest: string; kind: string }>

/** What vitals say of baselines; null from an agent that does not say it, which could not take one either. */
function saidOf(
  vitals: RigSaid['vitals'],
): Readonly<{ mode: Mode; family: string } & Record<BaselineRole, Said | null>> | null {
  const baselines = vitals['baselines'] as Readonly<Record<string, unknown>> | null | undefined
  if (typeof baselines !== 'object' || baselines === null) return null
  const mode = MODES.find((one) => one === baselines['mode'])
  if (mode === undefined) return null
  const family = typeof baselines['family'] === 'string' ? baselines['family'] : ''
  return { mode, family, golden: oneOf(baselines['golden']), rolling: oneOf(baselines['rolling']) }
}

function oneOf(value: unknown): Said | null {
  const { digest, kind } = (value ?? {}) as { digest?: unknown; kind?: unknown }
  return typeof digest === 'string' && typeof kind === 'string' ? { digest, kind } : null
}

function newestOf(requests: ReadonlyMap<string, BaselineRequest>, digest: string): BaselineRequest | undefined {
  return [...requests.values()].filter((request) => request.digest === digest).at(-1)
}
