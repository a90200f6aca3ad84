import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { canonicalBytes } from '../../../shared/codec/canonical.ts'
import { signCose } from '../../../shared/crypto/cose.ts'
import { fromHex, toHex } from '../../../shared/crypto/digest.ts'
import { readPublicKey } from '../../../shared/crypto/sign.ts'
import { SEVERE_NAMED_MAX } from '../../../shared/model/config-state.ts'
import type { Canonical } from '../../../shared/model/decision.ts'
import {
  BACK_REASON_MAX,
  DOWNLINK_TYP,
  type Downlink,
  openDownlink,
  signDownlink,
} from '../../../shared/protocol/downlink.ts'
import {
  type AgentMessage,
  BUNDLE_REASON_MAX,
  BUNDLE_REASONS_MAX,
  readAgentMessage,
  writeMessage,
} from '../../../shared/protocol/messages.ts'
import { SIGNERS } from '../../support/certified-baselines.ts'

const signer = SIGNERS.kay
const key = readPublicKey(signer.spki)
const DIGEST = 'ab'.repeat(32)
const common = { agent: 'bench-1', id: '20270131-ab', rig: '' } as const
const DOWN = {
  watch: { kind: 'config_watch', ...common },
  offer: { kind: 'bundle', ...common, digest: DIGEST, bundle: new Uint8Array([1, 2, 3]) },
  back: { kind: 'bundle_back', ...common, digest: DIGEST, reason: 'bench-2: FAIL' },
} as const satisfies Record<string, Downlink>
const UP = {
  answer: {
    ...{ t: 'bundle_answer', v: 1, id: common.id, what: 'offer', digest: DIGEST, taken: false, again_ms: 6000 },
    reasons: ['rate_limited: one more'],
  },
  state: {
    ...{ t: 'config_state', v: 1, config: DIGEST, bundle: { digest: DIGEST, number: 7, at_us: 9 }, ready: false },
    ...{ reasons: ['STARTING: soon'], not_journaled: 1, damage: 0, boot_id: 'b' },
    rigs: [{ rig: 'r', mode: 'nominal', verdict: 'PASS', arm: 'ARMED', severe: ['over-pressure'] }],
  },
} as const satisfies Record<string, AgentMessage>

const vectors = () => ({
  ...Object.fromEntries(Object.entries(DOWN).map(([what, one]) => [what, toHex(signDownlink(one, signer))])),
  ...Object.fromEntries(Object.entries(UP).map(([what, one]) => [what, toHex(writeMessage(one))])),
})
const FILE = join(import.meta.dirname, '..', '..', 'vectors', 'downlink-3.json')
const isNew = !existsSync(FILE)
if (isNew) writeFileSync(FILE, `${JSON.stringify(vectors(), null, 2)}\n`)
const pinned = JSON.parse(readFileSync(FILE, 'utf8')) as Record<keyof typeof DOWN | keyof typeof UP, string>

t.test('bundles on their way, and what is said of them, have the bytes they were given once and for all', async (t) => {
  t.notOk(isNew, 'the vectors were missing and are made anew: look at them before they are committed')
  t.same(vectors(), pinned)
  for (const [what, one] of Object.entries(DOWN))
    t.same(openDownlink(fromHex(pinned[what as keyof typeof DOWN])!, { key, agent: 'bench-1' }), one)
  for (const [what, message] of Object.entries(UP))
    t.same(readAgentMessage(fromHex(pinned[what as keyof typeof UP])!), { ok: true, message })
})

t.test('a request about bundles of another shape is refused before anything is done', async (t) => {
  const signed = (change: Record<string, Canonical>): Uint8Array =>
    signCose({
      ...{ typ: DOWNLINK_TYP, issuer: 'collector', subject: 'agent/bench-1', signer },
      payload: canonicalBytes({ v: 3, ...common, kind: 'bundle_back', digest: DIGEST, reason: 'why', ...change }),
    })
  const open = (bytes: Uint8Array) => openDownlink(bytes, { key, agent: 'bench-1' })
  t.match(open(signed({ reason: 'x'.repeat(BACK_REASON_MAX) })), { kind: 'bundle_back' })
  for (const change of [
    { v: 2 },
    { rig: 'r' },
    { digest: 'ab' },
    { digest: new Uint8Array(32) },
    { reason: 7 },
    { reason: 'x'.repeat(BACK_REASON_MAX + 1) },
    { kind: 'bundle' },
    { kind: 'config_watch', rig: 'r' },
    { agent: 'bench-2' },
  ] as Record<string, Canonical>[])
    t.throws(() => open(signed(change)), { code: 'COSE_SHAPE' }, JSON.stringify(change))
})

t.test('what an agent says of its configuration has bounds', async (t) => {
  const read = (message: object) => readAgentMessage(writeMessage(message as AgentMessage)).ok
  const { answer, state } = UP
  const reasons = (n: number, length = 1) => ({ ...answer, reasons: Array(n).fill('x'.repeat(length)) })
  t.ok(read(reasons(BUNDLE_REASONS_MAX, BUNDLE_REASON_MAX)))
  t.notOk(read(reasons(BUNDLE_REASONS_MAX + 1)))
  t.notOk(read(reasons(1, BUNDLE_REASON_MAX + 1)))
  const severe = (n: number) => ({ ...state, rigs: [{ ...state.rigs[0], severe: Array(n).fill('a') }] })
  t.ok(read(severe(SEVERE_NAMED_MAX)))
  t.notOk(read(severe(SEVERE_NAMED_MAX + 1)))
  t.ok(read({ ...state, config: '', bundle: { digest: '', number: 0, at_us: 0 }, rigs: [] }))
  for (const wrong of [{ v: 2 }, { config: 'x' }, { ready: 1 }, { damage: -1 }, { more: 1 }, { bundle: null }])
    t.notOk(read({ ...state, ...wrong }), JSON.stringify(wrong))
  for (const wrong of [{ what: 'push' }, { digest: '' }, { again_ms: 0.5 }, { taken: 'no' }])
    t.notOk(read({ ...answer, ...wrong }), JSON.stringify(wrong))
})
