import t from 'tap'
import { SEVERITIES, type Severity } from '../../../shared/model/action.ts'
import type { Hazard, MetricProvenance, RigPolicy, Rule } from '../../../shared/model/actions-policy.ts'
import { isMustWork, VOTE_WORDS, voteFor } from '../../../shared/model/hazard-vote.ts'
import { lintPolicy } from '../../../shared/model/policy-lint.ts'
import { ruleNeeds, ruleSentence, timeWords } from '../../../shared/model/policy-words.ts'
import {
  ASSUMED,
  EARLY_SLIDES_MAX,
  escalationBudget,
  type Measured,
  ruleBudget,
} from '../../../shared/model/reaction-budget.ts'
import { inLoop, LOOP_ACTIONS, parsedLoop } from '../../support/policy-texts.ts'

const { policies, provenance: ofRigs } = parsedLoop()
const good = policies.get('pressure-loop')!
const provenance = ofRigs.get('pressure-loop')!
const judged = [250_000, 1_000_000, 10_000_000, 60_000_000]
const timing = {
  slideUs: 50_000,
  latenessUs: 200_000,
  judgedUs: new Map(['p_a', 'p_b', 'p_c', 'flow'].map((metric) => [metric, judged])),
}
type Change = Readonly<{
  rule?: Partial<Rule>
  hazard?: Partial<Hazard>
  policy?: Partial<RigPolicy>
  measured?: Measured
}>

/** The policy of the loop with its first rule, first hazard, or itself changed. */
function changedPolicy({ rule = {}, hazard = {}, policy = {} }: Change): RigPolicy {
  const rules = good.rules.map((one, k) => (k === 0 ? { ...one, ...rule } : one))
  const hazards = good.hazards.map((one, k) => (k === 0 ? { ...one, ...hazard } : one))
  return { ...good, rules, hazards, ...policy }
}

const lint = (change: Change, trails: readonly MetricProvenance[] = provenance) =>
  lintPolicy({ policy: changedPolicy(change), provenance: trails, timing, measured: change.measured ?? {} })
const said = (change: Change, trails?: readonly MetricProvenance[]) =>
  lint(change, trails).map(({ rule, severity, path }) => `${severity} ${rule} ${path.join('.')}`)

t.test('the policy of the loop has nothing that lint would say', (t) => {
  t.same(lint({}), [])
  t.end()
})

// verifies SE-02
t.test('the vote of every pair of severities', (t) => {
  const table: Readonly<Record<Severity, string>> = {
    //              none  marginal critical catastrophic, when it does not come
    none: '            -     1ooN     1ooN     1ooN',
    marginal: '        2oo2  2oo3     1ooN     1ooN',
    critical: '        2oo2  2oo2     2oo3     2oo3',
    catastrophic: '    2oo2  2oo2     2oo3     2oo3',
  }
  for (const inadvertent of SEVERITIES) {
    const row = table[inadvertent].trim().split(/\s+/)
    SEVERITIES.forEach((omission, k) => {
      const harm = { inadvertent, omission }
      t.equal(voteFor(harm) ?? '-', row[k], `${inadvertent} unasked, ${omission} when it does not come`)
      t.equal(isMustWork(harm), row[k] === '1ooN' || row[k] === '2oo3', 'must work')
    })
  }
  t.match(VOTE_WORDS['1ooN'], /any one/)
  t.match(VOTE_WORDS['2oo2'], /both conditions/)
  t.match(VOTE_WORDS['2oo3'], /two of three/)
  t.end()
})

// verifies SE-06
t.test('conditions that share anything are named with what they share; a vote of them is an error', (t) => {
  const trails = (metric: string, more: Partial<MetricProvenance>) =>
    provenance.map((one) => (one.metric === metric ? { ...one, ...more } : one))
  const groupOfA = provenance.find(({ metric }) => metric === 'p_a')!.groups
  for (const group of groupOfA) {
    const found = lint({}, trails('p_c', { groups: [group] }))
    t.match(found, [{ rule: 'not_independent', severity: 'error', path: ['rules', 0, 'conditions', 2] }], group)
    t.equal(found[0]!.found, `\`c\` is not independent of \`a\`: ${group}`)
  }
  t.equal(lint({}, trails('p_c', { leaves: ['pt-102'] }))[0]!.found, '`c` is not independent of `b`: leaf:pt-102')
  t.equal(lint({}, trails('p_c', { declared: false })).length, 2, 'of both others')
  t.match(lint({}, trails('p_c', { declared: false })), [{ hint: /every kind of `ccg`/ }, {}])
  const mustWork = { rule: { vote: '1ooN' as const }, hazard: { inadvertent: 'marginal' as const, fttiUs: 4_000_000 } }
  t.same(
    said(mustWork, trails('p_c', { leaves: ['pt-102'] })),
    ['warning not_independent rules.0.conditions.2'],
    'where any one is enough, they are fewer witnesses than it seems',
  )
  t.same(
    said(
      { rule: { vote: '1ooN', action: 'notify', target: 'control-room', escalation: null } },
      trails('p_c', { leaves: ['pt-102'] }),
    ),
    [],
  )
  t.end()
})

// verifies SE-29
t.test(
  'the budget has every term, says which is assumed, and half of the FTTI is the bound to the microsecond',
  (t) => {
    const about = (change: Change = {}) => ({ policy: changedPolicy(change), timing, measured: change.measured ?? {} })
    const budget = ruleBudget(good.rules[0]!, about())!
    t.same(
      budget.terms.map(({ name, us, basis }) => `${name} ${us / 1000} ${basis}`),
      [
        'window 250 configured',
        'lateness 200 configured',
        'slide_hop 50 configured',
        'slide_close 50 configured',
        'persistence 100 configured',
        'single_sample 0 configured',
        'eval_p99 5 assumed',
        'gate_p99 1 assumed',
        'fsync_p99 20 assumed',
        'veto_window 0 configured',
        'transport 300 configured',
        'back_off 50 configured',
        'actuator_start 100 configured',
        'actuator_complete 150 configured',
      ],
    )
    t.equal(budget.totalUs, 1_276_000)
    const alone = (change: Change): number | undefined => {
      const policy = changedPolicy(change)
      return ruleBudget(policy.rules[0]!, { ...about(change), policy })!.terms.find(
        ({ name }) => name === 'single_sample',
      )?.us
    }
    t.equal(alone({ rule: { vote: '1ooN' } }), 250_000, 'what any one condition starts must last its window')
    t.equal(
      alone({ hazard: { inadvertent: 'marginal' } }),
      250_000,
      'two of three become one of two where that is safer',
    )
    t.equal(alone({ rule: { vote: '2oo2' }, hazard: { inadvertent: 'marginal' } }), 0)
    t.equal(
      alone({ rule: { vote: '1ooN', action: 'notify', target: 'control-room', escalation: null } }),
      0,
      'no hard action',
    )
    t.same(said({ hazard: { fttiUs: 2 * 1_276_000 } }), [], 'exactly half')
    t.same(said({ hazard: { fttiUs: 2 * 1_276_000 - 1 } }), ['error reaction_budget rules.0'], 'a microsecond more')
    t.same(said({ hazard: { fttiUs: Number.NaN } }).length, 1, 'not a number is not enough')
    t.match(
      lint({ hazard: { fttiUs: 2_000_000 } })[0]!.found,
      /^1276 ms .*250 window \+ 200 lateness .*20 fsync_p99 \(assumed\)/,
    )
    t.match(lint({ measured: { fsyncP99Us: 900_000 } })[0]!.found, /900 fsync_p99 \(measured\)/)
    t.equal(
      ruleBudget(good.rules[0]!, about({ measured: { evalP99Us: 1 } }))!.totalUs,
      1_276_000 - ASSUMED.evalP99Us + 1,
    )
    t.end()
  },
)

// verifies SE-24, SE-29
t.test('each thing that takes longer, or waits less, moves the budget by that much', (t) => {
  const total = (change: Change) => {
    const policy = changedPolicy(change)
    return ruleBudget(policy.rules[0]!, { policy, timing, measured: {} })!.totalUs / 1000 - 1276
  }
  const [a, b, c] = good.rules[0]!.conditions as [Rule['conditions'][0], Rule['conditions'][0], Rule['conditions'][0]]
  const withC = (more: Partial<typeof c>) => ({ rule: { conditions: [a, b, { ...c, ...more }] } })
  const look = { kind: 'window', metric: 'p_c', windowUs: 1_000_000, of: 'mean', op: '>', value: 7 } as const
  const pump = (more: object) => ({
    policy: { targets: good.targets.map((one, k) => (k === 0 ? { ...one, ...more } : one)) },
  })
  t.equal(total({}), 0)
  t.equal(total({ rule: { vetoUs: 40_000 } }), 40, 'a veto counts inside the FTTI')
  t.equal(total({ rule: { fastPath: true } }), -250, 'no waiting for late samples and silent channels')
  const slow = { ...timing, latenessUs: 10_000_000 }
  const waits = (fastPath: boolean) =>
    ruleBudget({ ...good.rules[0]!, fastPath }, { policy: good, timing: slow, measured: {} })!.terms[1]!.us
  t.equal(waits(true), 10_000_000 - (EARLY_SLIDES_MAX - 1) * timing.slideUs, 'but for what is too far ahead')
  t.equal(waits(false), 10_000_000)
  t.equal(total(withC({ look })), 750, 'the slowest condition counts')
  t.equal(total(withC({ look: { ...look, of: 'max' } })), 0, 'a maximum above a limit shows at once')
  t.equal(total(withC({ look: { ...look, of: 'min' } })), 750, 'a minimum above a limit only when the window is full')
  t.equal(total(withC({ look: { ...look, of: 'min', op: '<' } })), 0)
  t.equal(total(withC({ look: { ...look, of: 'max', op: '<=' } })), 750)
  t.equal(total(withC({ look: { kind: 'verdict', metric: 'p_c', verdicts: ['FAIL'] } })), 0, 'the narrowest window')
  t.equal(total(withC({ persistence: { k: 2, n: 5 } })), 100)
  t.equal(total(pump({ retries: 2 })), 150 + 100)
  t.equal(total(pump({ nonIdempotent: true })), -150 - 50, 'what is not sent again takes no longer')
  t.equal(total(pump({ backOffUs: 10_000 })), -40)
  t.end()
})

// verifies SE-29
t.test(
  'a slow reaction is an error where the action must work, a warning where it must not, nothing where nobody misses it',
  (t) => {
    const slow = { fttiUs: 1_000_000 }
    t.same(said({ hazard: slow }), ['error reaction_budget rules.0'])
    t.same(said({ hazard: { ...slow, omission: 'marginal' } }), ['warning reaction_budget rules.0'])
    t.same(said({ hazard: { ...slow, omission: 'none' } }), [])
    const short = good.hazards.map((h) => (h.action === 'isolate' ? { ...h, fttiUs: 4_000_000 } : h))
    t.same(
      said({ policy: { hazards: short } }),
      ['error reaction_budget rules.0.escalation'],
      'what follows a failure has a budget too',
    )
    t.equal(escalationBudget(good.rules[0]!, { policy: good, timing, measured: {} })!.terms[0]!.us, 1_500_000)
    t.equal(escalationBudget(good.rules[1]!, { policy: good, timing, measured: {} }), null)
    t.end()
  },
)

// verifies SE-44
t.test('a catastrophic omission without a layer beyond us is an error', (t) => {
  for (const omission of SEVERITIES)
    t.same(
      said({ hazard: { omission, secondLayer: null } }).filter((text) => text.includes('no_second_layer')),
      omission === 'catastrophic' ? ['error no_second_layer hazards.0.second_layer'] : [],
      omission,
    )
  t.same(said({ hazard: { omission: 'catastrophic', fttiUs: 4_000_000 } }), [])
  t.end()
})

// verifies SE-34
t.test(
  'what losing the permit does to the hardware: every combination of effect, omission, reason and second layer',
  (t) => {
    for (const lossOfPermit of ['de_energise', 'hold_last', 'none'] as const)
      for (const omission of SEVERITIES)
        for (const reason of [true, false])
          for (const layer of [true, false]) {
            const isBad =
              (lossOfPermit === 'hold_last' && !(reason && layer)) ||
              (lossOfPermit === 'none' && (omission === 'critical' || omission === 'catastrophic') && !reason)
            const hazard = {
              ...{ lossOfPermit, omission, secondLayer: layer ? 'a relief valve' : null },
              ...(reason ? { lossOfPermitReason: 'it is only looked at' } : {}),
            }
            const found = said({ hazard }).filter((text) => text.includes('loss_of_permit'))
            t.same(found, isBad ? ['error loss_of_permit hazards.0.loss_of_permit'] : [], JSON.stringify(hazard))
          }
    t.end()
  },
)

// verifies SE-28
t.test(
  'more than six approvals an hour are warned of: as expected, as budgets permit, or as the time to clear does',
  (t) => {
    const approvals = (rule: Partial<Rule>, most = 2) => {
      const { expectedPerHour: _, ...rest } = good.rules[0]!
      const rules = [{ ...rest, ...rule }, good.rules[1]!]
      return said({ policy: { rules, budgets: most === 0 ? [] : [{ ...good.budgets[0]!, most }] } }).filter((text) =>
        text.includes('approvals'),
      )
    }
    const warned = ['warning too_many_approvals rules']
    t.same(approvals({ expectedPerHour: 6 }), [])
    t.same(approvals({ expectedPerHour: 6.1 }), warned)
    t.same(approvals({}, 6), [], 'as often as its budget permits')
    t.same(approvals({}, 7), warned)
    t.same(approvals({ clearUs: 600_000_000 }, 0), [], 'without a budget, as often as it can clear')
    t.same(approvals({ clearUs: 500_000_000 }, 0), warned)
    t.same(approvals({ expectedPerHour: 100, rearm: 'auto' }), [], 'nobody is asked')
    t.same(approvals({ expectedPerHour: 100, dryRun: true }), [], 'nothing is armed')
    t.end()
  },
)

// verifies SE-17
t.test(
  'a verify condition that cannot be seen in time is an error, one that is late for a slow target a warning',
  (t) => {
    const verify = good.hazards[0]!.verify!
    const within = (withinUs: number) => said({ hazard: { verify: { ...verify, withinUs } } })
    t.same(within(700_000), [], '250 window + 200 lateness + 2 × 50 slide, after up to 150 of the target')
    t.same(within(699_999), ['warning verify_too_slow hazards.0.verify.within_ms'])
    t.same(within(550_000), ['warning verify_too_slow hazards.0.verify.within_ms'])
    t.same(within(549_999), ['error verify_too_slow hazards.0.verify.within_ms'])
    t.end()
  },
)

t.test('a hard action that believes any baseline, or may come any number of times, is a warning', (t) => {
  t.same(said({ rule: { minConfidence: 0 } }), ['warning no_confidence rules.0.min_confidence'])
  t.same(said({ policy: { budgets: [] } }), ['warning no_budget rules.0.action'])
  t.same(said({ policy: { budgets: [{ ...good.budgets[0]!, target: '' }] } }), [], 'one for all targets will do')
  t.end()
})

// verifies SE-29, SE-44
t.test('what lint calls an error refuses the file at load, with its place; a warning does not', (t) => {
  t.match(inLoop({ actions: LOOP_ACTIONS.replace('ftti_ms: 2600', 'ftti_ms: 2000') }), [
    { file: 'loop.actions.yaml', key: 'rules[0]', found: /1276 ms .*\(reaction_budget, SE-29\)/ },
  ])
  const catastrophic = LOOP_ACTIONS.replace('omission: critical', 'omission: catastrophic').replace(
    /^ {4}second_layer.*\n/m,
    '',
  )
  t.match(inLoop({ actions: catastrophic }), [{ key: 'hazards[0].second_layer', found: /SE-44/ }])
  t.same(inLoop({ actions: LOOP_ACTIONS.slice(0, LOOP_ACTIONS.indexOf('budgets:')) }), [])
  t.end()
})

// verifies SE-29
t.test(
  'on the fast path only what later samples cannot take back is asked for; anything else is an error at its place',
  (t) => {
    const [a, b] = good.rules[0]!.conditions as [Rule['conditions'][0], Rule['conditions'][0]]
    const window = { kind: 'window', metric: 'p_c', windowUs: 250_000, value: 7 } as const
    const found = (look: Rule['conditions'][0]['look'], fastPath = true) =>
      lint({
        rule: {
          fastPath,
          conditions: [a, b, { ...a, id: 'c', look }].map((one, k) => (k < 2 ? { ...one, look: atOnce(k) } : one)),
        },
      }).filter(({ rule }) => rule === 'fast_path')
    const atOnce = (k: number) => ({ ...window, metric: k === 0 ? 'p_a' : 'p_b', of: 'max', op: '>' }) as const
    const table: readonly (readonly [Rule['conditions'][0]['look'], boolean, RegExp?])[] = [
      [{ ...window, of: 'max', op: '>' }, true],
      [{ ...window, of: 'max', op: '>=' }, true],
      [{ ...window, of: 'min', op: '<' }, true],
      [{ ...window, of: 'min', op: '<=' }, true],
      [{ ...window, of: 'max', op: '<' }, false, /the max < a limit/],
      [{ ...window, of: 'min', op: '>=' }, false, /the min >= a limit/],
      [{ ...window, of: 'mean', op: '>' }, false, /the mean > a limit/],
      [{ ...window, of: 'mean', op: '<' }, false, /the mean < a limit/],
      [{ kind: 'verdict', metric: 'p_c', verdicts: ['FAIL'] }, false, /a verdict/],
      [{ kind: 'overall', verdicts: ['FAIL'] }, false, /the verdict/],
      [{ kind: 'event' }, false, /the event streams/],
    ]
    for (const [look, isGood, text] of table) {
      t.same(found(look, false), [], 'nothing of it matters without `fast_path`')
      if (isGood) t.same(found(look), [], JSON.stringify(look))
      else t.match(found(look), [{ severity: 'error', path: ['rules', 0, 'conditions', 2], found: text! }])
    }
    const actions = LOOP_ACTIONS.replace('    vote: 2oo3\n', '    vote: 2oo3\n    fast_path: true\n')
    t.match(inLoop({ actions }), [{ key: 'rules[0].conditions[0]', found: /SE-29/ }, {}, {}], 'and refuses the file')
    t.end()
  },
)

// verifies SE-02
t.test('a rule is one sentence: scope, condition, who shall do what, how soon, and how it is seen', (t) => {
  const units = new Map(['p_a', 'p_b', 'p_c'].map((metric) => [metric, 'bar'])).set('flow', 'l/min')
  const sentence = (change: Change = {}, k = 0) => {
    const policy = changedPolicy(change)
    const budget = ruleBudget(policy.rules[k]!, { policy, timing, measured: {} })
    return ruleSentence(policy.rules[k]!, { policy, provenance, budget, units })
  }
  t.equal(
    sentence(),
    'In mode nominal, degraded, fallback or test, when two of (a) mean of p_a over 250 ms > 7 bar for 2 of 3 slides, (b) mean of p_b over 250 ms > 7 bar for 2 of 3 slides, (c) mean of p_c over 250 ms > 7 bar for 2 of 3 slides hold, independently and within 500 ms of each other, and the golden baseline is believed to at least 0.5, the agent shall shut down pump within 1276 ms; it is seen by mean of flow over 250 ms < 1 l/min within 1500 ms, or else the agent shall isolate inlet-valve.',
  )
  t.match(
    sentence({}, 1),
    /when any of .* for 5 slides in a row, .*, the agent shall notify control-room within \d+ ms; nothing on the rig shows whether it was\.$/,
  )
  t.match(
    sentence({ rule: { dryRun: true, escalation: null } }),
    /shall only record that it would shut down pump .*or else an alarm is raised\.$/,
  )
  t.match(
    sentence({ rule: { fastPath: true } }),
    /, judged on samples as they arrive and again when their slide has closed, the agent shall shut down pump within 1026 ms;/,
  )
  const [a] = good.rules[0]!.conditions
  t.match(
    sentence({ rule: { vote: '2oo2', conditions: [a!, { ...a!, id: 'again' }] } }),
    /both of .* NOT independently \(leaf:pt-101, bus:link-1/,
  )
  t.same([250_000, 2_000_000, 90_000_000, 120_000_000, 7_200_000_000].map(timeWords), [
    '250 ms',
    '2 s',
    '90 s',
    '2 min',
    '2 h',
  ])
  t.end()
})

t.test('what a rule needs to have acted', (t) => {
  const [a, b, c] = good.rules[0]!.conditions as [Rule['conditions'][0], Rule['conditions'][0], Rule['conditions'][0]]
  const conditions = [a, { ...b, persistence: { k: 4, n: 5 } }, { ...c, persistence: { k: 1, n: 1 } }]
  const least = (vote: Rule['vote']) => ruleNeeds({ ...good.rules[0]!, vote, conditions }, 50_000)
  t.match(least('2oo3'), {
    conditions: 2,
    of: 3,
    leastUs: 50_000,
    slides: [{ true_slides: 2, of_slides: 3 }, { true_slides: 4, of_slides: 5 }, {}],
  })
  t.match(least('1ooN'), { conditions: 1, leastUs: 0 })
  t.end()
})
