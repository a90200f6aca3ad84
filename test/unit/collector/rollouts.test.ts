import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { rolloutJson } from '../../../collector/http/rollout-views.ts'
import { checkRollouts } from '../../../collector/rollout-check.ts'
import { Rollouts } from '../../../collector/rollouts.ts'
import { openStores } from '../../../collector/store/open.ts'
import { ROLLOUT_BUNDLES_KEPT_MAX, ROLLOUTS_KEPT_MAX } from '../../../collector/store/rollouts.ts'
import { COLLECTOR_MIGRATIONS } from '../../../collector/store/schema.ts'
import { canonicalBytes } from '../../../shared/codec/canonical.ts'
import { openConfigBundle } from '../../../shared/codec/config-bundle.ts'
import { lookIntoFleetBundle } from '../../../shared/codec/fleet-bundle.ts'
import {
  encodeHandedOrder,
  openRolloutOrder,
  ROLLOUT_ORDER_TYP,
  ROLLOUT_ORDER_VERSION,
  type RolloutDraft,
  readHandedOrder,
  signRolloutOrder,
} from '../../../shared/codec/rollout-order.ts'
import { signCose } from '../../../shared/crypto/cose.ts'
import { toHex } from '../../../shared/crypto/digest.ts'
import { readPublicKey } from '../../../shared/crypto/sign.ts'
import { BundleError } from '../../../shared/errors/bundle-error.ts'
import { isHbError } from '../../../shared/errors/hb-error.ts'
import { createVirtualClock } from '../../../shared/lib/clock.ts'
import type { ConfigState } from '../../../shared/model/config-state.ts'
import { ROLLOUT_ORDER_AGE_MAX_US } from '../../../shared/model/rollout.ts'
import { openDatabase } from '../../../shared/sqlite/database.ts'
import { SIGNERS, type TestPerson, TRUST } from '../../support/certified-baselines.ts'
import { FLEET, fleetBundle } from '../../support/config-bundles.ts'
import { bytesOf } from '../../support/config-texts.ts'

const S = 1_000_000
const START_US = 1_800_000_000_000_000
const part = (agent: string) => ({
  ...{ agent, rigs: [{ rig: 'loop', program: 'demo' }] },
  files: [{ name: 'runtime.yaml', bytes: bytesOf(`agent: ${agent}\n`) }],
})
const bundleOf = (number: number, agents = ['a', 'b'], by: readonly TestPerson[] = ['ada']) =>
  fleetBundle(agents.map(part), { by, draft: { number } })
const digestOf = (bundle: Uint8Array) => lookIntoFleetBundle(bundle).digest

const DRAFT: RolloutDraft = {
  ...{ kind: 'start', deployment: 'demo', rollout: '', digest: '', stages: '1,all', soakUs: S, withinUs: 60 * S },
  ...{ reason: 'new pump', atUs: START_US },
}

function said(digest: string): ConfigState {
  return {
    ...{ config: '', bundle: { digest, number: 0, at_us: 0 }, ready: true, reasons: [], not_journaled: 0, damage: 0 },
    ...{ boot_id: 'b', rigs: [{ rig: 'loop', mode: 'nominal', verdict: 'PASS', arm: '', severe: [] }] },
  }
}

/** A collector's rollouts over a real database, with agents that are only told things. */
async function desk(t: Test, folder = mkdtempSync(join(tmpdir(), 'hb-rollouts-'))) {
  const clock = createVirtualClock(START_US)
  const stores = await openStores(folder, clock)
  await stores.agents.enrol(
    ['a', 'b', 'c'].map((agent) => ({ agent, deployment: 'demo', spki: new Uint8Array(1), programs: ['demo'] })),
    START_US,
  )
  const asked: string[] = []
  const cuts: Uint8Array[] = []
  const saidBy = new Map<string, ConfigState>()
  const rollouts = await Rollouts.open({
    ...{ store: stores.rollouts, trust: TRUST, deployment: 'demo', clock, changed() {} },
    isEnrolled: (agent) => ['a', 'b', 'c'].includes(agent),
    saidBy: (agent) => saidBy.get(agent) ?? null,
    link: (agent) => ({
      offer({ bundle }) {
        asked.push(`offer ${agent}`)
        cuts.push(bundle)
      },
      back: ({ reason }) => void asked.push(`back ${agent}: ${reason}`),
    }),
    events: {
      rolloutSaid() {},
      broken: (where, cause) => void t.fail(`${where}: ${String(cause)}`),
    },
  })
  rollouts.begin()
  const settle = async () => {
    for (let k = 0; k < 40; k += 1) await new Promise((done) => setImmediate(done))
    await rollouts.end()
    rollouts.begin()
  }
  const order = (bundle: Uint8Array | null, change: Partial<RolloutDraft> = {}, by: TestPerson = 'ada') => {
    const draft = { ...DRAFT, digest: bundle === null ? '' : digestOf(bundle), atUs: clock.nowUs(), ...change }
    return rollouts.order(encodeHandedOrder({ order: signRolloutOrder(draft, SIGNERS[by]), bundle }))
  }
  return {
    ...{ folder, clock, stores, rollouts, asked, cuts, saidBy, order, settle },
    async pass(us: number) {
      for (let k = 0; k < us; k += 200_000) await clock.advance(200_000)
      await settle()
    },
    async hears(agent: string, digest: string, answer?: 'offer' | 'back', rollout: string | null = null) {
      if (answer !== undefined)
        rollouts.hear({ kind: 'answer', agent, what: answer, taken: true, againMs: 0, reasons: [] }, rollout)
      rollouts.hear({ kind: 'said', agent, said: said(digest) })
      await settle()
    },
    async close() {
      await rollouts.end()
      await stores.close()
    },
  }
}

/** An order with a reason that `signRolloutOrder` would not sign. */
function signedAnyway(draft: RolloutDraft): Uint8Array {
  const { soakUs, withinUs, atUs, ...words } = draft
  const payload = canonicalBytes({
    ...{ ...words, v: ROLLOUT_ORDER_VERSION, soak_us: soakUs, within_us: withinUs, at_us: atUs },
  })
  const issuer = `operator/${toHex(SIGNERS.ada.keyId)}`
  const subject = `rollout/${draft.deployment}`
  return signCose({ typ: ROLLOUT_ORDER_TYP, issuer, subject, payload, signer: SIGNERS.ada })
}

async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'taken'
  } catch (error) {
    if (error instanceof BundleError) return error.problems.map(({ code }) => code).join(' ')
    if (isHbError(error)) return `${error.code} ${String(error.context['reason'] ?? '')}`.trim()
    throw error
  }
}

t.test('what is ordered is refused whole, with its reason, and nothing is written then', async (t) => {
  const at = await desk(t)
  t.teardown(() => rmSync(at.folder, { recursive: true }))
  const bundle = bundleOf(7)
  const over = ROLLOUT_ORDER_AGE_MAX_US + 1
  const cases: [string, string, Promise<unknown>][] = [
    ['a stranger', 'ROLLOUT_REFUSED unknown_key', at.order(bundle, {}, 'mallory')],
    ['another deployment', 'ROLLOUT_REFUSED other_deployment', at.order(bundle, { deployment: 'other' })],
    ['an old order', 'ROLLOUT_REFUSED stale', at.order(bundle, { atUs: START_US - over })],
    ['an order of tomorrow', 'ROLLOUT_REFUSED stale', at.order(bundle, { atUs: START_US + over })],
    ['stages', 'ROLLOUT_REFUSED stages', at.order(bundle, { stages: '1,10%' })],
    ['no soak', 'ROLLOUT_REFUSED times', at.order(bundle, { soakUs: 0 })],
    ['no time', 'ROLLOUT_REFUSED times', at.order(bundle, { withinUs: S })],
    ['another digest', 'ROLLOUT_REFUSED digest_differs', at.order(bundle, { digest: 'ab'.repeat(32) })],
    ['a bundle of a stranger', 'unknown_key', at.order(bundleOf(7, ['a'], ['mallory']))],
    ['agents that are not here', 'other_agent other_agent', at.order(bundleOf(7, ['a', 'x', 'y']))],
    [
      'of another deployment',
      'other_deployment',
      at.order(fleetBundle([part('a')], { by: ['ada'], draft: { deployment: 'x' } })),
    ],
    ['too late', 'expired', at.order(fleetBundle([part('a')], { by: ['ada'], draft: { notAfterUs: START_US - 1 } }))],
    ['no bundle', 'shape', at.order(null, { digest: digestOf(bundle) })],
    ['bytes', 'CBOR_REFUSED truncated', at.rollouts.order(new Uint8Array([0xa3]))],
    [
      'a reason that forges a line',
      'ROLLOUT_REFUSED not_plain_text',
      at.rollouts.order(
        encodeHandedOrder({ order: signedAnyway({ ...DRAFT, digest: digestOf(bundle), reason: 'a\nb' }), bundle }),
      ),
    ],
    ['nothing to end', 'ROLLOUT_UNKNOWN', at.order(null, { kind: 'abort', rollout: '0'.repeat(16) })],
  ]
  for (const [what, expected, work] of cases) t.equal(await refusal(work), expected, what)
  t.same(await at.stores.rollouts.list(9), [])
  t.equal(await refusal(at.order(bundle)), 'taken')
  t.equal(await refusal(at.order(bundleOf(8))), 'ROLLOUT_RUNNING')
  t.equal(await refusal(at.order(bundle)), 'ROLLOUT_RUNNING')
  const [one] = await at.stores.rollouts.list(9)
  t.match(one, { by: 'ada', reason: 'new pump', status: 'RUNNING', digest: digestOf(bundle), number: 7 })
  t.equal(await refusal(at.order(null, { kind: 'abort', rollout: one!.id, reason: 'no' }, 'grace')), 'taken')
  t.equal(await refusal(at.order(bundle)), 'ROLLOUT_REFUSED repeated_order', 'the very same order does not count twice')
  await at.close()
})

t.test('every agent is handed its own part, and a collector that was stopped goes on', async (t) => {
  const first = await desk(t)
  t.teardown(() => rmSync(first.folder, { recursive: true }))
  const bundle = bundleOf(7)
  first.saidBy.set('a', said(''))
  const { id } = await first.order(bundle)
  await first.settle()
  t.same(first.asked, ['offer a'], 'who is there already is asked at once')
  t.match(openConfigBundle(first.cuts[0]!, TRUST.operators), { opened: { manifest: { agent: 'a' } }, problems: [] })
  await first.hears('a', digestOf(bundle), 'offer', id)
  await first.close()

  const second = await desk(t, first.folder)
  await second.hears('a', digestOf(bundle))
  await second.hears('b', '')
  await second.pass(2 * S)
  t.same(second.asked, ['offer b'])
  await second.hears('b', digestOf(bundle), 'offer', id)
  await second.pass(2 * S)
  const [stored] = await second.stores.rollouts.list(1)
  t.match(rolloutJson(stored!, undefined), { status: 'COMPLETED', agents: [{ phase: 'taken' }, { phase: 'taken' }] })
  const record = await second.stores.rollouts.notes(id)
  t.same(
    record.map(({ agent, what }) => `${agent} ${what}`.trim()),
    ['started', 'a offered', 'a taken', 'stage_passed', 'b offered', 'b taken', 'stage_passed', 'COMPLETED'],
  )
  t.match(record[0], { detail: 'ada: new pump' })
  await second.close()
})

t.test('an agent that still has to go back does that before a newer rollout comes to it', async (t) => {
  const at = await desk(t)
  t.teardown(() => rmSync(at.folder, { recursive: true }))
  const [bad, good] = [bundleOf(7, ['a']), bundleOf(8, ['a'])]
  at.saidBy.set('a', said(''))
  const { id } = await at.order(bad, { stages: 'all' })
  await at.hears('a', digestOf(bad), 'offer', id)
  at.rollouts.hear({ kind: 'left', agent: 'a' })
  at.saidBy.clear()
  await at.order(null, { kind: 'abort', rollout: id, reason: 'it leaks' })
  await at.pass(31 * S)
  t.equal((await at.stores.rollouts.get(id))?.status, 'ROLLED_BACK')
  const next = await at.order(good, { stages: 'all' })
  await at.hears('a', digestOf(bad))
  t.same(at.asked, ['offer a', 'back a: aborted by ada: it leaks'], 'first back')
  await at.hears('a', '', 'back', id)
  t.same(at.asked.slice(2), ['offer a'], 'then on')
  await at.hears('a', digestOf(good), 'offer', next.id)
  await at.pass(2 * S)
  t.equal((await at.stores.rollouts.get(next.id))?.status, 'COMPLETED')
  await at.close()
})

t.test('a bundle that is not what was kept any more is handed to nobody', async (t) => {
  const first = await desk(t)
  t.teardown(() => rmSync(first.folder, { recursive: true }))
  const { id } = await first.order(bundleOf(7))
  await first.close()
  const db = await openDatabase({
    ...{ path: join(first.folder, 'collector.sqlite'), clock: first.clock },
    migrations: COLLECTOR_MIGRATIONS,
  })
  await db.write((tx) => tx.run('UPDATE rollout_bundles SET bytes = ?', [new Uint8Array(9)]))
  await db.close()
  const second = await desk(t, first.folder)
  await second.hears('a', '')
  t.match(await second.stores.rollouts.get(id), { status: 'ROLLING_BACK' })
  t.match(second.asked, [/^back a: the bundle that was kept is damaged/])
  await second.close()
})

t.test('a check finds an order or a bundle that is not what was kept, whatever byte it is', async (t) => {
  const at = await desk(t)
  t.teardown(() => rmSync(at.folder, { recursive: true }))
  await at.order(bundleOf(7))
  await at.close()
  const db = await openDatabase({
    ...{ path: join(at.folder, 'collector.sqlite'), clock: at.clock, migrations: COLLECTOR_MIGRATIONS },
  })
  t.teardown(() => db.close())
  t.same(await checkRollouts(db, TRUST), [])
  const whole = (await db.get('SELECT signed_order, stages, by_whom FROM rollouts'))!
  const set = (column: string, value: string | Uint8Array) =>
    db.write((tx) => tx.run(`UPDATE rollouts SET ${column} = ?`, [value]))
  const order = Uint8Array.from(whole['signed_order'] as Uint8Array)
  for (let byte = 0; byte < order.length; byte += 1) {
    const other = order.slice()
    other[byte] = other[byte]! ^ 1
    await set('signed_order', other)
    t.equal((await checkRollouts(db, TRUST)).length, 1, `byte ${byte}`)
  }
  await set('signed_order', order)
  for (const [column, value] of [
    ['stages', 'all'],
    ['by_whom', 'grace'],
    ['reason', ''],
    ['digest', 'ab'],
  ] as const) {
    const before = (await db.get(`SELECT ${column} AS was FROM rollouts`))!['was'] as string
    await set(column, value)
    t.match(await checkRollouts(db, TRUST), [/not remembered as it was ordered/], column)
    await set(column, before)
  }
  await db.write((tx) => tx.run('UPDATE rollout_bundles SET bytes = ?', [new Uint8Array(9)]))
  t.match(await checkRollouts(db, TRUST), [/^bundle [0-9a-f]{64} is not what was kept/])
})

t.test('so many rollouts are kept, and the bundles of the newest few', async (t) => {
  const { stores, folder, close, clock } = await desk(t)
  t.teardown(() => rmSync(folder, { recursive: true }))
  const many = ROLLOUTS_KEPT_MAX + 3
  const stored = (k: number, live = false) => ({
    ...{ id: String(k).padStart(16, '0'), digest: `d${k}`, number: k, order: new Uint8Array(1), by: 'ada', reason: '' },
    ...{
      stages: 'all',
      startedUs: clock.nowUs(),
      endedUs: 1,
      status: live ? 'RUNNING' : 'COMPLETED',
      live,
      body: '{}',
    },
  })
  for (let k = 0; k < many; k += 1) await stores.rollouts.start(stored(k, k === 1), new Uint8Array(1))
  const kept = await stores.rollouts.list(10_000)
  t.equal(kept.length, ROLLOUTS_KEPT_MAX + 1)
  t.ok(
    kept.some(({ number }) => number === 1),
    'one that runs stays',
  )
  const there = async (k: number) => (await stores.rollouts.bundle(`d${k}`)) !== undefined
  t.ok(await there(1))
  t.ok(await there(many - ROLLOUT_BUNDLES_KEPT_MAX))
  t.notOk(await there(many - ROLLOUT_BUNDLES_KEPT_MAX - 1))
  await close()
})

t.test('an order has its bounds and claims, and nothing of it can be changed', async (t) => {
  const key = readPublicKey(SIGNERS.ada.spki)
  const signed = signRolloutOrder({ ...DRAFT, digest: 'ab'.repeat(32) }, SIGNERS.ada)
  t.match(openRolloutOrder(signed, key), { ...DRAFT, digest: 'ab'.repeat(32), id: /^[0-9a-f]{64}$/ })
  for (let at = 0; at < signed.length; at += 1) {
    const other = signed.slice()
    other[at] = other[at]! ^ 1
    t.throws(() => openRolloutOrder(other, key), `byte ${at}`)
  }
  t.throws(() => openRolloutOrder(signRolloutOrder({ ...DRAFT, reason: 'x'.repeat(513) }, SIGNERS.ada), key))
  for (const text of ['a\nb', '\u001b[2J', '\u202eb'])
    t.throws(() => signRolloutOrder({ ...DRAFT, reason: text }, SIGNERS.ada), { code: 'ROLLOUT_REFUSED' })
  t.equal(openRolloutOrder(signedAnyway({ ...DRAFT, reason: 'a\nb' }), key).reason, 'a\nb', 'what was kept is read')
  t.throws(() => openRolloutOrder(new Uint8Array(9000), key), { code: 'COSE_SHAPE' })
  const handed = { order: signed, bundle: null }
  t.same(readHandedOrder(encodeHandedOrder(handed)), handed)
  t.equal(FLEET.number, 7)
})
