import t from 'tap'
import { systemFiles } from '../../../agent/adapters/files.ts'
import { createProofFile } from '../../../agent/adapters/proof-file.ts'
import { ArmGuard } from '../../../agent/pipeline/arm-guard.ts'
import { Integrity } from '../../../agent/pipeline/integrity.ts'
import type { Permits } from '../../../agent/pipeline/permits.ts'
import { PROOF_LOOK_MS, type Proof, type ProofStore, Proofs } from '../../../agent/pipeline/proofs.ts'
import type { SelfTestParts } from '../../../agent/pipeline/self-test.ts'
import { createVirtualClock } from '../../../shared/lib/clock.ts'
import { policy, rule, target } from '../../support/safety-rig.ts'

const T0 = 1_800_000_000_000_000
const HOUR_US = 3_600_000_000
const EVERY_US = 24 * HOUR_US

type Options = Readonly<{ kept?: readonly Proof[]; nowUs?: number; writes?: () => void; takes?: boolean }>

/** A pump that is proved once a day for the loop, and a horn that nobody asked to prove. */
function world({ kept = [], nowUs = T0, writes = () => undefined, takes = true }: Options = {}) {
  const clock = createVirtualClock(nowUs)
  const peer = { ok: true, asked: 0 }
  const told: string[] = []
  const stood: string[] = []
  const journal = { takes }
  let stored = kept
  const store: ProofStore = {
    read: () => stored,
    write(proofs) {
      writes()
      stored = proofs
    },
  }
  const proof = async (): Promise<boolean> => {
    peer.asked += 1
    await clock.sleep(5)
    return peer.ok
  }
  const proofs = new Proofs({
    ...{ clock, store },
    targets: [
      { target: 'pump', executor: { proof }, everyUs: EVERY_US, rigs: ['loop'] },
      { target: 'horn', executor: { proof: async () => true }, everyUs: null, rigs: ['loop'] },
    ],
    events: {
      proof: ({ target: name, ok, by }) => told.push(`${name} ${ok ? 'good' : 'bad'} ${by}`),
      proofOverdue: ({ target: name }) => told.push(`${name} overdue`),
      proofNotKept: (name) => told.push(`${name} not kept`),
    },
    stands(name, rigs, overdue) {
      if (journal.takes) stood.push(`${name} ${rigs.join()} ${overdue ? 'overdue' : 'proved'}`)
      return journal.takes
    },
  })
  proofs.start()
  return { clock, peer, told, stood, journal, proofs, stored: () => stored }
}

// verifies SE-42
t.test(
  'a target that was never proved is overdue: it is proved at once, and its rigs are not armed before',
  async (t) => {
    const { clock, told, proofs, peer } = world()
    t.same(proofs.against('loop'), ['PROOF_OVERDUE:pump'])
    t.same(proofs.against('other'), [], 'another rig has nothing to do with it')
    peer.ok = false
    await clock.advance(PROOF_LOOK_MS * 3000)
    t.same(told, ['pump overdue', 'pump bad agent'], 'a WARNING, once; it is tried again and again')
    t.ok(peer.asked > 1)
    t.same(proofs.against('loop'), ['PROOF_OVERDUE:pump'], 'a bad proof is none')
    peer.ok = true
    await clock.advance(PROOF_LOOK_MS * 2000)
    t.same(proofs.against('loop'), [])
    t.equal(told.at(-1), 'pump good agent')
  },
)

// verifies SE-42
t.test('rigs have the alarm from the start on until the proof was good, once each way', async (t) => {
  const { clock, stood, peer } = world()
  t.same(stood, ['pump loop overdue'], 'and nothing of the horn, which nobody wants proved')
  peer.ok = false
  await clock.advance(PROOF_LOOK_MS * 5000)
  peer.ok = true
  await clock.advance(PROOF_LOOK_MS * 5000)
  t.same(stood, ['pump loop overdue', 'pump loop proved'])
  const kept = [{ target: 'pump', atUs: T0, ok: true }]
  t.same(world({ kept }).stood, ['pump loop proved'], 'an alarm of the life before ends')

  const full = world({ takes: false })
  t.same(full.told, [], 'what the journal did not take was not said')
  full.peer.ok = false
  full.journal.takes = true
  await full.clock.advance(PROOF_LOOK_MS * 1000)
  t.same(full.stood, ['pump loop overdue'], 'and is said again')
})

// verifies SE-42
t.test('by itself it is proved before it is due; when that goes wrong it becomes overdue at its date', async (t) => {
  const kept = [{ target: 'pump', atUs: T0, ok: true }]
  const good = world({ kept })
  await good.clock.advance(0.9 * EVERY_US - PROOF_LOOK_MS * 1000)
  t.equal(good.peer.asked, 0)
  await good.clock.advance(PROOF_LOOK_MS * 2000)
  t.equal(good.peer.asked, 1)
  t.match(good.proofs.standing()[0], { overdue: false })
  t.ok(good.proofs.standing()[0]!.dueUs! > T0 + 1.8 * EVERY_US)

  const bad = world({ kept })
  bad.peer.ok = false
  await bad.clock.advance(EVERY_US - PROOF_LOOK_MS * 1000)
  t.same(bad.proofs.against('loop'), [], 'until its date the last good one counts')
  t.match(bad.proofs.standing()[0], { provedUs: T0, dueUs: T0 + EVERY_US, last: { ok: false } })
  await bad.clock.advance(PROOF_LOOK_MS * 2000)
  t.same(bad.proofs.against('loop'), ['PROOF_OVERDUE:pump'])
  t.ok(bad.told.includes('pump overdue'))
})

// verifies SE-42
t.test('what is kept of before: every combination of age and outcome', (t) => {
  const table: readonly [string, readonly Proof[], boolean][] = [
    ['none', [], true],
    ['of now', [{ target: 'pump', atUs: T0, ok: true }], false],
    ['just in time', [{ target: 'pump', atUs: T0 - EVERY_US + 1, ok: true }], false],
    ['at its date', [{ target: 'pump', atUs: T0 - EVERY_US, ok: true }], true],
    ['of a time to come', [{ target: 'pump', atUs: T0 + 1, ok: true }], true],
    ['at no time', [{ target: 'pump', atUs: Number.NaN, ok: true }], true],
    ['a bad one', [{ target: 'pump', atUs: T0, ok: false }], true],
    [
      'a bad one after a good one',
      [
        { target: 'pump', atUs: T0 - 2, ok: true },
        { target: 'pump', atUs: T0 - 1, ok: false },
      ],
      false,
    ],
    ['of another target', [{ target: 'valve', atUs: T0, ok: true }], true],
  ]
  for (const [name, kept, overdue] of table) {
    const { proofs } = world({ kept })
    t.equal(proofs.standing()[0]!.overdue, overdue, name)
    t.equal(proofs.standing()[1]!.overdue, false, `${name}: what nobody asked for is never overdue`)
    proofs.stop()
  }
  t.end()
})

// verifies SE-42
t.test(
  'an operator proves it at any time; two who ask at once get one answer; a full disk does not hide it',
  async (t) => {
    const { clock, proofs, peer, told, stored } = world()
    t.equal(proofs.prove('nobody', 'operator'), null)
    const both = Promise.all([proofs.prove('pump', 'operator'), proofs.prove('pump', 'operator')])
    await clock.advance(10_000)
    t.match(await both, [{ ok: true }, { ok: true }])
    t.equal(peer.asked, 1)
    t.match(stored(), [{ target: 'pump', ok: true }])
    t.same(told, ['pump overdue', 'pump good operator'])

    const full = world({
      writes: () => {
        throw new Error('no space')
      },
    })
    const proved = full.proofs.prove('pump', 'operator')
    await full.clock.advance(10_000)
    t.match(await proved, { ok: true })
    t.same(full.proofs.against('loop'), [], 'it counts for this life')
    t.ok(full.told.includes('pump not kept'))
  },
)

// verifies SE-42
t.test('proofs outlive the agent; a file that is damaged proves nothing', (t) => {
  const folder = t.testdir({})
  const file = createProofFile({ files: systemFiles, folder })
  t.same(file.read(), [])
  const proofs = [
    { target: 'pump', atUs: T0, ok: true },
    { target: 'pump', atUs: T0 + 1, ok: false },
  ]
  file.write(proofs)
  t.same(createProofFile({ files: systemFiles, folder }).read(), proofs)
  const whole = systemFiles.readFileSync(`${folder}/proofs.json`, 'utf8')
  for (const text of [
    '',
    'x',
    whole.slice(0, -5),
    whole.replace('"version":1', '"version":2'),
    whole.replace(String(T0), '-1'),
    whole.replace('true', '"true"'),
    '[]',
  ]) {
    systemFiles.writeFileSync(`${folder}/proofs.json`, text)
    t.same(file.read(), [], JSON.stringify(text.slice(0, 30)))
  }
  t.end()
})

const WELL: SelfTestParts = { clock: () => true, disk: async () => undefined, key: () => true }

/** Who is asked before the loop is armed: it has a pump, which answers, and a way to tell people. */
async function guardOf(parts: Partial<SelfTestParts> = {}, deadMan = { stays: '' }, permits: Permits['states'] = []) {
  const failed: string[] = []
  const { proofs } = world({ kept: [{ target: 'pump', atUs: T0, ok: true }] })
  proofs.stop()
  const integrity = new Integrity({
    state: () => ({ rigs: [] }) as never,
    found: () => undefined,
    disarm: () => undefined,
  })
  const loop = policy({
    rules: [rule(), rule({ id: 'tell', action: 'notify', target: 'room' })],
    targets: [target('pump', { permitHoldUs: 1_000_000 }), target('room', { executor: 'notify' })],
  })
  const guard = new ArmGuard({
    ...{ parts: { ...WELL, ...parts }, proofs, integrity, policies: () => [loop] },
    deadMan: () => deadMan.stays,
    permits: () => permits,
    failed: ({ part }) => failed.push(part),
  })
  return { guard, failed }
}

// verifies SE-37
t.test('nothing is armed before everything was tried, nor when anything of it failed', async (t) => {
  const { guard, failed } = await guardOf()
  t.same(guard.against('loop'), ['SELF_TEST:running', 'PEER_DOWN:pump'])
  await guard.test()
  t.same(guard.against('loop'), ['PEER_DOWN:pump'], 'an actuator has to answer, who tells people not')
  guard.peer('pump', true)
  t.same(guard.against('loop'), [])
  guard.peer('pump', false)
  t.same(guard.against('loop'), ['PEER_DOWN:pump'])
  t.same(failed, [])
  const late = await guardOf({}, { stays: 'worker 1' })
  await late.guard.test()
  late.guard.peer('pump', true)
  t.same(late.guard.against('loop'), ['DEAD_MAN:worker 1'], 'nor while tokens of the dead-man do not come through')
  const wrong: readonly [string, Partial<SelfTestParts>][] = [
    ['gates', { gates: () => ['2oo3 must_work TRUE'] }],
    ['clock', { clock: () => false }],
    ['disk', { disk: () => Promise.reject(new Error('no space')) }],
    ['key', { key: () => false }],
    [
      'key',
      {
        key: () => {
          throw new Error('no key')
        },
      },
    ],
  ]
  for (const [part, parts] of wrong) {
    const one = await guardOf(parts)
    one.guard.peer('pump', true)
    await one.guard.test()
    t.same(one.guard.against('loop'), [`SELF_TEST:${part}`])
    t.same(one.failed, [part])
  }
  const all = await guardOf(Object.assign({}, ...wrong.map(([, parts]) => parts)) as Partial<SelfTestParts>)
  await all.guard.test()
  t.equal(all.failed.length, 4, 'all of it at once')
})

// verifies SE-33
t.test('what an armed rig goes without is every permit that its policy asks for and nobody holds', async (t) => {
  for (const [states, lacking] of [
    [[], ['PERMIT_LOST:pump']],
    [[{ target: 'room', state: 'held' }], ['PERMIT_LOST:pump']],
    [[{ target: 'pump', state: 'none' }], ['PERMIT_LOST:pump']],
    [[{ target: 'pump', state: 'lost' }], ['PERMIT_LOST:pump']],
    [[{ target: 'pump', state: 'asked' }], []],
    [[{ target: 'pump', state: 'held' }], []],
  ] as const) {
    const { guard } = await guardOf({}, { stays: '' }, states)
    t.same(guard.lacking('loop'), lacking, JSON.stringify(states))
    t.same(guard.lacking('host'), [], 'a rig without a policy lacks nothing')
    await guard.test()
    guard.peer('pump', true)
    t.same(guard.against('loop'), [], 'and to arm is the way to get it back')
  }
})
