import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { canonicalBytes } from '../../../shared/codec/canonical.ts'
import { signCose } from '../../../shared/crypto/cose.ts'
import { fromHex, toHex } from '../../../shared/crypto/digest.ts'
import { readPublicKey } from '../../../shared/crypto/sign.ts'
import type { Canonical } from '../../../shared/model/decision.ts'
import { type BaselineDownlink, DOWNLINK_TYP, openDownlink, signDownlink } from '../../../shared/protocol/downlink.ts'
import { type BaselineAnswerMessage, readAgentMessage, writeMessage } from '../../../shared/protocol/messages.ts'
import { SIGNERS } from '../../support/certified-baselines.ts'

const signer = SIGNERS.kay
const key = readPublicKey(signer.spki)
const DOWNLINK: BaselineDownlink = {
  ...{ kind: 'baseline', agent: 'bench-1', id: 'baseline:r:golden:1', rig: 'r', role: 'golden', number: 7 },
  bundle: new Uint8Array([1, 2, 3]),
}
const ANSWER: BaselineAnswerMessage = {
  ...{ t: 'baseline_answer', v: 1, id: 'baseline:r:golden:1', rig: 'r', role: 'golden', taken: false, reason: 'why' },
}

const vectors = () => ({
  'downlink baseline': toHex(signDownlink(DOWNLINK, signer)),
  'baseline answer': toHex(writeMessage(ANSWER)),
})
const FILE = join(import.meta.dirname, '..', '..', 'vectors', 'downlink-2.json')
const isNew = !existsSync(FILE)
if (isNew) writeFileSync(FILE, `${JSON.stringify(vectors(), null, 2)}\n`)
const pinned = JSON.parse(readFileSync(FILE, 'utf8')) as ReturnType<typeof vectors>

t.test('a baseline on its way to an agent has the bytes it was given once and for all', async (t) => {
  t.notOk(isNew, 'the vectors were missing and are made anew: look at them before they are committed')
  t.same(vectors(), pinned)
  t.same(openDownlink(fromHex(pinned['downlink baseline'])!, { key, agent: 'bench-1' }), DOWNLINK)
  t.same(readAgentMessage(fromHex(pinned['baseline answer'])!), { ok: true, message: ANSWER })
})

t.test('a downlink of another shape, version, agent or key is refused before anything is done', async (t) => {
  const { number, role, bundle, ...common } = DOWNLINK
  const signed = (change: Record<string, Canonical>): Uint8Array =>
    signCose({
      ...{ typ: DOWNLINK_TYP, issuer: 'collector', subject: 'agent/bench-1', signer },
      payload: canonicalBytes({ v: 2, ...common, number, role, bundle, ...change }),
    })
  const open = (bytes: Uint8Array, agent = 'bench-1') => openDownlink(bytes, { key, agent })
  t.same(open(signed({})), DOWNLINK)
  for (const change of [
    { v: 1 },
    { v: 3 },
    { kind: 'policy' },
    { agent: 'bench-2' },
    { role: 'draft' },
    { number: 0 },
    { number: -1 },
    { number: 1.5 },
    { bundle: 'text' },
    { rig: 7 },
  ] as Record<string, Canonical>[])
    t.throws(() => open(signed(change)), { code: 'COSE_SHAPE' }, JSON.stringify(change))
  t.throws(() => open(signed({}), 'bench-2'), { code: 'COSE_SHAPE' }, 'made out to another agent')
  t.throws(() => open(signDownlink(DOWNLINK, SIGNERS.ada)), { code: 'BATCH_SIGNATURE' })
  const cut = signed({})
  t.throws(() => open(cut.subarray(0, cut.length - 1)), { code: 'CBOR_REFUSED' })
})
