/**
 * Rest of a division, for whole numbers from 0 to 2^52 by one from 1 to 2^20. `%` of numbers beyond 2^31, as panes since
 * 1970 are, is a call into the C library; this is four instructions, and exact: the quotient cannot round up to a whole.
 */
export function modulo(dividend: number, divisor: number): number {
  return dividend - Math.floor(dividend / divisor) * divisor
}
