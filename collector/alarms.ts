import type { Trust } from '../shared/config/operators.ts'
import { HbError } from '../shared/errors/hb-error.ts'
import type { Clock } from '../shared/lib/clock.ts'
import type { AlarmChange } from '../shared/model/alarm.ts'
import { alarmInput } from '../shared/model/alarms/order.ts'
import { type AlarmEntry, definitionOf, entriesOf } from '../shared/model/alarms/state.ts'
import { COLLECTOR } from '../shared/model/order.ts'
import { alarmOrder } from '../shared/protocol/alarm-order.ts'
import type { OrderDesk } from '../shared/protocol/order-desk.ts'
import type { Micros } from '../shared/units.ts'
import { AgentAlarms } from './agent-alarms.ts'
import type { AgentWatch } from './agent-watch.ts'
import { AlarmNotices, type AlarmTarget } from './alarm-notices.ts'
import { alarmDesk, notFollowed, siteMeant } from './alarm-orders.ts'
import type { AgentFacts } from './core/alarms/facts.ts'
import { type DueNotice, dueNotices } from './core/alarms/notices.ts'
import type { AlarmLimits, AlarmRoute, Site } from './core/alarms/settings.ts'
import { createSite, restoreSite, type SiteAlarms, siteAt, siteInput } from './core/alarms/site.ts'
import type { CollectorEvents } from './events.ts'
import type { RigVitals } from './fleet.ts'
import type { AlarmLine, AlarmStore, StoredAlarm, StoredNotice, StoredSite } from './store/alarms.ts'

/** Lines of what happened that wait to be written; of more the oldest are lost, and a line says how many. */
export const LINES_WAITING_MAX = 4096
/** A write that takes longer does not keep notices back. */
const WRITE_US: Micros = 5_000_000
/** Without anything to write a write is tried all the same. */
const PULSE_US: Micros = 10_000_000

export type CollectorAlarmsOptions = Readonly<{
  deployment: string
  /** One start of this collector; orders name it. */
  boot: string
  trust: Trust
  sites: readonly Site[]
  limits: AlarmLimits
  routes: readonly AlarmRoute[]
  targets: readonly AlarmTarget[]
  watch: Pick<AgentWatch, 'facts'>
  store: AlarmStore
  clock: Clock
  events: Pick<CollectorEvents, 'alarm' | 'alarmTarget' | 'alarmsNotKept' | 'broken'>
  /** Something about alarms is other than before. */
  changed(): void
}>

/** An order about an alarm that was carried out, or that waits for a second person. */
export type AlarmOrdered = Readonly<{
  order: string
  state: 'done' | 'waits'
  kind: string
  site: string
  alarm: string
  by: readonly string[]
  untilUs: Micros | null
}>

/** The alarms of the collector: looked at in rounds, kept in the database, told to people. */
export class CollectorAlarms {
  readonly options: CollectorAlarmsOptions
  readonly sites: readonly SiteAlarms[]
  readonly notices: AlarmNotices
  /** Who acknowledged an alarm last, by site and id. */
  readonly ackedBy = new Map<string, string>()
  /** Alarms of rigs, as agents say them. */
  ofAgents = new AgentAlarms([])
  /** Facts of the newest round. */
  facts: ReadonlyMap<string, AgentFacts> = new Map()
  /** When the newest round was through, monotonic; −1 before the first. */
  roundUs: Micros = -1
  rounds = 0
  private readonly desk: OrderDesk
  private readonly told = new Set<string>()
  /** The same by alarm. */
  private readonly toldOf = new Map<string, readonly string[]>()
  private readonly entries = new Map<string, Readonly<{ alarms: SiteAlarms; entry: AlarmEntry }>>()
  private readonly dirty = new Set<string>()
  private readonly dirtySites = new Set<string>()
  private readonly over = new Map<string, Readonly<{ site: string; id: string }>>()
  private readonly gone: { site: string; id: string }[] = []
  /** Highest number of sites that are no more. */
  private readonly goneSites = new Map<string, number>()
  private toldUnwritten: StoredNotice[] = []
  private lines: AlarmLine[] = []
  private linesLost = 0
  private unheard = ''
  private storeFailed: string | null = null
  private writing: Promise<void> | null = null
  private writingKeys: ReadonlySet<string> = new Set()
  private writingSinceUs: Micros = 0
  private writtenUs: Micros = -1
  private nowUs: Micros = -1
  private monoUs: Micros = 0
  private cancel = (): void => undefined

  private constructor(options: CollectorAlarmsOptions) {
    this.options = options
    this.sites = options.sites.map((site) => createSite(site, options.limits))
    const { deployment, boot, trust } = options
    this.desk = alarmDesk({ deployment, agent: COLLECTOR, boot, trust }, this.sites)
    this.notices = new AlarmNotices({
      targets: options.targets,
      clock: options.clock,
      about: (due) => this.about(due),
      told: (due) => this.wasTold(due),
      changed: options.events.alarmTarget,
    })
  }

  /** Goes on from what was kept. @throws HbError DATABASE_… */
  static async open(options: CollectorAlarmsOptions): Promise<CollectorAlarms> {
    const alarms = new CollectorAlarms(options)
    const { sites, alarms: kept, told, said } = await options.store.load()
    alarms.ofAgents = new AgentAlarms(said)
    for (const one of told) alarms.noteTold(one)
    const known = new Set(options.sites.map(({ site }) => site))
    for (const site of alarms.sites) {
      const name = site.site.site
      const mine = kept.filter((one) => one.site === name)
      const { forgotten = 0, members = [] } = sites.find((one) => one.site === name) ?? {}
      const gone = restoreSite(site, { forgotten, members, entries: mine.map(({ entry }) => entry) })
      for (const { entry, ackedBy } of mine) if (ackedBy !== null) alarms.ackedBy.set(keyOf(name, entry.id), ackedBy)
      for (const entry of gone) alarms.withdraw(name, entry)
      for (const entry of entriesOf(site.state)) alarms.entries.set(keyOf(name, entry.id), { alarms: site, entry })
    }
    for (const { site, entry } of kept) if (!known.has(site)) alarms.withdraw(site, entry)
    return alarms
  }

  start(): void {
    this.cancel = this.options.clock.every(this.options.limits.checkUs / 1000, () => this.round())
    this.round()
  }

  async stop(): Promise<void> {
    this.cancel()
    this.notices.close()
    await this.written()
  }

  /** Why nothing can be written; null: not known yet, '' it can. */
  get storeProblem(): string | null {
    const isStuck = this.writing !== null && this.options.clock.monotonicUs() - this.writingSinceUs > WRITE_US
    return isStuck ? 'a write does not come to its end' : this.storeFailed
  }

  /** Time for alarms: goes with the wall clock forward, never back, and never stands still. */
  timeUs(): Micros {
    const { clock } = this.options
    const monoUs = clock.monotonicUs()
    const steadyUs = this.nowUs < 0 ? -1 : this.nowUs + (monoUs - this.monoUs)
    this.nowUs = Math.max(clock.nowUs(), steadyUs)
    this.monoUs = monoUs
    return this.nowUs
  }

  /** Orders that wait for a second person. */
  pending() {
    return this.desk.pending(this.options.clock.nowUs())
  }

  /**
   * Takes a signed order about an alarm. When it settles it is done and kept.
   *
   * @throws HbError ORDER_REFUSED, ORDERS_WAITING, ORDER_NOT_FOLLOWED, DATABASE_… and what is wrong with its bytes
   */
  async order(bytes: Uint8Array): Promise<AlarmOrdered> {
    const taken = this.desk.take(bytes, this.options.clock.nowUs())
    const { id: order, kind, rig: site, subject: alarm } = taken.order
    const at = siteMeant(this.sites, taken.order)
    const bare = { order, kind, site, alarm }
    if (taken.state === 'waits') return { ...bare, state: 'waits', by: [taken.by], untilUs: taken.untilUs }
    const changes = siteInput(at, alarmInput(alarmOrder(taken.order, taken.by), this.timeUs()))
    this.take(at, changes, taken.statements.at(-1) ?? null)
    const refused = changes.flatMap((change) => change.refused ?? [])
    if (refused.length > 0) throw notFollowed(taken.order, refused.join(', '))
    await this.written()
    this.options.changed()
    return { ...bare, state: 'done', by: taken.by, untilUs: null }
  }

  /** An agent said how one of its rigs is. */
  heard(vitals: RigVitals): void {
    if (this.ofAgents.heard(vitals, this.options.clock.nowUs())) this.options.changed()
  }

  /** One look at everything. Never throws: a mistake of ours must not end the looking. */
  private round(): void {
    try {
      const { limits, watch, clock } = this.options
      this.facts = watch.facts(limits.silentUs)
      const own = { storeFailed: this.storeProblem }
      const look = { nowUs: this.timeUs(), monoUs: clock.monotonicUs(), own, agents: this.facts }
      let changes = Number(this.noteUnheard())
      for (const site of this.sites) {
        const before = site.group.members.join()
        const said = siteAt(site, look)
        this.take(site, said, null)
        changes += said.length
        if (site.group.members.join() === before) continue
        this.dirtySites.add(site.site.site)
        changes += 1
      }
      this.rounds += 1
      this.roundUs = clock.monotonicUs()
      if (changes > 0) this.options.changed()
      this.tell()
      this.writeSoon()
    } catch (error) {
      this.options.events.broken('alarms', error)
    }
  }

  /** Whether other agents are heard than at the round before: who is on their own is other than before. */
  private noteUnheard(): boolean {
    const { silentUs } = this.options.limits
    const unheard = [...this.facts.values()].filter((one) => !(one.connected && one.heard && one.quietUs < silentUs))
    const before = this.unheard
    this.unheard = unheard.map(({ agent }) => agent).join()
    return this.unheard !== before
  }

  /** Notes what changed: to be written, said in the log, and who did it. */
  private take(alarms: SiteAlarms, changes: readonly AlarmChange[], statement: Uint8Array | null): void {
    const { site } = alarms.site
    for (const { kind, id, occurrence, severity, text, nowUs, announce, to } of changes) {
      const key = keyOf(site, id)
      if (id !== '' && kind !== 'refused') this.dirty.add(key)
      if (kind === 'acked') this.ackedBy.set(key, text.replace(/^by /, ''))
      if (announce) {
        this.ackedBy.delete(key)
        this.forgetTold(key)
      }
      // What was told of it before will not be asked for again.
      if (announce || kind === 'acked' || to === 'NORMAL') this.over.set(key, { site, id })
      this.options.events.alarm({ kind, site, alarm: id, occurrence, severity, to, announce, text })
      this.line({ timeUs: nowUs, site, id, kind, occurrence, severity, text, statement })
    }
  }

  private line(line: AlarmLine): void {
    this.lines.push(line)
    if (this.lines.length <= LINES_WAITING_MAX) return
    this.lines.shift()
    this.linesLost += 1
  }

  private withdraw(site: string, entry: AlarmEntry): void {
    const { id, occurrence, severity } = entry
    this.gone.push({ site, id })
    this.goneSites.set(site, Math.max(this.goneSites.get(site) ?? 0, occurrence))
    this.dirtySites.add(site)
    const text = 'no longer defined'
    const bare = { kind: 'withdrawn', site, occurrence, severity, text } as const
    this.options.events.alarm({ ...bare, alarm: id, to: 'NORMAL', announce: severity !== null })
    this.line({ ...bare, id, timeUs: this.timeUs(), statement: null })
  }

  /** Settles when everything that is to be kept now is. @throws what the database threw */
  private async written(): Promise<void> {
    await this.writing
    this.writeSoon()
    await this.writing
    if (this.storeFailed !== '' && this.storeFailed !== null)
      throw new HbError('DATABASE_FAILED', { detail: this.storeFailed })
  }

  private writeSoon(): void {
    if (this.writing !== null) return
    const { clock } = this.options
    const monoUs = clock.monotonicUs()
    const { dirty, dirtySites, gone, lines, over, toldUnwritten } = this
    const waiting = dirty.size + dirtySites.size + gone.length + lines.length + over.size + toldUnwritten.length
    const isIdle = waiting === 0 && this.ofAgents.isWritten
    if (isIdle && this.writtenUs >= 0 && monoUs - this.writtenUs < PULSE_US) return
    this.writingSinceUs = monoUs
    this.writing = (isIdle ? this.options.store.pulse(clock.nowUs()) : this.write())
      .then(
        () => this.outcome(''),
        (error: unknown) => this.outcome((error as Error).message),
      )
      .finally(() => {
        this.writtenUs = clock.monotonicUs()
        this.writing = null
        this.writingKeys = new Set()
        this.tell()
      })
  }

  private outcome(problem: string): void {
    if (problem !== '' && this.storeFailed !== problem) this.options.events.alarmsNotKept({ problem })
    this.storeFailed = problem
  }

  private async write(): Promise<void> {
    const keys = [...this.dirty]
    this.writingKeys = new Set(keys)
    const sites = [...this.dirtySites]
    const { lines, linesLost, toldUnwritten: told } = this
    const gone = this.gone.splice(0)
    const over = [...this.over]
    const said = this.ofAgents.changes()
    this.dirty.clear()
    this.dirtySites.clear()
    this.over.clear()
    this.toldUnwritten = []
    this.lines = []
    this.linesLost = 0
    try {
      await this.options.store.write({
        sites: sites.map((site) => this.storedSite(site)),
        told,
        said,
        alarms: keys.flatMap((key) => this.storedAlarm(key)),
        gone,
        over: over.map(([, one]) => one),
        lines: linesLost === 0 ? lines : [...lines, lostLine(linesLost, this.timeUs())],
      })
    } catch (error) {
      // All of it is still to be written; what came meanwhile is newer.
      for (const key of keys) this.dirty.add(key)
      for (const site of sites) this.dirtySites.add(site)
      for (const [key, one] of over) if (!this.over.has(key)) this.over.set(key, one)
      this.gone.unshift(...gone)
      this.toldUnwritten.unshift(...told.filter(({ key }) => this.told.has(key)))
      this.linesLost += linesLost
      this.ofAgents.again(said)
      const later = this.lines
      this.lines = []
      for (const line of [...lines, ...later]) this.line(line)
      throw error
    }
  }

  private storedSite(name: string): StoredSite {
    const found = this.sites.find(({ site }) => site.site === name)
    if (found === undefined) return { site: name, forgotten: this.goneSites.get(name) ?? 0, members: [] }
    return { site: name, forgotten: found.state.forgotten, members: found.group.members }
  }

  private storedAlarm(key: string): StoredAlarm[] {
    const found = this.entries.get(key)
    if (found === undefined) return []
    return [{ site: found.alarms.site.site, entry: found.entry, ackedBy: this.ackedBy.get(key) ?? null }]
  }

  private forgetTold(alarm: string): void {
    for (const key of this.toldOf.get(alarm) ?? []) this.told.delete(key)
    this.toldOf.delete(alarm)
    this.toldUnwritten = this.toldUnwritten.filter(({ site, id }) => keyOf(site, id) !== alarm)
  }

  private noteTold({ key, site, id }: Pick<StoredNotice, 'key' | 'site' | 'id'>): void {
    const alarm = keyOf(site, id)
    this.told.add(key)
    this.toldOf.set(alarm, [...(this.toldOf.get(alarm) ?? []), key])
  }

  /** Hands over what is due. What is not written yet waits for that, unless nothing can be written: people come first then. */
  private tell(): void {
    const sources = this.sites.map(({ site, state }) => ({ site: site.site, entries: entriesOf(state) }))
    const due = dueNotices(sources, this.options.routes, this.told, this.timeUs())
    const mayNotWait = this.storeProblem !== null && this.storeProblem !== ''
    const isWritten = (key: string): boolean => !this.dirty.has(key) && !this.writingKeys.has(key)
    this.notices.offer(due.filter(({ site, id }) => mayNotWait || isWritten(keyOf(site, id))))
  }

  private about(due: DueNotice) {
    const found = this.entries.get(keyOf(due.site, due.id))
    if (found === undefined || found.entry.occurrence !== due.occurrence || found.entry.acked) return null
    const { alarms, entry } = found
    return { entry, definition: definitionOf(alarms.state, alarms.definitions, entry) }
  }

  /** If this process ends before that is written, the next one tells it again, under the same key. */
  private wasTold({ key, site, id }: DueNotice): void {
    this.noteTold({ key, site, id })
    this.toldUnwritten.push({ key, site, id, timeUs: this.options.clock.nowUs() })
    this.writeSoon()
    this.options.changed()
  }
}

function keyOf(site: string, id: string): string {
  return `${site}\n${id}`
}

function lostLine(lost: number, timeUs: Micros): AlarmLine {
  const text = `${lost} lines before this one are lost: nothing could be written`
  return { timeUs, site: '', id: '', kind: 'lost', occurrence: 0, severity: null, text, statement: null }
}
