import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { junitXml, writeJunit } from '../../../../hil-testbed/report/junit.ts'
import { campaignExit } from '../../../../hil-testbed/report/quarantine.ts'
import { campaignOf, caseOf, measuresOf, outcomeOf } from '../../../support/campaigns.ts'
import { elements, parseXml, textOf, type Xml } from '../../../support/strict-xml.ts'

const SECONDS = /^\d+\.\d{3}$/
const COUNT = /^\d+$/

/** Attributes and order of elements as Surefire and the JUnit plugins of CI servers read them. */
const SHAPES: Readonly<Record<string, { attributes: Record<string, RegExp>; optional?: string[]; inside: string[] }>> =
  {
    testsuites: {
      attributes: { name: /./, tests: COUNT, failures: COUNT, errors: COUNT, skipped: COUNT, time: SECONDS },
      inside: ['testsuite'],
    },
    testsuite: {
      attributes: {
        ...{ name: /./, tests: COUNT, failures: COUNT, errors: COUNT, skipped: COUNT, time: SECONDS },
        timestamp: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/,
      },
      inside: ['properties', 'testcase'],
    },
    testcase: {
      attributes: { name: /./, classname: /^[^.]+\.[^.]+$/, time: SECONDS },
      inside: ['properties', 'skipped', 'error', 'failure', 'system-out'],
    },
    properties: { attributes: {}, inside: ['property'] },
    property: { attributes: { name: /^\w+$/, value: /^[\s\S]+$/ }, inside: [] },
    failure: { attributes: { type: /^[A-Z]+$/, message: /^/ }, inside: [] },
    error: { attributes: { type: /^[A-Z]+$/, message: /^/ }, inside: [] },
    skipped: { attributes: { message: /^/ }, inside: [] },
    'system-out': { attributes: {}, inside: [] },
  }

/** What departs from the shape, in words. */
function departures(xml: Xml, path = xml.name): string[] {
  const shape = SHAPES[xml.name]
  if (shape === undefined) return [`${path} is not known`]
  const names = [...new Set([...Object.keys(shape.attributes), ...Object.keys(xml.attributes)])]
  const attributes = names.flatMap((name) => {
    const value = xml.attributes[name]
    return value !== undefined && shape.attributes[name]?.test(value) ? [] : [`${path}@${name}: ${value}`]
  })
  const places = elements(xml).map(({ name }) => shape.inside.indexOf(name))
  const order = places.every((place, k) => place >= 0 && place >= (places[k - 1] ?? 0)) ? [] : [`${path}: order`]
  const counts = 'tests' in xml.attributes ? countProblems(xml, path) : []
  return [...attributes, ...order, ...counts, ...elements(xml).flatMap((one) => departures(one, `${path}/${one.name}`))]
}

/** What a suite says of its cases is what there is. */
function countProblems(xml: Xml, path: string): string[] {
  const all = (one: Xml): Xml[] => (one.name === 'testcase' ? [one] : elements(one).flatMap(all))
  const of = (name: string): number => all(xml).filter((one) => elements(one, name).length > 0).length
  const counted = { tests: all(xml).length, failures: of('failure'), errors: of('error'), skipped: of('skipped') }
  return Object.entries(counted).flatMap(([name, n]) =>
    xml.attributes[name] === String(n) ? [] : [`${path}@${name}: ${xml.attributes[name]}, there are ${n}`],
  )
}

const casesIn = (xml: Xml): Xml[] => elements(xml, 'testsuite').flatMap((suite) => elements(suite, 'testcase'))
const propertiesOf = (xml: Xml): Record<string, string> =>
  Object.fromEntries(
    elements(elements(xml, 'properties')[0]!).map(({ attributes }) => [attributes['name'], attributes['value']]),
  )

function shaped(t: Test, text: string): Xml {
  const xml = parseXml(text)
  t.same(departures(xml), [])
  return xml
}

t.test('every verdict is what a CI server makes of it', (t) => {
  const cases = [
    caseOf(),
    caseOf({ id: 'SCN-ACT-002', verdict: 'MARGINAL', reason: 'within 4 % of a bound' }),
    caseOf({ id: 'SCN-ACT-003', verdict: 'XFAIL', reason: 'issue 12' }),
    caseOf({ id: 'SCN-ACT-004', verdict: 'SKIPPED', reason: 'no broker' }),
    caseOf({
      id: 'SCN-ACT-005',
      verdict: 'FAIL',
      reason: '1 expectation missed',
      outcomes: [
        outcomeOf(),
        outcomeOf({ text: 'never p_bar > 10', is: 'missed', expected: '<= 10', observed: '11.2' }),
      ],
    }),
    ...(['INCONCLUSIVE', 'ERROR', 'ABORTED'] as const).map((verdict, k) =>
      caseOf({
        id: `SCN-ACT-00${6 + k}`,
        file: 'scenarios/other.yaml',
        verdict,
        reason: 'it died',
        log_tail: ['last words'],
      }),
    ),
  ]
  const xml = shaped(t, junitXml(campaignOf(cases)))
  t.match(xml.attributes, { tests: '8', failures: '1', errors: '3', skipped: '1', time: '5.000' })
  t.same(
    elements(xml, 'testsuite').map(({ attributes }) => attributes['name']),
    ['scenarios/over-pressure.yaml', 'scenarios/other.yaml'],
  )
  t.same(
    casesIn(xml).map((one) =>
      elements(one)
        .map(({ name }) => name)
        .filter((name) => !/prop|out/.test(name))
        .join(),
    ),
    ['', '', '', 'skipped', 'failure', 'error', 'error', 'error'],
  )
  const [passed, marginal, expected, skipped, failed, open] = casesIn(xml)
  t.match(passed!.attributes, { classname: 'vessel.ACT', time: '1.234' })
  t.match(propertiesOf(passed!), {
    ...{ verifies: 'REQ-ACT-001 HAZ-003', seed: '7', digest: 'd0', fhti_us: '412000', margin: '0.54' },
    ...{ config_hash: 'c0', policy_hash: 'p0', baseline_hash: 'b0', software_hash: 's0' },
  })
  t.equal(propertiesOf(marginal!)['marginal'], 'within 4 % of a bound')
  t.match(textOf(elements(marginal!, 'system-out')[0]!), /^MARGINAL: SCN-ACT-002: within 4 %/)
  t.equal(propertiesOf(expected!)['xfail'], 'issue 12')
  t.equal(elements(skipped!, 'skipped')[0]!.attributes['message'], 'no broker')
  const failure = textOf(elements(failed!, 'failure')[0]!)
  t.match(failure, /missed: never p_bar > 10\n {2}expected: <= 10\n {2}observed: 11.2\n {2}at: 8.412000 s/)
  t.notMatch(failure, /412 ms/, 'what was met is no failure')
  t.match(textOf(failed!), /evidence: runs\/SCN-ACT-001-0\nagain: hb hil run scenarios\/over-pressure.yaml --seed 7\n/)
  t.equal(textOf(elements(open!, 'error')[0]!), 'last words')
  t.end()
})

t.test('a campaign that was broken off says so and is no good one, with cases or without', (t) => {
  const xml = shaped(t, junitXml(campaignOf([caseOf()], { complete: false })))
  t.match(xml.attributes, { tests: '2', errors: '1' })
  t.equal(propertiesOf(elements(xml, 'testsuite')[0]!)['complete'], 'false')
  t.match(elements(casesIn(xml)[1]!, 'error')[0]!.attributes, { type: 'ABORTED', message: /after 1 cases/ })
  t.match(shaped(t, junitXml(campaignOf([], { complete: false }))).attributes, { tests: '1', errors: '1' })
  t.end()
})

t.test('what is in quarantine is skipped with its reason, its owner and its day', (t) => {
  const bad = caseOf({ verdict: 'FAIL', reason: 'missed' })
  const campaign = campaignOf([bad])
  const entry = { scenario: bad.id, reason: 'issue 9', owner: 'alice', expires: '2026-02-01' }
  const xml = shaped(t, junitXml(campaign, campaignExit(campaign, [entry], '2026-02-01')))
  t.match(xml.attributes, { failures: '0', skipped: '1' })
  t.match(elements(casesIn(xml)[0]!, 'skipped')[0]!.attributes, { message: /FAIL.*2026-02-01 \(alice\): issue 9/ })
  const late = shaped(t, junitXml(campaign, campaignExit(campaign, [entry], '2026-02-02')))
  t.match(late.attributes, { failures: '1', skipped: '0' })
  t.end()
})

t.test('any text whatever gives a file that is well-formed', (t) => {
  const nasty = `<script>"&'\u0000\u001b[2J\ud800]]>\u{1f600}\ufffe\n\t`
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.constant(nasty)), (text) => {
      const one = caseOf({
        ...{ title: text, file: text === '' ? 'f' : text, rig: 'r.1', verdict: 'FAIL', reason: text, folder: text },
        params: { [text]: text },
        outcomes: [outcomeOf({ is: 'missed', text, observed: text })],
        measures: measuresOf({ digest: text }),
      })
      const both = campaignOf([one, { ...one, verdict: 'ERROR', log_tail: [text] }], { commit: text })
      t.same(departures(parseXml(junitXml(both))), [])
    }),
    { seed: 1, numRuns: 200 },
  )
  const [one] = casesIn(parseXml(junitXml(campaignOf([caseOf({ verdict: 'SKIPPED', reason: 'bell \u0007' })]))))
  t.equal(elements(one!, 'skipped')[0]!.attributes['message'], 'bell \\u0007', 'people can read what it was')
  t.end()
})

t.test('a file is there whole or as it was before', (t) => {
  const folder = t.testdir({})
  const file = join(folder, 'deep', 'out.xml')
  writeJunit(campaignOf([caseOf()]), file)
  t.equal(readFileSync(file, 'utf8'), junitXml(campaignOf([caseOf()])))
  t.same(readdirSync(join(folder, 'deep')), ['out.xml'])
  t.throws(() => writeJunit(campaignOf([]), join(file, 'below-a-file.xml')), { code: 'REPORT_UNWRITABLE' })
  t.ok(existsSync(file))
  t.end()
})
