import { request } from 'node:http'
import type { DemoAgent, DemoFolder } from './folder.ts'
import { runHb } from './processes.ts'

export type CheckResult = Readonly<{ name: string; ok: boolean; detail: string }>

type Counters = Readonly<{
  received: number
  evaluated: number
  late: number
  duplicate: number
  rejected: number
  shed: number
  pending: number
}>
export type AgentStatus = Readonly<{
  decision_seq: number
  not_journaled: number
  rigs: readonly Readonly<{ rig: string; counters: Counters }>[]
}>
type ListedDecision = Readonly<{
  seq: number
  rig: string
  time_us: number
  verdict: string
  findings: readonly Readonly<{ channel: string; verdict: string }>[]
}>

/** Verdicts that flag something. NO_TEST and NO_BASELINE say that nothing is known, which is not a flag. */
const FLAGS = ['FAIL', 'PASS_WITH_DRIFT']
/** Times before the fault at which samples may come too late to say anything: a busy machine stalls. */
const UNKNOWN_SPELLS_MAX = 3
/** A slice is asked for this often before it counts as missing. */
const SLICE_TRIES = 50
const SLICE_POLL_MS = 200

export async function statusOf(port: number): Promise<AgentStatus> {
  return JSON.parse(await fetchText(`http://127.0.0.1:${port}/ready`)) as AgentStatus
}

export function checkLedger(agent: DemoAgent, status: AgentStatus): CheckResult {
  const lines = status.rigs.map(({ rig, counters: c }) => {
    const accounted = c.evaluated + c.late + c.duplicate + c.rejected + c.shed + c.pending
    return {
      rig,
      ok: c.received > 0 && accounted === c.received,
      text: `${rig}: ${c.received} received = ${c.evaluated} evaluated + ${c.late} late + ${c.duplicate} duplicate + ${c.rejected} rejected + ${c.shed} shed + ${c.pending} pending`,
    }
  })
  return {
    name: `loss ledger of ${agent} balances`,
    ok: lines.every(({ ok }) => ok) && status.not_journaled === 0,
    detail: lines.map(({ text }) => text).join('; '),
  }
}

/** From the journal itself, not from what was shown: the fault was flagged on its channel, and nothing before it. */
export async function checkFault(
  { path }: DemoFolder,
  { rig, channel, faultUs }: { rig: string; channel: string; faultUs: number },
): Promise<CheckResult[]> {
  const { decisions } = JSON.parse(
    await runHb(['decisions', 'list', '--state', 'bench-1', '--rig', rig, '--limit', '10000', '--json'], path),
  ) as { decisions: ListedDecision[] }
  const flagged = decisions.filter((d) => FLAGS.includes(d.verdict))
  const before = flagged.filter((d) => d.time_us <= faultUs)
  const first = flagged.find((d) => d.time_us > faultUs)
  const passUs = decisions.find((d) => d.verdict === 'PASS')?.time_us ?? Number.POSITIVE_INFINITY
  // Not a flag, but no monitoring either: a machine that stalls now and then is told of, one that does nothing else fails.
  const unknown = decisions.filter((d) => d.verdict.startsWith('NO_') && d.time_us > passUs && d.time_us <= faultUs)
  return [
    {
      name: 'fault flagged on the right channel',
      ok: first !== undefined && first.findings[0]?.channel === channel,
      detail:
        first === undefined
          ? 'never flagged'
          : `${first.verdict} ${((first.time_us - faultUs) / 1000).toFixed(0)} ms after the valve began to close, first driver ${first.findings[0]?.channel ?? '(none)'}`,
    },
    {
      name: `nothing flagged on ${rig} before it`,
      ok: passUs < faultUs && before.length === 0 && unknown.length <= UNKNOWN_SPELLS_MAX,
      detail:
        before.length === 0
          ? `PASS for ${((faultUs - passUs) / 1_000_000).toFixed(1)} s, interrupted ${unknown.length} times by nothing being known`
          : before.map((d) => `${d.verdict} in decision ${d.seq}: ${d.findings[0]?.channel ?? ''}`).join('; '),
    },
  ]
}

/** Every batch in the outbox has a receipt, and the collector has each of them with the same identity. */
export async function checkBatches({ path }: DemoFolder, agent: DemoAgent, operators: string): Promise<CheckResult> {
  const state = JSON.parse(await runHb(['journal', 'verify', '--state', agent, '--json'], path)) as {
    ok: boolean
    batches: number
    receipted_through: number
  }
  let held = 0
  for (let seq = 1; seq <= state.batches; seq += 1)
    if ((await fetchStatus(`${operators}api/batches/${agent}/1/${seq}`)) === 200) held += 1
  const ok = state.ok && state.batches > 0 && state.receipted_through === state.batches && held === state.batches
  return {
    name: `every batch of ${agent} verified and receipted`,
    ok,
    detail: `${state.batches} batches, ${state.receipted_through} receipted, ${held} verified and held by the collector`,
  }
}

type SliceAnswer = Readonly<{ channels?: readonly Readonly<{ channel: string; value: readonly unknown[] }>[] }>

/** The raw samples a finding was made from come from the agent's journal, by way of the collector. */
export async function checkSlice(
  operators: string,
  { decision, channel }: { decision: string; channel: string },
): Promise<CheckResult> {
  const name = 'raw samples around the finding'
  for (let tries = 0; tries < SLICE_TRIES; tries += 1) {
    const { status, text } = await fetchAnswer(`${operators}api/slices/${decision}`)
    if (status === 200) {
      const found = (JSON.parse(text) as SliceAnswer).channels?.find((c) => c.channel === channel)
      return {
        name,
        ok: (found?.value.length ?? 0) > 0,
        detail: `${found?.value.length ?? 0} samples of ${channel} from the agent`,
      }
    }
    if (status !== 202) return { name, ok: false, detail: `the collector answered ${status}` }
    await new Promise((resolve) => setTimeout(resolve, SLICE_POLL_MS))
  }
  return { name, ok: false, detail: 'the agent did not answer' }
}

export async function checkReplay({ path }: DemoFolder, agent: DemoAgent): Promise<CheckResult> {
  const name = `replay of ${agent} is byte-equal`
  try {
    const result = JSON.parse(await runHb(['replay', '--state', agent, '--json'], path)) as {
      equal: boolean
      compared: number
      unsigned: number
      batches: number
      digest: string
    }
    return {
      name,
      ok: result.equal && result.compared > 0 && result.unsigned === 0,
      detail: `${result.compared} decisions of ${result.batches} batches, ${result.unsigned} unsigned, digest ${result.digest.slice(0, 16)}…`,
    }
  } catch (error) {
    return { name, ok: false, detail: (error as Error).message.split('\n').slice(0, 4).join(' ') }
  }
}

async function fetchText(url: string): Promise<string> {
  return (await fetchAnswer(url)).text
}

async function fetchStatus(url: string): Promise<number> {
  return (await fetchAnswer(url)).status
}

function fetchAnswer(url: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    request(url, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }),
      )
    })
      .on('error', reject)
      .end()
  })
}
