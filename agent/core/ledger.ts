import type { FrameRefusal, LedgerCounts, SampleRefusal } from '../../shared/model/telemetry.ts'

/** Columns of the loss ledger. `received` is the sum of the others and of what is pending. */
const COLUMN = { received: 0, evaluated: 1, late: 2, duplicate: 3, rejected: 4, shed: 5 } as const
const COLUMNS = 6

/** What became of every sample of a rig: one row a metric, and a last row for channels that no metric knows. */
export type Ledger = {
  readonly rows: Float64Array
  readonly metrics: number
  /** Refusals by reason, with the first example of each; frames and samples alike. The reasons are closed sets, so this is bounded. */
  readonly refusals: Map<FrameRefusal | SampleRefusal, { count: number; firstUs: number; example: string }>
  framesReceived: number
  framesRefused: number
}

export function createLedger(metrics: number): Ledger {
  return {
    rows: new Float64Array((metrics + 1) * COLUMNS),
    metrics,
    refusals: new Map(),
    framesReceived: 0,
    framesRefused: 0,
  }
}

/** Adds `n` samples of a metric to a column. Row `metrics` stands for unknown channels. */
export function book(ledger: Ledger, metric: number, column: keyof typeof COLUMN, n: number): void {
  const at = metric * COLUMNS + COLUMN[column]
  ledger.rows[at] = ledger.rows[at]! + n
}

/** Counts a refusal; `example` is asked for only the first time. */
export function refuse(
  ledger: Ledger,
  reason: FrameRefusal | SampleRefusal,
  n: number,
  nowUs: number,
  example: () => string,
): void {
  const known = ledger.refusals.get(reason)
  if (known !== undefined) known.count += n
  else ledger.refusals.set(reason, { count: n, firstUs: nowUs, example: example().slice(0, 200) })
}

/** The ledger of one metric; `pending` comes from the open panes. */
export function countsOf(ledger: Ledger, metric: number, pending: number): LedgerCounts {
  const at = metric * COLUMNS
  const [received, evaluated, late, duplicate, rejected, shed] = ledger.rows.subarray(at, at + COLUMNS) as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  return { received, evaluated, late, duplicate, rejected, shed, pending }
}

/** Sums two ledgers, column by column. */
export function addCounts(a: LedgerCounts, b: LedgerCounts): LedgerCounts {
  return {
    received: a.received + b.received,
    evaluated: a.evaluated + b.evaluated,
    late: a.late + b.late,
    duplicate: a.duplicate + b.duplicate,
    rejected: a.rejected + b.rejected,
    shed: a.shed + b.shed,
    pending: a.pending + b.pending,
  }
}

/** Tells whether every sample received is accounted for. Stated as what must hold, so that NaN does not balance. */
export function balances(c: LedgerCounts): boolean {
  return c.received === c.evaluated + c.late + c.duplicate + c.rejected + c.shed + c.pending
}
