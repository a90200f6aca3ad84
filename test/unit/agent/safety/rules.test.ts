import t from 'tap'
import { DENIALS_NOTED_MAX, DONE_MAX, PROPOSALS_MAX } from '../../../../agent/core/safety/state.ts'
import type { Rearm } from '../../../../shared/model/actions-policy.ts'
import {
  actionsIn,
  alarmsIn,
  armedRig,
  CLEAR,
  carryOut,
  HIGH,
  hazard,
  policy,
  refusalsIn,
  rigIn,
  rule,
  SafetyRig,
  statesIn,
} from '../../../support/safety-rig.ts'

const rearms = (rig: SafetyRig): string[] =>
  rig.said.flatMap((one) => (one.kind === 'rule' ? [`${one.is} ${one.by}`] : []))

// verifies SE-18
t.test('a rule fires once an episode, and again when the cause was gone for long enough', async (t) => {
  const rig = armedRig(policy({ rules: [rule({ rearm: 'auto' })] }))
  rig.slides(2, HIGH)
  carryOut(rig)
  t.equal(statesIn(rig.said).at(-1), 'VERIFIED')
  rig.said.length = 0
  rig.slides(50, HIGH)
  t.same(statesIn(rig.said), [], 'the demand stands: its shot is spent')
  rig.slides(CLEAR - 2, {})
  rig.slides(2, HIGH)
  t.same(statesIn(rig.said), [], 'not yet clear: the same episode')
  rig.slides(CLEAR - 1, {})
  t.same(rearms(rig), [])
  rig.slides(1)
  t.same(rearms(rig), ['rearmed '])
  t.same(rig.state.rules[0], {
    ...rig.state.rules[0]!,
    shot: 'ready',
    inEpisode: false,
    acted: false,
    clearFromUs: null,
  })
  rig.slides(2, HIGH)
  t.same(statesIn(rig.said), ['PROPOSED', 'GATE_PASSED'])
  t.match(actionsIn(rig.said)[0], { episode: 2 })
})

// verifies SE-18
t.test('who arms a rule again is as it declares, and nobody does before it is clear', async (t) => {
  const table: [Rearm, string[], string[]][] = [
    ['operator', ['ada'], []],
    ['operator', [], ['NO_PERSON']],
    ['operator', [''], ['NO_PERSON']],
    ['two_person', ['ada'], ['TWO_PERSON 1/2']],
    ['two_person', ['ada', 'ada'], ['TWO_PERSON 1/2']],
    ['two_person', [], ['NO_PERSON']],
    ['two_person', ['ada', 'bob'], []],
  ]
  for (const [how, by, reasons] of table) {
    const rig = armedRig(policy({ rules: [rule({ rearm: how })] }))
    const ask = (): string[] => refusalsIn(rig.input({ kind: 'rearm', rule: 'over_pressure', by }))
    t.same(ask(), ['NOT_SPENT', ...reasons], `${how} ${by} before`)
    rig.slides(2, HIGH)
    carryOut(rig)
    t.same(ask(), ['NOT_CLEARED', ...reasons], `${how} ${by} at once`)
    rig.slides(CLEAR, {})
    t.equal(rig.state.rules[0]!.shot, 'cleared')
    rig.said.length = 0
    rig.slides(2, HIGH)
    t.same(statesIn(rig.said), ['PROPOSED', 'GATE_DENIED'])
    t.same(actionsIn(rig.said)[1]?.reasons, ['SHOT_SPENT:awaits rearming'])
    t.same(alarmsIn(rig.said), ['+denied:over_pressure CRITICAL'])
    t.same(ask(), ['NOT_CLEARED', ...reasons], `${how} ${by}: to arm it now would be to fire it`)
    rig.slides(CLEAR, {})
    t.same(alarmsIn(rig.said), ['+denied:over_pressure CRITICAL', '-denied:over_pressure'])
    t.same(ask(), reasons, `${how} ${by}`)
    if (reasons.length > 0) continue
    t.same(rearms(rig), [`rearmed ${by}`])
    rig.slides(2, HIGH)
    t.same(statesIn(rig.said).at(-1), 'GATE_PASSED', `${how} ${by}`)
  }
  const rig = armedRig()
  t.same(refusalsIn(rig.input({ kind: 'rearm', rule: 'other', by: ['ada'] })), ['UNKNOWN_RULE'])
})

// verifies SE-17, SE-18
t.test('a rule whose effect was not seen waits for a person, whatever it declares', async (t) => {
  const rig = armedRig(policy({ rules: [rule({ rearm: 'auto' })] }))
  rig.start(HIGH)
  rig.slides(21, HIGH)
  t.equal(statesIn(rig.said).at(-1), 'VERIFY_FAILED')
  rig.slides(CLEAR, {})
  t.equal(rig.state.rules[0]!.shot, 'cleared')
  t.notOk(alarmsIn(rig.said).includes('-verify_failed:over_pressure'), 'nothing closes it by itself')
  const said = rig.input({ kind: 'rearm', rule: 'over_pressure', by: ['ada'] })
  t.same(alarmsIn(said), ['-verify_failed:over_pressure'])
  t.equal(rig.state.rules[0]!.needsPerson, false)
})

// verifies SE-17, SE-18
t.test(
  'a person ends what stands against a rule whose shot is there; nothing that ends by itself asks for one',
  async (t) => {
    const asked = { kind: 'rearm', rule: 'over_pressure', by: ['ada'] } as const
    const ids = ['verify_failed', 'action_failed', 'unknown_outcome'].flatMap((about) => [
      `${about}:over_pressure`,
      `${about}:over_pressure/escalation`,
    ])
    for (const id of [...ids, 'denied:over_pressure/escalation']) {
      const rig = armedRig()
      rig.state.alarms = [{ id, severity: 'CRITICAL' }]
      const said = rig.input(asked)
      t.same([refusalsIn(said), alarmsIn(said)], [[], [`-${id}`]], id)
      t.same(refusalsIn(rig.input(asked)), ['NOT_SPENT'], `${id}: once`)
    }
    const person = armedRig()
    person.state.rules[0]!.needsPerson = true
    t.same(refusalsIn(person.input(asked)), [])
    t.equal(person.state.rules[0]!.needsPerson, false)
    for (const id of ['denied:over_pressure', 'protection_lost:over_pressure', 'verify_failed:other']) {
      const rig = armedRig()
      rig.state.alarms = [{ id, severity: 'CRITICAL' }]
      t.same(refusalsIn(rig.input(asked)), ['NOT_SPENT'], id)
    }
    const open = rigIn('UNKNOWN_OUTCOME')
    open.state.rules[0]!.shot = 'ready'
    t.same(refusalsIn(open.input(asked)), ['NOT_SPENT'], 'what its peer may still answer is not over')
    const auto = armedRig(policy({ rules: [rule({ rearm: 'auto' })] }))
    auto.slides(2, HIGH)
    carryOut(auto)
    auto.state.alarms = [{ id: 'unknown_outcome:over_pressure', severity: 'CRITICAL' }]
    auto.slides(CLEAR, {})
    t.equal(auto.state.rules[0]!.shot, 'ready')
    t.match(auto.state.alarms, [{ id: 'unknown_outcome:over_pressure' }], 'no person has looked')
  },
)

// verifies SE-18
t.test('what is unknown neither ends an episode nor counts towards its end', async (t) => {
  const rig = armedRig(policy({ rules: [rule({ rearm: 'auto' })] }))
  rig.slides(2, HIGH)
  carryOut(rig)
  rig.slides(6, {})
  rig.slides(100, { p_a: null, p_b: null })
  rig.slides(CLEAR - 1, {})
  t.same(rearms(rig), [])
  rig.slides(3, {})
  t.same(rearms(rig), ['rearmed '])
  const one = armedRig(policy({ rules: [rule({ rearm: 'auto' })] }))
  one.slides(2, HIGH)
  carryOut(one)
  one.slides(CLEAR, { p_c: null })
  t.same(rearms(one), ['rearmed '], 'two that are low are enough to know')
})

// verifies SE-07, SE-18
t.test('what a rule would have done is said anew when it is for another reason, or in another episode', async (t) => {
  const rig = new SafetyRig()
  rig.slides(3, HIGH)
  for (const step of ['ask', 'confirm'] as const)
    rig.input({ kind: 'perm_off', rule: 'over_pressure', step, by: 'ada', reason: '' })
  rig.slides(3, HIGH)
  rig.slides(CLEAR, {})
  rig.slides(3, HIGH)
  const would = actionsIn(rig.said).filter(({ state }) => state === 'WOULD_HAVE_DONE')
  t.same(
    would.map(({ reasons, episode }) => [episode, ...reasons]),
    [
      [1, 'NOT_ARMED:PASSIVE'],
      [1, 'NOT_ARMED:PASSIVE', 'NOT_ARMED:PERM_OFF'],
      [2, 'NOT_ARMED:PASSIVE', 'NOT_ARMED:PERM_OFF'],
    ],
  )
  t.match(JSON.parse(would[2]!.key), { episode: 2, proposal: 1 })
})

// verifies SE-07
t.test('the alarm of a denial rises with what it means, and ends when the action passes', async (t) => {
  const rig = new SafetyRig()
  rig.slides(3, HIGH, { mode: 'test' })
  t.same(alarmsIn(rig.said), ['+denied:over_pressure WARNING'])
  rig.said.length = 0
  rig.arm()
  rig.slides(2)
  t.same(alarmsIn(rig.said), ['+denied:over_pressure CRITICAL'])
  t.same(rig.state.alarms, [{ id: 'denied:over_pressure', severity: 'CRITICAL' }])
  rig.input({ kind: 'disarm', by: 'ada', reason: '' })
  rig.slides(1)
  t.same(rig.state.alarms, [{ id: 'denied:over_pressure', severity: 'CRITICAL' }], 'it does not fall')
  rig.said.length = 0
  rig.arm()
  rig.slides(1, HIGH, {})
  t.same(statesIn(rig.said), ['PROPOSED', 'GATE_PASSED'])
  t.same(alarmsIn(rig.said), ['-denied:over_pressure'])
})

t.test('an alarm of a vote stands while its members warm up again', async (t) => {
  const rig = armedRig()
  rig.said.length = 0
  rig.slides(3, { p_a: null })
  rig.slides(3, { p_a: null, p_b: null })
  rig.input({ kind: 'disarm', by: 'ada', reason: '' })
  const cold = { filled: false }
  rig.slides(3, { p_a: cold, p_b: cold, p_c: cold })
  t.notOk(alarmsIn(rig.said).includes('-protection_lost:over_pressure'))
  const half = armedRig()
  half.slides(3, { p_a: null })
  half.input({ kind: 'disarm', by: 'ada', reason: '' })
  half.said.length = 0
  half.slides(6, { p_a: cold })
  t.same(alarmsIn(half.said), [])
})

t.test('an episode does not end while its action is under way', async (t) => {
  const rig = armedRig(policy({ rules: [rule({ rearm: 'auto' })] }))
  rig.start(HIGH)
  rig.slides(15, {})
  t.same(rearms(rig), [])
  t.equal(rig.state.open.length, 1)
  rig.slides(10, { flow: 0 })
  t.same(rearms(rig), ['rearmed '])
})

// verifies SE-07
t.test('a denial is said once an episode for each of its grounds, whatever the figures', async (t) => {
  const rig = armedRig()
  const card = (metric: string, n: string, ageUs: number) => ({
    value: 9,
    ageUs,
    trail: { metric, leaves: [metric], groups: [`daq:${n}`], declared: true },
  })
  const slide = (n: string, apart: number): void => {
    rig.slides(1, { p_a: card('p_a', n, 0), p_b: card('p_b', n, apart) })
  }
  rig.said.length = 0
  for (let k = 0; k < 10; k += 1) slide('1', 300_000 + k * 10_000)
  t.same(statesIn(rig.said), ['PROPOSED', 'GATE_DENIED'])
  slide('1', 0)
  t.equal(statesIn(rig.said).length, 4, 'other grounds')
  for (let k = 2; k < 40; k += 1) slide(`${k}`, 0)
  t.equal(statesIn(rig.said).length, 2 * DENIALS_NOTED_MAX)
  t.same(alarmsIn(rig.said), ['+denied:over_pressure CRITICAL'])
  rig.said.length = 0
  rig.slides(CLEAR, { p_a: { ...card('p_a', '1', 0), value: 5 }, p_b: { ...card('p_b', '1', 0), value: 5 } })
  t.same(alarmsIn(rig.said), ['-denied:over_pressure'])
  for (let k = 0; k < 2; k += 1) slide('1', 0)
  t.same(statesIn(rig.said), ['PROPOSED', 'GATE_DENIED'], 'the next episode says it anew')
})

t.test('the alarm of a denial is as grave as what does not happen', async (t) => {
  const of = (change: Parameters<typeof hazard>[2], dryRun = false): string[] => {
    const rig = armedRig(policy({ rules: [rule({ dryRun })], hazards: [hazard('shutdown', 'pump', change)] }))
    rig.said.length = 0
    rig.slides(3, HIGH, { mode: 'test' })
    return alarmsIn(rig.said)
  }
  t.same(of({}), ['+denied:over_pressure CRITICAL'])
  t.same(of({ omission: 'catastrophic' }), ['+denied:over_pressure CRITICAL'])
  t.same(of({ omission: 'marginal' }), [])
  t.same(of({}, true), ['+denied:over_pressure WARNING'], 'nobody relies on a rule for show')
  const rig = armedRig(policy({ hazards: [] }))
  rig.slides(3, HIGH)
  t.ok(alarmsIn(rig.said).includes('+denied:over_pressure CRITICAL'), 'nobody knows what it is for')
})

// verifies SE-03
t.test('a vote that degrades or is lost is an alarm until it is whole again', async (t) => {
  const rig = armedRig()
  rig.said.length = 0
  rig.slides(2, { p_a: null })
  t.same(alarmsIn(rig.said), ['+vote_degraded:over_pressure WARNING'])
  rig.slides(2, { p_a: null, p_b: null })
  t.same(alarmsIn(rig.said).slice(1), ['+protection_lost:over_pressure CRITICAL', '-vote_degraded:over_pressure'])
  rig.said.length = 0
  rig.slides(5, {})
  t.ok(alarmsIn(rig.said).includes('-protection_lost:over_pressure'))
  t.same(rig.state.alarms, [])
  const text = rig.said.length
  rig.slides(1, {})
  t.equal(rig.said.length, text, 'quiet when well')
})

// verifies SE-03
t.test('a lost protection is as grave as what it protects from', async (t) => {
  const lost = (change: Parameters<typeof hazard>[2] | null): string[] => {
    const hazards = change === null ? [] : [hazard('shutdown', 'pump', change)]
    const rig = armedRig(policy({ hazards }))
    rig.said.length = 0
    rig.slides(3, { p_a: null, p_b: null })
    return alarmsIn(rig.said).filter((one) => one.startsWith('+protection_lost'))
  }
  t.same(lost({ omission: 'none', inadvertent: 'critical' }), ['+protection_lost:over_pressure CRITICAL'])
  t.same(lost({ omission: 'critical', inadvertent: 'none' }), ['+protection_lost:over_pressure CRITICAL'])
  t.same(lost({ omission: 'marginal', inadvertent: 'marginal' }), ['+protection_lost:over_pressure WARNING'])
  t.same(lost(null), ['+protection_lost:over_pressure CRITICAL'])
})

t.test('before windows are full for the first time nobody relies on a vote, unless the rig is armed', async (t) => {
  const cold = (count: number): Record<string, { filled: boolean }> =>
    Object.fromEntries(['p_a', 'p_b', 'p_c'].slice(0, count).map((one) => [one, { filled: false }]))
  for (const [count, alarm] of [
    [1, '+vote_degraded:over_pressure WARNING'],
    [3, '+protection_lost:over_pressure CRITICAL'],
  ] as const) {
    const rig = new SafetyRig()
    rig.slides(5, cold(count))
    t.same(alarmsIn(rig.said), [])
    const armed = armedRig()
    armed.slides(3, cold(count))
    t.same(alarmsIn(armed.said), [alarm], 'windows that empty while it is armed are another thing')
  }
  const blind = new SafetyRig()
  blind.slides(5, { p_a: null, p_b: Number.NaN, p_c: { filled: false } })
  t.same(
    alarmsIn(blind.said),
    ['+protection_lost:over_pressure CRITICAL'],
    'one that warms up is no excuse for the others',
  )
})

t.test('one whose release is never reached stops being proposed, and that is an alarm', async (t) => {
  const rig = armedRig()
  rig.said.length = 0
  for (let k = 0; k < PROPOSALS_MAX + 20; k += 1) {
    rig.slides(1, HIGH)
    for (const { key } of [...rig.state.open]) rig.input({ kind: 'cancel', key, by: 'agent', reason: 'DISK_STALLED' })
  }
  t.equal(statesIn(rig.said).filter((one) => one === 'GATE_PASSED').length, PROPOSALS_MAX)
  t.same(actionsIn(rig.said).at(-1)?.reasons, [`PROPOSALS:${PROPOSALS_MAX}`])
  t.same(alarmsIn(rig.said), ['+denied:over_pressure CRITICAL'])
  t.equal(rig.state.done.length, DONE_MAX)
})
