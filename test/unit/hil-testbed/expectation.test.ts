import t from 'tap'
import type { Outcome } from '../../../hil-testbed/core/result.ts'
import type { Expectation } from '../../../hil-testbed/core/scenario.ts'
import {
  F1_AT_3S,
  faultSeen,
  judgedRun,
  peak,
  quietOutbox,
  type RunParts,
  thinned,
} from '../../support/hil-run-folder.ts'
import { SignedOutbox } from '../../support/signed-outbox.ts'

const WHOLE = { fromUs: 0, toUs: null }
const WITHIN = { us: 2_000_000, of: 'F1' }

type Row = readonly [name: string, is: Outcome['is'], expectation: Expectation, parts?: RunParts]

const verdict = { kind: 'verdict', is: ['FAIL'], metric: null, ground: null, within: WITHIN, optional: false } as const
const alarm = {
  kind: 'alarm',
  name: 'p_disagree',
  severity: null,
  active: true,
  within: WITHIN,
  optional: false,
} as const
const sought = { target: null, reaches: 'VERIFIED', reason: null, within: WITHIN, optional: false } as const
const action = { kind: 'action', action: 'shutdown', ...sought } as const
const arm = { kind: 'arm', state: 'ARMED', within: WITHIN, optional: false } as const
const refused = { kind: 'refused', reason: 'EXPIRED', within: WITHIN, optional: false } as const
const told = {
  kind: 'told',
  event: 'bundle_refused',
  why: 'number_not_above',
  within: WITHIN,
  optional: false,
} as const
const TOLD = [{ t_us: 4_500_000, kind: 'told', event: 'bundle_refused', why: 'number_not_above: 1' }] as const
const fhti = { kind: 'fhti', from: 'F1', maxUs: 1_500_000, fttiUs: 2_500_000 } as const
const REFUSED = { kind: 'start_refused', code: 'CONFIG_INVALID' } as const
const quiet = { outbox: quietOutbox() }
const receipted = { outbox: quietOutbox().receipt() }
const gone = { outbox: thinned() }
const unseen = { facts: { faults: [faultSeen('F1', 0, 0)] } }
const early: RunParts = { facts: { ...F1_AT_3S.facts, simulated_us: 3_200_000 } }
const blind = { pressure: (atS: number) => (atS === 5 ? Number.NaN : 5) }

const ROWS: readonly Row[] = [
  ['verdict', 'met', verdict],
  ['verdict of a metric', 'met', { ...verdict, metric: 'p1', ground: 'fail_max' }],
  ['verdict of another metric', 'missed', { ...verdict, metric: 'p2' }],
  ['verdict by another ground', 'missed', { ...verdict, ground: 'silent' }],
  ['a metric that passes', 'met', { ...verdict, is: ['PASS'], metric: 'p1' }],
  ['a range that passes, from within it', 'met', { ...verdict, is: ['PASS'], within: { us: 10_000, of: 'onset' } }],
  [
    'between two decisions',
    'missed',
    { ...verdict, is: ['PASS'], within: { us: 20_000, of: 'onset' } },
    { events: [{ t_us: 1_010_000, kind: 'mark', name: 'onset' }] },
  ],
  ['verdict too late', 'missed', { ...verdict, within: { us: 400_000, of: 'F1' } }],
  ['verdict that never came', 'missed', verdict, quiet],
  ['verdict at any time', 'met', { ...verdict, within: null }],
  ['verdict of a thinned batch', 'unknown', verdict, gone],
  ['verdict after a fault that was not seen', 'unknown', verdict, unseen],
  ['verdict after a mark that was not made', 'unknown', { ...verdict, within: { us: 1, of: 'nowhere' } }],
  ['verdict after the end of the run', 'unknown', verdict, { ...early, ...quiet }],
  ['alarm', 'met', { ...alarm, severity: 'WARNING' }],
  ['alarm of another severity', 'missed', { ...alarm, severity: 'CRITICAL' }],
  ['alarm that is over', 'missed', { ...alarm, active: false }],
  ['alarm that is over at last', 'met', { ...alarm, active: false, within: null }],
  ['alarm of another name', 'missed', { ...alarm, name: 'p_dis' }],
  ['alarm of a thinned batch', 'unknown', alarm, gone],
  ['action', 'met', { ...action, target: 'relief' }],
  ['action of another target', 'missed', { ...action, target: 'inlet' }],
  ['action by its reason', 'met', { ...action, reaches: 'GATE_DENIED', reason: 'STALE' }],
  ['action by another reason', 'missed', { ...action, reaches: 'GATE_DENIED', reason: 'DISAGREE' }],
  ['action too late', 'missed', { ...action, within: { us: 1_000_000, of: 'F1' } }],
  ['action of a thinned batch', 'unknown', action, gone],
  ['arm', 'met', arm],
  ['arm in another state', 'missed', { ...arm, state: 'PASSIVE' }],
  ['arm of a thinned batch', 'unknown', arm, gone],
  ['refused', 'met', refused],
  ['refused when it was given', 'met', { ...refused, reason: 'SAME_PERSON', within: null }],
  ['refused by another reason', 'missed', { ...refused, reason: 'SAME' }],
  ['refused in a thinned batch', 'unknown', refused, gone],
  ['told', 'met', told],
  ['told for any reason', 'met', { ...told, why: null }],
  ['told for another reason', 'missed', { ...told, why: 'too_few_signers' }],
  ['told of something else', 'missed', { ...told, event: 'peer_refused' }],
  ['told too late', 'missed', { ...told, within: { us: 1_400_000, of: 'F1' } }],
  ['told in a thinned batch', 'met', told, { ...gone, events: TOLD }],
  ['not told, as far as is known', 'unknown', { ...told, why: 'wrong_version' }, gone],
  ['gap', 'met', { kind: 'gap', reason: 'journal_lost', optional: false }],
  ['no gap', 'missed', { kind: 'gap', reason: 'agent_down', optional: false }],
  [
    'a gap of what was not signed',
    'unknown',
    { kind: 'gap', reason: 'agent_down', optional: false },
    { outbox: new SignedOutbox().decide(50_000, 'PASS').seal() },
  ],
  ['never the plant', 'met', { kind: 'never', what: { plant: 'p_bar > 10' }, span: WHOLE }],
  ['once the plant', 'missed', { kind: 'never', what: { plant: 'p_bar > 10' }, span: WHOLE }, peak(11)],
  [
    'once the plant, before the span',
    'met',
    { kind: 'never', what: { plant: 'p_bar > 10' }, span: { fromUs: 6_000_000, toUs: 8_000_000 } },
    peak(11),
  ],
  [
    'never the plant, as far as is known',
    'unknown',
    { kind: 'never', what: { plant: 'p_bar > 10' }, span: WHOLE },
    blind,
  ],
  ['never a signal that is not there', 'unknown', { kind: 'never', what: { plant: 'q > 10' }, span: WHOLE }],
  ['never a verdict', 'met', { kind: 'never', what: { verdict: ['NO_TEST'] }, span: WHOLE }],
  ['once a verdict', 'missed', { kind: 'never', what: { verdict: ['FAIL'] }, span: WHOLE }],
  [
    'once a verdict, before the span',
    'met',
    { kind: 'never', what: { verdict: ['FAIL'] }, span: { fromUs: 4_500_000, toUs: null } },
  ],
  ['never a verdict, thinned', 'unknown', { kind: 'never', what: { verdict: ['FAIL'] }, span: WHOLE }, gone],
  ['never an alarm', 'met', { kind: 'never', what: { alarm: 'fire' }, span: WHOLE }],
  [
    'an alarm of before that stands',
    'missed',
    { kind: 'never', what: { alarm: 'p_disagree' }, span: { fromUs: 5_000_000, toUs: 5_500_000 } },
  ],
  [
    'an alarm that is over',
    'met',
    { kind: 'never', what: { alarm: 'p_disagree' }, span: { fromUs: 6_500_000, toUs: null } },
  ],
  ['never an alarm, thinned', 'unknown', { kind: 'never', what: { alarm: 'fire' }, span: WHOLE }, gone],
  [
    'never an action',
    'met',
    { kind: 'never', what: { action: 'abort', target: null, state: 'RELEASED' }, span: WHOLE },
  ],
  [
    'once an action',
    'missed',
    { kind: 'never', what: { action: 'shutdown', target: null, state: 'RELEASED' }, span: WHOLE },
  ],
  [
    'never an action, thinned',
    'unknown',
    { kind: 'never', what: { action: 'abort', target: null, state: 'RELEASED' }, span: WHOLE },
    gone,
  ],
  ['always', 'met', { kind: 'always', verdict: ['PASS', 'FAIL'], span: WHOLE }],
  ['not always', 'missed', { kind: 'always', verdict: ['PASS'], span: WHOLE }],
  [
    'always, but while it was down',
    'missed',
    { kind: 'always', verdict: ['PASS'], span: WHOLE },
    { outbox: downFor() },
  ],
  [
    'always, and down is no test',
    'met',
    { kind: 'always', verdict: ['PASS', 'NO_TEST'], span: WHOLE },
    { outbox: downFor() },
  ],
  ['always, thinned', 'unknown', { kind: 'always', verdict: ['PASS'], span: WHOLE }, gone],
  [
    'always, as far as was signed',
    'unknown',
    { kind: 'always', verdict: ['PASS'], span: WHOLE },
    { outbox: new SignedOutbox().decide(50_000, 'PASS').repeat(60, 100_000, 5_000_000).seal() },
  ],
  ['stl', 'met', { kind: 'stl', formula: 'historically[0,10s] p_bar <= 10' }],
  ['stl that does not hold', 'missed', { kind: 'stl', formula: 'historically[0,10s] p_bar <= 10' }, peak(11)],
  ['stl, blind', 'unknown', { kind: 'stl', formula: 'historically[0,10s] p_bar <= 10' }, blind],
  ['stl that is none', 'unknown', { kind: 'stl', formula: 'p_bar <=' }],
  ['stl beyond the truth', 'unknown', { kind: 'stl', formula: 'p_bar <= 10' }, { facts: { simulated_us: 20_000_000 } }],
  ['count', 'met', { kind: 'count', of: { action: 'shutdown', target: null, state: 'RELEASED' }, least: 1, most: 1 }],
  ['count of too many', 'missed', { kind: 'count', of: { alarm: 'p_disagree' }, least: 0, most: 0 }],
  ['count of too few', 'missed', { kind: 'count', of: { effect: 'relief' }, least: 2, most: null }],
  [
    'count of alarms that nobody held against the record',
    'unknown',
    { kind: 'count', of: { alarm: 'fire' }, least: 0, most: 0 },
    { facts: { alarms_again: null } },
  ],
  [
    'never an alarm that nobody held against the record',
    'unknown',
    { kind: 'never', what: { alarm: 'fire' }, span: WHOLE },
    { facts: { alarms_again: null } },
  ],
  ['count of effects', 'met', { kind: 'count', of: { effect: 'relief' }, least: 1, most: 1 }],
  ['count, thinned', 'unknown', { kind: 'count', of: { alarm: 'p_disagree' }, least: 0, most: 0 }, gone],
  ['counter', 'met', { kind: 'counter', counter: 'late', least: 0, most: 0 }],
  [
    'counter beyond its most',
    'missed',
    { kind: 'counter', counter: 'late', least: 0, most: 2 },
    { outbox: lateSamples() },
  ],
  ['counter that no header has', 'unknown', { kind: 'counter', counter: 'lost', least: 0, most: 0 }],
  ['fhti', 'met', fhti],
  ['fhti too long', 'missed', { ...fhti, maxUs: 1_000_000 }],
  ['fhti beyond the FTTI', 'missed', { ...fhti, fttiUs: 1_000_000 }],
  ['fhti by the end of the hazard', 'met', { ...fhti, maxUs: 2_500_000 }, { ...peak(11), events: [] }],
  ['fhti of what nobody handled', 'missed', fhti, { events: [] }],
  ['fhti of a fault that was not seen', 'unknown', fhti, unseen],
  ['fhti after the end of the run', 'unknown', fhti, { ...early, events: [] }],
  ['start refused', 'met', REFUSED, refusal(78, 'CONFIG_INVALID: no')],
  ['start refused by the event', 'met', REFUSED, refusal(78, '', 'CONFIG_INVALID')],
  ['start refused by another', 'missed', REFUSED, refusal(78, 'CONFIG_INVALID', 'BUG')],
  ['start refused otherwise', 'missed', REFUSED, refusal(70, 'BUG')],
  ['start refused, and exit 0', 'missed', REFUSED, refusal(0, 'CONFIG_INVALID: no')],
  ['start not refused', 'missed', REFUSED],
  ['replay', 'met', { kind: 'replay', equal: true }, { facts: { replay: { equal: true, detail: 'equal' } } }],
  [
    'replay that differs',
    'missed',
    { kind: 'replay', equal: true },
    { facts: { replay: { equal: false, detail: '3' } } },
  ],
  ['replay that was not asked', 'unknown', { kind: 'replay', equal: true }],
  [
    'collected',
    'met',
    { kind: 'collected', all: true },
    { ...receipted, facts: { collected: { decisions: 200, missing: 0, duplicate: 0 } } },
  ],
  [
    'collected in part',
    'missed',
    { kind: 'collected', all: true },
    { ...receipted, facts: { collected: { decisions: 199, missing: 0, duplicate: 0 } } },
  ],
  [
    'collected twice',
    'missed',
    { kind: 'collected', all: true },
    { ...receipted, facts: { collected: { decisions: 200, missing: 0, duplicate: 1 } } },
  ],
  [
    'collected, and a receipt did not come',
    'missed',
    { kind: 'collected', all: true },
    { ...quiet, facts: { collected: { decisions: 200, missing: 0, duplicate: 0 } } },
  ],
  ['collected by nobody', 'unknown', { kind: 'collected', all: true }],
]

function downFor(): SignedOutbox {
  const down = { from: 1_800_000_003_000_000, to: 1_800_000_004_000_000, reason: 'agent_down' }
  return quietOutbox()
    .decide(9_990_000, 'PASS')
    .seal({ gaps: [down] })
}

function lateSamples(): SignedOutbox {
  return quietOutbox()
    .decide(10_050_000, 'PASS')
    .seal({ counters: { late: 3 } })
}

function refusal(code: number, log: string, refused?: string): RunParts {
  const exited = {
    t_us: 1000,
    kind: 'agent',
    is: 'exited',
    code,
    ...(refused === undefined ? {} : { refused }),
  } as const
  return { log, outbox: new SignedOutbox(), events: [exited] }
}

t.test('every expectation is met, missed or unknown, and says what was seen', async (t) => {
  for (const [name, is, expectation, parts] of ROWS) {
    const [outcome] = judgedRun(t, [expectation], parts).outcomes
    t.equal(outcome?.is, is, `${name}: ${JSON.stringify(outcome)}`)
    t.ok(outcome!.text !== '' && outcome!.expected !== '' && outcome!.observed !== '', `${name} in words`)
    if (is === 'unknown') t.equal(outcome!.margin, null, name)
  }
  const kinds = new Set(ROWS.map(([, is, { kind }]) => `${kind} ${is}`))
  const never = ['start_refused unknown']
  for (const kind of new Set(ROWS.map(([, , one]) => one.kind)))
    for (const is of ['met', 'missed', 'unknown'])
      if (!never.includes(`${kind} ${is}`)) t.ok(kinds.has(`${kind} ${is}`), `${kind} ${is} is shown`)
})

t.test('an outcome has its time, its margin, and what came instead', async (t) => {
  const [met, late] = judgedRun(t, [verdict, { ...verdict, within: { us: 400_000, of: 'F1' } }]).outcomes
  t.match(met, { text: 'verdict FAIL within 2 s of F1', at_us: 3_500_000, margin: 0.75, observed: 'FAIL at 3.500 s' })
  t.match(late, { at_us: 3_500_000, margin: null, observed: 'FAIL at 3.500 s, 0.100 s late' })
  const [limit] = judgedRun(t, [{ kind: 'never', what: { plant: 'p_bar > 10' }, span: WHOLE }], peak(9)).outcomes
  t.match(limit, { margin: 0.1, observed: 'robustness 1' })
  const [hit] = judgedRun(t, [{ kind: 'never', what: { plant: 'p_bar > 10' }, span: WHOLE }], peak(11)).outcomes
  t.match(hit, { margin: -0.1, at_us: 4_000_000 })
})
