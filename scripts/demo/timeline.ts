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
const POLL_MS = 100

/** Follows the collector's live feed and prints what a person wants to know of it. Times are UTC. */
export function followCollector(operators: string): Timeline {
  return new FollowedTimeline(operators)
}

class FollowedTimeline implements Timeline {
  readonly decisions: SeenDecision[] = []
  readonly receipts: SeenReceipt[] = []
  private readonly verdicts = new Map<string, string>()
  private readonly told = new Set<string>()
  private readonly saidMs = new Map<string, number>()
  private readonly socket: WebSocket

  constructor(operators: string) {
    this.socket = new WebSocket(`${operators.replace(/^http/, 'ws')}live`)
    // The collector is stopped before this: its going away is no news.
    this.socket.on('error', () => undefined)
    this.socket.on('message', (data) => this.take(JSON.parse(String(data)) as Json))
  }

  say(text: string): void {
    process.stdout.write(`${new Date().toISOString().slice(11, 21)}  ${text}\n`)
  }

  async until(fits: (decision: SeenDecision) => boolean, withinMs: number): Promise<SeenDecision | null> {
    const endMs = performance.now() + withinMs
    while (performance.now() < endMs) {
      const found = this.decisions.find((d) => fits(d) && this.receipts.some((r) => carries(r, d)))
      if (found !== undefined) return found
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
    return null
  }

  close(): void {
    this.socket.close()
  }

  private take(message: Json): void {
    if (message['type'] === 'vitals') this.tellSamples(message['vitals'] as Json)
    else if (message['type'] === 'decision') this.tellDecision(message['decision'] as SeenDecision)
    else if (message['type'] === 'receipt') this.tellReceipt(message['receipt'] as SeenReceipt)
    else if (message['type'] === 'refusal') this.say(`REFUSED      ${JSON.stringify(message['refusal'])}`)
  }

  private tellSamples(vitals: Json): void {
    const rig = String(vitals['rig'])
    const nowMs = performance.now()
    if (nowMs - (this.saidMs.get(rig) ?? Number.NEGATIVE_INFINITY) < SAMPLES_EVERY_MS) return
    this.saidMs.set(rig, nowMs)
    const { received } = vitals['counters'] as { received: number }
    const channels = (vitals['channels'] as unknown[]).length
    const rate = Math.round(Number(vitals['samples_per_s']))
    const badge = vitals['limits_only'] === true ? '  LIMITS ONLY' : ''
    const counted = `${String(received).padStart(7)} in, ${rate} a second, ${channels} channels`
    this.say(`samples      ${rig.padEnd(12)} ${counted}, ${String(vitals['verdict'])}${badge}`)
  }

  private tellDecision(decision: SeenDecision): void {
    this.decisions.push(decision)
    const { rig, verdict, id } = decision
    if (this.verdicts.get(rig) === verdict) return
    this.verdicts.set(rig, verdict)
    this.say(`verdict      ${rig.padEnd(12)} ${verdict}  (decision ${id}, ${utc(decision.time_us)})`)
    for (const finding of decision.findings.filter(isFlag).slice(0, 3)) this.say(`  why        ${whyFinding(finding)}`)
  }

  /** Tells the batch that carried the first decision of a kind, not of every one. */
  private tellReceipt(receipt: SeenReceipt): void {
    this.receipts.push(receipt)
    const first = this.decisions.find((d) => carries(receipt, d) && d.findings.some(isFlag))
    if (first === undefined || this.told.has(`${first.rig} ${first.verdict}`)) return
    this.told.add(`${first.rig} ${first.verdict}`)
    const { batch_seq: seq, agent, first_seq: from, count, bytes, identity } = receipt
    const batch = `batch ${seq} of ${agent} carried decisions ${from}–${from + count - 1}`
    this.say(
      `  evidence   ${batch} (${bytes} bytes, ${identity.slice(0, 16)}…), receipt signed ${utc(receipt.receipt_us)}`,
    )
  }
}

function isFlag(finding: FindingJson): boolean {
  return finding.verdict === 'FAIL' || finding.verdict === 'DRIFT'
}

function utc(us: number): string {
  return new Date(us / 1000).toISOString()
}

function carries(receipt: SeenReceipt, decision: SeenDecision): boolean {
  return (
    receipt.agent === decision.agent &&
    decision.seq >= receipt.first_seq &&
    decision.seq < receipt.first_seq + receipt.count
  )
}
