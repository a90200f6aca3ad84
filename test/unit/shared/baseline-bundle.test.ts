import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  BUNDLE_BYTES_MAX,
  BUNDLE_STATEMENTS_MAX,
  type BundleTrust,
  encodeBundle,
  openBundle,
  requireCertified,
} from '../../../shared/codec/baseline-bundle.ts'
import { encodeBaseline } from '../../../shared/codec/baseline-record.ts'
import {
  openStatement,
  STATEMENT_BYTES_MAX,
  STATEMENT_TYP,
  signStatement,
} from '../../../shared/codec/baseline-statement.ts'
import { canonicalBytes } from '../../../shared/codec/canonical.ts'
import { decodeSigned } from '../../../shared/codec/signed-cbor.ts'
import { defaultQualityPolicy, parseQualityPolicy } from '../../../shared/config/quality-policy.ts'
import { concat, openCose, signCose } from '../../../shared/crypto/cose.ts'
import { fromHex, toHex } from '../../../shared/crypto/digest.ts'
import { readPublicKey } from '../../../shared/crypto/sign.ts'
import { isHbError } from '../../../shared/errors/hb-error.ts'
import type { BaselineRecord } from '../../../shared/model/baseline.ts'
import type { Canonical } from '../../../shared/model/decision.ts'
import { PERSONS_NOTE } from '../../../shared/model/order.ts'
import {
  baselineMetric,
  baselineRecord,
  baselineSegment,
  certifiedBundle,
  createStatementMaker,
  SIGNERS,
  type TestPerson,
  TRUST,
} from '../../support/certified-baselines.ts'
import { flipped } from '../../support/flip.ts'

const HOUR_US = 3_600_000_000
const RECORD = baselineRecord()
const POLICY = defaultQualityPolicy().bytes
const trustAt = (nowUs: number): BundleTrust => ({ ...TRUST, nowUs })
const trust = trustAt(RECORD.madeUs + HOUR_US)
const adaKey = readPublicKey(SIGNERS.ada.spki)

/** A bundle of what some people said, one after the other. */
function bundleOf(said: readonly (readonly [TestPerson, 'propose' | 'review' | 'approve'])[], record = RECORD) {
  const maker = createStatementMaker(record)
  for (const [person, kind] of said) maker.say(person, kind)
  return encodeBundle({ record: encodeBaseline(record), policy: POLICY, statements: maker.said })
}

const codes = (bytes: Uint8Array): readonly string[] => openBundle(bytes, trust).problems.map(({ code }) => code)

t.test('three distinct keys and a passed gate make a golden baseline', async (t) => {
  const opened = openBundle(certifiedBundle(), trust)
  t.same([opened.effectiveKind, opened.problems, opened.note], ['golden', [], PERSONS_NOTE])
  t.same(opened.record, RECORD)
  t.match(opened.basis, { kind: 'golden', segments: 20, minSegments: 5, hardSegments: 19, decay: 1, breakGlass: false })
  t.same(
    opened.statements.map(({ kind, operator }) => [kind, operator]),
    [
      ['propose', 'ada'],
      ['review', 'grace'],
      ['approve', 'kay'],
    ],
  )
  requireCertified(opened)
})

t.test('a bare record is a draft, whatever it calls itself', async (t) => {
  const opened = openBundle(encodeBaseline(RECORD), trust)
  t.same([opened.record.kind, opened.effectiveKind], ['golden', 'draft'])
  t.same(opened.problems, [{ code: 'bare_record', text: 'it is a record without signed statements' }])
  t.throws(() => requireCertified(opened), { code: 'BASELINE_NOT_CERTIFIED' })
})

t.test('what is missing makes a draft and is named', async (t) => {
  const table: readonly (readonly [string, Uint8Array, readonly string[]])[] = [
    ['nobody said anything', bundleOf([]), ['not_approved']],
    [
      'not reviewed',
      bundleOf([
        ['ada', 'propose'],
        ['kay', 'approve'],
      ]),
      ['statement_refused', 'not_approved'],
    ],
    [
      'one person twice',
      bundleOf([
        ['ada', 'propose'],
        ['grace', 'review'],
        ['grace', 'approve'],
      ]),
      ['statement_refused', 'not_approved'],
    ],
    [
      'one who is not trusted',
      bundleOf([
        ['ada', 'propose'],
        ['mallory', 'review'],
        ['kay', 'approve'],
      ]),
      ['unknown_key', 'statement_refused', 'not_approved'],
    ],
  ]
  for (const [what, bytes, problems] of table) {
    const opened = openBundle(bytes, trust)
    t.equal(opened.effectiveKind, 'draft', what)
    t.same(codes(bytes), problems, what)
    t.throws(() => requireCertified(opened), { code: 'BASELINE_NOT_CERTIFIED' }, what)
  }
  const twice = openBundle(certifiedBundle(), { ...trust, approvalsRequired: 2 })
  t.same([twice.effectiveKind, twice.problems.map(({ text }) => text)], ['draft', ['it waits for an approval']])
})

t.test('a gate that is said to be passed is computed again from the data', async (t) => {
  const spoilt = { metrics: [baselineMetric({ stepStatistic: 90 })] }
  const honest = baselineRecord(spoilt)
  t.equal(honest.gate.passed, false)
  const said = [
    ['ada', 'propose'],
    ['grace', 'review'],
    ['kay', 'approve'],
  ] as const
  t.same(codes(bundleOf(said, honest)), ['statement_refused', 'not_approved', 'gate_not_passed'])
  const forged: BaselineRecord = { ...honest, gate: { ...honest.gate, passed: true, reasons: [] } }
  t.same(codes(bundleOf(said, forged)), ['gate_differs', 'statement_refused', 'not_approved', 'gate_not_passed'])
  const believed: BaselineRecord = { ...RECORD, gate: { ...RECORD.gate, confidence: 1 } }
  t.same(codes(bundleOf(said, believed))[0], 'gate_differs', 'nor is a confidence believed')
})

t.test('a policy that its proposer made lax lets nothing pass where another one is wanted', async (t) => {
  const short = { segments: [baselineSegment({ toUs: 60_000_000 })], rigMaxima: [0.5] }
  const lax = parseQualityPolicy(
    'lax.yaml',
    new TextEncoder().encode('version: 1\nacceptance_criteria: { min_time_in_state_s: 1, max_step_statistic: 100 }\n'),
  )
  const record = baselineRecord(short, lax)
  t.equal(record.gate.passed, true, 'by its own policy')
  const maker = createStatementMaker(record)
  for (const [who, kind] of [
    ['ada', 'propose'],
    ['grace', 'review'],
    ['kay', 'approve'],
  ] as const)
    maker.say(who, kind)
  const bytes = encodeBundle({ record: encodeBaseline(record), policy: lax.bytes, statements: maker.said })
  const opened = openBundle(bytes, trust)
  t.equal(opened.effectiveKind, 'draft')
  t.same(
    opened.problems.map(({ code }) => code),
    ['policy_laxer', 'statement_refused', 'not_approved', 'gate_not_passed'],
  )
  t.match(opened.problems[0]?.text, /min_time_in_state_s 1 < 3600; max_step_statistic 100 > 20/)
  const agreed = openBundle(bytes, { ...trust, qualityPolicy: lax.policy })
  t.same([agreed.effectiveKind, agreed.problems], ['golden', []], 'unless those who rely on it say so themselves')
})

t.test('a policy by which a baseline would be fresh for a year does not arm where a week is wanted', async (t) => {
  const lasting = parseQualityPolicy(
    'lasting.yaml',
    new TextEncoder().encode('version: 1\ndecay: { max_age_s: 31536000 }\n'),
  )
  const record = baselineRecord({}, lasting)
  const maker = createStatementMaker(record)
  for (const [who, kind] of [
    ['ada', 'propose'],
    ['grace', 'review'],
    ['kay', 'approve'],
  ] as const)
    maker.say(who, kind)
  const bytes = encodeBundle({ record: encodeBaseline(record), policy: lasting.bytes, statements: maker.said })
  t.match(openBundle(bytes, trust), {
    effectiveKind: 'draft',
    problems: [{ code: 'policy_laxer', text: /decay\.max_age_s 31536000 > 604800/ }],
  })
  t.match(openBundle(bytes, { ...trust, qualityPolicy: lasting.policy }), { effectiveKind: 'golden', problems: [] })
})

t.test('a break-glass stands for the gate until it is over, and arms nothing hard', async (t) => {
  const record = baselineRecord({ segments: [baselineSegment({ toUs: 60_000_000 })], rigMaxima: [0.5] })
  const maker = createStatementMaker(record)
  const untilUs = record.madeUs + HOUR_US
  maker.say('ada', 'propose')
  maker.say('grace', 'review')
  maker.say('kay', 'break_glass', { untilUs, reason: 'the rig leaves tonight' })
  maker.say('kay', 'approve')
  const bytes = encodeBundle({ record: encodeBaseline(record), policy: POLICY, statements: maker.said })
  const now = openBundle(bytes, trustAt(untilUs - 1))
  t.same([now.effectiveKind, now.basis.breakGlass], ['golden', true])
  const later = openBundle(bytes, trustAt(untilUs))
  t.same(
    [later.effectiveKind, later.problems.map(({ code }) => code)],
    ['draft', ['break_glass_over', 'gate_not_passed']],
  )
})

t.test('what was expired is a draft; tags and ways back are about others and are passed over', async (t) => {
  const maker = createStatementMaker(RECORD)
  maker.say('ada', 'propose')
  maker.say('grace', 'review')
  maker.say('kay', 'approve')
  maker.say('kay', 'tag', { tag: 'v1' })
  maker.say('kay', 'decay', { factor: 0.5 })
  const bundle = () => encodeBundle({ record: encodeBaseline(RECORD), policy: POLICY, statements: maker.said })
  t.match(openBundle(bundle(), trust), { effectiveKind: 'golden', basis: { decay: 0.5 }, problems: [] })
  maker.say('ada', 'expire')
  t.match(openBundle(bundle(), trust), { effectiveKind: 'draft', problems: [{ text: 'it is expired' }] })
})

t.test('parts that do not belong together are refused', async (t) => {
  const other = baselineRecord({ rig: 'other' })
  const said = createStatementMaker(RECORD)
  for (const [person, kind] of [
    ['ada', 'propose'],
    ['grace', 'review'],
    ['kay', 'approve'],
  ] as const)
    said.say(person, kind)
  const parts = { record: encodeBaseline(RECORD), policy: POLICY, statements: said.said }
  const refused = (change: Partial<typeof parts>): void => {
    t.throws(() => openBundle(encodeBundle({ ...parts, ...change }), trust), { code: 'BASELINE_BUNDLE' })
  }
  refused({ record: encodeBaseline(other) })
  refused({ policy: new TextEncoder().encode('version: 1\nacceptance_criteria: {max_gap_s: 900}\n') })
  refused({ statements: [...said.said].reverse() })
  refused({ statements: [...said.said, ...createStatementMaker(RECORD, '0c'.repeat(16)).said, said.said[0]!] })
  refused({ statements: Array.from({ length: BUNDLE_STATEMENTS_MAX + 1 }, () => said.said[0]!) })
  refused({ statements: [new Uint8Array(STATEMENT_BYTES_MAX + 1)] })
  t.throws(
    () =>
      openBundle(canonicalBytes({ v: 2, record: new Uint8Array(1), policy: new Uint8Array(1), statements: [] }), trust),
    {
      code: 'BASELINE_BUNDLE',
    },
  )
})

t.test('a bundle past its bound is not looked into', async (t) => {
  const bytes = new Uint8Array(BUNDLE_BYTES_MAX + 1)
  bytes.set(certifiedBundle())
  t.throws(() => openBundle(bytes, trust), { code: 'CBOR_REFUSED', context: { reason: 'too_large' } })
})

t.test('no flipped byte of a bundle certifies anything else', async (t) => {
  const bytes = certifiedBundle()
  const before = toHex(encodeBaseline(RECORD))
  let refused = 0
  let drafts = 0
  for (let at = 0; at < bytes.length; at += 1) {
    try {
      const opened = openBundle(flipped(bytes, at), trust)
      if (opened.effectiveKind === 'draft') drafts += 1
      else t.equal(toHex(opened.bytes), before, `byte ${at}`)
    } catch (error) {
      if (!isHbError(error)) throw error
      refused += 1
    }
  }
  t.equal(refused + drafts, bytes.length, `${refused} refused, ${drafts} drafts of ${bytes.length}`)
})

t.test('statements are signed by who they say, about what they say', async (t) => {
  const statement = createStatementMaker(RECORD).say('ada', 'propose')
  const bytes = signStatement({ ...statement, request: '' }, SIGNERS.ada)
  t.same(openStatement(bytes, adaKey), statement)
  t.throws(() => openStatement(bytes, readPublicKey(SIGNERS.kay.spki)), { code: 'BATCH_SIGNATURE' })
  const { payload, issuer, subject } = openCose(bytes, { typ: STATEMENT_TYP, key: adaKey })
  const again = (change: Readonly<Record<string, Canonical>>, claims = {}): Uint8Array => {
    const map = new Map(decodeSigned(payload) as unknown as Map<string, Canonical>)
    for (const [key, value] of Object.entries(change)) map.set(key, value)
    return signCose({
      typ: STATEMENT_TYP,
      issuer,
      subject,
      payload: canonicalBytes(map),
      signer: SIGNERS.ada,
      ...claims,
    })
  }
  for (const change of [
    { v: 2 },
    { kind: 'certify' },
    { more: 1 },
    { seq: 0 },
    { factor: 2 },
    { rig: '../x' },
    { tag: 'A b' },
    { at_us: -1 },
    { mode: 'flying' },
    { digest: new Uint8Array(31) },
    { request: new Uint8Array(32) },
    { reason: 'x'.repeat(1025) },
  ])
    t.throws(() => openStatement(again(change), adaKey), { code: 'COSE_SHAPE' }, JSON.stringify(change))
  t.throws(() => openStatement(again({}, { subject: 'baseline/00' }), adaKey), { code: 'COSE_SHAPE' })
  t.throws(() => openStatement(concat(bytes, new Uint8Array(STATEMENT_BYTES_MAX)), adaKey), { code: 'COSE_SHAPE' })
})

type Vectors = Readonly<{
  trusted: Readonly<Record<string, string>>
  statements: Readonly<Record<string, string>>
  valid: Readonly<Record<string, string>>
  invalid: Readonly<Record<string, string>>
}>

/** Bytes of statements and bundles. A change here is another format: it needs a new version and a new file of vectors. */
function vectors(): Vectors {
  const maker = createStatementMaker(RECORD)
  const kinds = [
    'propose',
    'review',
    'break_glass',
    'approve',
    'tag',
    'rollback',
    'decay',
    'reject',
    'withdraw',
    'expire',
  ] as const
  for (const kind of kinds) maker.say(kind === 'review' ? 'grace' : 'ada', kind)
  const bundle = certifiedBundle()
  const short = createStatementMaker(RECORD)
  short.say('ada', 'propose')
  const record = encodeBaseline(RECORD)
  return {
    trusted: Object.fromEntries(TRUST.operators.map(({ name, key }) => [name, toHex(key.spki)])),
    statements: Object.fromEntries(kinds.map((kind, k) => [kind, toHex(maker.said[k]!)])),
    valid: {
      golden: toHex(bundle),
      'bare record': toHex(record),
      proposed: toHex(encodeBundle({ record, policy: POLICY, statements: short.said })),
    },
    invalid: {
      'BATCH_SIGNATURE a changed signature': toHex(flipped(bundle, bundle.length - 200)),
      'BASELINE_BUNDLE another policy': toHex(
        encodeBundle({ record, policy: new Uint8Array(1), statements: short.said }),
      ),
      'CBOR_REFUSED a byte too many': toHex(concat(bundle, new Uint8Array(1))),
      'BASELINE_SHAPE nothing of ours': toHex(canonicalBytes({ v: 2 })),
    },
  }
}

const FILE = join(import.meta.dirname, '..', '..', 'vectors', 'baselines-1.json')
const isNew = !existsSync(FILE)
if (isNew) writeFileSync(FILE, `${JSON.stringify(vectors(), null, 2)}\n`)
const pinned = JSON.parse(readFileSync(FILE, 'utf8')) as Vectors

t.test('statements and bundles have the bytes they were given once and for all', async (t) => {
  t.notOk(isNew, 'the vectors were missing and are made anew: look at them before they are committed')
  t.same(vectors(), pinned)
})

t.test('pinned bundles open as what they say', async (t) => {
  const bytes = (hex: string | undefined): Uint8Array => fromHex(hex!)!
  t.equal(openBundle(bytes(pinned.valid['golden']), trust).effectiveKind, 'golden')
  for (const name of ['bare record', 'proposed'])
    t.equal(openBundle(bytes(pinned.valid[name]), trust).effectiveKind, 'draft', name)
  for (const [name, hex] of Object.entries(pinned.invalid))
    t.throws(() => openBundle(bytes(hex), trust), { code: name.split(' ')[0] }, name)
  for (const [kind, hex] of Object.entries(pinned.statements))
    t.equal(openStatement(bytes(hex), readPublicKey(SIGNERS[kind === 'review' ? 'grace' : 'ada'].spki)).kind, kind)
})
