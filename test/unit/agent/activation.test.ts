import t, { type Test } from 'tap'
import { createActivatedFolder } from '../../../agent/adapters/activated-baselines.ts'
import { type Files, systemFiles } from '../../../agent/adapters/files.ts'
import { type ActivationOptions, BaselineActivation, readActivations } from '../../../agent/baseline-activation.ts'
import type { AgentEvents } from '../../../agent/events.ts'
import {
  ACTIVATED_BYTES_MAX,
  type ActivatedBaseline,
  type Configured,
  judgeBaseline,
} from '../../../agent/pipeline/activation.ts'
import { compileSettings } from '../../../agent/pipeline/compile-settings.ts'
import { encodeBundle } from '../../../shared/codec/baseline-bundle.ts'
import { encodeBaseline } from '../../../shared/codec/baseline-record.ts'
import { type LoadedRuntime, parseRuntimeFiles } from '../../../shared/config/load.ts'
import { defaultQualityPolicy } from '../../../shared/config/quality-policy.ts'
import { toHex } from '../../../shared/crypto/digest.ts'
import type { BaselineRecord } from '../../../shared/model/baseline.ts'
import type { BaselineDownlink } from '../../../shared/protocol/downlink.ts'
import {
  baselineMetric,
  baselineRecord,
  certifiedBundle,
  createStatementMaker,
  digestHex,
} from '../../support/certified-baselines.ts'
import { bytesOf } from '../../support/config-texts.ts'
import { OPERATOR_LINES, PEOPLE, publicPem } from '../../support/operator-keys.ts'

const NOW_US = 1_800_000_000_000_000
const REGISTRY = 'version: "1.0"\nmetrics:\n  flow: { unit: l/min, nominal_rate_hz: 100 }\n'
const POLICY = defaultQualityPolicy().bytes

function runtimeText({
  more = OPERATOR_LINES,
  rolling = '    rolling_baseline_file: rolling.hbb\n',
  rig = '',
} = {}): string {
  return `version: 1
deployment: demo
agent: bench-1
clock: recording
signing_key_file: sign.pem
${more}rigs:
  - rig: water-loop
    program: pumps
    registry_file: loop.registry.yaml
    baseline_file: golden.hbb
${rolling}${rig}    sources:
      - { name: daq, type: zmq, endpoint: "tcp://127.0.0.1:5555" }
`
}

const record = (change: Partial<BaselineRecord> = {}): BaselineRecord =>
  baselineRecord({ metrics: [baselineMetric()], ...change })
const DRAFT = encodeBaseline(record({ kind: 'draft' }))

function configured({ text = runtimeText(), golden = DRAFT } = {}): LoadedRuntime {
  const files = [
    { name: 'runtime.yaml', bytes: bytesOf(text) },
    { name: 'loop.registry.yaml', bytes: bytesOf(REGISTRY) },
    { name: 'golden.hbb', bytes: golden },
    { name: 'rolling.hbb', bytes: DRAFT },
    { name: 'test.hbb', bytes: encodeBaseline(record({ kind: 'draft', mode: 'test' })) },
    ...PEOPLE.map((name) => ({ name: `${name}.pub`, bytes: bytesOf(publicPem(name)) })),
  ]
  return { ...parseRuntimeFiles(files), files, folder: '/' }
}

const GOLDEN = record()
const BUNDLE = certifiedBundle(GOLDEN)

function downlink(change: Partial<BaselineDownlink> = {}): BaselineDownlink {
  return {
    ...{ kind: 'baseline', agent: 'bench-1', id: 'b', rig: 'water-loop', role: 'golden', number: 7, bundle: BUNDLE },
    ...change,
  }
}

function judged(change: Partial<BaselineDownlink> = {}, loaded: Configured = configured(), lastNumber = 0) {
  return judgeBaseline(downlink(change), { configured: loaded, inForce: loaded.files, lastNumber, nowUs: NOW_US })
}
const reasonOf = (...of: Parameters<typeof judged>): string => {
  const found = judged(...of)
  return found.ok ? 'taken' : found.reason
}

t.test('a certified baseline of this rig, programme and mode is taken, and the configuration names it', async (t) => {
  const found = judged()
  t.ok(found.ok)
  if (!found.ok) return
  const { baseline } = compileSettings(found.files).rigs[0]!
  t.match(baseline, { kind: 'golden', confidence: GOLDEN.gate.confidence })
  t.equal(toHex(baseline!.digest), digestHex(GOLDEN))
  t.equal(compileSettings(configured().files).rigs[0]!.baseline!.kind, 'draft', 'a bare record is a draft')
})

t.test('what is not for this rig, not certified, or was sent before is refused with its reason', async (t) => {
  const maker = createStatementMaker(GOLDEN)
  const unapproved = (): Uint8Array =>
    encodeBundle({ record: encodeBaseline(GOLDEN), policy: POLICY, statements: maker.said })
  maker.say('ada', 'propose')
  maker.say('grace', 'review')
  const reviewed = unapproved()
  maker.say('kay', 'approve')
  maker.say('ada', 'expire')
  const expired = unapproved()
  const flipped = Uint8Array.from(BUNDLE)
  flipped[flipped.length - 1]! ^= 1
  const cases: [string, RegExp, Partial<BaselineDownlink>][] = [
    [
      'another rig of this programme',
      /for rig boiler of programme pumps/,
      { bundle: certifiedBundle(record({ rig: 'boiler' })) },
    ],
    ['another programme', /of programme valves/, { bundle: certifiedBundle(record({ program: 'valves' })) }],
    [
      'another mode',
      /for mode test, and mode_baseline_files of the rig names no file/,
      { bundle: certifiedBundle(record({ mode: 'test' })) },
    ],
    ['a rolling one as golden', /it is a rolling baseline/, { bundle: certifiedBundle(record({ kind: 'rolling' })) }],
    ['a rig that is not here', /no such rig/, { rig: 'boiler' }],
    ['without its approval', /counts as a draft: it waits for an approval/, { bundle: reviewed }],
    ['that was expired', /counts as a draft: it is expired/, { bundle: expired }],
    ['a bare record', /a record without signed statements/, { bundle: encodeBaseline(GOLDEN) }],
    ['a bundle that is cut', /CBOR_REFUSED/, { bundle: BUNDLE.subarray(0, BUNDLE.length - 9) }],
    ['a bundle with a flipped bit', /BATCH_SIGNATURE/, { bundle: flipped }],
    ['a bundle that is too large', /at most/, { bundle: new Uint8Array(ACTIVATED_BYTES_MAX + 1) }],
  ]
  for (const [what, why, change] of cases) t.match(reasonOf(change), why, what)
  t.match(reasonOf({ number: 7 }, configured(), 7), /played back/, 'the same message again')
  t.match(reasonOf({ number: 6 }, configured(), 7), /played back/, 'an older one')
  t.equal(reasonOf({ number: 8 }, configured(), 7), 'taken')
})

t.test('a configuration that cannot take it says what to change', async (t) => {
  const with_ = (change: Parameters<typeof runtimeText>[0]): Configured => configured({ text: runtimeText(change) })
  t.match(reasonOf({}, with_({ more: '' })), /names no operators/)
  const threads = with_({ more: `${OPERATOR_LINES}evaluation: { threads: 1 }\n` })
  t.match(reasonOf({}, threads), /rigs on threads take another baseline at a start only/)
  const rolling = certifiedBundle(record({ kind: 'rolling' }))
  t.match(reasonOf({ role: 'rolling', bundle: rolling }, with_({ rolling: '' })), /names no rolling_baseline_file/)
  t.equal(reasonOf({ role: 'rolling', bundle: rolling }), 'taken')
  const two = OPERATOR_LINES.split('\n').slice(0, 3).join('\n')
  t.match(
    reasonOf({}, with_({ more: `${two}\n` })),
    /which is not trusted/,
    'an approver that this agent does not trust',
  )
})

t.test('every mode has a file of its own, and what a family shares is for each of its rigs', async (t) => {
  const modes = configured({ text: runtimeText({ rig: '    mode_baseline_files: { test: test.hbb }\n' }) })
  const inTest = record({ mode: 'test' })
  const found = judged({ bundle: certifiedBundle(inTest) }, modes)
  t.ok(found.ok)
  if (found.ok) {
    const { baseline, modeBaselines } = compileSettings(found.files).rigs[0]!
    t.equal(toHex(modeBaselines!.get('test')!.baseline!.digest), digestHex(inTest))
    t.equal(baseline!.kind, 'draft', 'that of the mode at the start stays')
  }
  const rolling = certifiedBundle(record({ mode: 'test', kind: 'rolling' }))
  t.match(reasonOf({ role: 'rolling', bundle: rolling }, modes), /rolling ones are for nominal alone/)
  const atStart = runtimeText({ rig: '    mode_baseline_files: { nominal: golden.hbb }\n' })
  const oneFile = configured({ text: atStart.replace('    baseline_file: golden.hbb\n', '') })
  t.equal(reasonOf({}, oneFile), 'taken', 'the mode at the start may have its file there')
  const rollingAtStart = certifiedBundle(record({ kind: 'rolling' }))
  t.match(reasonOf({ role: 'rolling', bundle: rollingAtStart }, oneFile), /nominal has a file in mode_baseline_files/)
  const shared = certifiedBundle(record({ rig: '', family: 'loops' }))
  t.match(reasonOf({ bundle: shared }), /it is for the family loops/)
  t.equal(reasonOf({ bundle: shared }, configured({ text: runtimeText({ rig: '    family: loops\n' }) })), 'taken')

  const first = activation(t, { loaded: modes as LoadedRuntime })
  await first.activation.take(downlink())
  await first.activation.take(downlink({ bundle: certifiedBundle(inTest), number: 8 }))
  const again = compileSettings(activation(t, { path: first.path, loaded: modes as LoadedRuntime }).files).rigs[0]!
  t.same([again.baseline!.kind, again.modeBaselines!.get('test')!.baseline!.kind], ['golden', 'golden'])
})

t.test('a break-glass ends by the time of the slides, wherever it is evaluated again', async (t) => {
  const loose = record({ metrics: [baselineMetric({ detectableShift: 3 })] })
  t.notOk(loose.gate.passed)
  const maker = createStatementMaker(loose)
  maker.say('ada', 'propose')
  maker.say('grace', 'review')
  const { atUs } = maker.say('ada', 'break_glass', { untilUs: loose.madeUs + 60_000_000 })
  maker.say('kay', 'approve')
  const bundle = encodeBundle({ record: encodeBaseline(loose), policy: POLICY, statements: maker.said })
  const { baseline } = compileSettings(configured({ golden: bundle }).files).rigs[0]!
  t.match(baseline, { kind: 'golden', validUntilUs: loose.madeUs + 60_000_000 })
  const { kindAt } = await import('../../../agent/core/decide.ts')
  t.same([kindAt(baseline!, atUs), kindAt(baseline!, loose.madeUs + 60_000_000)], ['golden', 'draft'])
})

type Told = { activated: number; refused: string[]; left: string[]; damaged: string[] }

function activation(t: Test, { files = systemFiles, path = t.testdir({}), loaded = configured() } = {}) {
  const told: Told = { activated: 0, refused: [], left: [], damaged: [] }
  const events = {
    baselineActivated: () => {
      told.activated += 1
    },
    baselineRefused: ({ reason }: { reason: string }) => told.refused.push(reason),
    baselineLeftOut: ({ reason }: { reason: string }) => told.left.push(reason),
    baselineFileDamaged: ({ file }: { file: string }) => told.damaged.push(file),
  } as unknown as AgentEvents
  const folder = createActivatedFolder(files, path)
  const before = readActivations(loaded, folder, events)
  const journaled: (readonly { name: string; bytes: Uint8Array }[])[] = []
  let journalSays: string | null = null
  const options: ActivationOptions = {
    ...{ loaded, folder, events },
    nowUs: () => NOW_US,
    configure: (next) => {
      if (journalSays === null) journaled.push(next)
      return journalSays
    },
    durable: async () => undefined,
  }
  return {
    ...{ told, journaled, path, folder, files: before.files },
    activation: new BaselineActivation(options, before.files, before.activated),
    refuse: (why: string) => {
      journalSays = why
    },
  }
}

const goldenIn = (files: readonly { name: string; bytes: Uint8Array }[]): string =>
  toHex(compileSettings(files).rigs[0]!.baseline!.digest)

t.test('what was activated is in force after a start, and its number still counts', async (t) => {
  const first = activation(t)
  t.match(await first.activation.take(downlink()), { taken: true, reason: '', rig: 'water-loop', role: 'golden' })
  t.equal(goldenIn(first.journaled[0]!), digestHex(GOLDEN))
  const second = activation(t, { path: first.path })
  t.equal(goldenIn(second.files), digestHex(GOLDEN))
  t.match(await second.activation.take(downlink()), { taken: false, reason: /played back/ })
  const rolling = record({ kind: 'rolling' })
  const more = downlink({ role: 'rolling', bundle: certifiedBundle(rolling), number: 8 })
  t.match(await second.activation.take(more), { taken: true })
  t.equal(goldenIn(second.journaled[0]!), digestHex(GOLDEN), 'one role does not take the other away')
})

t.test(
  'a file that somebody names after it came is in force instead, and so is one whose people are gone',
  async (t) => {
    const { activation: first, path } = activation(t)
    await first.take(downlink())
    const other = encodeBaseline(record({ kind: 'draft', madeUs: 5 }))
    const replaced = activation(t, { path, loaded: configured({ golden: other }) })
    t.same(replaced.told.left, ['the configuration names another file since'])
    t.equal(goldenIn(replaced.files), digestHex(record({ kind: 'draft', madeUs: 5 })))
    t.match(await replaced.activation.take(downlink()), { taken: false }, 'and an old message does not bring it back')
    const two = OPERATOR_LINES.split('\n').slice(0, 3).join('\n')
    const without = activation(t, { path, loaded: configured({ text: runtimeText({ more: `${two}\n` }) }) })
    t.match(without.told.left, [/counts as a draft/])
  },
)

t.test('what operators took back counts for nothing at once, and after a start', async (t) => {
  const first = activation(t)
  const maker = createStatementMaker(GOLDEN)
  maker.say('ada', 'propose')
  maker.say('grace', 'review')
  maker.say('kay', 'approve')
  const bundle = () => encodeBundle({ record: encodeBaseline(GOLDEN), policy: POLICY, statements: [...maker.said] })
  await first.activation.take(downlink({ bundle: bundle() }))
  maker.say('kay', 'expire')
  t.match(await first.activation.take(downlink({ bundle: bundle(), number: 8 })), { taken: true })
  t.equal(compileSettings(first.journaled[1]!).rigs[0]!.baseline!.kind, 'draft')
  t.equal(compileSettings(activation(t, { path: first.path }).files).rigs[0]!.baseline!.kind, 'draft')
})

t.test('a disk or journal that does not take it leaves what was there, on the disk as well', async (t) => {
  const first = activation(t)
  await first.activation.take(downlink())
  const kept = first.folder.read().activated
  const newer = record({ madeUs: GOLDEN.madeUs + 1 })
  first.refuse('DISK_FULL')
  const more = downlink({ bundle: certifiedBundle(newer), number: 8 })
  t.match(await first.activation.take(more), { taken: false, reason: 'DISK_FULL' })
  t.same(first.folder.read().activated, kept, 'the file of before is back')
  const full: Files = {
    ...systemFiles,
    writeSync: () => {
      throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
    },
  } as Files
  const second = activation(t, { path: first.path, files: full })
  t.match(await second.activation.take(more), { taken: false, reason: /DISK_FULL/ })
  t.same([second.journaled.length, goldenIn(second.files)], [0, digestHex(GOLDEN)])
  t.same(createActivatedFolder(systemFiles, first.path).read().activated, kept)
  const empty = activation(t, { path: t.testdir({ empty: {} }) })
  empty.refuse('DISK_FULL')
  await empty.activation.take(downlink())
  t.same(empty.folder.read().activated, [], 'nothing is left of a first one')
})

t.test('a damaged file is said to be one and nothing is taken from it', async (t) => {
  const first = activation(t)
  await first.activation.take(downlink())
  const [one] = first.folder.read().activated as [ActivatedBaseline]
  const name = `${first.path}/baselines/water-loop.golden.nominal`
  const bytes = systemFiles.readFileSync(name)
  let taken = 0
  for (const at of [0, 40, bytes.length >> 1, bytes.length - 1]) {
    const flipped = Uint8Array.from(bytes)
    flipped[at]! ^= 0x10
    systemFiles.writeFileSync(name, flipped)
    const read = activation(t, { path: first.path })
    t.same(read.told.damaged, ['baselines/water-loop.golden.nominal'])
    t.equal(goldenIn(read.files), digestHex(record({ kind: 'draft' })), 'the file of the configuration is in force')
    taken += 1
  }
  for (const length of [0, 31, bytes.length - 1]) {
    systemFiles.writeFileSync(name, bytes.subarray(0, length))
    t.same(first.folder.read(), { activated: [], damaged: ['baselines/water-loop.golden.nominal'] })
  }
  systemFiles.writeFileSync(`${first.path}/baselines/other.golden.nominal`, bytes)
  t.ok(first.folder.read().damaged.includes('baselines/other.golden.nominal'), 'under the name of another rig')
  t.equal(one.rig, 'water-loop')
  t.comment(`counted: damaged bytes of an activated baseline | ${taken} | each found`)
})
