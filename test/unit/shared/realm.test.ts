import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { manifestBytes } from '../../../shared/codec/bundle-manifest.ts'
import { canonicalBytes } from '../../../shared/codec/canonical.ts'
import { encodeConfigBundle, openConfigBundle, signManifest } from '../../../shared/codec/config-bundle.ts'
import { openOrder, signOrder } from '../../../shared/codec/order.ts'
import { openRolloutOrder, signRolloutOrder } from '../../../shared/codec/rollout-order.ts'
import { coseRealm, openCose, signCose } from '../../../shared/crypto/cose.ts'
import { fromHex, toHex } from '../../../shared/crypto/digest.ts'
import { generateSigner, pemOfRealm, readPublicKey, realmOfPem, type Signer } from '../../../shared/crypto/sign.ts'
import type { Canonical } from '../../../shared/model/decision.ts'
import { agentUri, areNamesOf, collectorUri, type Realm } from '../../../shared/model/realm.ts'
import { openDownlink, signDownlink } from '../../../shared/protocol/downlink.ts'
import { openReceipt, signReceipt } from '../../../shared/protocol/receipt.ts'
import { createStickWriter, openManifest, readStick } from '../../../shared/protocol/stick.ts'
import { createBatchMaker } from '../../support/agent-double.ts'
import { privatePem, SIGNERS, TESTBED_SIGNERS } from '../../support/certified-baselines.ts'
import { DRAFT } from '../../support/config-bundles.ts'
import { bytesOf } from '../../support/config-texts.ts'

const [ours, theirs] = [TESTBED_SIGNERS.ada, SIGNERS.ada]
const keyIn = (realm: Realm) => readPublicKey(ours.spki, realm)
const FILES = [{ name: 'runtime.yaml', bytes: bytesOf('version: 1\n') }]

/** Every kind of signed message, how it is made and how it is read. Batches and statements are in tests of their own. */
const KINDS: Readonly<
  Record<string, Readonly<{ sign(by: Signer): Uint8Array; open(bytes: Uint8Array, realm: Realm): unknown }>>
> = {
  receipt: {
    sign: (by) => signReceipt({ agent: 'bench-1', epoch: 1, batchSeq: 1, identity: new Uint8Array(32), recvUs: 9 }, by),
    open: (bytes, realm) => openReceipt(bytes, keyIn(realm)),
  },
  downlink: {
    sign: (by) => signDownlink({ kind: 'config_watch', agent: 'bench-1', id: 'x', rig: '' }, by),
    open: (bytes, realm) => openDownlink(bytes, { key: keyIn(realm), agent: 'bench-1' }),
  },
  order: {
    sign: (by) =>
      signOrder(
        {
          ...{ kind: 'disarm', deployment: 'demo', agent: 'bench-1', boot: 'b', rig: 'r', subject: '', value: '' },
          ...{ config: '', reason: 'a test', atUs: 1, untilUs: 0 },
        },
        by,
      ),
    open: (bytes, realm) => openOrder(bytes, keyIn(realm)),
  },
  'rollout order': {
    sign: (by) =>
      signRolloutOrder(
        {
          ...{ kind: 'start', deployment: 'demo', rollout: '', digest: 'ab'.repeat(32), stages: 'all' },
          ...{ soakUs: 1_000_000, withinUs: 60_000_000, reason: 'a test', atUs: 1 },
        },
        by,
      ),
    open: (bytes, realm) => openRolloutOrder(bytes, keyIn(realm)),
  },
  stick: {
    sign(by) {
      const parts: Uint8Array[] = []
      const stick = createStickWriter('receipts', (part) => parts.push(part))
      stick.finish({ deployment: 'demo', agent: 'bench-1', madeUs: 9, version: '1', rigs: [] }, by)
      return new Uint8Array(Buffer.concat(parts))
    },
    open: (bytes, realm) => openManifest(readStick('x', bytes, 'receipts'), 'receipts', keyIn(realm)),
  },
}

/** A protected header that is signed well and says something else of its realm. */
function withHeader(change: (header: Map<number, Canonical>) => void): Uint8Array {
  const header = new Map<number, Canonical>([
    [1, -19],
    [4, ours.keyId],
    [
      15,
      new Map([
        [1, 'collector'],
        [2, 'agent/bench-1'],
      ]),
    ],
    [16, 'application/hb-test+cose'],
  ])
  change(header)
  const [protectedBytes, payload] = [canonicalBytes(header), new Uint8Array([0xa0])]
  const signature = ours.sign(canonicalBytes(['Signature1', protectedBytes, new Uint8Array(0), payload]))
  const body = canonicalBytes([protectedBytes, new Map(), payload, signature])
  return new Uint8Array(Buffer.concat([Uint8Array.of(0xd2), body]))
}

const REALM = -65_537
const INVALID: Readonly<Record<string, [code: string, bytes: Uint8Array]>> = {
  'production, written out': ['COSE_SHAPE', withHeader((header) => header.set(REALM, 'production'))],
  'a realm there is not': ['COSE_SHAPE', withHeader((header) => header.set(REALM, 'lab'))],
  'a realm that is no text': ['COSE_SHAPE', withHeader((header) => header.set(REALM, 1))],
  'a label more': ['COSE_SHAPE', withHeader((header) => header.set(REALM, 'testbed').set(-65_538, 1))],
  'a label instead': ['REALM_MISMATCH', withHeader((header) => header.set(-65_538, 'testbed'))],
  'no realm': ['REALM_MISMATCH', withHeader(() => undefined)],
}

const vectors = () => ({
  key: toHex(ours.spki),
  private_key: privatePem('ada', 'testbed'),
  valid: Object.fromEntries(Object.entries(KINDS).map(([kind, { sign }]) => [kind, toHex(sign(ours))])),
  invalid: Object.fromEntries(Object.entries(INVALID).map(([what, [code, bytes]]) => [what, [code, toHex(bytes)]])),
})
const FILE = join(import.meta.dirname, '..', '..', 'vectors', 'realm-1.json')
const isNew = !existsSync(FILE)
if (isNew) writeFileSync(FILE, `${JSON.stringify(vectors(), null, 2)}\n`)
const pinned = JSON.parse(readFileSync(FILE, 'utf8')) as {
  valid: Record<string, string>
  invalid: Record<string, [string, string]>
}

t.test('messages of a testbed have the bytes they were given once and for all', async (t) => {
  t.notOk(isNew, 'the vectors were missing and are made anew: look at them before they are committed')
  t.same(vectors(), pinned)
  for (const [what, [code, hex]] of Object.entries(pinned.invalid)) {
    const open = () => openCose(fromHex(hex)!, { typ: 'application/hb-test+cose', key: keyIn('testbed') })
    t.throws(open, { code }, what)
  }
})

t.test('a message of one realm is not believed in the other, whatever it is and whoever signed it', async (t) => {
  for (const [kind, { sign, open }] of Object.entries(KINDS)) {
    const testbed = fromHex(pinned.valid[kind]!)!
    t.ok(open(testbed, 'testbed'), kind)
    t.ok(open(sign(theirs), 'production'), kind)
    t.throws(() => open(testbed, 'production'), { code: 'REALM_MISMATCH', context: { found: 'testbed' } }, kind)
    t.throws(() => open(sign(theirs), 'testbed'), { code: 'REALM_MISMATCH', context: { found: 'production' } }, kind)
  }
  const make = createBatchMaker({ signer: ours, deployment: 'demo', agent: 'bench-1' })
  t.equal(coseRealm(make().cose), 'testbed')
})

t.test('nothing else of a message is believed before its realm', async (t) => {
  const about = { typ: 'application/hb-test+cose', issuer: 'x', subject: 'y', payload: new Uint8Array([0xff]) }
  const open = () => openCose(signCose({ ...about, signer: ours }), { typ: 'another type', key: keyIn('production') })
  t.throws(open, { code: 'REALM_MISMATCH' })
  const forged = signCose({ ...about, signer: { ...ours, sign: (bytes) => theirs.sign(bytes.slice(1)) } })
  t.throws(() => openCose(forged, { typ: about.typ, key: keyIn('production') }), { code: 'BATCH_SIGNATURE' })
})

t.test('a bundle of a configuration says that it is of the other realm', async (t) => {
  const manifest = manifestBytes(DRAFT, FILES)
  const bundle = (signer: Signer) =>
    encodeConfigBundle({ files: FILES, signatures: [signManifest(manifest, 'bench-1', signer)] })
  const problems = (signer: Signer, realm: Realm) =>
    openConfigBundle(bundle(signer), [{ name: 'ada', key: keyIn(realm) }]).problems.map(({ code }) => code)
  t.same(problems(ours, 'testbed'), [])
  t.same(problems(ours, 'production'), ['other_realm'])
  t.same(problems(theirs, 'testbed'), ['other_realm'])
})

t.test('a key says its realm in its file, and keeps it', async (t) => {
  const { signer, privatePem: secret, publicPem } = generateSigner('testbed')
  t.match(secret, /^Realm: testbed\n-----BEGIN PRIVATE KEY-----\n/)
  t.equal(signer.realm, 'testbed')
  t.equal(readPublicKey(publicPem).realm, 'testbed')
  t.equal(readPublicKey(generateSigner().publicPem).realm, 'production')
  t.equal(realmOfPem(`some words\r\nREALM:  testbed \r\n${generateSigner().publicPem}`), 'testbed')
  t.equal(realmOfPem(`${generateSigner().publicPem}Realm: testbed\n`), 'production', 'behind the key it says nothing')
  for (const line of ['Realm: lab', 'Realm:', 'Realm: testbed\nRealm: production'])
    t.throws(() => readPublicKey(`${line}\n${generateSigner().publicPem}`), { code: 'KEY_REFUSED' }, line)
  t.equal(pemOfRealm('x', 'production'), 'x', 'a key of production stays as it is')
})

t.test('a certificate says its realm by its trust domain', async (t) => {
  t.equal(agentUri('demo', 'bench-1', 'production'), 'spiffe://demo/agent/bench-1')
  t.equal(agentUri('demo', 'bench-1', 'testbed'), 'spiffe://testbed.demo/agent/bench-1')
  const cases: readonly [names: string, production: boolean, testbed: boolean][] = [
    [`DNS:localhost, URI:${collectorUri('demo', 'testbed')}`, false, true],
    [`URI:${collectorUri('testbed', 'production')}`, true, false],
    [`URI:${collectorUri('demo', 'production')}, DNS:testbed.demo`, true, false],
    ['DNS:localhost', true, false],
    ['', true, false],
    [`URI:${collectorUri('demo', 'testbed')}, URI:${collectorUri('demo', 'production')}`, false, false],
    [`URI:${collectorUri('demo', 'testbed')}, URI:${collectorUri('other', 'testbed')}`, false, false],
    [`DNS:"x, URI:${collectorUri('demo', 'testbed')}"`, false, false],
  ]
  for (const [names, production, testbed] of cases)
    t.same([areNamesOf(names, 'production'), areNamesOf(names, 'testbed')], [production, testbed], names)
})
