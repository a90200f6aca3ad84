import t from 'tap'
import { HISTORY_MAX, RAISED_MAX } from '../../../../shared/model/alarm.ts'
import { alarmKpis } from '../../../../shared/model/alarms/alarms.ts'
import { FLOOD_ABOVE, FLOOD_BELOW } from '../../../../shared/model/alarms/announce.ts'
import { type AlarmLine, AlarmRig, definitionsFrom, lineOf, SECOND_US } from '../../../support/alarm-rig.ts'

const warning: AlarmLine = { levels: [{ severity: 'WARNING', op: '>=', value: 60 }], max_hold_s: 1e6 }
const critical: AlarmLine = { levels: [{ severity: 'CRITICAL', op: '>=', value: 60 }], max_hold_s: 1e6 }
const names = (n: number, of = 'w') => Array.from({ length: n }, (_, k) => `${of}-${k}`)
const values = (ids: readonly string[], value: number) => Object.fromEntries(ids.map((id) => [id, value]))
const manyOf = (ids: readonly string[], line: AlarmLine) => Object.fromEntries(ids.map((id) => [id, line]))

// verifies AL-10
t.test('in a flood warnings are summed up, and everything worse is told one by one', (t) => {
  const warnings = names(30)
  const criticals = names(5, 'c')
  const rig = new AlarmRig(definitionsFrom({ ...manyOf(warnings, warning), ...manyOf(criticals, critical) }))
  const good = { ...values(warnings, 50), ...values(criticals, 50) }
  rig.at(1, { v: good })
  const first = rig.at(2, { v: { ...good, ...values(warnings, 65) } })
  t.equal(first.filter(({ kind }) => kind === 'raised').length, 30, 'every one is recorded')
  t.equal(first.filter(({ kind, announce }) => kind === 'raised' && announce).length, FLOOD_ABOVE)
  t.equal(first.filter(({ kind }) => kind === 'flood_began').length, 1)
  t.equal(rig.state.flood?.folded, 30 - FLOOD_ABOVE)
  const second = rig.at(3, { v: { ...values(warnings, 65), ...values(criticals, 65) } })
  t.same(
    second.filter(({ kind }) => kind === 'raised').map(({ id, announce }) => [id, announce]),
    criticals.map((id) => [id, true]),
  )
  const unknown = rig.at(3.5, { raised: [{ id: 'odd', severity: 'odd', active: true, text: 'odd' }] })
  t.match(unknown, [{ kind: 'raised', severity: 'UNKNOWN', announce: true }])
  t.same(rig.at(11.9), [], 'no summary before it is time')
  t.match(rig.at(12), [{ kind: 'flood_summary', id: '', announce: true, text: /^20 more warnings/ }])
  t.same(rig.at(30), [], 'and none when there is nothing to say')
  t.equal(rig.state.announcedUs.length, 36)
  t.match(rig.at(604), [{ kind: 'flood_ended', announce: true, text: /^20 warnings/ }])
  t.equal(rig.state.flood, null)
  t.end()
})

// verifies AL-10
t.test('a flood begins above ten in ten minutes and lasts until there are fewer than five', (t) => {
  const ids = names(20)
  const rig = new AlarmRig(definitionsFrom(manyOf(ids, warning)))
  const raise = (s: number, n: number) => rig.at(s, { v: { ...values(ids, 50), ...values(ids.slice(0, n), 65) } })
  t.notMatch(
    raise(1, 10).map(({ kind }) => kind),
    ['flood_began'],
  )
  t.equal(rig.state.flood, null, 'ten are none')
  for (let n = 11; n <= 15; n += 1) raise(n * 40, n)
  t.not(rig.state.flood, null)
  t.equal(rig.state.announcedUs.length, 15)
  rig.at(601.5)
  t.equal(rig.state.announcedUs.length, FLOOD_BELOW, 'five are left')
  t.not(rig.state.flood, null, 'which is still a flood')
  rig.at(11 * 40 + 600)
  t.equal(rig.state.flood, null)
  t.end()
})

// verifies AL-9
t.test('the measures, over bins of ten minutes and of an hour', (t) => {
  const ids = names(12)
  const rig = new AlarmRig(definitionsFrom({ ...manyOf(ids, warning), c: critical }))
  const show = (s: number, n: number, c = 50) =>
    rig.at(s, { v: { ...values(ids, 50), ...values(ids.slice(0, n), 65), c } })
  const kpis = (s: number) => alarmKpis(rig.state, s * SECOND_US)
  t.match(alarmKpis(new AlarmRig(definitionsFrom({})).state, 5), {
    floodShare: null,
    standing: 0,
    shares: { WARNING: null },
  })
  show(0, 0)
  t.match(kpis(0), { perTenMinutes: { now: 0, mean: 0, peak: 0, above: 0 } })
  show(10, 3)
  show(20, 3, 65)
  t.match(kpis(20), {
    perTenMinutes: { now: 4, mean: 4, peak: 4, above: 0 },
    standing: 4,
    stale: 0,
    floodShare: 0,
    shares: { WARNING: 0.75, UNKNOWN: 0, CRITICAL: 0.25 },
  })
  t.match(
    kpis(1190),
    { perTenMinutes: { now: 0, mean: 2, peak: 4 }, perHour: { now: 4, mean: 4 } },
    'an empty bin counts',
  )
  show(1201, 12, 65)
  t.match(kpis(1201), { perTenMinutes: { now: 9, peak: 9, above: 0 }, perHour: { now: 13, above: 1 } })
  show(1202, 0, 65)
  show(1203, 3, 65)
  t.match(kpis(1203), { perTenMinutes: { now: 12, peak: 12, above: 1 / 3 } }, 'more than ten in one of three')
  t.equal(rig.state.flood?.sinceUs, 1203 * SECOND_US)
  rig.at(1303)
  t.equal(kpis(1303).floodShare, 100 / 1303)
  t.equal(rig.state.kpis.tenMinutes.at(-1)?.floodUs, 100 * SECOND_US)
  t.match(kpis(86_400 + 21), { stale: 1 }, 'only the critical one is older than a day')
  t.end()
})

// verifies AL-9
t.test('three times within a minute is chattering, shelved or not', (t) => {
  const flip = (stepS: number, isShelved = false) => {
    const rig = new AlarmRig(definitionsFrom({ p: warning }))
    if (isShelved) rig.input(0, { kind: 'shelve', id: 'p', for_s: 3600 })
    for (let k = 0; k < 5; k += 1) rig.at(1 + k * stepS, { v: { p: k % 2 === 0 ? 65 : 50 } })
    return rig
  }
  t.same(alarmKpis(flip(15).state, 61 * SECOND_US).chattering, ['p'], '60 s from the first to the third')
  t.same(alarmKpis(flip(15.5).state, 63 * SECOND_US).chattering, [], '62 s')
  t.same(alarmKpis(flip(15, true).state, 61 * SECOND_US).chattering, ['p'])
  t.same(alarmKpis(flip(15).state, 662 * SECOND_US).chattering, [], 'ten minutes later it is over')
  t.end()
})

t.test('what is kept is bounded', (t) => {
  const rig = new AlarmRig(
    definitionsFrom({ p: { ...warning, levels: [{ severity: 'WARNING', op: '>=', value: 60, k: 3 }] } }),
  )
  for (let k = 1; k <= 3000; k += 1) rig.at(k * 300, { v: { p: k % 2 === 0 ? 65 : 50 } })
  t.equal(rig.state.history.length, HISTORY_MAX)
  t.equal(rig.state.history.at(-1), rig.changes.at(-1), 'the newest are kept')
  t.equal(rig.entry('p').episodes.length, 8)
  const often = new AlarmRig(definitionsFrom({ p: warning }))
  for (let k = 1; k <= 6000; k += 1) often.at(k * 300, { v: { p: k % 2 === 0 ? 65 : 50 } })
  t.equal(often.state.kpis.tenMinutes.length, 144)
  t.equal(often.state.kpis.hours.length, 168)
  t.equal(often.entry('p').recentUs.length, 3)
  for (let k = 1; k <= 200; k += 1) often.at(1_800_000 + k, { v: { p: k % 2 === 0 ? 65 : 50 } })
  t.equal(often.state.announcedUs.length, 64)
  t.end()
})

const news = (id: string, active = true, severity = 'WARNING') => ({ id, severity, active, text: `${id} it is` })

// verifies AL-11
t.test("the agent's own alarms last until it says that they are over", (t) => {
  const rig = new AlarmRig(definitionsFrom({}))
  t.same(rig.at(1, { raised: [news('budget')] }).map(lineOf), ['1 raised safety:budget #1 WARNING NORMAL>UNACK !'])
  t.same(rig.at(2, { raised: [] }), [])
  t.same(rig.at(3, { raised: [news('budget', true, 'CRITICAL')] }).map(lineOf), [
    '3 severity_rise safety:budget #2 CRITICAL UNACK>UNACK !',
  ])
  t.same(rig.at(4, { raised: [news('budget', false), news('never-there', false)] }).map(lineOf), [
    '4 returned safety:budget #2 CRITICAL UNACK>RTN_UNACK',
  ])
  t.match(rig.input(5, { kind: 'ack', id: 'safety:budget', occurrence: 2, severity: 'CRITICAL' }), [
    { kind: 'acked', to: 'NORMAL' },
  ])
  t.end()
})

// verifies AL-4
t.test(
  'what the agent says a second time happened a second time, and is told to whoever acknowledged the first',
  (t) => {
    const rig = new AlarmRig(definitionsFrom({}))
    rig.at(1, { raised: [news('verify_failed:r', true, 'CRITICAL')] })
    rig.input(2, { kind: 'ack', id: 'safety:verify_failed:r', occurrence: 1, severity: 'CRITICAL' })
    t.same(rig.at(3, { raised: [{ ...news('verify_failed:r', true, 'CRITICAL'), text: 'the second' }] }).map(lineOf), [
      '3 re_alarmed safety:verify_failed:r #2 CRITICAL ACKED>UNACK !',
    ])
    t.match(rig.entry('safety:verify_failed:r'), { text: 'the second', count: 1, acked: false })
    const hour = { reason: 'known', forUs: 3_600_000_000, oneShot: false, severity: 'CRITICAL', occurrence: 2 } as const
    rig.input(4, { kind: 'shelve', id: 'safety:verify_failed:r', ...hour })
    const hidden = rig.at(5, { raised: [news('verify_failed:r', true, 'CRITICAL')] })
    t.match(
      hidden,
      [{ kind: 're_alarmed', occurrence: 3, announce: false, to: 'SHELVED' }],
      'a shelf hides it all the same',
    )
    t.end()
  },
)

// verifies AL-10
t.test("when there is no room for one more of the agent's alarms, that is CRITICAL and told each time", (t) => {
  const rig = new AlarmRig(definitionsFrom({}))
  rig.at(1, { raised: names(RAISED_MAX, 'a').map((id) => news(id)) })
  const full = rig.at(2, { raised: [news('x', true, 'CRITICAL'), news('y')] })
  t.match(full, [
    { kind: 'raised', id: 'safety:alarms-full', severity: 'CRITICAL', announce: true, text: /x \(CRITICAL\): x it is/ },
    { kind: 're_alarmed', id: 'safety:alarms-full', severity: 'CRITICAL', announce: true, text: /y \(WARNING\)/ },
  ])
  t.equal(rig.state.raised.length, RAISED_MAX + 1)
  rig.at(3, { raised: [news('a-0', false)] })
  t.match(rig.at(4, { raised: [news('x')] }), [{ kind: 're_alarmed' }], 'RTN_UNACK is not free: nobody has seen it')
  rig.input(5, { kind: 'ack', id: 'safety:a-0', occurrence: 1, severity: 'WARNING' })
  t.match(rig.at(6), [{ kind: 'returned', id: 'safety:alarms-full' }])
  t.match(rig.at(7, { raised: [news('x')] }), [{ kind: 'raised', id: 'safety:x' }], 'in the place of one that is over')
  t.equal(rig.state.raised.length, RAISED_MAX + 1)
  t.end()
})
