import { WebSocket } from 'ws'
import type { FindingJson } from '../../shared/protocol/messages.ts'
import { whyFinding } from '../../shared/protocol/why.ts'

type Json = Readonly<Record<string, unknown>>
export type SeenDecision = Readonly<{
  id: string
  agent: string
  rig: string
  seq: number
  time_us: number
  verdict: string
  findings: readonly FindingJson[]
  batch: { epoch: number; batch_seq: number }
}>
export type SeenReceipt = Readonly<{
  agent: string
  epoch: number
  batch_seq: number
  first_seq: number
  count: number
  bytes: number
  receipt_us: number
  identity: string
}>

/** What the collector told while the demo ran. */
export type Timeline = Readonly<{
  decisions: SeenDecision[]
  receipts: SeenReceipt[]
  /** Settles when a decision that fits has been seen and the batch that carried it has its receipt. */
  until(fits: (decision: SeenDecision) => boolean, withinMs: number): Promise<SeenDecision | null>
  say(text: string): void
  close(): void
}>

/** Samples are told this often; everything else as it happens. */
const SAMPLES_EVERY_MS = 5000

/** Follows the collector's live feed and prints what a person wants to know of it. Times are UTC. */
export function followCollector(operators: string): Timeline {
  const decisions: SeenDecision[] = []
  const receipts: SeenReceipt[] = []
  const verdicts = new Map<string, string>()
  const samples = new Map<string, { counted: number; saidMs: number }>()
  const socket = new WebSocket(`${operators.replace(/^http/, 'ws')}live`)
  const say = (text: string): void => {
    process.stdout.write(`${new Date().toISOString().slice(11, 21)}  ${text}\n`)
  }

  socket.on('error', () => undefined)
  socket.on('message', (data) => {
    const message = JSON.parse(String(data)) as Json
    if (message['type'] === 'vitals') tellSamples(message['vitals'] as Json)
    if (message['type'] === 'decision') {
      const decision = message['decision'] as SeenDecision
      decisions.push(decision)
      tellDecision(decision)
    }
    if (message['type'] === 'receipt') {
      const receipt = message['receipt'] as SeenReceipt
      receipts.push(receipt)
      tellReceipt(receipt)
    }
    if (message['type'] === 'refusal') say(`REFUSED      ${JSON.stringify(message['refusal'])}`)
  })

  function tellSamples(vitals: Json): void {
    const rig = String(vitals['rig'])
    const known = samples.get(rig)
    const nowMs = performance.now()
    if (known !== undefined && nowMs - known.saidMs < SAMPLES_EVERY_MS) return
    const { received } = vitals['counters'] as { received: number }
    const badge = vitals['limits_only'] === true ? '  LIMITS ONLY' : ''
    samples.set(rig, { counted: received, saidMs: nowMs })
    say(
      `samples      ${rig.padEnd(12)} ${String(received).padStart(7)} in, ${Math.round(Number(vitals['samples_per_s']))} a second, ${(vitals['channels'] as unknown[]).length} channels, ${String(vitals['verdict'])}${badge}`,
    )
  }

  function tellDecision(decision: SeenDecision): void {
    if (verdicts.get(decision.rig) === decision.verdict) return
    verdicts.set(decision.rig, decision.verdict)
    say(
      `verdict      ${decision.rig.padEnd(12)} ${decision.verdict}  (decision ${decision.id}, ${new Date(decision.time_us / 1000).toISOString()})`,
    )
    for (const finding of decision.findings.slice(0, 3))
      if (finding.verdict === 'FAIL' || finding.verdict === 'DRIFT') say(`  why        ${whyFinding(finding)}`)
  }

  function tellReceipt(receipt: SeenReceipt): void {
    const told = decisions.filter(
      (d) => carries(receipt, d) && d.findings.some((f) => f.verdict === 'FAIL' || f.verdict === 'DRIFT'),
    )
    const first = told[0]
    if (first === undefined || verdicts.get(`${first.rig} ${first.verdict} told`) !== undefined) return
    verdicts.set(`${first.rig} ${first.verdict} told`, 'yes')
    say(
      `  evidence   batch ${receipt.batch_seq} of ${receipt.agent} carried decisions ${receipt.first_seq}–${receipt.first_seq + receipt.count - 1} (${receipt.bytes} bytes, ${receipt.identity.slice(0, 16)}…), receipt signed ${new Date(receipt.receipt_us / 1000).toISOString()}`,
    )
  }

  return {
    decisions,
    receipts,
    say,
    async until(fits, withinMs) {
      const endMs = performance.now() + withinMs
      while (performance.now() < endMs) {
        const found = decisions.find((d) => fits(d) && receipts.some((r) => carries(r, d)))
        if (found !== undefined) return found
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      return null
    },
    close: () => socket.close(),
  }
}

function carries(receipt: SeenReceipt, decision: SeenDecision): boolean {
  return (
    receipt.agent === decision.agent &&
    decision.seq >= receipt.first_seq &&
    decision.seq < receipt.first_seq + receipt.count
  )
}
