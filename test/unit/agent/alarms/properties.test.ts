import fc from 'fast-check'
import tap from 'tap'
import { type AlarmChange, severityRank } from '../../../../shared/model/alarm.ts'
import { type AlarmState, bareStateOf, entriesOf, isMasked } from '../../../../shared/model/alarms/state.ts'
import type { Mode } from '../../../../shared/model/verdict.ts'
import { type AlarmLine, AlarmRig, definitionsFrom, type InputLine } from '../../../support/alarm-rig.ts'

const level = (severity: 'WARNING' | 'CRITICAL', value: number, k = 1) => ({ severity, op: '>=', value, k }) as const
const both = [level('WARNING', 60), level('CRITICAL', 80)]

/** Enough alarms for a flood, of every kind. */
const LINES: Readonly<Record<string, AlarmLine>> = {
  plain: { levels: both, max_hold_s: 2 },
  slow: { levels: [level('WARNING', 60, 3), level('CRITICAL', 80, 2)], clear_slides: 2, max_hold_s: 3 },
  latch: { levels: both, latching: true, re_alarm_s: 20 },
  reset: { levels: [level('CRITICAL', 60, 2)], on_unknown: 'reset', max_hold_s: 1 },
  mode: { levels: both, modes: ['nominal'] },
  'first-a': { levels: both, group: 'g' },
  'first-b': { levels: both, group: 'g' },
  'first-c': { levels: [level('CRITICAL', 60)], group: 'g' },
  ...Object.fromEntries(Array.from({ length: 6 }, (_, k) => [`more-${k}`, { levels: both }])),
}
const IDS = Object.keys(LINES)
/** What operators are busy with: few enough that one thing meets another. */
const TOUCHED = ['plain', 'slow', 'latch', 'mode', 'first-a', 'plain:unknown', 'safety:x']

type Event =
  | Readonly<{ kind: 'slide'; values: readonly (number | null | undefined)[]; mode: Mode; armed: boolean }>
  | Readonly<{ kind: 'tick'; raised: boolean | null }>
  | Readonly<{
      kind: 'input'
      what: InputLine['kind']
      id: string
      back: number
      severity: string | null
      forS: number
      oneShot: boolean
    }>

const value = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(50, 65, 85) as fc.Arbitrary<number | null | undefined> },
  { weight: 1, arbitrary: fc.constantFrom(null, undefined, Number.NaN) },
)
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('slide' as const),
      values: fc.array(value, { minLength: IDS.length, maxLength: IDS.length }),
      mode: fc.constantFrom<Mode>('nominal', 'nominal', 'nominal', 'test'),
      armed: fc.nat({ max: 9 }).map((n) => n === 0),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('tick' as const), raised: fc.constantFrom(true, false, null) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('input' as const),
      what: fc.constantFrom<InputLine['kind']>(
        'ack',
        'ack',
        'confirm',
        'shelve',
        'unshelve',
        'out_of_service',
        'in_service',
      ),
      id: fc.constantFrom(...TOUCHED),
      back: fc.constantFrom(0, 0, 0, 1, -1),
      severity: fc.constantFrom(
        undefined,
        undefined,
        undefined,
        undefined,
        undefined,
        'WARNING',
        'CRITICAL',
        null,
      ) as fc.Arbitrary<string | null>,
      forS: fc.constantFrom(3, 30, 3600, 1e9),
      oneShot: fc.boolean(),
    }),
  },
)
const events = fc.array(event, { minLength: 1, maxLength: 60, size: 'max' })

function play(rig: AlarmRig, one: Event, s: number): AlarmChange[] {
  if (one.kind === 'tick')
    return rig.at(s, {
      raised: one.raised === null ? [] : [{ id: 'x', severity: 'CRITICAL', active: one.raised, text: 'x' }],
    })
  if (one.kind === 'slide') {
    const v: Record<string, number | null> = {}
    IDS.forEach((id, k) => {
      const measured = one.values[k]
      if (measured !== undefined) v[id] = measured
    })
    return rig.at(s, { v, mode: one.mode, armed: one.armed })
  }
  const known = entriesOf(rig.state).find(({ id }) => id === one.id)
  const severity = one.severity === undefined ? (known?.severity ?? null) : one.severity
  const occurrence = (known?.occurrence ?? 0) - one.back
  return rig.input(s, { kind: one.what, id: one.id, occurrence, severity, for_s: one.forS, one_shot: one.oneShot })
}

type Look = Readonly<{ rig: AlarmRig; one: Event; before: AlarmState; changes: readonly AlarmChange[] }>

/** Plays random events and hands every step to `look`, with the state before it. */
function always(t: Pick<typeof tap, 'pass'>, look: (step: Look) => void): void {
  fc.assert(
    fc.property(events, (list) => {
      const rig = new AlarmRig(definitionsFrom(LINES))
      list.forEach((one, k) => {
        const before = structuredClone(rig.state)
        look({ rig, one, before, changes: play(rig, one, k + 1) })
      })
    }),
    { numRuns: 120, seed: 5 },
  )
  t.pass('120 runs')
}

function must(holds: boolean, what: string, look: Look): void {
  if (!holds) throw new Error(`${what}; after ${JSON.stringify(look.one)}: ${JSON.stringify(look.changes)}`)
}

const entryIn = (state: AlarmState, id: string) => entriesOf(state).find((entry) => entry.id === id)

// verifies AL-10
tap.test(
  'what is CRITICAL and not hidden by design or by an operator was announced or acknowledged, in a flood too',
  (t) => {
    let floods = 0
    always(t, (look) => {
      if (look.rig.state.flood !== null) floods += 1
      for (const entry of entriesOf(look.rig.state)) {
        if (entry.level !== 'CRITICAL' || isMasked(entry) || entry.acked) continue
        const told = look.rig.changes.some(
          ({ id, occurrence, announce, severity }) =>
            id === entry.id && occurrence === entry.occurrence && announce && severity === 'CRITICAL',
        )
        must(told, `${entry.id} is CRITICAL and nobody was told`, look)
      }
    })
    t.ok(floods > 1000, `there were floods: ${floods} steps`)
    t.end()
  },
)

// verifies AL-11, SE-36
tap.test('an alarm returns only at a slide in which its value is known', (t) => {
  let returns = 0
  always(t, (look) => {
    for (const { kind, id } of look.changes) {
      if (kind !== 'returned' || id.startsWith('safety:')) continue
      returns += 1
      const measured = look.one.kind === 'slide' ? look.one.values[IDS.indexOf(id.replace(':unknown', ''))] : undefined
      must(typeof measured === 'number' && Number.isFinite(measured), `${id} returned`, look)
    }
  })
  t.ok(returns > 1000, `${returns} returns`)
  t.end()
})

// verifies AL-5
tap.test('an acknowledgement or a shelf takes only what it named, and leaves every other alarm as it was', (t) => {
  let [taken, refused] = [0, 0]
  always(t, (look) => {
    const { one, before, rig, changes } = look
    if (one.kind !== 'input') return
    const old = entryIn(before, one.id)
    for (const { kind, id } of changes) {
      if (kind === 'refused') refused += 1
      if (kind !== 'acked' && kind !== 'shelved') continue
      taken += 1
      const isSeen = one.back === 0 && (one.severity === undefined || one.severity === old?.severity)
      must(id === one.id && isSeen, `${kind} ${id}`, look)
    }
    for (const entry of entriesOf(before))
      if (!entry.acked && entry.id !== one.id)
        must(entryIn(rig.state, entry.id)?.acked === false, `${entry.id} acked`, look)
    if (old?.acked === false && (one.back !== 0 || (one.severity !== undefined && one.severity !== old.severity)))
      must(entryIn(rig.state, one.id)?.acked === false, `${one.id} acked`, look)
  })
  t.ok(taken > 100 && refused > 500, `${taken} taken, ${refused} refused`)
  t.end()
})

// verifies AL-6
tap.test('a shelf never hides what is worse than what it was asked for', (t) => {
  let shelved = 0
  always(t, (look) => {
    for (const { id, shelf, level: now } of entriesOf(look.rig.state)) {
      if (shelf === null) continue
      shelved += 1
      must(severityRank(now) <= severityRank(shelf.severity), `${id} is ${now} on a shelf for ${shelf.severity}`, look)
      must(look.rig.state.nowUs < shelf.untilUs, `${id} is on its shelf for ever`, look)
    }
  })
  t.ok(shelved > 100, `${shelved} on a shelf`)
  t.end()
})

// verifies AL-1, AL-4
tap.test('states follow on each other, and every announcement has a number of its own that only grows', (t) => {
  let last = new Map<string, AlarmChange>()
  always(t, (look) => {
    if (look.before.nowUs < 0) last = new Map()
    for (const change of look.changes) {
      const { id, from, occurrence, kind } = change
      const old = last.get(id)
      if (id !== '' && !(id === 'safety:x' && occurrence === 0)) {
        must(from === (old?.to ?? 'NORMAL'), `${id} was ${old?.to} and is said to have been ${from}`, look)
        const isNew = ['raised', 're_alarmed', 'severity_rise'].includes(kind)
        must(occurrence === (old?.occurrence ?? 0) + (isNew ? 1 : 0), `${id} has occurrence ${occurrence}`, look)
        last.set(id, change)
      }
    }
    for (const entry of entriesOf(look.rig.state))
      must((entry.severity === null) === (bareStateOf(entry) === 'NORMAL'), `${entry.id}: severity and state`, look)
  })
  t.end()
})

// verifies AL-1
tap.test('a state that is stored and read again goes on as the one that was not', (t) => {
  fc.assert(
    fc.property(events, fc.nat({ max: 59 }), (list, cut) => {
      const [whole, stored] = [new AlarmRig(definitionsFrom(LINES)), new AlarmRig(definitionsFrom(LINES))]
      list.forEach((one, k) => {
        if (k === cut) stored.state = JSON.parse(JSON.stringify(stored.state))
        play(whole, one, k + 1)
        play(stored, one, k + 1)
      })
      return JSON.stringify([whole.changes, whole.state]) === JSON.stringify([stored.changes, stored.state])
    }),
    { numRuns: 200, seed: 6 },
  )
  t.pass('200 runs')
  t.end()
})

// verifies AL-1
tap.test('a state is plain data: what it is made of is what JSON gives back', (t) => {
  const rig = new AlarmRig(definitionsFrom(LINES))
  for (const [k, one] of fc.sample(events, { numRuns: 20, seed: 7 }).flat().entries()) play(rig, one, k + 1)
  t.strictSame(JSON.parse(JSON.stringify(rig.state)), rig.state)
  t.end()
})
