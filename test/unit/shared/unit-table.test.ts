import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { rational, toNumber } from '../../../shared/model/rational.ts'
import {
  BINARY_PREFIXES,
  PREFIXES,
  REFUSED,
  UNIT_TABLE_VERSION,
  UNITS,
  unitOfSymbol,
} from '../../../shared/model/unit-table.ts'
import { convertUnit, parseUnit, UNIT_TEXT_MAX, type Unit } from '../../../shared/model/units.ts'

/** Every unit of the table with every prefix it takes. */
const SPELLINGS = [...UNITS.values()]
  .flatMap(({ symbol, prefixes }) => [
    symbol,
    ...(prefixes === 'none' ? [] : [...PREFIXES.keys()].map((prefix) => `${prefix}${symbol}`)),
    ...(prefixes === 'any' ? [...BINARY_PREFIXES.keys()].map((prefix) => `${prefix}${symbol}`) : []),
  ])
  .filter((spelling) => !REFUSED.has(spelling))

function read(text: string): Unit {
  const reading = parseUnit(text)
  if (!reading.ok) throw new Error(reading.detail)
  return reading.unit
}

function factor(from: string, to: string): number | string {
  const found = convertUnit(from, to)
  return found.ok ? found.factor : found.problem
}

t.test('every unit with every prefix comes back from base units to the last places', (t) => {
  t.ok(SPELLINGS.length > 1000)
  const worst = { spelling: '', error: 0 }
  fc.assert(
    fc.property(
      fc.constantFrom(...SPELLINGS),
      fc.double({ min: 1e-6, max: 1e6, noNaN: true }),
      fc.boolean(),
      (spelling, size, negative) => {
        const value = negative ? -size : size
        const unit = read(spelling)
        const base = value * unit.factor + unit.offset
        const back = (base - unit.offset) / unit.factor
        // An offset costs the places by which it is larger than the value.
        const error = Math.abs(back - value) / Math.max(size, Math.abs(unit.offset / unit.factor))
        if (error > worst.error) Object.assign(worst, { spelling, error })
        return error <= 1e-12
      },
    ),
    { numRuns: 5000 },
  )
  for (const spelling of SPELLINGS) t.ok(read(spelling).factor > 0, spelling)
  t.comment(`worst relative error of a round trip: ${worst.error} of ${worst.spelling}`)
  t.end()
})

t.test('there and back between any two units of one dimension', (t) => {
  const byDimension = new Map<string, string[]>()
  for (const spelling of SPELLINGS) {
    const key = read(spelling).dimension.join()
    byDimension.set(key, [...(byDimension.get(key) ?? []), spelling])
  }
  t.ok(byDimension.size > 30)
  const pair = fc
    .constantFrom(...byDimension.values())
    .chain((spellings) => fc.tuple(fc.constantFrom(...spellings), fc.constantFrom(...spellings)))
  fc.assert(
    fc.property(pair, fc.double({ min: 0.001, max: 1000, noNaN: true }), ([a, b], value) => {
      const [there, back] = [convertUnit(a, b), convertUnit(b, a)]
      if (!there.ok || !back.ok) return false
      const returned = (value * there.factor + there.offset) * back.factor + back.offset
      return Math.abs(returned - value) <= 1e-12 * Math.max(value, Math.abs(back.offset))
    }),
    { numRuns: 5000 },
  )
  t.end()
})

t.test('the case counts, and a quotient is no prefix', (t) => {
  t.equal(factor('mW', 'W'), 0.001)
  t.equal(factor('MW', 'W'), 1_000_000)
  t.equal(factor('m/s', 'ms'), 'dimension')
  t.equal(factor('ms', 's'), 0.001)
  t.equal(factor('Pa', 'pa'), 'unknown', '`pa` is no pascal')
  t.equal(factor('mM', 'm'), 'unknown')
  t.same([factor('us', 's'), factor('µs', 's'), factor('μs', 's')], [1e-6, 1e-6, 1e-6], 'u, micro sign, Greek letter')
  t.equal(factor('kB', 'B'), 1000)
  t.equal(factor('KiB', 'B'), 1024)
  t.equal(factor('Kim', 'm'), 'unknown')
  t.end()
})

t.test('factors that are defined exactly are the nearest double', (t) => {
  const exact: [string, string, number][] = [
    ['psi', 'Pa', 6894.757293168362],
    ['psi', 'bar', 0.06894757293168362],
    ['lbf', 'N', 4.4482216152605],
    ['inHg', 'Pa', 3386.388640341],
    ['mmHg', 'Pa', 133.322387415],
    ['l/min', 'm3/h', 0.06],
    ['rpm', 'rev/s', 1 / 60],
    ['deg', 'rev', 1 / 360],
    ['deg', 'rad', Math.PI / 180],
    ['km/h', 'm/s', 1 / 3.6],
    ['kWh', 'MJ', 3.6],
    ['gal_us/min', 'l/min', 3.785411784],
    ['ft·lbf', 'N·m', 1.3558179483314003],
    ['%', '1', 0.01],
    ['m/s²', 'gn', 1 / 9.80665],
    ['mAh', 'C', 3.6],
    ['W/(m2·K)', 'W/(cm2 K)', 1e-4],
    ['kg m-1 s-2', 'Pa', 1],
    ['mNm', 'N·m', 0.001],
    ['1/min', 'Hz', 1 / 60],
    ['mmH2O', 'Pa', 9.80665],
  ]
  for (const [from, to, expected] of exact) t.equal(factor(from, to), expected, `${from} → ${to}`)
  t.same(convertUnit('degC', 'K'), { ok: true, factor: 1, offset: 273.15 })
  t.same(convertUnit('°C', '°F'), { ok: true, factor: 1.8, offset: 32 })
  t.same(convertUnit('degC/min', 'K/s'), { ok: true, factor: 1 / 60, offset: 0 }, 'a rate has no zero to be shifted')
  t.same(convertUnit('(degC)', 'K'), { ok: true, factor: 1, offset: 273.15 })
  t.same(convertUnit('furlong', 'furlong '), { ok: true, factor: 1, offset: 0 }, 'a unit is itself, known or not')
  t.end()
})

t.test('what no factor converts is refused with what to write instead', (t) => {
  const says = (from: string, to: string, pattern: RegExp) => {
    const found = convertUnit(from, to)
    t.notOk(found.ok, `${from} → ${to}`)
    if (!found.ok) t.match(found.detail, pattern)
  }
  says('dB', '1', /logarithmic/)
  says('dB/s', '1/s', /logarithmic/)
  says('gpm', 'l/min', /`gal_us\/min`/)
  says('psig', 'bar', /gauge and absolute/)
  says('rpm', 'Hz', /a rotational speed.*a frequency.*`rev\/s`/)
  says('g', 'm/s2', /the gram.*`gn`/)
  says('count', '%', /a count.*a ratio/)
  says('W/m2·K', 'W', /brackets/)
  says('m^0', 'm', /exponent of 0/)
  says('m/(s', 'm', /not closed/)
  says('m s)', 'm', /not understood/)
  says('m//s', 'm', /begins no unit/)
  says('m/', 'm', /missing at its end/)
  says('', 'm', /no unit/)
  says('2 m', 'm', /begins no unit/)
  says('Qm9', 'm', /an? /)
  says('Qm9·Qm9·Qm9', 'm', /beyond what a number holds/)
  for (const symbol of REFUSED.keys()) t.match(parseUnit(symbol), { ok: false, problem: 'refused' }, symbol)
  t.end()
})

t.test('no spelling means two units, and hostile text is only a problem', (t) => {
  const twice = SPELLINGS.filter((spelling) => !UNITS.has(spelling)).flatMap((spelling) => {
    const ways = [...PREFIXES.keys(), ...BINARY_PREFIXES.keys()].filter((prefix) => {
      const unit = spelling.startsWith(prefix) ? UNITS.get(spelling.slice(prefix.length)) : undefined
      const permitted = BINARY_PREFIXES.has(prefix) ? ['any'] : ['any', 'decimal']
      return unit !== undefined && permitted.includes(unit.prefixes)
    })
    return ways.length === 1 ? [] : [`${spelling}: ${ways.join(' and ')}`]
  })
  t.same(twice, [])
  const symbols = [...UNITS.keys(), ...'()·*/^-⁻²23 mkMµ%°'].map(String)
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constantFrom(...symbols), fc.string({ maxLength: 3 })), { maxLength: 40 }),
      (parts) => {
        const found = parseUnit(parts.join(''))
        return found.ok ? found.unit.factor > 0 && Number.isFinite(found.unit.factor) : found.detail.length > 0
      },
    ),
    { numRuns: 3000 },
  )
  t.match(parseUnit('m'.repeat(UNIT_TEXT_MAX + 1)), { ok: false })
  t.match(parseUnit(`${'m·'.repeat(20)}m`), { ok: false, detail: /more than 16 units/ })
  t.match(parseUnit('((((((m))))))'), { ok: false, detail: /brackets/ })
  t.match(parseUnit('m99'), { ok: false, detail: /exponent of 99/ })
  t.end()
})

t.test('a fraction is rounded once, to the nearest double', (t) => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e150, max: 1e150 }), (value) => {
      const text = value.toString().replace('+', '')
      return toNumber(rational(text)) === (Math.abs(value) < 1e-300 ? toNumber(rational(text)) : value)
    }),
    { numRuns: 2000 },
  )
  t.equal(toNumber(rational('1/3')), 1 / 3)
  t.equal(toNumber(rational('1/10')), 0.1)
  t.equal(toNumber(rational('9007199254740993')), 9007199254740992, 'a tie goes to even')
  t.equal(toNumber(rational('9007199254740993.0000000000000000001')), 9007199254740994, 'a trace above tips it')
  t.equal(toNumber(rational('1e400')), Number.POSITIVE_INFINITY)
  t.throws(() => rational('one'), /not a decimal/)
  t.end()
})

t.test('the numbers of the table are those of its version', (t) => {
  const file = join(import.meta.dirname, '..', '..', 'vectors', `units-${UNIT_TABLE_VERSION}.json`)
  const found = Object.fromEntries(
    [...UNITS.keys()].map((symbol) => {
      const { factor, offset, dimension } = read(symbol)
      return [symbol, [factor, offset, dimension.join(' '), unitOfSymbol(symbol)!.prefixes]]
    }),
  )
  if (process.env['HB_WRITE_VECTORS'] === '1' && !existsSync(file))
    writeFileSync(file, `${JSON.stringify({ version: UNIT_TABLE_VERSION, units: found }, null, 1)}\n`)
  const known = JSON.parse(readFileSync(file, 'utf8')) as { version: number; units: unknown }
  t.same(known, { version: UNIT_TABLE_VERSION, units: found }, 'raise UNIT_TABLE_VERSION and write new vectors')
  t.end()
})
