import { appendFileSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Expectation } from '../../../hil-testbed/core/scenario.ts'
import { judge } from '../../../hil-testbed/oracle/judge.ts'
import { RunUnreadable } from '../../../hil-testbed/oracle/run-folder.ts'
import {
  eventful,
  F1_AT_3S,
  faultSeen,
  judgedRun,
  peak,
  quietOutbox,
  type RunParts,
  runFolder,
} from '../../support/hil-run-folder.ts'
import { SignedOutbox } from '../../support/signed-outbox.ts'

const WHOLE = { fromUs: 0, toUs: null }
const WITHIN = { us: 2_000_000, of: 'F1' }
const verdict = { kind: 'verdict', is: ['FAIL'], metric: null, ground: null, within: WITHIN, optional: false } as const
const fhti = { kind: 'fhti', from: 'F1', maxUs: 1_500_000, fttiUs: 2_500_000 } as const
const AGAIN = { t_us: 3_500_000, id: 'hot', severity: 'WARNING', change: 'raised' } as const
const TOLD = { kind: 'alarm', ...AGAIN, active: true } as const
const told = { kind: 'alarm', name: 'hot', severity: null, active: true, within: WITHIN, optional: false } as const
const unseen = { facts: { faults: [faultSeen('F1', 0, 0)] } }

t.test('a case has one verdict, and the first reason counts', async (t) => {
  const missed = { ...verdict, is: ['NO_BASELINE'] } as const
  const unknown = { kind: 'replay', equal: true } as const
  const broken = { verdict: 'ERROR', code: 'AGENT_DIED', detail: 'signal 11' } as const
  const inject = { do: 'inject', fault: { id: 'F2' } } as never
  const steps = [{ atUs: 0, when: null, withinUs: null, steps: [inject], note: '' }]
  const cases: readonly (readonly [string, RegExp, readonly Expectation[], RunParts?])[] = [
    ['PASS', /^$/, [verdict]],
    ['MARGINAL', /verdict FAIL/, [{ ...verdict, within: { us: 520_000, of: 'F1' } }]],
    ['MARGINAL', /never p_bar/, [verdict, { kind: 'never', what: { plant: 'p_bar > 10' }, span: WHOLE }], peak(9.5)],
    ['FAIL', /NO_BASELINE/, [verdict, missed]],
    ['PASS', /^$/, [verdict, { ...missed, optional: true }]],
    ['INCONCLUSIVE', /replay is equal: not asked/, [missed, unknown]],
    ['INCONCLUSIVE', /not seen as injected: F1/, [{ kind: 'always', verdict: ['PASS', 'FAIL'], span: WHOLE }], unseen],
    ['INCONCLUSIVE', /not seen as injected: F2/, [verdict], { row: { steps } }],
    ['INCONCLUSIVE', /nothing is expected/, []],
    ['FAIL', /evidence does not hold: the outbox holds no/, [verdict], { outbox: new SignedOutbox() }],
    [
      'FAIL',
      /evidence does not hold: .*a receipt of another batch beside 1\/1/,
      [verdict],
      { outbox: quietOutbox().receipt({ identity: new Uint8Array(32) }) },
    ],
    ['PASS', /^$/, [told], { events: [TOLD], facts: { alarms_again: [AGAIN] } }],
    ['INCONCLUSIVE', /alarm hot active/, [told], { events: [TOLD], facts: { alarms_again: null } }],
    [
      'FAIL',
      /evidence does not hold: alarm hot raised at 3\.500 s was told, and does not follow from the record/,
      [verdict],
      { events: [TOLD], facts: { alarms_again: [{ ...AGAIN, severity: 'CRITICAL' }] } },
    ],
    [
      'FAIL',
      /alarm hot raised at 3\.500 s follows from the record, and nobody was told/,
      [verdict],
      { facts: { alarms_again: [AGAIN] } },
    ],
    [
      'PASS',
      /^$/,
      [told],
      {
        events: [TOLD, { t_us: 4_000_000, kind: 'agent', is: 'killed', code: null }],
        facts: { alarms_again: [AGAIN, { ...AGAIN, t_us: 3_900_000 }] },
      },
    ],
    ['FAIL', /was told, and does not follow/, [told], { events: [TOLD, TOLD], facts: { alarms_again: [AGAIN] } }],
    ['ERROR', /AGENT_DIED: signal 11/, [missed, unknown], { facts: { broken } }],
    ['ABORTED', /STOPPED/, [verdict], { facts: { broken: { ...broken, verdict: 'ABORTED', code: 'STOPPED' } } }],
    ['SKIPPED', /no bench/, [missed], { row: { skip: 'no bench' } }],
    ['XFAIL', /issue 7: verdict NO_BASELINE/, [missed], { row: { xfail: 'issue 7' } }],
    ['FAIL', /it passed, and was expected not to: issue 7/, [verdict], { row: { xfail: 'issue 7' } }],
    ['INCONCLUSIVE', /not asked/, [unknown], { row: { xfail: 'issue 7' } }],
  ]
  for (const [is, reason, expect, parts] of cases) {
    const { verdict: found, reason: why } = judgedRun(t, expect, parts)
    t.equal(found, is, `${is} ${reason}: ${why}`)
    t.match(why, reason)
  }
})

t.test('a run in which a step waited in vain shows nothing', (t) => {
  const events = [{ t_us: 4_000_000, kind: 'never_came', what: 'p_bar > 9.9' }] as const
  for (const xfail of ['', 'issue 7'])
    t.match(judgedRun(t, [verdict], { events, row: { xfail } }), {
      verdict: 'INCONCLUSIVE',
      reason: 'what steps waited for never came: p_bar > 9.9',
    })
  t.end()
})

t.test('evidence that does not hold is not what is known to be broken', (t) => {
  const facts = { alarms_again: [AGAIN] }
  t.match(judgedRun(t, [verdict], { row: { xfail: 'issue 7' }, facts }), {
    verdict: 'FAIL',
    reason: /^the evidence does not hold/,
  })
  t.end()
})

t.test('evidence that was touched fails the case, whatever it says', async (t) => {
  const folder = runFolder(t, [verdict], { outbox: eventful(), ...F1_AT_3S })
  t.equal(judge(folder).verdict, 'PASS')
  const outbox = join(folder, 'agent', 'state', 'outbox')
  const file = join(outbox, readdirSync(outbox)[0]!)
  const whole = readFileSync(file)
  for (const at of [3, 30, 300, 900, whole.length - 200, whole.length - 1]) {
    const bytes = Buffer.from(whole)
    bytes[at]! ^= 4
    writeFileSync(file, bytes)
    t.match(judge(folder), { verdict: 'FAIL', reason: /the evidence does not hold/ }, `byte ${at}`)
  }
  writeFileSync(file, whole)
  unlinkSync(join(folder, 'agent', 'sign.pub.pem'))
  t.match(judge(folder), { verdict: 'FAIL', reason: /sign.pub.pem/ })
})

t.test('detection and reaction are measured, and a case is told whole', async (t) => {
  const facts = { faults: [faultSeen('F1', 3_000_000), faultSeen('F2', 4_600_000)] }
  const result = judgedRun(t, [fhti], { facts })
  t.match(result, {
    ...{ id: 'SCN-1', title: 'a title', file: 'a.yaml', row: 1, params: { k: 2 }, rig: 'vessel', seed: 7 },
    ...{ verifies: ['REQ-1'], tags: ['t'], simulated_us: 10_000_000, host_ms: 100, log_tail: ['last line'] },
    faults: [
      { id: 'F1', seen: 1, onset_us: 3_000_000, detected_us: 3_500_000 },
      { id: 'F2', seen: 1, onset_us: 4_600_000, detected_us: null },
    ],
  })
  t.match(result.measures, { fdti_us: 500_000, frti_us: 600_000, fhti_us: 1_100_000, ftti_us: 2_500_000 })
  t.match(result.measures, { decisions: 187, alarms: 1, actions: 2, digest: eventful().digest })
  t.match(result.lanes, {
    verdicts: [
      { from_us: 50_000, to_us: 3_500_000, is: 'PASS' },
      { from_us: 3_500_000, to_us: 4_500_000, is: 'FAIL' },
      { from_us: 4_500_000, to_us: null, is: 'PASS' },
    ],
    alarms: [{ from_us: 3_600_000, to_us: 6_000_000, name: 'p_disagree', is: 'WARNING' }],
    actions: [
      { is: 'GATE_DENIED', to_us: null },
      { is: 'RELEASED', from_us: 4_000_000, to_us: 4_200_000, name: 'shutdown relief' },
      { is: 'VERIFIED', to_us: null },
    ],
    thinned: 0,
  })
})

t.test('a folder that no run was left in is refused with the file that is wrong', async (t) => {
  const wrong = (name: string, text: string | null): string => {
    const folder = runFolder(t, [verdict])
    if (text === null) unlinkSync(join(folder, name))
    else writeFileSync(join(folder, name), text)
    return folder
  }
  for (const [name, text] of [
    ['row.json', null],
    ['run.json', '{'],
    ['run.json', '[]'],
    ['run.json', 'null'],
    ['row.json', '{}'],
    ['events.jsonl', '{"t_us":"x"}\n'],
  ] as const)
    t.match(refusalOf(wrong(name, text)), name)
  const torn = runFolder(t, [verdict], { outbox: eventful(), ...F1_AT_3S })
  appendFileSync(join(torn, 'events.jsonl'), '{"t_us":1,"ki')
  t.equal(judge(torn).verdict, 'PASS')
})

function refusalOf(folder: string): string {
  try {
    return judge(folder).verdict
  } catch (error) {
    if (error instanceof RunUnreadable) return error.file
    throw error
  }
}
