import { ALARM_TEXT_MAX } from '../shared/model/alarm.ts'
import { VITAL_ALARMS_MAX } from '../shared/protocol/messages.ts'
import type { Micros } from '../shared/units.ts'
import type { RigVitals } from './fleet.ts'

/** An alarm of a rig, as its agent last said it: unsigned. */
export type SaidAlarm = Readonly<{
  id: string
  title: string
  state: string
  severity: string
  occurrence: number
  text: string
  raisedUs: Micros
}>
/** What an agent last said of the alarms of one rig, and when it began to say so. */
export type SaidAlarms = Readonly<{
  agent: string
  rig: string
  program: string
  saidUs: Micros
  alarms: readonly SaidAlarm[]
}>

/** Rigs of which alarms are remembered; of more, the one that changed longest ago is forgotten. */
export const SAID_RIGS_MAX = 2_000

/**
 * The alarms of rigs, as agents say them with their vitals. They are remembered, over restarts too, until the agent says
 * something else: when it falls silent nothing of it is over (AL-11).
 */
export class AgentAlarms {
  private readonly rigs = new Map<string, SaidAlarms>()
  private readonly bytes = new Map<string, string>()
  private readonly unwritten = new Map<string, SaidAlarms>()

  constructor(kept: readonly SaidAlarms[]) {
    for (const one of kept) this.note(one)
    this.unwritten.clear()
  }

  /** @returns whether anything is other than before */
  heard(vitals: RigVitals, nowUs: Micros): boolean {
    const said = vitals['alarms']
    // Null is of a rig without alarms; an agent that says nothing of them knows none of this.
    if (!Array.isArray(said)) return false
    const { agent, rig, program } = vitals
    return this.note({ agent, rig, program, saidUs: nowUs, alarms: said.slice(0, VITAL_ALARMS_MAX).flatMap(alarmOf) })
  }

  all(): readonly SaidAlarms[] {
    return [...this.rigs.values()]
  }

  /** What is to be written; it is taken as written until {@link again}. */
  changes(): readonly SaidAlarms[] {
    const changes = [...this.unwritten.values()]
    this.unwritten.clear()
    return changes
  }

  /** It was not written after all; what is newer stays. */
  again(changes: readonly SaidAlarms[]): void {
    for (const one of changes) {
      const key = keyOf(one)
      if (!this.unwritten.has(key)) this.unwritten.set(key, one)
    }
  }

  get isWritten(): boolean {
    return this.unwritten.size === 0
  }

  private note(said: SaidAlarms): boolean {
    const key = keyOf(said)
    const bytes = JSON.stringify(said.alarms)
    if (this.bytes.get(key) === bytes) return false
    this.bytes.set(key, bytes)
    this.rigs.delete(key)
    this.rigs.set(key, said)
    this.unwritten.set(key, said)
    const oldest = this.rigs.keys().next()
    if (this.rigs.size > SAID_RIGS_MAX && oldest.done !== true) {
      this.rigs.delete(oldest.value)
      this.bytes.delete(oldest.value)
    }
    return true
  }
}

function keyOf({ agent, rig }: Pick<SaidAlarms, 'agent' | 'rig'>): string {
  return `${agent}/${rig}`
}

/** One that has no name is none; a severity that is no word is one that nobody knows. */
function alarmOf(value: unknown): SaidAlarm[] {
  if (typeof value !== 'object' || value === null) return []
  const fields = value as Readonly<Record<string, unknown>>
  const text = (name: string): string =>
    typeof fields[name] === 'string' ? (fields[name] as string).slice(0, ALARM_TEXT_MAX) : ''
  const whole = (name: string): number => (Number.isSafeInteger(fields[name]) ? (fields[name] as number) : -1)
  if (text('id') === '') return []
  return [
    {
      ...{
        id: text('id'),
        title: text('title'),
        state: text('state') || 'UNACK',
        severity: text('severity') || 'UNKNOWN',
      },
      ...{ occurrence: Math.max(0, whole('occurrence')), text: text('text'), raisedUs: whole('raised_us') },
    },
  ]
}
