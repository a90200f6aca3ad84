import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { CONFIG_BUNDLE_FILES_MAX, manifestBytes } from '../../../shared/codec/bundle-manifest.ts'
import { canonicalBytes } from '../../../shared/codec/canonical.ts'
import {
  bundleParts,
  CONFIG_BUNDLE_BYTES_MAX,
  CONFIG_BUNDLE_SIGNATURES_MAX,
  CONFIG_BUNDLE_TYP,
  encodeConfigBundle,
  lookIntoBundle,
  openConfigBundle,
  signManifest,
} from '../../../shared/codec/config-bundle.ts'
import { configDigest } from '../../../shared/codec/config-digest.ts'
import { signCose } from '../../../shared/crypto/cose.ts'
import { DOMAIN, digestOf, fromHex, toHex } from '../../../shared/crypto/digest.ts'
import { signersNeeded } from '../../../shared/model/config-bundle.ts'
import type { Canonical } from '../../../shared/model/decision.ts'
import { SIGNERS, TRUST } from '../../support/certified-baselines.ts'
import { DRAFT, signedBundle } from '../../support/config-bundles.ts'
import { bytesOf } from '../../support/config-texts.ts'
import { flipped } from '../../support/flip.ts'

const FILES = [
  { name: 'runtime.yaml', bytes: bytesOf('version: 1\n') },
  { name: 'loop.registry.yaml', bytes: bytesOf('version: "1.0"\n') },
]
const { operators } = TRUST
const codesOf = (bytes: Uint8Array): string[] => openConfigBundle(bytes, operators).problems.map(({ code }) => code)

const refusedVectors = (): Record<string, [string, Uint8Array]> => {
  const [first, second] = [signedBundle(FILES, { by: ['ada'] }), signedBundle(FILES, { by: ['grace'] })]
  const [ada] = bundleParts(first).signatures
  const other = bundleParts(signedBundle(FILES, { by: ['grace'], draft: { number: 8 } })).signatures[0]!
  const parts = bundleParts(first)
  const container = (change: Record<string, Canonical>): Uint8Array =>
    canonicalBytes({
      ...{ v: 1, files: FILES.map(({ name, bytes }) => [name, bytes]), signatures: parts.signatures, ...change },
    })
  return {
    'another version': ['shape', container({ v: 2 })],
    'no files': ['shape', container({ files: [] })],
    'no signatures': ['shape', container({ signatures: [] })],
    'an unknown key of the map': ['shape', container({ more: 1 })],
    'cut by one byte': ['shape', first.subarray(0, first.length - 1)],
    'one byte more': ['shape', new Uint8Array([...first, 0])],
    'a key that is not trusted': ['unknown_key', signedBundle(FILES, { by: ['mallory'] })],
    'a key that is not trusted beside one that is': ['unknown_key', signedBundle(FILES, { by: ['ada', 'mallory'] })],
    'one person twice': ['repeated_key', encodeConfigBundle({ ...parts, signatures: [ada!, ada!] })],
    'a signature of another bundle': ['other_statement', encodeConfigBundle({ ...parts, signatures: [ada!, other] })],
    'another file': [
      'file_differs',
      encodeConfigBundle({ ...parts, files: [FILES[0]!, { ...FILES[1]!, bytes: bytesOf('version: "1.1"\n') }] }),
    ],
    'a file less': ['file_differs', encodeConfigBundle({ ...parts, files: FILES.slice(0, 1) })],
    'a file more': ['file_differs', encodeConfigBundle({ ...parts, files: [...FILES, { name: 'x', bytes: ada! }] })],
    'a file under another name': [
      'file_differs',
      encodeConfigBundle({ ...parts, files: [FILES[0]!, { ...FILES[1]!, name: 'other.yaml' }] }),
    ],
    'files in another order': ['file_differs', encodeConfigBundle({ ...parts, files: [...FILES].reverse() })],
    'a signature that is a word': ['signature', encodeConfigBundle({ ...parts, signatures: [bytesOf('yes')] })],
    'the signature of another type': [
      'signature',
      encodeConfigBundle({
        ...parts,
        signatures: [
          signCose({
            ...{ typ: 'application/hb-order+cose', issuer: 'x', subject: 'agent/bench-1', signer: SIGNERS.ada },
            payload: manifestBytes(DRAFT, FILES),
          }),
        ],
      }),
    ],
    'signed for another agent than it says': [
      'shape',
      encodeConfigBundle({ ...parts, signatures: [signManifest(manifestBytes(DRAFT, FILES), 'bench-2', SIGNERS.ada)] }),
    ],
    'a second signature that is cut': [
      'signature',
      encodeConfigBundle({ ...parts, signatures: [ada!, bundleParts(second).signatures[0]!.slice(0, -1)] }),
    ],
  }
}

const vectors = () => ({
  valid: {
    'one signature': toHex(signedBundle(FILES, { by: ['ada'] })),
    'two signatures': toHex(signedBundle(FILES)),
    'with an end and no reason': toHex(signedBundle(FILES, { draft: { notAfterUs: DRAFT.madeUs + 1, reason: '' } })),
  },
  invalid: Object.fromEntries(
    Object.entries(refusedVectors()).map(([what, [code, bytes]]) => [what, { code, bytes: toHex(bytes) }]),
  ),
})
const FILE = join(import.meta.dirname, '..', '..', 'vectors', 'config-bundle-1.json')
const isNew = !existsSync(FILE)
if (isNew) writeFileSync(FILE, `${JSON.stringify(vectors(), null, 2)}\n`)
const pinned = JSON.parse(readFileSync(FILE, 'utf8')) as ReturnType<typeof vectors>

// verifies SE-39
t.test('a bundle has the bytes it was given once and for all, and says what was signed', async (t) => {
  t.notOk(isNew, 'the vectors were missing and are made anew: look at them before they are committed')
  t.same(vectors(), pinned)
  const { opened, problems } = openConfigBundle(fromHex(pinned.valid['two signatures'])!, operators)
  t.same(problems, [])
  const files = FILES.map(({ name, bytes }) => ({
    name,
    digest: toHex(digestOf(DOMAIN.file, bytes)),
    length: bytes.length,
  }))
  t.same(opened!.manifest, { ...DRAFT, config: toHex(configDigest(FILES)), backWithinUs: 0, files })
  t.same(opened!.files, FILES)
  t.same(opened!.signers, ['ada', 'grace'])
  t.equal(opened!.digest, toHex(digestOf(DOMAIN.configBundle, manifestBytes(DRAFT, FILES))))
})

// verifies SE-39
t.test('what is not what was signed is refused with its reason', async (t) => {
  for (const [what, { code, bytes }] of Object.entries(pinned.invalid))
    t.ok(codesOf(fromHex(bytes)!).includes(code), `${what}: ${code}`)
})

// verifies SE-39
t.test('every byte that is flipped, in every bit, and every cut is found', async (t) => {
  const bytes = signedBundle(FILES)
  let tried = 0
  const believed: string[] = []
  for (let at = 0; at < bytes.length; at += 1)
    for (let bit = 0; bit < 8; bit += 1) {
      const other = bytes.slice()
      other[at] = other[at]! ^ (1 << bit)
      tried += 1
      if (openConfigBundle(other, operators).problems.length === 0) believed.push(`byte ${at}, bit ${bit}`)
    }
  t.same(believed, [])
  for (let length = 0; length < bytes.length; length += 1) {
    tried += 1
    if (openConfigBundle(bytes.subarray(0, length), operators).problems.length === 0) believed.push(`cut at ${length}`)
  }
  t.same(believed, [])
  t.comment(`counted: flips and cuts of a bundle | ${tried} | all refused`)
})

t.test('bounds of a bundle', async (t) => {
  t.throws(() => bundleParts(new Uint8Array(CONFIG_BUNDLE_BYTES_MAX + 1)), { code: 'BUNDLE_SHAPE' })
  const parts = bundleParts(signedBundle(FILES, { by: ['ada'] }))
  const many = (n: number) => Array.from({ length: n }, (_, k) => ({ name: `f${k}`, bytes: new Uint8Array(0) }))
  const [signature] = parts.signatures
  const withFiles = (n: number): Uint8Array => encodeConfigBundle({ ...parts, files: many(n) })
  t.equal(bundleParts(withFiles(CONFIG_BUNDLE_FILES_MAX)).files.length, CONFIG_BUNDLE_FILES_MAX)
  t.throws(() => bundleParts(withFiles(CONFIG_BUNDLE_FILES_MAX + 1)), { code: /BUNDLE_SHAPE|CBOR_REFUSED/ })
  const signed = (n: number): Uint8Array => encodeConfigBundle({ ...parts, signatures: Array(n).fill(signature) })
  t.equal(bundleParts(signed(CONFIG_BUNDLE_SIGNATURES_MAX)).signatures.length, CONFIG_BUNDLE_SIGNATURES_MAX)
  t.throws(() => bundleParts(signed(CONFIG_BUNDLE_SIGNATURES_MAX + 1)), { code: 'BUNDLE_SHAPE' })
  const manifest = (change: Record<string, Canonical>): Uint8Array => {
    const payload = canonicalBytes({
      ...{ v: 1, deployment: 'demo', agent: 'bench-1', number: 7, made_us: 1, not_after_us: 0, reason: '' },
      ...{ rigs: [['water-loop', 'pumps']], config: configDigest(FILES) },
      files: FILES.map(({ name, bytes }) => [name, digestOf(DOMAIN.file, bytes), bytes.length]),
      ...change,
    })
    const issuer = `operator/${toHex(SIGNERS.ada.keyId)}`
    const said = { typ: CONFIG_BUNDLE_TYP, issuer, subject: 'agent/bench-1', payload, signer: SIGNERS.ada }
    return encodeConfigBundle({ files: FILES, signatures: [signCose(said)] })
  }
  t.same(codesOf(manifest({})), [])
  for (const change of [
    { v: 2 },
    { number: 0 },
    { number: -1 },
    { number: 1.5 },
    { number: '7' },
    { deployment: 'De mo' },
    { agent: '' },
    { made_us: -1 },
    { not_after_us: null },
    { reason: 'x'.repeat(513) },
    { rigs: [] },
    { rigs: [['water-loop']] },
    { config: new Uint8Array(31) },
    { files: [] },
    { files: [['a', new Uint8Array(32), -1]] },
    { more: 1 },
  ] as Record<string, Canonical>[])
    t.same(codesOf(manifest(change)), ['shape'], JSON.stringify(change))
})

t.test('who is about to sign sees the same, and what does not belong together is told', async (t) => {
  const look = lookIntoBundle(signedBundle(FILES, { by: ['mallory'] }))
  t.same(look.problems, [])
  t.same(look.keyIds, [toHex(SIGNERS.mallory.keyId)])
  t.equal(look.manifest.number, 7)
  const { code, bytes } = pinned.invalid['another file']!
  t.match(lookIntoBundle(fromHex(bytes)!).problems, [{ code }, { code: 'config_differs' }])
  t.match(lookIntoBundle(fromHex(pinned.invalid['a signature of another bundle']!.bytes)!).problems, [
    { code: 'other_statement' },
  ])
  t.throws(() => lookIntoBundle(flipped(signedBundle(FILES), 0)), { code: /BUNDLE_SHAPE|CBOR_REFUSED/ })
})

// verifies SE-04, SE-39
t.test('nobody brings or takes away a policy of actions alone', async (t) => {
  for (const holdsPolicy of [false, true])
    for (const replacesPolicy of [false, true])
      t.equal(signersNeeded({ holdsPolicy, replacesPolicy }), holdsPolicy || replacesPolicy ? 2 : 1)
})
