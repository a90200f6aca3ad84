import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { AgentAlarms, SAID_RIGS_MAX } from '../../../../collector/agent-alarms.ts'
import { AgentWatch } from '../../../../collector/agent-watch.ts'
import type { AlarmTarget } from '../../../../collector/alarm-notices.ts'
import { CollectorAlarms, type CollectorAlarmsOptions, LINES_WAITING_MAX } from '../../../../collector/alarms.ts'
import { ALARMS_SHOWN_MAX, alarmsJson } from '../../../../collector/http/alarm-views.ts'
import {
  ALARM_LINES_MAX,
  type AlarmLine,
  type AlarmStore,
  type AlarmWrite,
} from '../../../../collector/store/alarms.ts'
import { openStores } from '../../../../collector/store/open.ts'
import { NOBODY } from '../../../../shared/config/operators.ts'
import { createVirtualClock, systemClock } from '../../../../shared/lib/clock.ts'
import { FLEET_T0, LIMITS, SECOND_US } from '../../../support/alarm-fleet.ts'

type Memory = AlarmStore & { failing: string | null; readonly lines_: AlarmLine[] }

/** What would be on the disk. */
function memoryStore(): Memory {
  const sites = new Map<string, AlarmWrite['sites'][number]>()
  const alarms = new Map<string, AlarmWrite['alarms'][number]>()
  const told = new Map<string, AlarmWrite['told'][number]>()
  const said = new Map<string, AlarmWrite['said'][number]>()
  const clone = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T
  const store: Memory = {
    failing: null,
    lines_: [],
    load: async () =>
      clone({
        sites: [...sites.values()],
        alarms: [...alarms.values()],
        told: [...told.values()],
        said: [...said.values()],
      }),
    async write(change) {
      if (store.failing !== null) throw new Error(store.failing)
      for (const site of change.sites) sites.set(site.site, clone(site))
      for (const one of change.alarms) alarms.set(`${one.site} ${one.entry.id}`, clone(one))
      for (const { site, id } of change.gone) alarms.delete(`${site} ${id}`)
      for (const { site, id } of [...change.gone, ...change.over])
        for (const [key, of] of told) if (of.site === site && of.id === id) told.delete(key)
      for (const one of change.told) told.set(one.key, one)
      for (const one of change.said) said.set(`${one.agent} ${one.rig}`, clone(one))
      store.lines_.push(...change.lines)
    },
    lines: async () => store.lines_.toReversed(),
    async pulse() {
      if (store.failing !== null) throw new Error(store.failing)
    },
  }
  return store
}

type Change = Partial<Pick<CollectorAlarmsOptions, 'sites'>> & {
  store?: Memory
  clock?: ReturnType<typeof createVirtualClock>
}

/** Alarms over agents of whom nothing is ever heard, with one target. */
async function opened(
  agents: readonly string[],
  { store = memoryStore(), clock = createVirtualClock(FLEET_T0) }: Change = {},
) {
  const told: string[] = []
  const said: string[] = []
  const teller: AlarmTarget['teller'] = {
    async tell({ key }) {
      told.push(key)
      return { isTold: true, problems: '' }
    },
    probe: async () => true,
    close() {},
  }
  const alarms = await CollectorAlarms.open({
    ...{ deployment: 'd', boot: 'b', trust: NOBODY, limits: LIMITS, store, clock, changed() {} },
    sites: [{ site: '', agents }],
    routes: [{ severities: null, sites: null, kinds: null, steps: [{ afterUs: 0, to: ['ops'] }] }],
    targets: [{ target: 'ops', perMinuteMax: 1000, teller }],
    watch: new AgentWatch(clock, new Map(agents.map((agent) => [agent, null]))),
    events: {
      alarm: ({ kind, alarm }) => said.push(`${kind} ${alarm}`),
      alarmTarget() {},
      alarmsNotKept: ({ problem }) => said.push(`not kept ${problem}`),
      broken: (where, cause) => t.fail(`${where}: ${String(cause)}`),
    },
  })
  return { alarms, store, clock, told, said }
}

t.test('what was told is not told again by the next process, and what is no longer watched is withdrawn', async (t) => {
  const first = await opened(['a', 'b'])
  first.alarms.start()
  await first.clock.advance(40 * SECOND_US)
  t.same(first.told, ['alarm:/a:silent/1/0/ops', 'alarm:/b:silent/1/0/ops'])
  await first.alarms.stop()
  const second = await opened(['a'], first)
  second.alarms.start()
  await second.clock.advance(60 * SECOND_US)
  t.same(second.told, [])
  t.same(second.said, ['withdrawn b:silent'])
  t.match(first.store.lines_.at(-1), { kind: 'withdrawn', id: 'b:silent', text: 'no longer defined' })
  const third = await opened(['a', 'b'], first)
  third.alarms.start()
  await third.clock.advance(40 * SECOND_US)
  t.same(third.told, ['alarm:/b:silent/2/0/ops'], 'a number is not used twice')
  await second.alarms.stop()
  await third.alarms.stop()
})

t.test(
  'people are told although nothing can be written; when it can again all of it is, and no more than was kept',
  async (t) => {
    const { alarms, store, clock, told, said } = await opened(['a'])
    store.failing = 'no room'
    alarms.start()
    await clock.advance(40 * SECOND_US)
    t.same(told.toSorted(), ['alarm:/a:silent/1/0/ops', 'alarm:/store/1/0/ops'])
    t.equal(said.filter((line) => line === 'not kept no room').length, 1, 'it is said once')
    const { severity } = alarms.sites[0]!.state.defined.find(({ id }) => id === 'store')!
    t.equal(severity, 'CRITICAL')
    const [entry] = alarms.sites[0]!.state.defined
    for (let k = 0; k < LINES_WAITING_MAX; k += 1) {
      entry!.shelf = { by: 'ada', reason: 'r', untilUs: 0, oneShot: false, severity: 'CRITICAL' }
      await clock.advance(SECOND_US)
    }
    store.failing = null
    await clock.advance(15 * SECOND_US)
    await alarms.stop()
    const lost = store.lines_.filter(({ kind }) => kind === 'lost')
    t.match(lost, [{ text: /^\d+ lines before this one are lost/ }])
    t.ok(store.lines_.length <= LINES_WAITING_MAX + 10, `${store.lines_.length} lines`)
    const kept = (await store.load()).told.map(({ key }) => key)
    t.match(kept, { length: 2 }, 'of each alarm what was told of its newest announcement')
    t.equal(kept[0], 'alarm:/a:silent/1/0/ops')
  },
)

// verifies AL-11
t.test('what agents say of alarms of their rigs stands until they say something else', async (t) => {
  const { alarms, clock, store } = await opened(['a'])
  const vitals = { agent: 'a', rig: 'loop', program: 'demo' }
  const hot = {
    id: 'hot',
    title: 'it is hot',
    state: 'UNACK',
    severity: 'CRITICAL',
    occurrence: 2,
    text: '',
    raised_us: 5,
  }
  alarms.start()
  alarms.heard({ ...vitals, alarms: [hot, { ...hot, id: '' }, null, 'x', { id: 'odd', severity: 7, occurrence: 'x' }] })
  const said = [
    { id: 'hot', severity: 'CRITICAL', occurrence: 2, raisedUs: 5 },
    { id: 'odd', state: 'UNACK', severity: 'UNKNOWN', occurrence: 0, raisedUs: -1 },
  ]
  t.match(alarms.ofAgents.all(), [{ agent: 'a', rig: 'loop', saidUs: FLEET_T0, alarms: said }])
  await clock.advance(3600 * SECOND_US)
  alarms.heard({ ...vitals })
  alarms.heard({ ...vitals, alarms: null })
  await alarms.stop()
  const next = await opened(['a'], { store, clock })
  t.match(
    next.alarms.ofAgents.all(),
    [{ rig: 'loop', saidUs: FLEET_T0, alarms: said }],
    'over a restart and an hour of silence',
  )
  next.alarms.heard({ ...vitals, alarms: [] })
  t.match(next.alarms.ofAgents.all(), [{ alarms: [] }])
  const many = new AgentAlarms([])
  for (let k = 0; k <= SAID_RIGS_MAX; k += 1) many.heard({ ...vitals, rig: `rig-${k}`, alarms: [hot] }, k)
  t.equal(many.all().length, SAID_RIGS_MAX)
  t.equal(many.all()[0]?.rig, 'rig-1', 'the one that changed longest ago is forgotten')
})

t.test('an answer lists so many alarms of a site and counts the rest', async (t) => {
  const agents = Array.from({ length: ALARMS_SHOWN_MAX + 7 }, (_, k) => `agent-${k}`)
  const { alarms, clock } = await opened(agents)
  alarms.start()
  await clock.advance(40 * SECOND_US)
  const safety = { standing: async () => [], actions: async () => [] }
  const json = await alarmsJson({ alarms, heartbeat: null }, { safety }, clock.nowUs())
  const [site] = json['sites'] as { alarms: unknown[]; alarms_more: number }[]
  t.match(site, { alarms: { length: ALARMS_SHOWN_MAX }, alarms_more: 7 })
  t.match(json['counts'], { open: ALARMS_SHOWN_MAX + 7, critical: ALARMS_SHOWN_MAX + 7 })
  await alarms.stop()
})

t.test('the database keeps so many lines, and everything else by its name', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hb-alarms-'))
  const stores = await openStores(join(folder, 'data'), systemClock())
  t.teardown(async () => {
    await stores.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const line = (timeUs: number): AlarmLine => ({
    ...{ timeUs, site: 'north', id: 'silent', kind: 'raised', occurrence: 1, severity: 'CRITICAL', text: '' },
    statement: timeUs === 0 ? null : new Uint8Array([7]),
  })
  const { alarms } = await opened(['a'])
  const [, entry] = alarms.sites[0]!.state.defined
  const none = { sites: [], alarms: [], gone: [], over: [], lines: [], told: [], said: [] }
  const many = Array.from({ length: ALARM_LINES_MAX + 5 }, (_, k) => line(k))
  await stores.alarms.write({
    sites: [{ site: 'north', forgotten: 3, members: ['a'] }],
    alarms: [{ site: 'north', entry: entry!, ackedBy: 'ada' }],
    ...{ gone: [], over: [], lines: many, told: [], said: [] },
  })
  const notice = { key: 'k', site: 'north', id: entry!.id, timeUs: 1 }
  await stores.alarms.write({ ...none, told: [notice] })
  await stores.alarms.write({ ...none, told: [notice] })
  t.match(await stores.alarms.load(), {
    sites: [{ site: 'north', forgotten: 3, members: ['a'] }],
    alarms: [{ site: 'north', entry: JSON.parse(JSON.stringify(entry)), ackedBy: 'ada' }],
    told: [notice],
  })
  t.equal((await stores.alarms.lines(ALARM_LINES_MAX + 5)).length, ALARM_LINES_MAX)
  t.match(await stores.alarms.lines(1), [{ timeUs: ALARM_LINES_MAX + 4 }])
  await stores.alarms.write({ ...none, over: [{ site: 'north', id: entry!.id }] })
  t.same((await stores.alarms.load()).told, [])
  await stores.alarms.write({ ...none, gone: [{ site: 'north', id: entry!.id }] })
  t.same((await stores.alarms.load()).alarms, [])
  await stores.alarms.pulse(5)
  await stores.alarms.pulse(6)
})
