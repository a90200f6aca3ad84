import { type Rational, rational, times } from './rational.ts'

/**
 * Version of the table: what a conversion by it names as its version. Raised when any factor, offset or spelling below
 * changes; `test/vectors/units-N.json` holds the numbers.
 */
export const UNIT_TABLE_VERSION = 1

/**
 * What a dimension is made of: the seven base quantities of the SI and three that the SI calls 1 although nobody means
 * the same by them: an angle, an amount of data, and things that were counted.
 */
export const BASES = ['m', 'kg', 's', 'A', 'K', 'mol', 'cd', 'rad', 'bit', 'count'] as const
/** Exponents of {@link BASES}, in their order. */
export type Dimension = readonly number[]

/** A unit by name. `value × factor + offset` is the value in units of {@link BASES}. */
export type UnitEntry = Readonly<{
  symbol: string
  factor: Rational
  offset: Rational
  dimension: Dimension
  prefixes: 'none' | 'decimal' | 'any'
}>

type Row = readonly [
  symbols: string,
  factor: string,
  dimension: string,
  prefixes?: UnitEntry['prefixes'],
  offset?: string,
]

/** π to fifty places: it cancels where it is on both sides, and elsewhere a double holds sixteen. */
const PI = '3.14159265358979323846264338327950288419716939937510'
const POUND = '0.45359237'
const GRAVITY = '9.80665'
const INCH = '0.0254'
const FOOT = '0.3048'
const MMHG = '133.322387415'

const PRESSURE = 'kg m-1 s-2'
const FORCE = 'kg m s-2'
const ENERGY = 'kg m2 s-2'
const POWER = 'kg m2 s-3'
const VOLUME = 'm3'
const FLOW = 'm3 s-1'
const SPEED = 'm s-1'
const TURNS = 'rad s-1'

/**
 * Every unit: its spellings, its exact definition (BIPM SI brochure 9; NIST SP 811 app. B for the others), its dimension, and
 * whether SI prefixes go before it; with `any` those of powers of 1024 too. Spellings are taken letter for letter.
 */
const ROWS: readonly Row[] = [
  ['1 ratio pu', '1', ''],
  ['% percent pct %RH', '0.01', ''],
  ['‰ permille', '0.001', ''],
  ['ppm', '1e-6', ''],
  ['ppb', '1e-9', ''],
  ['strain', '1', '', 'decimal'],
  ['µε με ue microstrain', '1e-6', ''],
  ['count counts cnt events pulses ticks cycles', '1', 'count'],
  ['m', '1', 'm', 'decimal'],
  ['in inch', INCH, 'm'],
  ['mil thou', `${INCH}/1000`, 'm'],
  ['ft', FOOT, 'm'],
  ['yd', `${FOOT}*3`, 'm'],
  ['mi', `${FOOT}*5280`, 'm'],
  ['nmi', '1852', 'm'],
  ['g', '0.001', 'kg', 'decimal'],
  ['t', '1000', 'kg'],
  ['lb', POUND, 'kg'],
  ['oz', `${POUND}/16`, 'kg'],
  ['s', '1', 's', 'decimal'],
  ['sec', '1', 's'],
  ['min', '60', 's'],
  ['h hr', '3600', 's'],
  ['d', '86400', 's'],
  ['A', '1', 'A', 'decimal'],
  ['Ah', '3600', 'A s', 'decimal'],
  ['C', '1', 'A s', 'decimal'],
  ['K', '1', 'K', 'decimal'],
  ['degC °C ℃', '1', 'K', 'none', '273.15'],
  ['degF °F ℉', '5/9', 'K', 'none', '459.67*5/9'],
  ['degR °R', '5/9', 'K'],
  ['delta_degC Δ°C delta_K', '1', 'K'],
  ['delta_degF Δ°F', '5/9', 'K'],
  ['mol', '1', 'mol', 'decimal'],
  ['cd lm', '1', 'cd', 'decimal'],
  ['lx', '1', 'cd m-2', 'decimal'],
  ['rad', '1', 'rad', 'decimal'],
  ['deg °', `${PI}/180`, 'rad'],
  ['arcmin', `${PI}/10800`, 'rad'],
  ['arcsec', `${PI}/648000`, 'rad'],
  ['gon', `${PI}/200`, 'rad'],
  ['rev turn', `${PI}*2`, 'rad'],
  ['rpm RPM', `${PI}*2/60`, TURNS],
  ['rps', `${PI}*2`, TURNS],
  ['Hz', '1', 's-1', 'decimal'],
  ['N', '1', FORCE, 'decimal'],
  ['kgf', GRAVITY, FORCE],
  ['lbf', `${POUND}*${GRAVITY}`, FORCE],
  ['dyn', '1e-5', FORCE],
  ['gn g0 gee', GRAVITY, 'm s-2', 'decimal'],
  ['Pa', '1', PRESSURE, 'decimal'],
  ['bar', '100000', PRESSURE, 'decimal'],
  ['psi', `${POUND}*${GRAVITY}/${INCH}/${INCH}`, PRESSURE],
  ['ksi', `${POUND}*${GRAVITY}/${INCH}/${INCH}*1000`, PRESSURE],
  ['atm', '101325', PRESSURE],
  ['at', '98066.5', PRESSURE],
  ['Torr torr', '101325/760', PRESSURE],
  ['mmHg', MMHG, PRESSURE],
  ['inHg', `${MMHG}*25.4`, PRESSURE],
  ['mmH2O', GRAVITY, PRESSURE],
  ['cmH2O', `${GRAVITY}*10`, PRESSURE],
  ['inH2O', `${GRAVITY}*25.4`, PRESSURE],
  ['J', '1', ENERGY, 'decimal'],
  ['Nm', '1', ENERGY, 'decimal'],
  ['Wh', '3600', ENERGY, 'decimal'],
  ['eV', '1.602176634e-19', ENERGY, 'decimal'],
  ['W', '1', POWER, 'decimal'],
  ['PS', `75*${GRAVITY}`, POWER],
  ['hp_mech', `550*${FOOT}*${POUND}*${GRAVITY}`, POWER],
  ['V', '1', 'kg m2 s-3 A-1', 'decimal'],
  ['Ω Ω ohm Ohm', '1', 'kg m2 s-3 A-2', 'decimal'],
  ['S', '1', 'kg-1 m-2 s3 A2', 'decimal'],
  ['F', '1', 'kg-1 m-2 s4 A2', 'decimal'],
  ['H', '1', 'kg m2 s-2 A-2', 'decimal'],
  ['Wb', '1', 'kg m2 s-2 A-1', 'decimal'],
  ['T', '1', 'kg s-2 A-1', 'decimal'],
  ['l L', '0.001', VOLUME, 'decimal'],
  ['cc', '1e-6', VOLUME],
  ['gal_us', `231*${INCH}*${INCH}*${INCH}`, VOLUME],
  ['gal_uk', '0.00454609', VOLUME],
  ['lpm LPM', '0.001/60', FLOW],
  ['cfm', `${FOOT}*${FOOT}*${FOOT}/60`, FLOW],
  ['kn', '1852/3600', SPEED],
  ['mph', `${FOOT}*5280/3600`, SPEED],
  ['kph', '1000/3600', SPEED],
  ['P', '0.1', 'kg m-1 s-1', 'decimal'],
  ['St', '1e-4', 'm2 s-1', 'decimal'],
  ['bit', '1', 'bit', 'any'],
  ['B byte', '8', 'bit', 'any'],
]

/** What looks like a unit and cannot be converted by a factor that everybody agrees on, with what to write instead. */
export const REFUSED: ReadonlyMap<string, string> = new Map(
  (
    [
      [
        'dB dBA dB(A) dBm dBV dBu dBFS dBc Np pH',
        'logarithmic: a factor cannot convert it; publish the quantity itself',
      ],
      [
        'psig psia barg bara',
        'gauge and absolute pressure differ by the air pressure of the day; write `psi` or `bar`, and publish the one you mean',
      ],
      ['gal gpm GPM', 'a US gallon or a British one; write `gal_us` or `gal_uk`, as in `gal_us/min`'],
      ['hp', 'there are several horsepower; write `hp_mech` (550 ft·lbf/s), `PS` (75 m·kgf/s) or `kW`'],
      ['cal kcal BTU Btu', 'there are several of it; write `J` or `kJ`'],
      [
        'slpm SLPM sccm SCCM Nl Nl/min Nm3 Nm3/h Nm³/h scfm SCFM',
        'a standard volume depends on a temperature and a pressure; write a mass flow (`kg/s`), or the volume at the sensor',
      ],
      ['VA kVA var kvar', 'apparent and reactive power are no watts; keep it as it is'],
    ] as const
  ).flatMap(([symbols, why]) => symbols.split(' ').map((symbol) => [symbol, why] as const)),
)

const DECIMAL_PREFIXES = [
  ['da h k M G T P E Z Y R Q', [1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30]],
  ['d c m u n p f a z y r q', [-1, -2, -3, -6, -9, -12, -15, -18, -21, -24, -27, -30]],
  // The micro sign and the Greek letter look the same and are two characters.
  ['µ μ', [-6, -6]],
] as const

/** SI prefixes with their factors. The case counts: `m` is a thousandth, `M` a million. */
export const PREFIXES: ReadonlyMap<string, Rational> = new Map(
  DECIMAL_PREFIXES.flatMap(([symbols, exponents]) =>
    symbols.split(' ').map((symbol, k) => [symbol, rational(`1e${exponents[k]}`)] as const),
  ),
)

/** Prefixes of powers of 1024, for data only. */
export const BINARY_PREFIXES: ReadonlyMap<string, Rational> = new Map(
  ['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'].map((symbol, k) => [symbol, { n: 1n << BigInt(10 * (k + 1)), d: 1n }] as const),
)

export const UNITS: ReadonlyMap<string, UnitEntry> = new Map(
  ROWS.flatMap(([symbols, factor, dimension, prefixes = 'none', offset = '0']) =>
    symbols.split(' ').map((symbol) => {
      const entry: UnitEntry = {
        symbol,
        factor: rational(factor),
        offset: rational(offset),
        dimension: dimensionFrom(dimension),
        prefixes,
      }
      return [symbol, entry] as const
    }),
  ),
)

/** The unit of one symbol, with or without a prefix; undefined when there is none. A symbol of its own goes before a prefix. */
export function unitOfSymbol(symbol: string): UnitEntry | undefined {
  const whole = UNITS.get(symbol)
  if (whole !== undefined) return whole
  for (const [prefixes, permitted] of [
    [PREFIXES, ['decimal', 'any']],
    [BINARY_PREFIXES, ['any']],
  ] as const) {
    for (const [prefix, by] of prefixes) {
      const unit = symbol.startsWith(prefix) ? UNITS.get(symbol.slice(prefix.length)) : undefined
      if (unit !== undefined && permitted.some((one) => one === unit.prefixes))
        return { ...unit, symbol, factor: times(unit.factor, by) }
    }
  }
  return undefined
}

/** What people call the dimensions that sensors have; the rest is said by its exponents. */
const NAMES: readonly (readonly [dimension: string, name: string])[] = [
  ['', 'a ratio'],
  ['count', 'a count'],
  ['m', 'a length'],
  ['m2', 'an area'],
  [VOLUME, 'a volume'],
  ['kg', 'a mass'],
  ['s', 'a time'],
  ['s-1', 'a frequency'],
  ['A', 'a current'],
  ['A s', 'a charge'],
  ['K', 'a temperature'],
  ['mol', 'an amount of substance'],
  ['rad', 'an angle'],
  [TURNS, 'a rotational speed'],
  [SPEED, 'a speed'],
  ['m s-2', 'an acceleration'],
  [FLOW, 'a volume flow'],
  ['kg s-1', 'a mass flow'],
  [FORCE, 'a force'],
  [PRESSURE, 'a pressure'],
  [ENERGY, 'an energy or a torque'],
  [POWER, 'a power'],
  ['kg m2 s-3 A-1', 'a voltage'],
  ['kg m2 s-3 A-2', 'a resistance'],
  ['bit', 'an amount of data'],
  ['bit s-1', 'a data rate'],
]
const NAME_OF = new Map(NAMES.map(([text, name]) => [dimensionFrom(text).join(), name]))

/** A dimension in words, such as `a pressure` or `kg·m⁻¹`. */
export function dimensionName(dimension: Dimension): string {
  const exponent = (n: number): string => (n === 1 ? '' : [...String(n)].map((c) => SUPERSCRIPT[c]!).join(''))
  const parts = dimension.flatMap((n, k) => (n === 0 ? [] : [`${BASES[k]}${exponent(n)}`]))
  return NAME_OF.get(dimension.join()) ?? parts.join('·')
}

const SUPERSCRIPT: Readonly<Record<string, string>> = Object.fromEntries(
  [...'-0123456789'].map((c, k) => [c, [...'⁻⁰¹²³⁴⁵⁶⁷⁸⁹'][k]!]),
)

function dimensionFrom(text: string): Dimension {
  const exponents = BASES.map(() => 0)
  for (const [, base, exponent] of text.matchAll(/([a-zA-Z]+)(-?\d+)?/g))
    exponents[BASES.indexOf(base as (typeof BASES)[number])] = Number(exponent ?? 1)
  return exponents
}
