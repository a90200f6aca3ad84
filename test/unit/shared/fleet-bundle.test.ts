import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { FLEET_AGENTS_MAX, fleetManifestBytes } from '../../../shared/codec/bundle-manifest.ts'
import { canonicalBytes } from '../../../shared/codec/canonical.ts'
import {
  bundleParts,
  encodeConfigBundle,
  lookIntoBundle,
  openConfigBundle,
  signManifest,
} from '../../../shared/codec/config-bundle.ts'
import { configDigest } from '../../../shared/codec/config-digest.ts'
import {
  cutFleetBundle,
  encodeFleetBundle,
  fleetBundleParts,
  isFleetBundle,
  lookIntoFleetBundle,
  openFleetBundle,
  signFleetManifest,
} from '../../../shared/codec/fleet-bundle.ts'
import { fromHex, toHex } from '../../../shared/crypto/digest.ts'
import { SIGNERS, TRUST } from '../../support/certified-baselines.ts'
import { cutOf, FLEET, fleetBundle, signedBundle } from '../../support/config-bundles.ts'
import { bytesOf } from '../../support/config-texts.ts'

const REGISTRY = { name: 'loop.registry.yaml', bytes: bytesOf('version: "1.0"\n') }
const own = (agent: string) => ({ name: 'runtime.yaml', bytes: bytesOf(`version: 1\nagent: ${agent}\n`) })
const RIGS = [{ rig: 'water-loop', program: 'pumps' }]
const PARTS = ['bench-1', 'rack-2'].map((agent) => ({ agent, rigs: RIGS, files: [own(agent), REGISTRY] }))
const { operators } = TRUST
const codes = (bytes: Uint8Array) => openFleetBundle(bytes, operators).problems.map(({ code }) => code)
const cutCodes = (bytes: Uint8Array) => openConfigBundle(bytes, operators).problems.map(({ code }) => code)

const whole = fleetBundle(PARTS)
const files = PARTS.flatMap((part) => part.files.map(({ bytes }) => bytes))
const manifest = fleetManifestBytes(FLEET, PARTS)
const signed = (who: 'ada' | 'grace' | 'mallory', deployment = 'demo', payload = manifest) =>
  signFleetManifest(payload, deployment, SIGNERS[who])

const refusedFleets = (): Record<string, [string, Uint8Array]> => ({
  'another version': ['shape', canonicalBytes({ v: 2, blobs: files.slice(0, 1), signatures: [signed('ada')] })],
  'no files': ['shape', canonicalBytes({ v: 1, blobs: [], signatures: [signed('ada')] })],
  'a file twice': ['shape', canonicalBytes({ v: 1, blobs: [files[0]!, files[0]!], signatures: [signed('ada')] })],
  'a file less': ['file_differs', encodeFleetBundle(files.slice(1), [signed('ada')])],
  'a file more': ['file_differs', encodeFleetBundle([...files, bytesOf('more')], [signed('ada')])],
  'a key that is not trusted': ['unknown_key', encodeFleetBundle(files, [signed('mallory')])],
  'one person twice': ['repeated_key', encodeFleetBundle(files, [signed('ada'), signed('ada')])],
  'signed for another deployment than it says': ['shape', encodeFleetBundle(files, [signed('ada', 'other')])],
  'an agent twice': [
    'shape',
    encodeFleetBundle(files, [signed('ada', 'demo', fleetManifestBytes(FLEET, [...PARTS, PARTS[0]!]))]),
  ],
  'to be taken back for longer than may be': [
    'shape',
    encodeFleetBundle(files, [signed('ada', 'demo', fleetManifestBytes({ ...FLEET, backWithinUs: 1e15 }, PARTS))]),
  ],
  'the manifest of one agent': [
    'signature',
    encodeFleetBundle(files, bundleParts(signedBundle(PARTS[0]!.files, { by: ['ada'] })).signatures),
  ],
})
const refusedCuts = (): Record<string, [string, Uint8Array]> => {
  const parts = bundleParts(cutOf(whole, 'bench-1'))
  return {
    'the part of another agent': ['file_differs', encodeConfigBundle({ ...parts, cutFor: 'rack-2' })],
    'an agent that it does not name': ['shape', encodeConfigBundle({ ...parts, cutFor: 'rack-3' })],
    'another file': [
      'file_differs',
      encodeConfigBundle({ ...parts, files: [parts.files[0]!, { ...REGISTRY, bytes: bytesOf('version: "1.1"\n') }] }),
    ],
    'as if it were for one agent': [
      'signature',
      encodeConfigBundle({ files: parts.files, signatures: parts.signatures }),
    ],
    'signed as if it were for one agent': [
      'signature',
      encodeConfigBundle({ ...parts, signatures: [signManifest(manifest, 'bench-1', SIGNERS.ada)] }),
    ],
  }
}
const hex = (cases: Record<string, [string, Uint8Array]>) =>
  Object.fromEntries(Object.entries(cases).map(([what, [code, bytes]]) => [what, { code, bytes: toHex(bytes) }]))
const vectors = () => ({
  fleet: { valid: toHex(whole), invalid: hex(refusedFleets()) },
  cut: {
    valid: { 'bench-1': toHex(cutOf(whole, 'bench-1')), 'rack-2': toHex(cutOf(whole, 'rack-2')) },
    invalid: hex(refusedCuts()),
  },
})
const FILE = join(import.meta.dirname, '..', '..', 'vectors', 'fleet-bundle-1.json')
const isNew = !existsSync(FILE)
if (isNew) writeFileSync(FILE, `${JSON.stringify(vectors(), null, 2)}\n`)
const pinned = JSON.parse(readFileSync(FILE, 'utf8')) as ReturnType<typeof vectors>

// verifies SE-39
t.test('a fleet bundle has the bytes it was given once and for all, and one digest for every agent', async (t) => {
  t.notOk(isNew, 'the vectors were missing and are made anew: look at them before they are committed')
  t.same(vectors(), pinned)
  const { opened, problems } = openFleetBundle(fromHex(pinned.fleet.valid)!, operators)
  t.same(problems, [])
  t.same(opened!.signers, ['ada', 'grace'])
  t.equal(opened!.parts.blobs.size, 3, 'what agents share is carried once')
  t.same(
    opened!.manifest.agents.map(({ agent }) => agent),
    ['bench-1', 'rack-2'],
    'in the order in which they were signed',
  )
  for (const { agent, files: own } of PARTS) {
    const cut = openConfigBundle(cutOf(whole, agent), operators)
    t.same(cut.problems, [])
    t.same(cut.opened!.files, own)
    t.equal(cut.opened!.digest, opened!.digest)
    t.match(cut.opened!.manifest, {
      agent,
      number: 7,
      backWithinUs: FLEET.backWithinUs,
      config: toHex(configDigest(own)),
    })
    t.same(lookIntoBundle(cutOf(whole, agent)).problems, [])
  }
  const look = lookIntoFleetBundle(whole)
  t.equal(look.digest, opened!.digest)
  t.equal(cutFleetBundle(look.parts, look.manifest, 'rack-3'), null)
  t.ok(isFleetBundle(whole))
  t.notOk(isFleetBundle(signedBundle(PARTS[0]!.files)))
})

// verifies SE-39
t.test('a fleet bundle, or a part of one, that is not what was signed is refused with its reason', async (t) => {
  for (const [what, { code, bytes }] of Object.entries(pinned.fleet.invalid))
    t.ok(codes(fromHex(bytes)!).includes(code as never), `${what}: ${code}`)
  for (const [what, { code, bytes }] of Object.entries(pinned.cut.invalid))
    t.ok(cutCodes(fromHex(bytes)!).includes(code as never), `${what}: ${code}`)
})

// verifies SE-39
t.test('every flipped byte and every cut of a fleet bundle and of a part of it is found', async (t) => {
  const part = cutOf(whole, 'rack-2')
  const believed: string[] = []
  let tried = 0
  for (const [what, bytes, found] of [
    ['fleet', whole, codes],
    ['part', part, cutCodes],
  ] as const)
    for (let at = 0; at < bytes.length; at += 1) {
      const other = bytes.slice()
      other[at] = other[at]! ^ (1 << (at % 8))
      if (found(other).length === 0) believed.push(`${what}: byte ${at}`)
      if (found(bytes.subarray(0, at)).length === 0) believed.push(`${what}: cut at ${at}`)
      tried += 2
    }
  t.same(believed, [])
  t.comment(`counted: flips and cuts of a fleet bundle | ${tried} | all refused`)
})

t.test('bounds of a fleet bundle', async (t) => {
  const many = (n: number) => Array.from({ length: n }, (_, k) => ({ agent: `a-${k}`, rigs: RIGS, files: [REGISTRY] }))
  t.equal(lookIntoFleetBundle(fleetBundle(many(FLEET_AGENTS_MAX))).manifest.agents.length, FLEET_AGENTS_MAX)
  t.same(codes(fleetBundle(many(FLEET_AGENTS_MAX + 1))), ['shape'])
  t.throws(() => fleetBundleParts(bytesOf('no bundle')), { code: 'CBOR_REFUSED' })
})
