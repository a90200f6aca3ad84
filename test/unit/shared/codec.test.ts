import { dcborEncodeOptions, encode } from 'cbor2'
import fc from 'fast-check'
import t from 'tap'
import { canonicalBytes } from '../../../shared/codec/canonical.ts'
import { checkSigned, decodeSigned, SIGNED_CAPS } from '../../../shared/codec/signed-cbor.ts'
import { checkTransport, decodeTransport, encodeTransport, TRANSPORT_CAPS } from '../../../shared/codec/transport.ts'
import { fromHex, sha256, toHex } from '../../../shared/crypto/digest.ts'
import { isHbError } from '../../../shared/errors/hb-error.ts'
import { createPrng } from '../../../shared/lib/prng.ts'
import type { Canonical } from '../../../shared/model/decision.ts'

const bytes = (hex: string) => fromHex(hex.replaceAll(' ', ''))!
const h = (text: string) => new Uint8Array(Buffer.from(text, 'hex'))

/** Examples of RFC 8949 appendix A that are the one encoding of their value in profile `signed`. */
const APPENDIX_A: readonly (readonly [string, Canonical])[] = [
  ['00', 0],
  ['01', 1],
  ['0a', 10],
  ['17', 23],
  ['1818', 24],
  ['1819', 25],
  ['1864', 100],
  ['1903e8', 1000],
  ['1a000f4240', 1_000_000],
  ['1b000000e8d4a51000', 1_000_000_000_000],
  ['1bffffffffffffffff', 18446744073709551615n],
  ['3bffffffffffffffff', -18446744073709551616n],
  ['20', -1],
  ['29', -10],
  ['3863', -100],
  ['3903e7', -1000],
  ['fb3ff199999999999a', 1.1],
  ['f93e00', 1.5],
  ['fa7f7fffff', 3.4028234663852886e38],
  ['fb7e37e43c8800759c', 1e300],
  ['f90001', 2 ** -24],
  ['f90400', 0.00006103515625],
  ['fbc010666666666666', -4.1],
  ['f4', false],
  ['f5', true],
  ['f6', null],
  ['40', h('')],
  ['4401020304', h('01020304')],
  ['60', ''],
  ['6161', 'a'],
  ['6449455446', 'IETF'],
  ['62225c', '"\\'],
  ['62c3bc', '\u00fc'],
  ['63e6b0b4', '\u6c34'],
  ['64f0908591', '\ud800\udd51'],
  ['80', []],
  ['83010203', [1, 2, 3]],
  ['8301820203820405', [1, [2, 3], [4, 5]]],
  ['98190102030405060708090a0b0c0d0e0f101112131415161718181819', Array.from({ length: 25 }, (_, k) => k + 1)],
  ['a0', new Map()],
  [
    'a201020304',
    new Map([
      [1, 2],
      [3, 4],
    ]),
  ],
  [
    'a26161016162820203',
    new Map<string, Canonical>([
      ['a', 1],
      ['b', [2, 3]],
    ]),
  ],
  ['826161a161626163', ['a', new Map([['b', 'c']])]],
  [
    'a56161614161626142616361436164614461656145',
    new Map([
      ['a', 'A'],
      ['b', 'B'],
      ['c', 'C'],
      ['d', 'D'],
      ['e', 'E'],
    ]),
  ],
]

/** Examples of appendix A, and worse, that profile `signed` refuses, with the reason. */
const REFUSED: Readonly<Record<string, string>> = {
  'f90000 f98000 f93c00 f97bff f9c400 fa47c35000 fa3f800000 fb3ff0000000000000 fb43e0000000000000': 'integral_float',
  'f97c00 f97e00 f9fc00 fa7f800000 fa7fc00000 faff800000 fb7ff0000000000000 fb7ff8000000000000 fbfff0000000000000 f97e01':
    'not_finite',
  'fa3fc00000 fb3ff8000000000000 fb3fb99999a0000000 fb36a0000000000000': 'long_float',
  'c249010000000000000000 c074323031332d30332d32315432303a30343a30305a c11a514b67b0 d74401020304 d818456449455446 d9d9f700':
    'tag',
  'f7 f0 f818 f8ff e0 f3 fc fd fe': 'simple_value',
  '5f42010243030405ff 7f657374726561646d696e67ff 9fff 9f018202039f0405ffff 83018202039f0405ff bfff bf61610161629f0203ffff ff':
    'indefinite_length',
  '1800 1817 190018 1900ff 1a0000ffff 1b00000000ffffffff 3817 3900ff 5800 7800 9800 b800 58170000000000000000000000000000000000000000000000':
    'long_head',
  '1c 1d 1e 3c 5d 7e 9c be dc': 'reserved_head',
  '61ff 62c080 63eda080 64f4908080 62c328': 'invalid_utf8',
  '6365cc81 a16365cc8101': 'text_not_nfc',
  'a2616201616101 a203040102 a220000100 a262616101616201': 'key_order',
  'a2616101616102 a201020103': 'duplicate_key',
  'a1f501 a1410101 a18001 a1a001 a1f601 a20101616101 a11bffffffffffffffff01': 'key_type',
  '0000 f6f6 8001': 'trailing_bytes',
  '18 19ff 1affffff 1bffffffffffffff 4401 6261 8201 a101 a2010203 f9 fa00 9bffffffffffffffff bbffffffffffffffff 5bffffffffffffffff 7bffffffffffffffff 9a00ffffff':
    'truncated',
}

t.test('examples of RFC 8949 appendix A are written and read as they stand there', async (t) => {
  for (const [hex, value] of APPENDIX_A) {
    t.equal(toHex(canonicalBytes(value)), hex)
    t.same(decodeSigned(bytes(hex)), value, hex)
    t.same(checkSigned(bytes(hex)), { ok: true })
  }
  t.equal(toHex(canonicalBytes({ b: [2, 3], a: 1 })), 'a26161016162820203', 'keys are sorted')
  t.equal(
    toHex(canonicalBytes({ aa: 1, b: 2 })),
    toHex(bytes('a2616202 62616101')),
    'by their bytes, the shorter first',
  )
  t.equal(toHex(canonicalBytes(-0)), '00', 'there is one zero')
  t.equal(toHex(canonicalBytes('e\u0301')), '62c3a9', 'text is put into NFC')
  t.equal(toHex(canonicalBytes('\ud800')), '63efbfbd')
})

t.test('every other encoding of a value is refused, with the reason', async (t) => {
  for (const [list, reason] of Object.entries(REFUSED)) {
    for (const hex of list.split(' ')) t.match(checkSigned(bytes(hex)), { ok: false, reason }, `${hex} is ${reason}`)
  }
  t.match(checkSigned(bytes('a1f93e0001')), { ok: false, reason: 'key_type' }, 'a float is no key')
  t.match(checkSigned(new Uint8Array(0)), { ok: false, reason: 'truncated' })
  const nested = (n: number) => bytes(`${'81'.repeat(n)}00`)
  t.same(checkSigned(nested(16)), { ok: true })
  t.match(checkSigned(nested(17)), { ok: false, reason: 'too_deep' })
  t.match(checkSigned(bytes('8401020304'), { ...SIGNED_CAPS, itemsMax: 4 }), { ok: false, reason: 'too_many_items' })
  t.match(checkSigned(bytes('8401020304'), { ...SIGNED_CAPS, bytesMax: 4 }), { ok: false, reason: 'too_large' })
  t.throws(() => decodeSigned(bytes('f7')), { code: 'CBOR_REFUSED', context: { reason: 'simple_value', offset: 0 } })
})

t.test('a value that has no encoding is our bug', async (t) => {
  const wrong: unknown[] = [
    Number.NaN,
    Number.POSITIVE_INFINITY,
    undefined,
    new Map<unknown, unknown>([
      [1, 1],
      ['a', 1],
    ]),
    new Map([[1.5, 1]]),
    2n ** 64n,
    -(2n ** 64n) - 1n,
  ]
  for (const value of wrong) t.throws(() => canonicalBytes(value as Canonical), String(value))
  t.throws(
    () =>
      canonicalBytes(
        new Map([
          ['e\u0301', 1],
          ['\u00e9', 2],
        ]),
      ),
    'two keys that are one in NFC',
  )
  let deep: Canonical = 0
  for (let k = 0; k < 17; k += 1) deep = [deep]
  t.throws(() => canonicalBytes(deep))
  t.equal(toHex(canonicalBytes([1])), '8101', 'and the next value is written whole')
})

/** Below −2^63 cbor2 writes big numbers with a tag, which profile `signed` does not have. */
const LEAST = -(2n ** 63n)
const LEAF = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.integer(),
  fc.maxSafeInteger(),
  ...[fc.double({ noNaN: true, noDefaultInfinity: true }), fc.float({ noNaN: true, noDefaultInfinity: true })].map(
    (any) => any.filter((v) => !(v < -(2 ** 63) && v >= -(2 ** 64))),
  ),
  fc.bigInt({ min: LEAST, max: 2n ** 64n - 1n }),
  fc.string({ unit: 'grapheme', maxLength: 40 }).map((s) => s.normalize('NFC')),
  fc.uint8Array({ maxLength: 300 }),
)
const { value: VALUE } = fc.letrec<{ value: Canonical }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    LEAF,
    fc.array(tie('value'), { maxLength: 30 }),
    fc
      .dictionary(
        fc.string({ unit: 'grapheme', maxLength: 30 }).map((s) => s.normalize('NFC')),
        tie('value'),
      )
      .map((d) => new Map(Object.entries(d))),
    fc
      .uniqueArray(fc.integer({ min: -70_000, max: 70_000 }), { maxLength: 10 })
      .map((keys) => new Map(keys.map((k) => [k, -k] as const))),
  ) as fc.Arbitrary<Canonical>,
}))

t.test('values are written as an independent dCBOR library writes them, and come back', async () => {
  fc.assert(
    fc.property(VALUE, (value) => {
      const mine = canonicalBytes(value)
      const theirs = encode(value, dcborEncodeOptions)
      if (toHex(mine) !== toHex(theirs)) throw new Error(`${toHex(mine)} is ${toHex(theirs)} there`)
      return toHex(canonicalBytes(decodeSigned(mine))) === toHex(mine)
    }),
    { numRuns: 3000, seed: 60 },
  )
})

/** A value with something of every kind in it. */
const MIXED: Canonical = {
  text: 'Druck \u00fc',
  list: [0, -1, 24, 1e6, 1.5, -4.1, 1e300, 0.1, null, true, 18446744073709551615n],
  bytes: h('00ff10'),
  map: new Map<number, Canonical>([
    [-5, 'x'],
    [3, [new Map()]],
  ]),
  long: 'x'.repeat(300),
}

t.test('the bytes of signed values are pinned', async (t) => {
  t.equal(toHex(sha256(canonicalBytes(MIXED))), '4e07c7806f0f66ec9ab5e387d8b2db1bb49f6039dd7dcf379a937560f7f4aaf7')
  t.equal(
    toHex(sha256(canonicalBytes(Array.from({ length: 3000 }, (_, k) => [k ** 3, k / 7, String(k)])))),
    'a78e12cb79b7987103a0a42fe2bdac6fb2e105e547845add51077cb89e93d373',
  )
})

t.test('cut anywhere a value is refused; with any byte changed it is refused or another value', async (t) => {
  const whole = canonicalBytes(MIXED)
  for (let n = 0; n < whole.length; n += 1) if (checkSigned(whole.subarray(0, n)).ok) t.fail(`cut at ${n}`)
  for (let at = 0; at < whole.length; at += 1) {
    for (let bit = 0; bit < 8; bit += 1) {
      const changed = whole.slice()
      changed[at] = changed[at]! ^ (1 << bit)
      if (checkSigned(changed).ok && toHex(canonicalBytes(decodeSigned(changed))) !== toHex(changed))
        t.fail(`byte ${at} bit ${bit} has two encodings`)
    }
  }
  t.equal(toHex(canonicalBytes(decodeSigned(whole))), toHex(whole))
})

t.test('whatever bytes are taken are the one encoding of what is read from them', async (t) => {
  const prng = createPrng(61)
  let taken = 0
  for (let k = 0; k < 100_000; k += 1) {
    const some = Uint8Array.from({ length: 1 + prng.int(12) }, () => prng.int(256))
    if (!checkSigned(some).ok) continue
    taken += 1
    if (toHex(canonicalBytes(decodeSigned(some))) !== toHex(some)) t.fail(toHex(some))
  }
  t.ok(taken > 1000, `${taken} were taken`)
})

t.test('a message may have any key order, heads of any length and typed arrays', async (t) => {
  for (const hex of [
    'a2616201616101',
    '1800',
    '1b0000000000000001',
    'f93c00',
    'fb3ff0000000000000',
    'f97e00',
    'f97c00',
    '6365cc81',
    'd84043010203',
    'd85648000000000000f03f',
    'd84540',
    'f4',
    'f6',
    '80',
    'a0',
  ]) {
    t.same(checkTransport(bytes(hex)), { ok: true }, hex)
    t.doesNotThrow(() => decodeTransport(bytes(hex)), hex)
  }
  const message = {
    t: Float64Array.from([1.7e15, Number.NaN]),
    n: 1_700_000_000_000_000,
    i: Int16Array.from([-1, 2]),
    b: h('0102'),
    text: '\u00fc',
    list: [1, { deep: null }],
    yes: true,
  }
  t.same(decodeTransport(encodeTransport(message)), message)
  t.equal(
    decodeTransport(bytes('1b00060a24181e4000')),
    1_700_000_000_000_000,
    'a 64-bit number that is safe is a number',
  )
  t.same(
    decodeTransport(bytes('d85248000000000000f03f')),
    Float64Array.from([Number.NaN]).fill(new DataView(h('000000000000f03f').buffer).getFloat64(0)),
    'big-endian doubles are turned',
  )
})

t.test('a message in another form is refused, with the reason', async (t) => {
  const refused: Readonly<Record<string, string>> = {
    '5f4101ff 7f6161ff 9fff bfff ff': 'indefinite_length',
    'a2616101616102 a3616101616202616103': 'duplicate_key',
    'a10102 a1f501 a1410101': 'key_type',
    'c000 c249010000000000000000 d9d9f700 d8506100 d84c4100': 'tag',
    'd84500 d84560 d8454101 d8564700000000000000': 'typed_array',
    '61ff a161ff01': 'invalid_utf8',
    'f7 e0 f818 fc': 'simple_value',
    '1c 7d be': 'reserved_head',
    '0000': 'trailing_bytes',
    '18 6261 8201 a1 a16161 d845 d84542ff 9bffffffffffffffff bbffffffffffffffff 5bffffffffffffffff d8455bffffffffffffffff':
      'truncated',
  }
  for (const [list, reason] of Object.entries(refused)) {
    for (const hex of list.split(' ')) {
      t.match(checkTransport(bytes(hex)), { ok: false, reason }, `${hex} is ${reason}`)
      t.throws(() => decodeTransport(bytes(hex)), { code: 'CBOR_REFUSED' })
    }
  }
  t.match(checkTransport(bytes(`${'81'.repeat(17)}00`)), { ok: false, reason: 'too_deep' })
  t.match(checkTransport(bytes('83010203'), { ...TRANSPORT_CAPS, itemsMax: 3 }), {
    ok: false,
    reason: 'too_many_items',
  })
  t.match(checkTransport(bytes('83010203'), { ...TRANSPORT_CAPS, bytesMax: 3 }), { ok: false, reason: 'too_large' })
  t.match(checkTransport(new Uint8Array(0)), { ok: false, reason: 'truncated' })
})

t.test('no bytes make the reader of messages throw anything but a refusal', async (t) => {
  const prng = createPrng(62)
  const seed = encodeTransport({
    a: Float32Array.from([1, 2]),
    __proto__x: [1, 2, { b: 'c' }],
    n: 1e15,
    big: 2n ** 63n,
    d: Float64Array.from([1, 2, 3]),
    u: new BigUint64Array(2),
  })
  let taken = 0
  for (let k = 0; k < 40_000; k += 1) {
    const some =
      k % 2 === 0
        ? Uint8Array.from({ length: 1 + prng.int(20) }, () => prng.int(256))
        : seed.slice(0, prng.int(4) === 0 ? prng.int(seed.length) : seed.length)
    if (k % 2 === 1) for (let n = prng.int(4); n >= 0; n -= 1) some[prng.int(some.length)] = prng.int(256)
    try {
      decodeTransport(some)
      taken += 1
    } catch (error) {
      if (!isHbError(error, 'CBOR_REFUSED')) t.fail(`${toHex(some)}: ${String(error)}`)
    }
  }
  t.ok(taken > 2000, `${taken} were taken`)
})
