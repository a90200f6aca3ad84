import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { canonicalBytes } from '../../../shared/codec/canonical.ts'
import { decodeSigned } from '../../../shared/codec/signed-cbor.ts'
import { concat } from '../../../shared/crypto/cose.ts'
import { fromHex, hmacSha256, sha256, toHex } from '../../../shared/crypto/digest.ts'
import { inclusionProof, leafHash, rootOfInclusion, treeHash } from '../../../shared/crypto/merkle.ts'
import { generateSigner, keyIdOf, readPublicKey, signerFromPem } from '../../../shared/crypto/sign.ts'
import { HbError } from '../../../shared/errors/hb-error.ts'
import type { Canonical, DecisionItem, DecisionValues } from '../../../shared/model/decision.ts'
import { type BatchHeader, buildBatch, genesisPrev, openBatch } from '../../../shared/protocol/batch.ts'

const hex = (text: string) => fromHex(text)!
const SPKI_PREFIX = '302a300506032b6570032100'
const PKCS8_PREFIX = '302e020100300506032b657004220420'

/** Inputs and roots of the reference tests of Certificate Transparency, for RFC 6962. */
const CT_LEAVES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f']
const CT_ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]

t.test('roots are those of the reference tests of RFC 6962', async (t) => {
  const leaves = CT_LEAVES.map((text) => leafHash(hex(text)))
  for (const [n, root] of CT_ROOTS.entries()) t.equal(toHex(treeHash(leaves.slice(0, n))), root, `${n} leaves`)
})

t.test('every leaf has a proof, and no other leaf, place, size or path leads to the root', async (t) => {
  for (let size = 1; size <= 33; size += 1) {
    const leaves = Array.from({ length: size }, (_, k) => leafHash(Uint8Array.from([k])))
    const root = toHex(treeHash(leaves))
    const leads = (claim: Parameters<typeof rootOfInclusion>[0]) => {
      const found = rootOfInclusion(claim)
      return found !== null && toHex(found) === root
    }
    for (let index = 0; index < size; index += 1) {
      const proof = inclusionProof(leaves, index)
      const claim = { leaf: leaves[index]!, index, size, proof }
      if (!leads(claim)) t.fail(`leaf ${index} of ${size}`)
      const wrong = [
        { ...claim, leaf: leafHash(hex('ffff')) },
        { ...claim, proof: [...proof, root].map((p) => (typeof p === 'string' ? hex(p) : p)) },
        { ...claim, index: size },
        { ...claim, index: -1 },
        { ...claim, index: index + 0.5 },
      ]
      if (size > 1)
        wrong.push(
          { ...claim, proof: proof.slice(1) },
          { ...claim, proof: proof.slice(0, -1) },
          { ...claim, index: (index + 1) % size },
        )
      wrong.forEach((w, k) => {
        if (leads(w)) t.fail(`wrong claim ${k} of leaf ${index} of ${size}`)
      })
    }
  }
  t.pass('33 sizes')
})

t.test('signatures are those of RFC 8032 section 7.1', async (t) => {
  const vectors = [
    [
      '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
      '',
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    ],
    [
      '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
      '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
      '72',
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    ],
  ] as const
  for (const [secret, publicKey, message, signature] of vectors) {
    const signer = signerFromPem(
      `-----BEGIN PRIVATE KEY-----\n${Buffer.from(PKCS8_PREFIX + secret, 'hex').toString('base64')}\n-----END PRIVATE KEY-----\n`,
    )
    t.equal(toHex(signer.spki), SPKI_PREFIX + publicKey)
    t.equal(toHex(signer.sign(hex(message))), signature)
    const key = readPublicKey(hex(SPKI_PREFIX + publicKey))
    t.ok(key.verify(hex(message), hex(signature)))
    t.notOk(key.verify(hex(`${message}00`), hex(signature)))
    t.same(key.keyId, sha256(hex(SPKI_PREFIX + publicKey)).slice(0, 16))
    for (let at = 0; at < 64; at += 1) {
      const changed = hex(signature)
      changed[at] = changed[at]! ^ 1
      if (key.verify(hex(message), changed)) t.fail(`byte ${at}`)
    }
    t.notOk(key.verify(hex(message), unreduced(hex(signature))), 'a second form of the same signature')
    t.notOk(key.verify(hex(message), hex(signature).subarray(1)))
  }
})

/** Adds the group order to the scalar of a signature: the same equation holds for it (malleability). */
function unreduced(signature: Uint8Array): Uint8Array {
  const order = Buffer.from('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010', 'hex')
  let carry = 0
  const out = signature.slice()
  for (let k = 0; k < 32; k += 1) {
    carry += out[32 + k]! + order[k]!
    out[32 + k] = carry & 255
    carry >>= 8
  }
  return out
}

t.test('keys of small order, not reduced, or of another kind are refused', async (t) => {
  const small = [
    '0100000000000000000000000000000000000000000000000000000000000000',
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0000000000000000000000000000000000000000000000000000000000000080',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
    '0100000000000000000000000000000000000000000000000000000000000080',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  ]
  for (const point of small) t.throws(() => readPublicKey(hex(SPKI_PREFIX + point)), { code: 'KEY_REFUSED' }, point)
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  t.throws(() => readPublicKey(other.publicKey.export({ type: 'spki', format: 'pem' }) as string), {
    code: 'KEY_REFUSED',
  })
  t.throws(() => signerFromPem(other.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string), {
    code: 'KEY_REFUSED',
  })
  for (const text of ['', 'rubbish', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n'])
    t.throws(() => readPublicKey(text), { code: 'KEY_REFUSED' })
  t.throws(() => readPublicKey(new Uint8Array(44)), { code: 'KEY_REFUSED' })
  const { signer, publicPem } = generateSigner()
  t.same(readPublicKey(publicPem).keyId, signer.keyId)
  t.same(keyIdOf(new Uint8Array(createPublicKey(publicPem).export({ type: 'spki', format: 'der' }))), signer.keyId)
})

const { signer } = generateSigner()
const KEY = readPublicKey(signer.spki)
const digest = (n: number) => new Uint8Array(32).fill(n)

const HEADER: BatchHeader = {
  deployment: 'lab',
  agent: 'agent-1',
  epoch: 2,
  batchSeq: 3,
  prev: digest(1),
  firstSeq: 10,
  count: 7,
  span: { firstUs: 1, lastUs: 9, watermarkUs: 8 },
  clock: { monoUs: 5, wallUs: 6, bootId: 'boot', sync: 'ntp', errorUs: null },
  code: { exe: digest(2), version: '0.1.0', node: 'v24', evaluator: 1, execArgvEmpty: true },
  config: digest(3),
  baselines: [digest(4), digest(5)],
  gaps: [{ from: 1, to: 2, reason: 'agent_down' }],
  counters: { received: 1, evaluated: 2, late: 3, duplicate: 4, rejected: 5, shed: 6, missing: 7 },
  flags: { breakGlass: false, simulation: true, degraded: false },
  journal: { id: Uint8Array.from([1, 2]), first: 100, last: 200 },
  run: 'run-1',
}
const values = (n: number): DecisionValues => [new Map([['n', n]]), [n / 7], null, [], 'operator', '']
const ITEMS: DecisionItem[] = [
  { kind: 'record', seq: 10, values: values(1), chain: digest(6) },
  { kind: 'range', first: 11, last: 15, count: 5, values: values(2), chain: digest(7) },
  { kind: 'record', seq: 16, values: values(3), chain: digest(8) },
]

function build(header: BatchHeader = HEADER, items: readonly DecisionItem[] = ITEMS) {
  return buildBatch({ header, items, seed: digest(42), signer })
}

t.test('a batch opens to what was put into it, and only with its key', async (t) => {
  const batch = build()
  t.same(openBatch({ ...batch, key: KEY }), { header: HEADER, items: ITEMS, identity: batch.identity })
  t.same(build(), batch, 'equal contents give equal bytes')
  t.throws(() => openBatch({ ...batch, key: readPublicKey(generateSigner().signer.spki) }), { code: 'BATCH_SIGNATURE' })
  const genesis = { deployment: 'lab', agent: 'agent-1', epoch: 2, spki: signer.spki }
  const others = [
    { ...genesis, deployment: 'x' },
    { ...genesis, agent: 'x' },
    { ...genesis, epoch: 3 },
    { ...genesis, spki: digest(1) },
    { ...genesis, deployment: 'laba', agent: 'gent-1' },
  ]
  t.equal(new Set([genesis, ...others].map((g) => toHex(genesisPrev(g)))).size, 6)
})

/** Opens what must not open. @returns the code of the refusal. */
function refusal(cose: Uint8Array, records: Uint8Array): string {
  try {
    openBatch({ cose, records, key: KEY })
  } catch (error) {
    if (error instanceof HbError) return error.code
    throw error
  }
  return 'opened'
}

t.test('any byte changed or cut off, of the message or its records, is refused', async (t) => {
  const { cose, records } = build()
  const codes = new Set<string>()
  for (const [which, bytes] of [
    ['cose', cose],
    ['records', records],
  ] as const) {
    for (let at = 0; at < bytes.length; at += 1) {
      for (const mask of at % 5 === 0 ? [1, 2, 4, 8, 16, 32, 64, 128] : [1 << (at % 8)]) {
        const changed = bytes.slice()
        changed[at] = changed[at]! ^ mask
        const code = which === 'cose' ? refusal(changed, records) : refusal(cose, changed)
        codes.add(code)
        if (code === 'opened') t.fail(`${which} byte ${at} mask ${mask}`)
      }
      const cut = bytes.subarray(0, at)
      if ((which === 'cose' ? refusal(cut, records) : refusal(cose, cut)) === 'opened') t.fail(`${which} cut at ${at}`)
    }
    const longer = concat(bytes, Uint8Array.from([0]))
    t.not(which === 'cose' ? refusal(longer, records) : refusal(cose, longer), 'opened')
  }
  t.ok(
    ['BATCH_SIGNATURE', 'BATCH_ROOT', 'COSE_SHAPE', 'CBOR_REFUSED'].every((code) => codes.has(code)),
    [...codes].join(' '),
  )
})

t.test('records that are left out, added, swapped or of another batch are refused', async (t) => {
  const { cose, records } = build()
  const map = decodeSigned(records) as Map<number, Canonical>
  const changed = (change: (copy: Map<number, Canonical>) => void) => {
    const copy = new Map(map)
    change(copy)
    return canonicalBytes(copy)
  }
  t.equal(
    refusal(
      cose,
      changed((m) => m.delete(16)),
    ),
    'BATCH_ROOT',
  )
  t.equal(
    refusal(
      cose,
      changed((m) => m.set(17, m.get(16)!)),
    ),
    'BATCH_ROOT',
  )
  t.equal(
    refusal(
      cose,
      changed((m) => {
        m.set(10, map.get(16)!)
        m.set(16, map.get(10)!)
      }),
    ),
    'BATCH_ROOT',
  )
  t.equal(
    refusal(cose, build(HEADER, [ITEMS[0]!, ITEMS[1]!, { ...ITEMS[2]!, values: values(4) } as DecisionItem]).records),
    'BATCH_ROOT',
  )
  t.equal(
    refusal(
      cose,
      changed((m) => m.set(10, 5)),
    ),
    'BATCH_SHAPE',
  )
  t.equal(refusal(cose, canonicalBytes([])), 'BATCH_SHAPE')
})

t.test('a signed batch whose sequence does not hold together is refused', async (t) => {
  const broken: [BatchHeader, DecisionItem[]][] = [
    [HEADER, [ITEMS[0]!, ITEMS[2]!]],
    [{ ...HEADER, count: 8 }, ITEMS],
    [{ ...HEADER, firstSeq: 9 }, ITEMS],
    [{ ...HEADER, batchSeq: 0 }, ITEMS],
    [{ ...HEADER, count: 0 }, []],
    [{ ...HEADER, count: 10_000_001 }, ITEMS],
    [HEADER, [ITEMS[0]!, { ...(ITEMS[1] as Extract<DecisionItem, { kind: 'range' }>), count: 4 }, ITEMS[2]!]],
  ]
  for (const [header, items] of broken) {
    const { cose, records } = build(header, items)
    t.equal(refusal(cose, records), 'BATCH_SHAPE')
  }
})

t.test('HMAC-SHA-256 gives the values of RFC 4231 section 4', (t) => {
  const text = (value: string): string => toHex(new TextEncoder().encode(value))
  const cases = [
    ['0b'.repeat(20), text('Hi There'), 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
    [
      text('Jefe'),
      text('what do ya want for nothing?'),
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    ],
    ['aa'.repeat(20), 'dd'.repeat(50), '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe'],
  ] as const
  for (const [key, message, wanted] of cases) t.equal(toHex(hmacSha256(hex(key), hex(message))), wanted)
  t.throws(() => hmacSha256(new Uint8Array(65), new Uint8Array(0)), 'a key longer than a block')
  t.end()
})
