import t from 'tap'
import type { AgentFacts } from '../../../../collector/core/alarms/facts.ts'
import { utcText } from '../../../../shared/model/calendar-date.ts'
import { AlarmFleet, FLEET_T0, SECOND_US, toldOf, WELL } from '../../../support/alarm-fleet.ts'

const DAY_US = 86_400 * SECOND_US
const rig = (change: Partial<typeof WELL>): AgentFacts['rigs'] => [WELL, { ...WELL, rig: 'rack', ...change }]
const reported = (change: object) => ({ reported: { batches: 0, ageUs: 0, skewUs: 0, ...change } })
const CERTIFICATE = (days: number) => ({ certificateUntilUs: FLEET_T0 + days * DAY_US })

/** What is so of an agent, and what people are told of it. */
const TABLE: readonly (readonly [string, Partial<AgentFacts>, readonly string[], RegExp | null])[] = [
  ['nothing is wrong', {}, [], null],
  ['no batch for 29.9 s', { quietUs: 29_900_000 }, [], null],
  ['no batch for 30 s', { quietUs: 30_000_000 }, ['raised a:silent #1 CRITICAL'], /connected all the same/],
  ['a time that is not a number', { quietUs: Number.NaN }, ['raised a:silent #1 CRITICAL'], /last batch 2023/],
  [
    'never a batch',
    { quietUs: 31_000_000, heard: false, lastUs: null },
    ['raised a:silent #1 CRITICAL'],
    /never a batch/,
  ],
  ['not awaited for long enough', { quietUs: 29_000_000, heard: false }, [], null],
  ['599 batches', reported({ batches: 599 }), [], null],
  ['600 batches', reported({ batches: 600 }), ['raised a:backlog #1 WARNING'], /600 batches/],
  ['ten minutes behind', reported({ ageUs: 600 * SECOND_US }), ['raised a:backlog #1 WARNING'], /600 s old/],
  ['a day behind', reported({ ageUs: DAY_US }), ['raised a:backlog #1 CRITICAL'], null],
  ['a count that is not a number', reported({ batches: Number.NaN }), ['raised a:backlog #1 WARNING'], null],
  ['a clock 0.9 s ahead', reported({ skewUs: 900_000 }), [], null],
  ['a clock 1 s ahead', reported({ skewUs: 1_000_000 }), ['raised a:clock #1 WARNING'], /1\.0 s ahead of/],
  ['a clock 60 s behind', reported({ skewUs: -60_000_000 }), ['raised a:clock #1 CRITICAL'], /60 s behind/],
  ['31 days left', CERTIFICATE(31), [], null],
  ['30 days left', CERTIFICATE(30), ['raised a:certificate #1 WARNING'], /in 29 days/],
  ['7 days left', CERTIFICATE(7), ['raised a:certificate #1 CRITICAL'], null],
  ['a certificate that is over', CERTIFICATE(-1), ['raised a:certificate #1 CRITICAL'], /over since/],
  ['a certificate nobody saw', { certificateUntilUs: null }, [], null],
  ['a baseline of which 51 % is left', { rigs: rig({ decay: 0.51 }) }, [], null],
  ['a baseline of which half is left', { rigs: rig({ decay: 0.5 }) }, ['raised a:baseline #1 WARNING'], /rack: 50 %/],
  ['a baseline that is over', { rigs: rig({ decay: 0 }) }, ['raised a:baseline #1 CRITICAL'], null],
  ['no baseline', { rigs: rig({ decay: null }) }, [], null],
  ['one of four channels lost', { rigs: rig({ data: { channels: 4, lost: 1 } }) }, [], null],
  [
    'half of them lost',
    { rigs: rig({ data: { channels: 4, lost: 2 } }) },
    ['raised a:quorum #1 CRITICAL'],
    /rack: 2 of 4/,
  ],
  [
    'a rig that says it has no channels',
    { rigs: rig({ data: { channels: 0, lost: 0 } }) },
    ['raised a:quorum #1 CRITICAL'],
    /0 of 0/,
  ],
  [
    'a rig that says nothing',
    { rigs: rig({ data: null, decay: null }) },
    ['raised a:quorum #1 CRITICAL'],
    /nothing is said/,
  ],
]

t.test('times in texts are those of the calendar', async (t) => {
  for (let day = -800_000; day < 800_000; day += 997) {
    const us = day * DAY_US + 86_399 * SECOND_US
    const year = new Date(us / 1000).getUTCFullYear()
    if (year < 0 || year > 9999) continue
    const expected = `${new Date(us / 1000).toISOString().slice(0, 19)}Z`
    if (utcText(us) !== expected) t.equal(utcText(us), expected)
  }
  t.equal(utcText(1_709_209_845_999_999), '2024-02-29T12:30:45Z')
})

t.test('what is wrong with an agent is an alarm, and what is not known is none', async (t) => {
  for (const [what, facts, told, text] of TABLE) {
    const fleet = new AlarmFleet('', ['a'])
    fleet.set(['a'], facts)
    t.same(toldOf(fleet.run(3)), told, what)
    if (text !== null) t.match(fleet.alarms.state.defined.find(({ level }) => level !== null)?.text, text, what)
  }
})

// verifies SE-36, AL-11
t.test('silence, a lost session and a restart clear no alarm', async (t) => {
  const fleet = new AlarmFleet('', ['a'])
  fleet.set(['a'], {
    ...reported({ batches: 700, skewUs: 2_000_000 }),
    ...CERTIFICATE(3),
    rigs: rig({ data: { channels: 2, lost: 2 } }),
  })
  fleet.run(2)
  const raised = ['a:quorum UNACK', 'a:backlog UNACK', 'a:clock UNACK', 'a:certificate UNACK']
  t.same(fleet.open(), raised)
  fleet.cut('a')
  fleet.run(3600)
  t.same(fleet.open(), ['a:silent UNACK', ...raised])
  fleet.restart()
  t.same(toldOf(fleet.run(3600)), [], 'and nobody is told a second time')
  t.same(fleet.open(), ['a:silent UNACK', ...raised])
  fleet.heal('a')
  t.same(
    fleet.run(2).map(({ kind }) => kind),
    [],
    'it is over only when it was known to be for long enough',
  )
  t.equal(fleet.run(3).filter(({ kind }) => kind === 'returned').length, 5)
  t.equal(fleet.entry('a:silent').acked, false)
})

// verifies AL-5, AL-6
t.test('an acknowledgement names what was seen; a shelf has an end, and what is worse breaks it', async (t) => {
  const fleet = new AlarmFleet('', ['a'])
  fleet.set(['a'], reported({ ageUs: 700 * SECOND_US }))
  fleet.run(1)
  const seen = { id: 'a:backlog', occurrence: 1, severity: 'WARNING' }
  t.match(fleet.input({ ...seen, kind: 'ack', severity: 'CRITICAL' }), [{ refused: 'severity_moved_on' }])
  t.match(fleet.input({ ...seen, kind: 'ack', occurrence: 2 }), [{ refused: 'occurrence_moved_on' }])
  t.match(fleet.input({ ...seen, kind: 'ack' }), [{ kind: 'acked', text: 'by ada' }])
  t.match(fleet.input({ ...seen, kind: 'shelve', forUs: 9 * 3600 * SECOND_US }), [{ refused: 'shelf_too_long' }])
  t.match(fleet.input({ ...seen, kind: 'shelve', reason: ' ' }), [{ refused: 'reason_missing' }])
  t.match(fleet.input({ ...seen, kind: 'shelve', forUs: 60 * SECOND_US }), [{ kind: 'shelved' }])
  fleet.set(['a'], reported({ ageUs: DAY_US }))
  t.same(toldOf(fleet.run(1)), ['severity_rise a:backlog #2 CRITICAL'])
  fleet.restart()
  t.match(
    fleet.input({ id: 'a:backlog', occurrence: 2, severity: 'CRITICAL', kind: 'shelve', forUs: 30 * SECOND_US }),
    [{ kind: 'shelved' }],
  )
  t.same(toldOf(fleet.run(29)), [])
  t.same(toldOf(fleet.run(2)), ['re_alarmed a:backlog #3 CRITICAL'], 'a shelf ends by itself')
})

t.test('a collector that cannot write says so, and it is over when it could again', async (t) => {
  const fleet = new AlarmFleet('', [])
  fleet.storeFailed = null
  t.same(toldOf(fleet.run(5)), [], 'nothing was tried yet')
  fleet.storeFailed = 'DISK_FULL: no room'
  t.same(toldOf(fleet.run(1)), ['raised store #1 CRITICAL'])
  t.equal(fleet.entry('store').text, 'DISK_FULL: no room')
  fleet.storeFailed = ''
  fleet.run(5)
  t.same(fleet.open(), ['store RTN_UNACK'])
})

t.test('an alarm that is no longer defined is handed back, and its number is not used again', async (t) => {
  const fleet = new AlarmFleet('', ['a', 'b'])
  fleet.cut('b')
  fleet.run(2)
  const { state } = fleet.alarms
  const entries = state.defined.filter(({ occurrence }) => occurrence > 0)
  const other = new AlarmFleet('', ['a'])
  const { restoreSite } = await import('../../../../collector/core/alarms/site.ts')
  t.match(restoreSite(other.alarms, { forgotten: 0, members: [], entries }), [{ id: 'b:silent', occurrence: 1 }])
  t.equal(other.alarms.state.forgotten, 1)
})
