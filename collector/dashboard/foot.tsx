import { Chip, Glyph } from './glyph.tsx'
import { verdictLook } from './look.ts'
import { type BatchRow, batchOf, type PageModel } from './page-model.ts'
import { formatCount, formatUtc, formatUtcExact } from './quantities.ts'
import { hrefOfRig } from './route.ts'
import type { View } from './view.ts'
import { summarizeFinding } from './why.ts'
import type { DecisionJson } from './wire-types.ts'

/** Rows of each list at the foot of the page. */
const ROWS = 8

/** What happened last, how far its proof has come, and what was refused. */
export function Foot({ view }: { view: View }) {
  const { model } = view
  return (
    <footer class="foot">
      <section aria-label="last decisions">
        <h2>Decisions</h2>
        <DecisionList model={model} decisions={changesOf(model.decisions).slice(0, ROWS)} />
      </section>
      <section aria-label="batches and receipts">
        <h2>Batches and receipts</h2>
        <Batches batches={[...model.batches.values()].slice(-ROWS).reverse()} />
      </section>
      <section aria-label="refused">
        <h2>Refused</h2>
        {model.refusals.length === 0 && <p class="quiet">Nothing was refused.</p>}
        <ul class="rows">
          {model.refusals.slice(0, ROWS).map((refusal) => (
            <li key={`${refusal.code} ${refusal.agent} ${refusal.time_us}`}>
              <time title={formatUtcExact(refusal.time_us)}>{formatUtc(refusal.time_us)}</time>{' '}
              <span class="amber">
                <Glyph name="diamond" /> {refusal.code}
              </span>{' '}
              {refusal.agent || 'unknown'} <span class="quiet">{refusal.detail}</span>
            </li>
          ))}
        </ul>
      </section>
    </footer>
  )
}

/** Decisions whose rig said something else than in its decision before; a repetition is no news. */
export function changesOf(decisions: readonly DecisionJson[]): DecisionJson[] {
  return decisions.filter((decision, at) => {
    const before = decisions.slice(at + 1).find((other) => other.rig === decision.rig && other.agent === decision.agent)
    return before === undefined || before.verdict !== decision.verdict || driverOf(before) !== driverOf(decision)
  })
}

function driverOf(decision: DecisionJson): string {
  const first = decision.findings[0]
  return first === undefined ? '' : `${first.metric} ${first.ground}`
}

export function DecisionList({ model, decisions }: { model: PageModel; decisions: readonly DecisionJson[] }) {
  if (decisions.length === 0) return <p class="quiet">No decision has been receipted since this page was opened.</p>
  return (
    <ul class="rows">
      {decisions.map((decision) => (
        <li key={decision.id}>
          <a
            href={hrefOfRig(decision.program, decision.rig, decision.id)}
            title={`decision ${decision.id} · ${formatUtcExact(decision.time_us)}`}
          >
            <time>{formatUtc(decision.time_us)}</time> <Chip look={verdictLook(decision.verdict)} />{' '}
            <b>{decision.rig}</b>{' '}
            <span class="why">{decision.findings[0] === undefined ? '' : summarizeFinding(decision.findings[0])}</span>{' '}
            <Proof model={model} decision={decision} />
          </a>
        </li>
      ))}
    </ul>
  )
}

/** How far the proof of a decision has come: in a batch, and receipted by the collector. */
function Proof({ model, decision }: { model: PageModel; decision: DecisionJson }) {
  const batch = batchOf(model, decision)
  const number = batch?.batchSeq ?? decision.batch?.batch_seq
  const receiptUs = decision.receipt_us ?? batch?.receiptUs ?? null
  if (number === undefined) return <span class="quiet">not signed yet</span>
  return (
    <span class="quiet" title={receiptUs === null ? 'no receipt yet' : `receipt of ${formatUtcExact(receiptUs)}`}>
      batch {number} {receiptUs === null ? '· no receipt' : '· receipted ✓'}
    </span>
  )
}

function Batches({ batches }: { batches: readonly BatchRow[] }) {
  if (batches.length === 0) return <p class="quiet">No batch has come since this page was opened.</p>
  return (
    <ul class="rows">
      {batches.map((batch) => (
        <li key={`${batch.agent}/${batch.epoch}/${batch.batchSeq}`}>
          <time title={formatUtcExact(batch.receiptUs ?? batch.receivedUs)}>
            {formatUtc(batch.receiptUs ?? batch.receivedUs)}
          </time>{' '}
          <b>{batch.agent}</b> batch <span class="num">{batch.batchSeq}</span>{' '}
          <span class="quiet">
            of {formatCount(batch.firstSeq)}–{formatCount(batch.firstSeq + Math.max(0, batch.count - 1))}
          </span>{' '}
          {batch.receiptUs === null ? <span class="amber">verifying</span> : <span class="quiet">receipted ✓</span>}
        </li>
      ))}
    </ul>
  )
}
