import t from 'tap'
import { ALARM_TEXT_MAX } from '../../../../shared/model/alarm.ts'
import { type AlarmLine, AlarmRig, definitionsFrom, lineOf } from '../../../support/alarm-rig.ts'

const both: AlarmLine = {
  levels: [
    { severity: 'WARNING', op: '>=', value: 60 },
    { severity: 'CRITICAL', op: '>=', value: 80 },
  ],
}
const rigOf = (change: Partial<AlarmLine> = {}) => new AlarmRig(definitionsFrom({ p: { ...both, ...change } }))
const seen = (occurrence: number, severity: string | null) => ({ id: 'p', occurrence, severity })

// verifies AL-5
t.test('an acknowledgement that names what was seen is taken, every other one refused with its reason', (t) => {
  const cases = [
    { what: 'as seen', given: seen(2, 'CRITICAL'), refused: null },
    { what: 'occurrence before', given: seen(1, 'CRITICAL'), refused: 'occurrence_moved_on' },
    { what: 'occurrence to come', given: seen(3, 'CRITICAL'), refused: 'occurrence_moved_on' },
    { what: 'severity before', given: seen(2, 'WARNING'), refused: 'severity_moved_on' },
    { what: 'no severity', given: seen(2, null), refused: 'severity_moved_on' },
    { what: 'no such alarm', given: { ...seen(2, 'CRITICAL'), id: 'q' }, refused: 'unknown_alarm' },
  ]
  for (const { what, given, refused } of cases) {
    const rig = rigOf()
    rig.at(1, { v: { p: 65 } })
    rig.at(2, { v: { p: 85 } })
    const before = JSON.stringify({ ...rig.state, history: [], nowUs: 0 })
    const changes = rig.input(3, { kind: 'ack', ...given })
    t.match(changes, [{ kind: refused === null ? 'acked' : 'refused', refused }], what)
    t.equal(changes.length, 1)
    t.equal(rig.entry('p').acked, refused === null, what)
    if (refused !== null)
      t.equal(JSON.stringify({ ...rig.state, history: [], nowUs: 0 }), before, `${what}: nothing changed`)
  }
  t.end()
})

// verifies AL-5
t.test('the severity to acknowledge does not fall behind the back of whoever looks at it', (t) => {
  const rig = rigOf()
  rig.at(1, { v: { p: 85 } })
  rig.at(2, { v: { p: 65 } })
  t.match(rig.entry('p'), { severity: 'CRITICAL', level: 'WARNING' })
  t.match(rig.input(3, { kind: 'ack', ...seen(1, 'CRITICAL') }).map(lineOf), ['3 acked p #1 CRITICAL UNACK>ACKED'])
  t.equal(rig.entry('p').severity, 'WARNING', 'and then it is what it is now')
  t.same(rig.at(4, { v: { p: 85 } }).map(lineOf), ['4 severity_rise p #2 CRITICAL ACKED>UNACK !'])
  t.match(rig.input(5, { kind: 'ack', ...seen(1, 'CRITICAL') }), [{ refused: 'occurrence_moved_on' }])
  t.match(rig.input(6, { kind: 'ack', ...seen(2, 'CRITICAL') }), [{ kind: 'acked' }])
  t.same(rig.at(7, { v: { p: 65 } }).map(lineOf), ['7 severity_fall p #2 WARNING ACKED>ACKED'])
  t.match(rig.input(8, { kind: 'ack', ...seen(2, 'WARNING') }), [{ refused: 'nothing_to_ack' }])
  t.end()
})

// verifies AL-4
t.test('an unacknowledged CRITICAL that comes again as a WARNING is still CRITICAL', (t) => {
  const rig = rigOf()
  rig.at(1, { v: { p: 85 } })
  rig.at(2, { v: { p: 50 } })
  t.same(rig.at(3, { v: { p: 65 } }).map(lineOf), ['3 re_alarmed p #2 CRITICAL RTN_UNACK>UNACK !'])
  rig.input(4, { kind: 'ack', ...seen(2, 'CRITICAL') })
  t.equal(rig.entry('p').severity, 'WARNING')
  t.end()
})

// verifies AL-4
t.test('what stands for re_alarm is announced again under a new number, acknowledged or not', (t) => {
  const rig = rigOf({ re_alarm_s: 10, max_hold_s: 1000 })
  rig.at(1, { v: { p: 65 } })
  rig.input(2, { kind: 'ack', ...seen(1, 'WARNING') })
  t.same(rig.at(10.9), [])
  t.same(rig.at(11).map(lineOf), ['11 re_alarmed p #2 WARNING ACKED>UNACK !'])
  t.same(rig.at(21).map(lineOf), ['21 re_alarmed p #3 WARNING UNACK>UNACK !'])
  const never = rigOf({ max_hold_s: 1000 })
  never.at(1, { v: { p: 65 } })
  t.same(never.at(900), [], 'not without re_alarm')
  t.end()
})

// verifies AL-1
t.test('a latching alarm stays until it is acknowledged and somebody confirms that the cause is gone', (t) => {
  const rig = rigOf({ latching: true })
  const confirm = (s: number, occurrence: number) => rig.input(s, { kind: 'confirm', id: 'p', occurrence }).map(lineOf)
  const refusals = () => rig.changes.filter(({ refused }) => refused !== null).map(({ refused }) => refused)
  confirm(0.5, 0)
  rig.at(1, { v: { p: 65 } })
  confirm(2, 1)
  rig.at(3, { v: { p: 50 } })
  t.equal(rig.entry('p').latched, true)
  confirm(4, 1)
  rig.input(5, { kind: 'ack', ...seen(1, 'WARNING') })
  confirm(6, 0)
  t.same(refusals(), ['nothing_to_confirm', 'still_active', 'not_acked', 'occurrence_moved_on'])
  t.same(confirm(7, 1), ['7 confirmed p #1 WARNING LATCHED>NORMAL'])
  t.match(rig.entry('p'), { latched: false, confirmed: true })
  t.equal(rig.entry('p').severity, null)
  rig.at(8, { v: { p: 65 } })
  t.match(rig.entry('p'), { latched: true, confirmed: false, occurrence: 2 }, 'and the next one latches again')
  t.end()
})

const shelf = { kind: 'shelve', ...seen(1, 'WARNING'), for_s: 900, reason: 'known leak' } as const

// verifies AL-6
t.test('a shelf needs a reason, an end within its most, and what was seen', (t) => {
  const cases = [
    { given: {}, refused: null },
    { given: { reason: ' ' }, refused: 'reason_missing' },
    { given: { reason: 'x'.repeat(ALARM_TEXT_MAX + 1) }, refused: 'reason_too_long' },
    { given: { for_s: 8 * 3600 }, refused: null },
    { given: { for_s: 8 * 3600 + 1 }, refused: 'shelf_too_long' },
    { given: { for_s: 0 }, refused: 'shelf_too_long' },
    { given: { for_s: Number.NaN }, refused: 'shelf_too_long' },
    { given: { for_s: Number.POSITIVE_INFINITY }, refused: 'shelf_too_long' },
    { given: { occurrence: 0 }, refused: 'occurrence_moved_on' },
    { given: { severity: 'CRITICAL' }, refused: 'severity_moved_on' },
  ]
  for (const { given, refused } of cases) {
    const rig = rigOf()
    rig.at(1, { v: { p: 65 } })
    t.match(
      rig.input(2, { ...shelf, ...given }),
      [{ kind: refused === null ? 'shelved' : 'refused', refused }],
      JSON.stringify(given),
    )
  }
  const rig = rigOf({ max_shelve_s: 60 })
  rig.at(1, { v: { p: 65 } })
  t.match(rig.input(2, { ...shelf, for_s: 61 }), [{ refused: 'shelf_too_long' }], 'a definition may allow less')
  rig.input(2, { ...shelf, for_s: 60 })
  t.match(rig.input(3, { ...shelf, for_s: 60 }), [{ refused: 'already_shelved' }])
  t.match(rig.input(4, { kind: 'unshelve', ...seen(1, 'WARNING') }), [{ kind: 'unshelved' }])
  t.match(rig.input(5, { kind: 'unshelve', ...seen(1, 'WARNING') }), [{ refused: 'not_shelved' }])
  t.end()
})

// verifies AL-6
t.test('every end of a shelf', (t) => {
  const shelved = (more: object = {}) => {
    const rig = rigOf({ max_hold_s: 10_000 })
    rig.at(1, { v: { p: 65 } })
    rig.input(2, { ...shelf, ...more })
    return rig
  }
  const expired = shelved()
  t.same(expired.at(901.9), [])
  t.same(expired.at(902).map(lineOf), [
    '902 unshelved p #1 WARNING SHELVED>UNACK',
    '902 re_alarmed p #2 WARNING UNACK>UNACK !',
  ])

  const acked = shelved()
  acked.input(3, { kind: 'ack', ...seen(1, 'WARNING') })
  t.same(
    acked.at(902).map(lineOf),
    ['902 unshelved p #1 WARNING SHELVED>ACKED', '902 re_alarmed p #2 WARNING ACKED>UNACK !'],
    'unacknowledged after it expired, though it was acknowledged before',
  )

  const manual = shelved()
  t.same(manual.input(3, { kind: 'unshelve', ...seen(1, 'WARNING') }).map(lineOf), [
    '3 unshelved p #1 WARNING SHELVED>ACKED',
  ])

  const blind = shelved()
  blind.at(3, { v: { p: 50 } })
  blind.at(4, { v: { p: 65 } })
  t.same(
    blind.input(5, { kind: 'unshelve', ...seen(1, 'WARNING') }).map(lineOf),
    ['5 unshelved p #2 WARNING SHELVED>UNACK', '5 re_alarmed p #3 WARNING UNACK>UNACK !'],
    'whoever did not see the newer one has not acknowledged it',
  )

  const armed = shelved()
  t.same(
    armed.at(3, { armed: true }).map(lineOf),
    ['3 unshelved p #1 WARNING SHELVED>UNACK', '3 re_alarmed p #2 WARNING UNACK>UNACK !'],
    'arming the rig',
  )
  t.same(armed.at(4, { armed: true }), [], 'once')

  const oneShot = shelved({ one_shot: true })
  t.same(oneShot.at(3, { v: { p: 50 } }).map(lineOf), [
    '3 returned p #1 WARNING SHELVED>SHELVED',
    '3 unshelved p #1 WARNING SHELVED>RTN_UNACK',
  ])
  const timed = shelved()
  t.same(timed.at(3, { v: { p: 50 } }).map(lineOf), ['3 returned p #1 WARNING SHELVED>SHELVED'])
  t.end()
})

// verifies AL-6
t.test('a shelf put on an alarm in NORMAL covers its least severity alone', (t) => {
  const rig = rigOf()
  rig.at(1, { v: { p: 50 } })
  rig.input(2, { ...shelf, ...seen(0, null) })
  t.same(rig.at(3, { v: { p: 65 } }).map(lineOf), ['3 raised p #1 WARNING SHELVED>SHELVED'])
  t.same(rig.at(4, { v: { p: 85 } }).map(lineOf), [
    '4 unshelved p #1 WARNING SHELVED>UNACK',
    '4 severity_rise p #2 CRITICAL UNACK>UNACK !',
  ])
  t.end()
})

// verifies AL-1
t.test('out of service nothing is announced, all is recorded, and back in service what is active is new', (t) => {
  const rig = rigOf()
  t.match(rig.input(0, { kind: 'out_of_service', id: 'p', reason: '' }), [{ refused: 'reason_missing' }])
  t.match(rig.input(0, { kind: 'in_service', id: 'p' }), [{ refused: 'already_in_service' }])
  rig.input(1, { kind: 'out_of_service', id: 'p', reason: 'sensor swapped' })
  t.match(rig.input(1, { kind: 'out_of_service', id: 'p', reason: 'again' }), [{ refused: 'already_out_of_service' }])
  t.same(rig.at(2, { v: { p: 85 } }).map(lineOf), ['2 raised p #1 CRITICAL OUT_OF_SERVICE>OUT_OF_SERVICE'])
  t.same(rig.input(3, { kind: 'in_service', id: 'p' }).map(lineOf), [
    '3 in_service p #1 CRITICAL OUT_OF_SERVICE>UNACK',
    '3 re_alarmed p #2 CRITICAL UNACK>UNACK !',
  ])
  t.end()
})
