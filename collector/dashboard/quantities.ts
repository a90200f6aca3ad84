/** What is shown where there is no number: unknown is never an empty cell and never a zero. */
export const NO_NUMBER = '—'

/** Significant digits of measured values: enough to see a drift, few enough to compare down a column. */
const DIGITS = 4
const MINUS = '−'

/**
 * A measured value for a table: four significant digits, a real minus sign, no thousands separators, and a power of ten
 * only outside 10⁻³ … 10⁷. Not a number and infinite are named rather than hidden.
 */
export function formatValue(value: number | null | undefined): string {
  if (value === null || value === undefined) return NO_NUMBER
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '∞' : `${MINUS}∞`
  const size = Math.abs(value)
  if (size === 0) return '0'
  if (size < 1e-3 || size >= 1e7) return value.toExponential(2).replace('e+', 'e').replaceAll('-', MINUS)
  const decimals = Math.max(0, Math.min(5, DIGITS - 1 - Math.floor(Math.log10(size))))
  return value.toFixed(decimals).replace('-', MINUS)
}

/** How many times what is allowed: `0.05`, `4.10`, and with four digits from 100 on. */
export function formatRatio(ratio: number | null | undefined): string {
  if (ratio === null || ratio === undefined || !Number.isFinite(ratio)) return NO_NUMBER
  return Math.abs(ratio) < 100 ? ratio.toFixed(2).replace('-', MINUS) : formatValue(ratio)
}

/** A distance in spreads with its sign, as in `+4.2σ`. */
export function formatSigma(deviation: number | null | undefined): string {
  if (deviation === null || deviation === undefined || Number.isNaN(deviation)) return `${NO_NUMBER}σ`
  const size = Math.abs(deviation)
  const text = size >= 1000 ? '>999' : size >= 100 ? size.toFixed(0) : size.toFixed(1)
  return `${deviation < 0 ? MINUS : '+'}${text}σ`
}

/** An age in seconds with one decimal, from a minute on `mm:ss`, from an hour on `h:mm:ss`. Negative ages are shown as 0. */
export function formatAge(ageMs: number | null): string {
  if (ageMs === null || !Number.isFinite(ageMs)) return NO_NUMBER
  const ms = Math.max(0, ageMs)
  if (ms < 60_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`
  const seconds = Math.floor(ms / 1000)
  const tail = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
  return seconds < 3600 ? tail : `${Math.floor(seconds / 3600)}:${tail}`
}

/** A width of a window: `250 ms`, `10 s`, `5 min`. */
export function formatWidth(widthUs: number): string {
  if (widthUs < 1_000_000) return `${widthUs / 1000} ms`
  const seconds = widthUs / 1_000_000
  return seconds > 60 && seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`
}

/** Time of day in UTC with tenths: `14:03:22.4`. Events are shown to the millisecond with `digits` 3. */
export function formatUtc(timeUs: number | null, digits: 0 | 1 | 3 = 1): string {
  const date = dateOf(timeUs)
  if (date === undefined) return NO_NUMBER
  const text = date.toISOString().slice(11, 23)
  return digits === 3 ? text : text.slice(0, digits === 1 ? 10 : 8)
}

/** Day and time of day in UTC to the microsecond, for hovers: nothing on the page is rounded without a way to the exact time. */
export function formatUtcExact(timeUs: number | null): string {
  const date = dateOf(timeUs)
  if (date === undefined || timeUs === null) return 'time not known'
  const micros = String(Math.floor(timeUs) % 1_000_000).padStart(6, '0')
  return `${date.toISOString().slice(0, 19).replace('T', ' ')}.${micros} UTC`
}

/** A count with thin spaces between thousands: `1 234 567`. */
export function formatCount(count: number | null | undefined): string {
  if (count === null || count === undefined || !Number.isFinite(count)) return NO_NUMBER
  return String(Math.floor(count)).replace(/\B(?=(\d{3})+$)/g, '\u202f')
}

/** Bytes with a binary unit: `1.4 MiB`. */
export function formatBytes(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined || !Number.isFinite(bytes)) return NO_NUMBER
  if (bytes < 1024) return `${bytes} B`
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KiB`
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`
}

function dateOf(timeUs: number | null): Date | undefined {
  if (timeUs === null || !Number.isFinite(timeUs)) return undefined
  const date = new Date(Math.floor(timeUs / 1000))
  return Number.isNaN(date.getTime()) ? undefined : date
}

function two(count: number): string {
  return String(count).padStart(2, '0')
}
