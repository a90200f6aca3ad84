import t from 'tap'
import type { Rule } from '../../../../shared/model/actions-policy.ts'
import {
  actionsIn,
  alarmsIn,
  armedRig,
  budget,
  HIGH,
  over,
  policy,
  type Readings,
  rule,
  SafetyRig,
  SLIDE_US,
  statesIn,
} from '../../../support/safety-rig.ts'

const looks = (metric: string) => ({ kind: 'window', metric, windowUs: 250_000, of: 'max', op: '>', value: 8 }) as const
const members = ['p_a', 'p_b', 'p_c'].map((metric) => over(metric, { look: looks(metric) }))

const fastRule = (change: Partial<Rule> = {}): Rule => rule({ fastPath: true, conditions: members, ...change })
const fast = (change: Partial<Rule> = {}, more: Parameters<typeof policy>[0] = {}): SafetyRig =>
  armedRig(policy({ rules: [fastRule(change)], ...more }))
const reasonsOf = (said: Parameters<typeof actionsIn>[0]): string[] => actionsIn(said).flatMap(({ reasons }) => reasons)

// verifies SE-29
t.test(
  'a demand of samples whose slide has not closed is proposed, says so, and is released on the same',
  async (t) => {
    const rig = fast()
    t.same(rig.arrive([HIGH]), [], 'k of n slides hold for the fast path too')
    const said = rig.arrive([{}, HIGH, HIGH])
    t.same(statesIn(said), ['PROPOSED', 'GATE_PASSED'])
    t.match(actionsIn(said)[0], { reasons: ['PROVISIONAL:daq/e1#7'], endUs: rig.endUs + 3 * SLIDE_US, episode: 1 })
    t.match(JSON.parse(rig.key()), { episode: 1, proposal: 1, start_us: rig.endUs + 3 * SLIDE_US })
    t.same(rig.arrive([{}, HIGH, HIGH]), [], 'it is asked for once')
    const key = rig.key()
    const released = rig.input({ kind: 'release', key }, rig.seenEarly([{}, HIGH, HIGH]))
    t.same(statesIn(released), ['RELEASED'])
    t.match(actionsIn(released)[0], { note: 'two_proofs', conditions: [{ value: 'TRUE' }, { value: 'TRUE' }, {}] })
  },
)

// verifies SE-09, SE-29
t.test(
  'at its release it is judged by what has arrived, then by what has closed; neither is enough alone to keep it',
  async (t) => {
    for (const [what, open, closed, state] of [
      ['it still shows', [HIGH, HIGH], 0, 'RELEASED'],
      ['it no longer shows', [{}, {}], 0, 'CANCELLED'],
      ['its slide has closed and says the same', [], 2, 'RELEASED'],
    ] as [string, Readings[], number, string][]) {
      const rig = fast()
      rig.arrive([HIGH, HIGH])
      rig.slides(closed, HIGH)
      const released = rig.input({ kind: 'release', key: rig.key() }, rig.seenEarly(open))
      t.same(statesIn(released), [state], what)
    }
    const slow = armedRig(policy({ rules: [rule({ conditions: members })] }))
    slow.slides(2, HIGH)
    slow.slides(1, {})
    slow.slides(2, {})
    const released = slow.input({ kind: 'release', key: slow.key() }, slow.seenEarly([HIGH, HIGH]))
    t.same(statesIn(released), ['CANCELLED'], 'an action of a closed slide is not kept by samples that arrive')
  },
)

t.test(
  'when its slide has closed, that it agrees, differs or was never evaluated is noted beside the action',
  async (t) => {
    const cases: [string, (rig: SafetyRig) => void, string, string[]][] = [
      ['the same', (rig) => rig.slides(2, HIGH), 'agrees', []],
      ['something else', (rig) => rig.slides(2, {}), 'differs', ['+early_differs:over_pressure WARNING']],
      [
        'nothing, for it was passed over',
        (rig) => {
          rig.endUs += 2 * SLIDE_US
          rig.slides(1, HIGH)
        },
        'unseen',
        ['+early_differs:over_pressure WARNING'],
      ],
    ]
    for (const [what, close, says, alarms] of cases) {
      const rig = fast()
      rig.arrive([HIGH, HIGH])
      const from = rig.said.length
      close(rig)
      const said = rig.said.slice(from)
      t.same(reasonsOf(said), [`CLOSED:${says}`], what)
      t.match(actionsIn(said), [{ state: 'GATE_PASSED', from: 'GATE_PASSED' }], 'nothing is undone')
      t.same(alarmsIn(said), alarms)
      t.equal(rig.state.rules[0]!.early, null)
      const before = rig.said.length
      rig.slides(3, HIGH)
      t.same(reasonsOf(rig.said.slice(before)), [], 'and it is said once')
    }
  },
)

t.test('that a closed slide differed stays an alarm until one agrees', async (t) => {
  const rig = fast({ rearm: 'auto', clearUs: 0, dryRun: true })
  rig.arrive([HIGH, HIGH])
  rig.slides(12, {})
  t.ok(rig.state.alarms.some(({ id }) => id === 'early_differs:over_pressure'))
  t.equal(rig.state.rules[0]!.inEpisode, false)
  rig.arrive([HIGH, HIGH])
  t.same(alarmsIn([...rig.slides(1, HIGH), ...rig.slides(1, HIGH)]), ['-early_differs:over_pressure'])
})

t.test('an action that has ended by then gets the note too', async (t) => {
  const rig = fast()
  rig.arrive([HIGH, HIGH])
  rig.input({ kind: 'cancel', key: rig.key(), by: 'ada', reason: 'no' })
  rig.slides(1, HIGH)
  t.match(actionsIn(rig.slides(1, HIGH)), [{ state: 'CANCELLED', from: 'CANCELLED', reasons: ['CLOSED:agrees'] }])
  const forgotten = fast()
  forgotten.arrive([HIGH, HIGH])
  forgotten.input({ kind: 'cancel', key: forgotten.key(), by: 'ada', reason: 'no' })
  forgotten.state.done = []
  t.same(
    forgotten.slides(2, {}).map(({ kind }) => kind),
    ['alarm'],
    'that it differed is said all the same',
  )
})

// verifies SE-18, SE-29
t.test('one shot an episode: slides that close before its own neither end the episode nor begin another', async (t) => {
  const rig = fast({ rearm: 'auto', clearUs: 0 })
  rig.arrive([{}, {}, HIGH, HIGH])
  const { key } = rig.state.open[0]!
  rig.input({ kind: 'release', key }, rig.seenEarly([{}, {}, HIGH, HIGH]))
  rig.input({ kind: 'sent', key })
  rig.input({ kind: 'ack', key, status: 'failed', from: 'pump', message: '' })
  t.equal(rig.state.open.length, 0)
  const said = [...rig.slides(1, {}), ...rig.slides(1, {}), ...rig.slides(1, HIGH), ...rig.slides(1, HIGH)]
  t.same(statesIn(said), ['FAILED'], 'the note alone')
  t.equal(rig.state.rules[0]!.episode, 1)
  t.same(rig.arrive([HIGH, HIGH]), [], 'the shot is spent')
  rig.slides(4, {})
  t.equal(rig.state.rules[0]!.shot, 'ready')
  t.same(statesIn(rig.arrive([HIGH, HIGH])), ['PROPOSED', 'GATE_PASSED'], 'the next episode')
  t.equal(rig.state.rules[0]!.episode, 2)
})

t.test('what a gate denies is left to the slide that closes, which says why', async (t) => {
  const cases: [string, () => SafetyRig, Readings, string][] = [
    ['budget', () => spent(), HIGH, 'BUDGET:'],
    [
      'independence',
      () => fast(),
      { p_a: { value: 9, publisher: 'x' }, p_b: { value: 9, publisher: 'x' } },
      'NOT_INDEPENDENT:publisher:x',
    ],
    ['provenance', () => fast(), { p_a: { value: 9, provenance: 'simulated' }, p_b: 9 }, 'PROVENANCE:simulated'],
    ['mode', () => fast({ modes: ['degraded'] }), HIGH, 'MODE:nominal'],
    ['coincidence', () => fast({ coincidenceUs: 1_000 }), { p_a: { value: 9, ageUs: 2_000 }, p_b: 9 }, 'COINCIDENCE'],
  ]
  for (const [what, make, readings, reason] of cases) {
    const rig = make()
    t.same(rig.arrive([readings, readings]), [], what)
    t.equal(rig.state.rules[0]!.inEpisode, false)
    const said = [...rig.slides(1, readings), ...rig.slides(1, readings)]
    t.ok(reasonsOf(said)[0]?.startsWith(reason), `${what}: ${reasonsOf(said)}`)
  }
})

function spent(): SafetyRig {
  const of = policy({
    rules: [fastRule({ rearm: 'auto', clearUs: 0 })],
    budgets: [budget({ action: 'shutdown', most: 1, windowUs: 60_000_000 })],
  })
  const rig = armedRig(of)
  rig.slides(2, HIGH)
  rig.input({ kind: 'release', key: rig.key() })
  rig.input({ kind: 'sent', key: rig.key() })
  rig.ack('failed')
  rig.slides(4, {})
  if (rig.state.rules[0]!.shot !== 'ready') throw new Error('the shot is not back')
  return rig
}

t.test('an unarmed rig would have done it, once, and it is not repeated by the slide', async (t) => {
  const rig = new SafetyRig(policy({ rules: [fastRule()] }))
  rig.slides(5)
  t.same(statesIn(rig.arrive([HIGH, HIGH])), ['PROPOSED', 'WOULD_HAVE_DONE'])
  t.same(rig.arrive([HIGH, HIGH]), [])
  const said = [...rig.slides(1, HIGH), ...rig.slides(1, HIGH), ...rig.slides(1, HIGH)]
  t.match(actionsIn(said), [{ state: 'WOULD_HAVE_DONE', from: 'WOULD_HAVE_DONE', reasons: ['CLOSED:agrees'] }])
  t.equal(rig.state.rules[0]!.shot, 'ready', 'the shot is not spent')
})

// verifies SE-03, SE-29
t.test(
  'what has not arrived is no unknown member: it neither votes nor degrades the vote, which closed slides do',
  async (t) => {
    const missing = { p_c: { filled: false } }
    const gone = { p_c: { ageUs: 900_000 } }
    const must = { hazards: [{ ...policy().hazards[0]!, inadvertent: 'marginal' as const }] }
    const one = { p_a: 9 }
    const held = Array.from({ length: 7 }, () => ({ ...one, ...missing }))
    const waiting = fast({}, must)
    t.same(waiting.arrive(held), [], 'one of two that are known and one that comes later')
    const degraded = fast({}, must)
    degraded.slides(3, gone)
    t.same(
      statesIn(degraded.arrive(held.map((slide) => ({ ...slide, ...gone })))),
      ['PROPOSED', 'GATE_PASSED'],
      '1oo2, held as long as a window',
    )
    const lost = fast({}, { hazards: [{ ...policy().hazards[0]!, inadvertent: 'marginal', onUnknown: 'safe_state' }] })
    t.same(lost.arrive([{ p_a: null, p_b: null, p_c: null }]), [], 'a loss is never told early')
  },
)

t.test('rules that wait for the slide are not looked at, nor is anything without open slides', async (t) => {
  const slow = armedRig(policy({ rules: [rule({ conditions: members })] }))
  t.same(slow.arrive([HIGH, HIGH]), [])
  const rig = fast()
  t.same(rig.arrive([]), [])
})

t.test('gentle actions past the bound of one arrival wait for the slide', async (t) => {
  const gentle = (id: string) => fastRule({ id, action: 'degrade', target: id })
  const rig = armedRig(policy({ rules: ['a', 'b', 'c'].map(gentle), releasesMax: 2 }))
  t.same(statesIn(rig.arrive([HIGH, HIGH])), ['PROPOSED', 'GATE_PASSED', 'PROPOSED', 'GATE_PASSED'])
})
