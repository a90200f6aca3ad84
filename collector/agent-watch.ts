import type { Clock } from '../shared/lib/clock.ts'
import type { Micros } from '../shared/units.ts'
import type { AgentFacts, Reported, RigFacts } from './core/alarms/facts.ts'
import type { AgentLink, Fleet, RigVitals } from './fleet.ts'

/** What an agent says of its clock and its outbox counts for so long; it says it twice a second. */
const REPORTED_US: Micros = 10_000_000
/** Verdicts of channels that have a value, or are about to. Any other word is of a value that cannot be used. */
const USABLE: readonly unknown[] = ['PASS', 'DRIFT', 'FAIL', 'NO_BASELINE', 'INSUFFICIENT']

type Heard = { atUs: Micros; reported: Reported | null; data: RigFacts['data']; decay: number | null }
type Known = {
  /** Since when it is awaited, or the newest batch of it was verified. */
  quietSinceUs: Micros
  heard: boolean
  lastUs: Micros | null
  link: Readonly<{ sinceUs: Micros; rigs: readonly string[] }> | null
  certificateUntilUs: Micros | null
  rigs: Map<string, Heard>
}

/** What the collector sees of its agents, for its alarms: batches that were verified, sessions, and what they say of themselves. */
export class AgentWatch {
  private readonly clock: Pick<Clock, 'nowUs' | 'monotonicUs'>
  private readonly agents = new Map<string, Known>()

  /** @param lastUs when the newest batch of each enrolled agent was received; null: never. */
  constructor(clock: Pick<Clock, 'nowUs' | 'monotonicUs'>, lastUs: ReadonlyMap<string, Micros | null>) {
    this.clock = clock
    for (const [agent, us] of lastUs)
      this.agents.set(agent, {
        ...{ quietSinceUs: clock.monotonicUs(), heard: false, lastUs: us, link: null, certificateUntilUs: null },
        rigs: new Map(),
      })
  }

  /** A batch was verified and is durable. */
  stored(agent: string, recvUs: Micros): void {
    const known = this.agents.get(agent)
    if (known === undefined) return
    Object.assign(known, { heard: true, lastUs: recvUs, quietSinceUs: this.clock.monotonicUs() })
  }

  /** The same fleet, with what comes to it noted. */
  over(fleet: Fleet, said: (vitals: RigVitals) => void = () => {}): Fleet {
    return {
      ...fleet,
      connected: (agent, link) => {
        fleet.connected(agent, link)
        this.connected(agent, link)
      },
      left: (agent, session) => {
        const isLast = fleet.left(agent, session)
        const known = this.agents.get(agent)
        if (isLast && known !== undefined) known.link = null
        return isLast
      },
      heard: (vitals) => {
        fleet.heard(vitals)
        this.said(vitals)
        said(vitals)
      },
    }
  }

  facts(silentUs: Micros): Map<string, AgentFacts> {
    const nowUs = this.clock.monotonicUs()
    return new Map([...this.agents].map(([agent, known]) => [agent, factsOf(agent, known, { nowUs, silentUs })]))
  }

  private connected(agent: string, { rigs, certificateUntilUs }: AgentLink): void {
    const known = this.agents.get(agent)
    if (known === undefined) return
    known.link = { sinceUs: this.clock.monotonicUs(), rigs }
    known.certificateUntilUs = certificateUntilUs ?? known.certificateUntilUs
    for (const rig of known.rigs.keys()) if (!rigs.includes(rig)) known.rigs.delete(rig)
  }

  private said(vitals: RigVitals): void {
    this.agents.get(vitals.agent)?.rigs.set(vitals.rig, heardIn(vitals, this.clock))
  }
}

function factsOf(agent: string, known: Known, { nowUs, silentUs }: { nowUs: Micros; silentUs: Micros }): AgentFacts {
  const { quietSinceUs, heard, lastUs, link, certificateUntilUs, rigs } = known
  const newest = [...rigs.values()].reduce<Heard | null>((a, b) => (a === null || b.atUs > a.atUs ? b : a), null)
  const isRecent = link !== null && newest !== null && nowUs - newest.atUs < REPORTED_US
  return {
    ...{ agent, heard, quietUs: nowUs - quietSinceUs, connected: link !== null, lastUs, certificateUntilUs },
    reported: isRecent ? newest.reported : null,
    rigs: link === null ? [] : link.rigs.flatMap((rig) => rigFacts(rig, rigs.get(rig), { link, nowUs, silentUs })),
  }
}

type Now = Readonly<{ link: NonNullable<Known['link']>; nowUs: Micros; silentUs: Micros }>

/** A rig of which nothing was said since its agent connected is awaited for a while before that is a loss. */
function rigFacts(rig: string, heard: Heard | undefined, { link, nowUs, silentUs }: Now): RigFacts[] {
  if (heard !== undefined && nowUs - heard.atUs < silentUs) return [{ rig, data: heard.data, decay: heard.decay }]
  return nowUs - link.sinceUs < silentUs ? [] : [{ rig, data: null, decay: null }]
}

/** Vitals are what their sender makes them: whatever has another form is not known. */
function heardIn(vitals: RigVitals, clock: Pick<Clock, 'nowUs' | 'monotonicUs'>): Heard {
  const channels = vitals['channels']
  const outbox = fieldsOf(vitals['outbox'])
  const [wallUs, batches] = [vitals['wall_us'], outbox['batches']].map(numberOf)
  const oldestUs = outbox['oldest_us'] === null ? wallUs : numberOf(outbox['oldest_us'])
  const isWhole = wallUs != null && batches != null && oldestUs != null
  return {
    atUs: clock.monotonicUs(),
    reported: isWhole ? { batches, ageUs: Math.max(0, wallUs - oldestUs), skewUs: wallUs - clock.nowUs() } : null,
    data: Array.isArray(channels)
      ? { channels: channels.length, lost: channels.filter((one) => !USABLE.includes(fieldsOf(one)['verdict'])).length }
      : null,
    decay: numberOf(fieldsOf(fieldsOf(vitals['baselines'])['golden'])['decay']),
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function numberOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}
