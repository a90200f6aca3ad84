import t from 'tap'
import { AlarmNotices, type AlarmTarget } from '../../../../collector/alarm-notices.ts'
import { type DueNotice, dueNotices, routeOf } from '../../../../collector/core/alarms/notices.ts'
import type { AlarmRoute } from '../../../../collector/core/alarms/settings.ts'
import { createVirtualClock } from '../../../../shared/lib/clock.ts'
import type { AlarmSeverity } from '../../../../shared/model/alarm.ts'
import { entriesOf } from '../../../../shared/model/alarms/state.ts'
import type { Notice } from '../../../../shared/notify/notice.ts'
import { AlarmFleet, FLEET_T0, SECOND_US } from '../../../support/alarm-fleet.ts'

const route = (change: Partial<AlarmRoute>): AlarmRoute => ({
  ...{ severities: null, sites: null, kinds: null },
  steps: [
    { afterUs: 0, to: ['ops'] },
    { afterUs: 600 * SECOND_US, to: ['boss', 'ops'] },
  ],
  ...change,
})
const NIGHT = route({ sites: ['north'], severities: ['CRITICAL'] })
const CLOCKS = route({ kinds: ['clock'] })
const REST = route({})

t.test('the first route that fits counts', async (t) => {
  const routes = [NIGHT, CLOCKS, REST]
  const found = (severity: AlarmSeverity, site: string, kind: 'clock' | 'silent' | null) =>
    routeOf(routes, { severity, site, kind })
  t.equal(found('CRITICAL', 'north', 'clock'), NIGHT)
  t.equal(found('WARNING', 'north', 'clock'), CLOCKS)
  t.equal(found('UNKNOWN', '', 'silent'), REST)
  t.equal(found('CRITICAL', 'south', null), REST, 'a kind that nobody knows fits no list')
  t.equal(routeOf([NIGHT], { severity: 'CRITICAL', site: '', kind: 'silent' }), null)
})

/** What is due of a fleet, as `SECONDS ID STEP TARGET`. */
function dueOf(fleet: AlarmFleet, told: ReadonlySet<string> = new Set(), routes = [REST]): string[] {
  const sources = [{ site: 'x', entries: entriesOf(fleet.alarms.state) }]
  return dueNotices(sources, routes, told, FLEET_T0 + fleet.s * SECOND_US).map(
    ({ id, step, target, occurrence }) => `${id} #${occurrence} ${step} ${target}`,
  )
}

t.test(
  'what is due follows from the alarms: the gravest first, the next step when nobody has acknowledged',
  async (t) => {
    const fleet = new AlarmFleet('', ['a', 'b'])
    fleet.set(['a'], { reported: { batches: 0, ageUs: 0, skewUs: 2_000_000 } })
    fleet.run(1)
    fleet.cut('b')
    fleet.run(1)
    t.same(dueOf(fleet), ['b:silent #1 0 ops', 'a:clock #1 0 ops'])
    t.same(dueOf(fleet, new Set(['alarm:x/b:silent/1/0/ops'])), ['a:clock #1 0 ops'])
    t.same(dueOf(fleet, new Set(), [route({ severities: ['WARNING'] })]), ['a:clock #1 0 ops'])
    fleet.heal('a')
    fleet.run(600)
    const escalated = ['b:silent #1 0 ops', 'b:silent #1 1 boss', 'b:silent #1 1 ops', 'a:clock #1 0 ops']
    t.same(dueOf(fleet), escalated, 'what is over by itself is told, but not to the next')
    fleet.input({ kind: 'ack', id: 'b:silent', occurrence: 1, severity: 'CRITICAL' })
    t.same(dueOf(fleet), ['a:clock #1 0 ops'])
    fleet.input({ kind: 'shelve', id: 'a:clock', occurrence: 1, severity: 'WARNING' })
    t.same(dueOf(fleet), [])
  },
)

function due(n: number, severity: AlarmSeverity = 'CRITICAL'): DueNotice {
  const place = { site: '', id: `a${n}:silent`, occurrence: 1, step: 0, target: 'ops' }
  return { ...place, key: `key-${n}`, severity, dueUs: FLEET_T0 }
}

/** A target whose ways are a function. */
function desk(perMinuteMax: number, tell: (notice: Notice) => boolean) {
  const clock = createVirtualClock(FLEET_T0)
  const said: string[] = []
  const told = new Set<string>()
  const changed: string[] = []
  const teller: AlarmTarget['teller'] = {
    async tell(notice) {
      said.push(notice.key)
      return tell(notice) ? { isTold: true, problems: '' } : { isTold: false, problems: 'no answer' }
    },
    probe: async () => true,
    close() {},
  }
  const [entry] = entriesOf(new AlarmFleet('', ['a']).alarms.state)
  const notices = new AlarmNotices({
    ...{ targets: [{ target: 'ops', perMinuteMax, teller }], clock },
    about: () => ({ entry: entry!, definition: null }),
    told: ({ key }) => void told.add(key),
    changed: ({ failing }) => changed.push(failing ? 'fails' : 'well'),
  })
  const offer = async (all: readonly DueNotice[], us = 0): Promise<void> => {
    await clock.advance(us)
    notices.offer(all.filter(({ key }) => !told.has(key)))
    await clock.advance(0)
  }
  return { notices, said, told, changed, offer }
}

t.test('so many a minute go out; the rest waits and none is lost', async (t) => {
  const { said, offer, notices } = desk(3, () => true)
  const all = Array.from({ length: 8 }, (_, k) => due(k))
  await offer(all)
  t.same(said, ['key-0', 'key-1', 'key-2'])
  t.match(notices.targets, [{ waiting: 5, told: 3 }])
  await offer(all, 59 * SECOND_US)
  t.equal(said.length, 3)
  for (let k = 0; k < 3; k += 1) await offer(all, 61 * SECOND_US)
  t.same(
    said,
    all.map(({ key }) => key),
  )
})

t.test('what nobody took is tried again ever later, and others are not held up by it', async (t) => {
  const { said, offer, changed, notices } = desk(1000, ({ key }) => key !== 'key-0')
  const all = [due(0), due(1)]
  await offer(all)
  await offer(all)
  t.same(said, ['key-0', 'key-1'])
  t.same(changed, ['fails', 'well'])
  for (let s = 0; s < 3600; s += 1) await offer([due(0)], SECOND_US)
  const tries = said.filter((key) => key === 'key-0').length
  t.ok(tries >= 15 && tries <= 22, `${tries} tries in an hour: soon at first, then every five minutes`)
  t.match(notices.targets, [{ failing: 'no answer' }])
})
