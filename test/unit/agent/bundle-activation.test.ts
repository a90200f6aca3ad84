import t, { type Test } from 'tap'
import { createActivatedFolder } from '../../../agent/adapters/activated-baselines.ts'
import { BUNDLES_KEPT_MAX, createBundleFolder } from '../../../agent/adapters/bundle-folder.ts'
import { type Files, systemFiles } from '../../../agent/adapters/files.ts'
import { BaselineActivation, readActivations } from '../../../agent/baseline-activation.ts'
import {
  type AppliedNote,
  BundleActivation,
  JOURNALED_BYTES_MAX,
  readBundles,
} from '../../../agent/bundle-activation.ts'
import type { AgentEvents } from '../../../agent/events.ts'
import { compileSettings } from '../../../agent/pipeline/compile-settings.ts'
import { encodeBaseline } from '../../../shared/codec/baseline-record.ts'
import { configDigest } from '../../../shared/codec/config-digest.ts'
import type { JournalFile } from '../../../shared/codec/journal-input.ts'
import { toHex } from '../../../shared/crypto/digest.ts'
import { BundleError } from '../../../shared/errors/bundle-error.ts'
import { HbError, isHbError } from '../../../shared/errors/hb-error.ts'
import type { BaselineRecord } from '../../../shared/model/baseline.ts'
import type { BaselineDownlink } from '../../../shared/protocol/downlink.ts'
import {
  baselineMetric,
  baselineRecord,
  certifiedBundle,
  digestHex,
  type TestPerson,
} from '../../support/certified-baselines.ts'
import { configurationOf, cutOf, fleetBundle, DRAFT as SAID, signedBundle } from '../../support/config-bundles.ts'
import { bytesOf } from '../../support/config-texts.ts'
import { OPERATOR_LINES, PEOPLE, publicPem } from '../../support/operator-keys.ts'

const NOW_US = SAID.madeUs + 1_000_000
const RUNTIME = `version: 1
deployment: demo
agent: bench-1
clock: recording
signing_key_file: sign.pem
${OPERATOR_LINES}rigs:
  - rig: water-loop
    program: pumps
    registry_file: loop.registry.yaml
    baseline_file: golden.hbb
    sources:
      - { name: daq, type: zmq, endpoint: "tcp://127.0.0.1:5555" }
`
const record = (change: Partial<BaselineRecord> = {}): BaselineRecord =>
  baselineRecord({ metrics: [baselineMetric()], ...change })
const DRAFT = encodeBaseline(record({ kind: 'draft' }))
const GOLDEN = record()
const OTHER = record({ madeUs: GOLDEN.madeUs + 1 })

type Shape = Readonly<{ failMax?: number; golden?: Uint8Array; more?: string }>

function filesWith({ failMax = 40, golden = DRAFT, more = '' }: Shape = {}): JournalFile[] {
  const registry = `version: "1.0"\nmetrics:\n  flow: { unit: l/min, nominal_rate_hz: 100, fail_max: ${failMax} }\n`
  return [
    { name: 'runtime.yaml', bytes: bytesOf(`${RUNTIME}${more}`) },
    { name: 'loop.registry.yaml', bytes: bytesOf(registry) },
    { name: 'golden.hbb', bytes: golden },
    ...PEOPLE.map((name) => ({ name: `${name}.pub`, bytes: bytesOf(publicPem(name)) })),
  ]
}

function bundle(number: number, shape: Shape = {}, by: readonly TestPerson[] = ['ada']): Uint8Array {
  return signedBundle(filesWith(shape), { by, draft: { number } })
}

const downlink = (number: number, baseline: BaselineRecord): BaselineDownlink => ({
  ...{ kind: 'baseline', agent: 'bench-1', id: 'b', rig: 'water-loop', role: 'golden', number },
  bundle: certifiedBundle(baseline),
})

type Started = Readonly<{ path?: string; files?: Files; disk?: Shape }>

/** What an agent does at a start and while it runs, without its loop. */
function start(t: Test, { path = t.testdir({}), files = systemFiles, disk = {} }: Started = {}) {
  const told: string[] = []
  const tell = (what: string) => (facts: Record<string, unknown>) =>
    void told.push(
      [what, facts['number'] ?? facts['role'], facts['reasons'] ?? facts['reason'] ?? facts['file']].join(' '),
    )
  const events = {
    bundleActivated: tell('activated'),
    bundleRefused: tell('refused'),
    bundleTakenBack: tell('taken back'),
    bundleNotDurable: tell('not durable'),
    bundleDamaged: tell('damaged'),
    bundleLeftOut: tell('left out'),
    baselineActivated: tell('baseline activated'),
    baselineRefused: tell('baseline refused'),
    baselineLeftOut: tell('baseline left out'),
    baselineFileDamaged: tell('baseline damaged'),
  } as unknown as AgentEvents
  const loaded = configurationOf(filesWith(disk))
  const folder = createBundleFolder(files, path)
  const under = readBundles(loaded, folder, events)
  const baselineFolder = createActivatedFolder(files, path)
  const before = readActivations(under.configured, baselineFolder, events)
  const journaled: (readonly JournalFile[])[] = []
  let journalSays: string | null = null
  let diskFails = false
  let passedUs = 0
  const taking = {
    nowUs: () => NOW_US + passedUs,
    configure: (next: readonly JournalFile[]) => {
      if (journalSays === null) journaled.push(next)
      return journalSays
    },
    durable: async () => {
      if (diskFails) throw new HbError('DISK_FAILED', { path: 'journal' })
    },
  }
  const baselines = new BaselineActivation(
    { ...taking, loaded: under.configured, folder: baselineFolder, events },
    before.files,
    before.activated,
  )
  const noted: AppliedNote[] = []
  const applied = (note: AppliedNote) => void noted.push(note)
  const options = { ...taking, disk: loaded, folder, events, baselines, canAct: () => false, applied }
  return {
    ...{ path, told, noted, folder, journaled, baselines, files: before.files },
    bundles: new BundleActivation(options, under),
    pass: (us: number) => {
      passedUs += us
    },
    failDisk: () => {
      diskFails = true
    },
    refuse: (why: string) => {
      journalSays = why
    },
  }
}

const limitIn = (files: readonly JournalFile[]): number | undefined =>
  compileSettings(files).rigs[0]!.metrics[0]!.failMax
const goldenIn = (files: readonly JournalFile[]): string => toHex(compileSettings(files).rigs[0]!.baseline!.digest)

async function refusal(work: Promise<unknown>): Promise<string[]> {
  try {
    await work
    return ['taken']
  } catch (error) {
    if (error instanceof BundleError) return error.problems.map(({ code }) => code)
    if (isHbError(error)) return [error.code]
    throw error
  }
}

// verifies SE-39
t.test('a bundle is one configuration that is journaled, and the next start runs under it', async (t) => {
  const first = start(t)
  t.equal(first.bundles.inForce, null)
  const taken = await first.bundles.take(bundle(7, { failMax: 50 }))
  t.match(taken, { manifest: { number: 7 }, signers: ['ada'], atUs: NOW_US })
  t.equal(first.journaled.length, 1, 'one input of the journal')
  t.equal(limitIn(first.journaled[0]!), 50)
  t.equal(toHex(configDigest(first.journaled[0]!)), taken.manifest.config)
  const again = start(t, { path: first.path })
  t.equal(limitIn(again.files), 50)
  t.match(again.bundles.inForce, taken)
  t.same(await refusal(again.bundles.take(bundle(7, { failMax: 60 }))), ['number_not_above'], 'its number still counts')
  await again.bundles.take(bundle(8, { failMax: 60 }))
  t.equal(limitIn(start(t, { path: first.path }).files), 60)
})

t.test(
  'a disk that fails behind the activation does not make it a refusal: it is in force, and that is said',
  async (t) => {
    const first = start(t)
    first.failDisk()
    t.match(await first.bundles.take(bundle(7, { failMax: 50 })), { manifest: { number: 7 } })
    t.match(first.told, [/^not durable 7/, /^activated 7/])
    t.match(start(t, { path: first.path }).bundles.inForce, { manifest: { number: 7 } }, 'and the next start finds it')
  },
)

// verifies SE-39
t.test('a bundle that is refused leaves what was there, on the disk and in the evaluation', async (t) => {
  const first = start(t)
  await first.bundles.take(bundle(7, { failMax: 50 }))
  const kept = first.folder.read()
  const refused = [
    bundle(8, { failMax: 60 }, ['mallory']),
    bundle(6, { failMax: 60 }),
    signedBundle(filesWith({ more: 'health: { port: 9000 }\n' }), { by: ['ada'], draft: { number: 9 } }),
    signedBundle(filesWith({ failMax: Number.NaN }), { by: ['ada'], draft: { number: 10 } }),
    bundle(11).subarray(9),
  ]
  for (const bytes of refused) t.not((await refusal(first.bundles.take(bytes)))[0], 'taken')
  t.equal(first.told.filter((line) => line.startsWith('refused')).length, refused.length, 'each is said')
  t.equal(first.journaled.length, 1)
  t.same(first.folder.read(), kept)
  t.equal(first.bundles.inForce!.manifest.number, 7)
  t.equal(limitIn(start(t, { path: first.path }).files), 50)
})

t.test('a disk or journal that does not take it leaves the one before', async (t) => {
  const first = start(t)
  await first.bundles.take(bundle(7, { failMax: 50 }))
  first.refuse('DISK_FULL')
  t.same(await refusal(first.bundles.take(bundle(8, { failMax: 60 }))), ['not_journaled'])
  t.equal(first.folder.read().kept.length, 1, 'it is not found at the next start')
  const full: Files = {
    ...systemFiles,
    writeSync: () => {
      throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
    },
  } as Files
  const second = start(t, { path: first.path, files: full })
  t.same(await refusal(second.bundles.take(bundle(8, { failMax: 60 }))), ['DISK_FULL'])
  t.same([second.journaled.length, second.bundles.inForce!.manifest.number], [0, 7])
  t.equal(limitIn(start(t, { path: first.path }).files), 50)
  await start(t, { path: first.path }).bundles.take(bundle(8, { failMax: 60 }))
})

// verifies SE-39
t.test('a bundle that is damaged is found, the one before it is used, and its number counts', async (t) => {
  const { path, bundles } = start(t)
  await bundles.take(bundle(7, { failMax: 50 }))
  await bundles.take(bundle(8, { failMax: 60 }))
  const file = `${path}/bundles/8.bundle`
  const bytes = systemFiles.readFileSync(file)
  let tried = 0
  for (let at = 0; at < bytes.length; at += 97) {
    const other = Uint8Array.from(bytes)
    other[at]! ^= 1 << (tried % 8)
    systemFiles.writeFileSync(file, other)
    const read = start(t, { path })
    t.same([limitIn(read.files), read.told[0]], [50, 'damaged 8 bundles/8.bundle'])
    tried += 1
  }
  systemFiles.writeFileSync(file, bytes.subarray(0, 40))
  const cut = start(t, { path })
  t.equal(cut.bundles.inForce!.manifest.number, 7)
  t.same(await refusal(cut.bundles.take(bundle(8, { failMax: 60 }))), ['number_not_above'])
  systemFiles.writeFileSync(`${path}/bundles/9.bundle`, bytes)
  t.ok(start(t, { path }).told.includes('damaged 9 bundles/9.bundle'), 'under another number')
  systemFiles.writeFileSync(`${path}/bundles/7.bundle`, bytes.subarray(0, 3))
  t.equal(limitIn(start(t, { path }).files), 40, 'the files of the disk when none is whole')
  t.comment(`counted: damaged bytes of a kept bundle | ${tried} | each found, the one before used`)
})

// verifies SE-39
t.test('files of the disk that somebody changed since go before every bundle, as a whole', async (t) => {
  const { path, bundles } = start(t)
  await bundles.take(bundle(7, { failMax: 50 }))
  const edited = start(t, { path, disk: { failMax: 45 } })
  t.equal(limitIn(edited.files), 45)
  t.equal(edited.bundles.inForce, null)
  t.same(edited.told, ['left out 7 the files of the configuration were changed since'])
  t.same(await refusal(edited.bundles.take(bundle(7, { failMax: 60 }))), ['number_not_above'])
  await edited.bundles.take(bundle(8, { failMax: 60 }))
  t.equal(limitIn(start(t, { path, disk: { failMax: 45 } }).files), 60, 'and a new one goes over what they wrote')
  const back = start(t, { path })
  t.equal(limitIn(back.files), 40, 'an older bundle does not come back with the files that it was over')
})

t.test('an end bounds when it may be put in force, and a start is no such time', async (t) => {
  const until = (number: number, notAfterUs: number): Uint8Array =>
    signedBundle(filesWith({ failMax: 50 }), { by: ['ada'], draft: { number, notAfterUs } })
  const first = start(t)
  t.same(await refusal(first.bundles.take(until(7, NOW_US - 1))), ['expired'])
  await first.bundles.take(until(7, NOW_US))
  t.equal(limitIn(start(t, { path: first.path }).files), 50)
})

/** What a fleet bundle has for this agent; another agent of it has other limits. */
function fleet(number: number, shape: Shape = {}, backWithinUs = 3_600_000_000): Uint8Array {
  const { rigs } = SAID
  const parts = [
    { agent: 'bench-0', rigs, files: filesWith({ failMax: 1 }) },
    { agent: 'bench-1', rigs, files: filesWith(shape) },
  ]
  return cutOf(fleetBundle(parts, { by: ['ada'], draft: { number, backWithinUs } }), 'bench-1')
}
const WHY = { by: 'collector, rollout r1', reason: 'bench-0: FAIL' }

// verifies SE-39
t.test(
  'a bundle of a fleet is taken for what it has for this agent, and goes back once, to what was before',
  async (t) => {
    const first = start(t)
    await first.bundles.take(bundle(7, { failMax: 50 }))
    const taken = await first.bundles.take(fleet(8, { failMax: 60 }), 'rollout')
    t.equal(limitIn(first.journaled.at(-1)!), 60)
    t.same(await refusal(first.bundles.back('ab'.repeat(32), WHY)), ['not_in_force'])
    const back = await first.bundles.back(taken.digest, WHY)
    t.equal(back!.manifest.number, 7)
    t.equal(limitIn(first.journaled.at(-1)!), 50)
    t.same(
      first.noted.map(({ source, version, by, reason }) => [source, version, by, reason]),
      [
        ['operator', '7', 'ada', SAID.reason],
        ['rollout', '8', 'ada', SAID.reason],
        ['rollback', '7', WHY.by, WHY.reason],
      ],
    )
    t.same(await refusal(first.bundles.back(taken.digest, WHY)), ['not_in_force'], 'once')
    t.same(await refusal(first.bundles.take(fleet(8, { failMax: 60 }))), ['number_not_above'], 'it is not played back')
    const again = start(t, { path: first.path })
    t.equal(limitIn(again.files), 50, 'and the next start knows it')
    t.equal(again.bundles.inForce!.manifest.number, 7)
    for (let number = 9; number < 9 + 2 * BUNDLES_KEPT_MAX; number += 1) {
      const next = await again.bundles.take(fleet(number, { failMax: 60 }))
      t.equal(
        (await again.bundles.back(next.digest, WHY))!.manifest.number,
        7,
        'however often something was taken back',
      )
    }
    t.equal(limitIn(start(t, { path: first.path }).files), 50)
  },
)

// verifies SE-39
t.test('back to the files of the disk, after a start as well, and not to what is not as it was', async (t) => {
  const first = start(t)
  const taken = await first.bundles.take(fleet(8, { failMax: 60 }))
  const second = start(t, { path: first.path })
  t.equal(await second.bundles.back(taken.digest, WHY), null)
  t.equal(limitIn(second.journaled.at(-1)!), 40)
  t.equal(start(t, { path: first.path }).bundles.inForce, null)

  const other = start(t)
  await other.bundles.take(bundle(7, { failMax: 50 }))
  const next = await other.bundles.take(fleet(8, { failMax: 60 }))
  systemFiles.writeFileSync(`${other.path}/bundles/7.bundle`, new Uint8Array(3))
  t.same(await refusal(other.bundles.back(next.digest, WHY)), ['nothing_before'], 'what was before is damaged')
  t.equal(other.bundles.inForce!.manifest.number, 8)
  t.equal(limitIn(start(t, { path: other.path }).files), 60)
})

// verifies SE-39
t.test('only who signed it may let it be taken back, and only for so long', async (t) => {
  const never = start(t)
  const plain = await never.bundles.take(bundle(7, { failMax: 50 }))
  t.same(await refusal(never.bundles.back(plain.digest, WHY)), ['no_way_back'], 'a bundle for one agent')
  const closed = await never.bundles.take(fleet(8, { failMax: 60 }, 0))
  never.pass(1)
  t.same(await refusal(never.bundles.back(closed.digest, WHY)), ['no_way_back'])
  const timed = await never.bundles.take(fleet(9, { failMax: 60 }, 1_000_000))
  never.pass(1_000_001)
  t.same(await refusal(never.bundles.back(timed.digest, WHY)), ['no_way_back'], 'too late')
  never.pass(-1)
  never.refuse('DISK_FULL')
  t.same(await refusal(never.bundles.back(timed.digest, WHY)), ['not_journaled'])
  t.equal(limitIn(start(t, { path: never.path }).files), 60, 'what is not journaled is not on the disk either')
  t.equal(never.bundles.inForce!.manifest.number, 9)
})

t.test('the newest few are kept', async (t) => {
  const { path, bundles, folder } = start(t)
  for (let number = 1; number <= BUNDLES_KEPT_MAX + 3; number += 1) await bundles.take(bundle(number))
  t.same(
    folder.read().kept.map(({ number }) => number),
    Array.from({ length: BUNDLES_KEPT_MAX }, (_, k) => BUNDLES_KEPT_MAX + 3 - k),
  )
  t.equal(start(t, { path }).bundles.inForce!.manifest.number, BUNDLES_KEPT_MAX + 3)
})

// verifies SE-39
t.test('a baseline of the collector stays where a bundle brings no other file, and goes where it does', async (t) => {
  const first = start(t)
  t.match(await first.baselines.take(downlink(1, GOLDEN)), { taken: true })
  await first.bundles.take(bundle(7, { failMax: 50 }))
  const [, second] = first.journaled
  t.same([limitIn(second!), goldenIn(second!)], [50, digestHex(GOLDEN)], 'the bundle has the file it is over')
  const again = start(t, { path: first.path })
  t.same([limitIn(again.files), goldenIn(again.files)], [50, digestHex(GOLDEN)], 'a start comes to the same')

  const own = certifiedBundle(OTHER)
  await again.bundles.take(bundle(8, { golden: own }))
  t.equal(goldenIn(again.journaled.at(-1)!), digestHex(OTHER), 'the bundle brings another one')
  t.ok(again.told.includes('baseline left out golden the configuration names another file since'))
  const third = start(t, { path: first.path })
  t.equal(goldenIn(third.files), digestHex(OTHER))

  t.match(await third.baselines.take(downlink(1, GOLDEN)), { taken: false, reason: /played back/ })
  const newer = record({ madeUs: GOLDEN.madeUs + 2 })
  t.match(await third.baselines.take(downlink(2, newer)), { taken: true })
  t.equal(goldenIn(third.journaled.at(-1)!), digestHex(newer), 'what comes after the bundle goes over its file')
  t.equal(limitIn(third.journaled.at(-1)!), 40, 'and nothing but the baseline changes')
  const last = start(t, { path: first.path })
  t.same([goldenIn(last.files), last.bundles.inForce!.manifest.number], [digestHex(newer), 8])
})

t.test('what one record of the journal cannot hold is refused', async (t) => {
  const { bundles, baselines, journaled, folder } = start(t)
  const large = { name: 'golden.hbb', bytes: new Uint8Array(JOURNALED_BYTES_MAX + 1) }
  Object.assign(baselines, { under: () => ({ files: [large], left: [] }) })
  t.same(await refusal(bundles.take(bundle(7))), ['shape'])
  t.same([journaled.length, folder.read().lastNumber], [0, 0])
})
