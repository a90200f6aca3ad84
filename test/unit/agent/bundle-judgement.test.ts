import t from 'tap'
import {
  type CheckedBundle,
  type Configuration,
  checkBundle,
  judgeBundle,
} from '../../../agent/pipeline/bundle-judgement.ts'
import { CHANGES_MAX, diffConfigurations, diffLines } from '../../../agent/pipeline/config-diff.ts'
import { fixedKeysChanged, linksChanged } from '../../../agent/pipeline/fixed-keys.ts'
import type { JournalFile } from '../../../shared/codec/journal-input.ts'
import { NOBODY } from '../../../shared/config/operators.ts'
import { BUNDLE_PROBLEMS_MAX, BundleError } from '../../../shared/errors/bundle-error.ts'
import { TRUST } from '../../support/certified-baselines.ts'
import { configurationOf, DRAFT, LOOP_RIGS, signedBundle, trustedLoop } from '../../support/config-bundles.ts'
import { bytesOf } from '../../support/config-texts.ts'
import { changed, LOOP_ACTIONS, LOOP_REGISTRY } from '../../support/policy-texts.ts'

const IN_FORCE = configurationOf(trustedLoop())
const NOW_US = DRAFT.madeUs + 1_000_000

type Signing = NonNullable<Parameters<typeof signedBundle>[1]>

const bundleOf = (files: readonly JournalFile[], { draft, ...how }: Signing = {}): Uint8Array =>
  signedBundle(files, { ...how, draft: { rigs: LOOP_RIGS, ...draft } })

type Against = Partial<Parameters<typeof judgeBundle>[1]>

const judged = (bytes: Uint8Array, against: Against = {}): CheckedBundle =>
  judgeBundle(bytes, { inForce: IN_FORCE, started: IN_FORCE, lastNumber: 6, nowUs: NOW_US, canAct: true, ...against })
const codesOf = (bytes: Uint8Array, against: Against = {}): string[] =>
  judged(bytes, against).problems.map(({ code }) => code)

const MORE_SHUTDOWN = changed(LOOP_ACTIONS, 'id: over-pressure', 'id: over-pressure-2')
const limitOf = (change: string): string =>
  changed(LOOP_REGISTRY, 'fail_max: 8\n    source: PT-101', `${change}\n    source: PT-101`)

// verifies SE-39
t.test('a bundle that two operators signed, for this agent, with a higher number, is taken', async (t) => {
  const found = judged(bundleOf(trustedLoop({ actions: MORE_SHUTDOWN })))
  t.same(found.problems, [])
  t.equal(found.next!.policies.get('pressure-loop')!.rules[0]!.id, 'over-pressure-2')
  t.same(codesOf(bundleOf(trustedLoop({ more: 'governance: { approvers: [grace] }\n' }))), ['needs_restart'])
  const plain = configurationOf(trustedLoop({ policy: false }))
  t.same(codesOf(bundleOf(trustedLoop({ policy: false }), { by: ['kay'] }), { inForce: plain }), [])
})

// verifies SE-04, SE-39
t.test('every refusal has its reason, and leaves nothing half taken', async (t) => {
  const loop = trustedLoop()
  const plain = trustedLoop({ policy: false })
  const threads = configurationOf(trustedLoop({ more: 'evaluation: { threads: 1 }\n' }))
  const approvers = configurationOf(trustedLoop({ more: 'governance: { approvers: [kay] }\n' }))
  const swapped = trustedLoop().map((file) => (file.name === 'kay.pub' ? { name: 'kay.pub', bytes: OTHER_KEY } : file))
  const renamed = (from: string, to: string): JournalFile[] =>
    loop.map((file, k) => (k === 0 ? { ...file, bytes: bytesOf(changed(textOf(file), from, to)) } : file))
  const cases: readonly [string, readonly string[], Uint8Array, Against?][] = [
    ['one signature on a policy', ['too_few_signers'], bundleOf(loop, { by: ['ada'] })],
    ['one signature that takes a policy away', ['too_few_signers'], bundleOf(plain, { by: ['ada'] })],
    ['a key that is trusted nowhere', ['unknown_key'], bundleOf(loop, { by: ['mallory'] })],
    ['a third signature of a stranger', ['unknown_key'], bundleOf(loop, { by: ['ada', 'grace', 'mallory'] })],
    ['no approver among them', ['not_an_approver'], bundleOf(approvers.files), { inForce: approvers }],
    ['the number in force', ['number_not_above'], bundleOf(loop), { lastNumber: 7 }],
    ['a lower number', ['number_not_above'], bundleOf(loop, { draft: { number: 3 } })],
    ['one that has run out', ['expired'], bundleOf(loop, { draft: { notAfterUs: NOW_US - 1 } })],
    ['another agent', ['other_agent', 'other_agent'], bundleOf(loop, { draft: { agent: 'bench-2' } })],
    ['another deployment', ['other_deployment', 'other_deployment'], bundleOf(loop, { draft: { deployment: 'lab' } })],
    [
      'a configuration of another agent',
      ['other_agent', 'needs_restart'],
      bundleOf(renamed('agent: bench-1', 'agent: bench-2')),
    ],
    [
      'another programme in the manifest',
      ['other_program'],
      bundleOf(loop, { draft: { rigs: [{ rig: 'pressure-loop', program: 'lab' }] } }),
    ],
    [
      'another programme for a rig',
      ['other_program'],
      bundleOf(renamed('program: demo', 'program: lab'), {
        draft: { rigs: [{ rig: 'pressure-loop', program: 'lab' }] },
      }),
    ],
    ['a file that nothing names', ['file_not_named'], bundleOf([...loop, { name: 'notes.txt', bytes: bytesOf('x') }])],
    [
      'a file that is named and not there',
      ['mistake'],
      bundleOf(loop.filter(({ name }) => name !== 'loop.registry.yaml')),
    ],
    ['another key under the name of a person', ['needs_restart'], bundleOf(swapped)],
    ['threads', ['needs_restart'], bundleOf(threads.files), { inForce: threads }],
    [
      'the first policy of an agent without what acts',
      ['needs_restart'],
      bundleOf(loop),
      { canAct: false, inForce: configurationOf(plain) },
    ],
    ['bytes that are none', ['shape'], bytesOf('version: 1\n')],
  ]
  for (const [what, expected, bytes, against] of cases) t.same(codesOf(bytes, against), expected, what)
  t.comment(`counted: refusals of a bundle by their reason | ${cases.length} | all as said`)
  const believed = checkBundle(bundleOf(loop), { trust: NOBODY, place: null, replacesPolicy: false, nowUs: NOW_US })
  t.match(believed, { bundle: null, next: null, problems: [{ code: 'no_operators' }] })
})

// verifies SE-37, SE-39
t.test('everything that is wrong is told at once, mistakes of the files with their lines', async (t) => {
  const inverted = limitOf('fail_max: 8\n    fail_min: 9')
  const files = trustedLoop({ registry: inverted, actions: changed(LOOP_ACTIONS, 'vote: 2oo3', 'vote: 3oo3') })
  const { problems, next } = judged(bundleOf(files, { by: ['ada', 'mallory'], draft: { number: 2, agent: 'bench-9' } }))
  t.equal(next, null)
  const said = problems.map(({ code, file }) => (file === undefined ? code : `${code} ${file}`))
  for (const expected of [
    'unknown_key',
    'mistake loop.registry.yaml',
    'mistake loop.actions.yaml',
    'other_agent',
    'number_not_above',
  ])
    t.ok(said.includes(expected), expected)
  t.ok(problems.filter(({ code }) => code === 'mistake').every(({ line }) => (line ?? 0) > 0))
})

const OTHER_KEY = bytesOf(
  '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n',
)

function textOf({ bytes }: JournalFile): string {
  return new TextDecoder().decode(bytes)
}

// verifies SE-39
t.test('what a running agent cannot change is refused by name, and everything else may change', async (t) => {
  const [main, ...rest] = trustedLoop()
  const keysOf = (from: string, to: string): string[] => {
    const next = configurationOf([{ name: 'runtime.yaml', bytes: bytesOf(changed(textOf(main!), from, to)) }, ...rest])
    return fixedKeysChanged(IN_FORCE, next).map(({ key }) => key)
  }
  const rig = '    actions_policy_file: loop.actions.yaml\n'
  const fixed: readonly [string, string, string][] = [
    ['signing_key_file: sign.pem', 'signing_key_file: other.pem', 'signing_key_file'],
    ['deployment: demo', 'deployment: lab', 'deployment'],
    ['signing_key_file', 'health: { port: 9000 }\nsigning_key_file', 'health.port'],
    ['signing_key_file', 'clock: recording\nsigning_key_file', 'clock'],
    ['signing_key_file', 'log_level: debug\nsigning_key_file', 'log_level'],
    ['signing_key_file', 'evaluation: { threads: 2 }\nsigning_key_file', 'evaluation.threads'],
    ['signing_key_file', 'decisions: { batch_ms: 500 }\nsigning_key_file', 'decisions.batch_ms'],
    ['signing_key_file', 'checkpoint: { keep: 9 }\nsigning_key_file', 'checkpoint.keep'],
    ['signing_key_file', 'journal: { segment_bytes: 65536 }\nsigning_key_file', 'journal.segment_bytes'],
    ['signing_key_file', 'outbox: { thin_at_percent: 50 }\nsigning_key_file', 'outbox.thin_at_percent'],
    ['signing_key_file', 'receipts_key_file: r.pem\nsigning_key_file', 'receipts_key_file'],
    ['signing_key_file', 'governance: { approvals_required: 2 }\nsigning_key_file', 'governance.approvals_required'],
    ['127.0.0.1:5601', '127.0.0.1:5602', 'rigs[pressure-loop].sources'],
    ['identity: pump', 'identity: plc-9', 'executors'],
    [rig, `${rig}    slide_ms: 10\n`, 'rigs[pressure-loop].slide_ms'],
    [rig, `${rig}    family: loops\n`, 'rigs[pressure-loop].family'],
  ]
  for (const [from, to, key] of fixed) t.ok(keysOf(from, to).includes(key), key)
  const inTestbed = textOf(main!)
    .replace('agent: bench-1', 'agent: bench-1\nrealm: testbed')
    .replace(rig, `${rig}    testbed: true\n`)
  const keys = rest.map(({ name, bytes }) => ({
    name,
    bytes: name.endsWith('.pub') ? bytesOf(`Realm: testbed\n${textOf({ name, bytes })}`) : bytes,
  }))
  const other = fixedKeysChanged(
    IN_FORCE,
    configurationOf([{ name: 'runtime.yaml', bytes: bytesOf(inTestbed) }, ...keys]),
  )
  t.same(
    other.map(({ key }) => key),
    ['realm', 'rigs[pressure-loop].testbed'],
    'an agent never leaves its realm',
  )
  const linked = (from: string, to: string): string[] =>
    linksChanged(IN_FORCE, configurationOf(trustedLoop({ actions: changed(LOOP_ACTIONS, from, to) }))).map(
      ({ key }) => key,
    )
  const pump = '  - name: pump\n    executor: actuator\n'
  t.same(linked(pump, `${pump}    non_idempotent: true\n`), ['targets[pump]'], 'links are open with what they prove')
  t.same(linked('id: over-pressure', 'id: over-pressure-2'), [])
  const free: readonly [string, string][] = [
    [rig, `${rig}    lateness_ms: 100\n`],
    [rig, `${rig}    max_future_ms: 1000\n`],
    [rig, `${rig}    mode: test\n`],
    [rig, `${rig}    mode_settle_ms: 0\n`],
    [rig, `${rig}    context: { scenario_id: warm }\n`],
    ['signing_key_file', 'decisions: { pass_record_every_ms: 5000 }\nsigning_key_file'],
  ]
  for (const [from, to] of free) t.same(keysOf(from, to), [], to.trim())
})

// verifies SE-39
t.test('a diff says file by file, in words, what is another limit, rule, setting, key or baseline', async (t) => {
  const before = configurationOf(trustedLoop())
  t.match(diffLines(diffConfigurations(before, configurationOf(trustedLoop()))), [/^the same configuration/])
  const after = configurationOf(
    trustedLoop({
      registry: limitOf('fail_max: 7.5'),
      actions: changed(LOOP_ACTIONS, 'id: over-pressure', 'id: over-pressure-2'),
      more: 'decisions: { pass_record_every_ms: 5000 }\n',
    }),
  )
  const found = diffConfigurations(before, after)
  t.same(
    found.files.map(({ file, role, change }) => [file, role, change]),
    [
      ['runtime.yaml', 'configuration', 'changed'],
      ['loop.registry.yaml', 'registry', 'changed'],
      ['loop.actions.yaml', 'policy of actions', 'changed'],
    ],
  )
  t.equal(found.same, 3)
  const [setting, limit, rule] = found.files.map(({ changes }) => changes[0]!)
  t.same(setting, { what: 'setting', key: 'decisions.pass_record_every_ms', from: null, to: '5000' })
  t.match(limit, { what: 'limit', key: 'metrics.p_a.fail_max', from: '8', to: '7.5' })
  t.match(rule, { what: 'rule', key: /^rules\[over-pressure\]\./, to: null })
  t.ok(found.files[2]!.changes.some(({ key, from }) => key.startsWith('rules[over-pressure-2].') && from === null))
  const commented = configurationOf(trustedLoop({ registry: `${LOOP_REGISTRY}# looked at\n` }))
  t.ok(diffLines(diffConfigurations(before, commented)).includes('  only notes, blanks or order'))
  t.equal(TRUST.operators.length, before.trust.operators.length)
})

t.test('bounds of what is told', async (t) => {
  const problem = { code: 'mistake', found: 'x', expected: 'y' } as const
  const error = new BundleError(Array.from({ length: BUNDLE_PROBLEMS_MAX + 5 }, () => problem))
  t.equal(error.problems.length, BUNDLE_PROBLEMS_MAX)
  t.match(error.context, { problems: BUNDLE_PROBLEMS_MAX + 5, first: 'mistake' })
  const metrics = (n: number): string =>
    `${LOOP_REGISTRY}${Array.from({ length: n }, (_, k) => `  m${k}: { unit: bar, nominal_rate_hz: 100, baseline_required: false, fail_max: 9 }\n`).join('')}`
  const plain = (registry: string): Configuration => configurationOf(trustedLoop({ registry, policy: false }))
  const found = diffConfigurations(plain(LOOP_REGISTRY), plain(metrics(400)))
  t.equal(found.files[0]!.changes.length, CHANGES_MAX)
  t.equal(found.left, 4 * 400 - CHANGES_MAX)
  t.equal(diffLines(found).at(-1), '… and 600 more')
})
