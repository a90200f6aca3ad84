import { type AgentOrder, type BenchAgent, L64_CHANNELS, L64_LATE, runLoad, sleep, startBenchAgent } from './agent.ts'
import type { LoadOrder, LoadReport } from './load.ts'
import type { Measure } from './measure.ts'

/** One shape of load, and the rate the search begins with. */
type Shape = Readonly<{
  name: string
  what: string
  agent: AgentOrder
  load: Pick<LoadOrder, 'encoding' | 'timesPerFrame' | 'channelsPerFrame' | 'lateShare' | 'lateMs'>
  beginWith: number
}>

const SHAPES: readonly Shape[] = [
  {
    name: 'agent_frame_samples_per_s',
    what: 'frames of 3 200 samples (64 channels × 50 times), 5 % of them up to 20 ms late',
    agent: { encoding: 'cbor' },
    load: { encoding: 'cbor', timesPerFrame: 50, channelsPerFrame: L64_CHANNELS, ...L64_LATE },
    beginWith: 10_000_000,
  },
  {
    name: 'agent_small_frame_samples_per_s',
    what: 'frames of 50 samples of one channel, 64 channels in turn, 5 % of them up to 20 ms late',
    agent: { encoding: 'cbor' },
    load: { encoding: 'cbor', timesPerFrame: 50, channelsPerFrame: 1, ...L64_LATE },
    beginWith: 2_000_000,
  },
  {
    name: 'agent_json_msgs_per_s',
    what: 'JSON, one sample a message, 64 channels in turn',
    agent: { encoding: 'json' },
    load: { encoding: 'json', timesPerFrame: 1, channelsPerFrame: 1, lateShare: 0, lateMs: 0 },
    beginWith: 120_000,
  },
]

/** The offered rate changes by this factor from trial to trial, at most this often; then the last step is halved so often. */
const FACTOR = 1.25
const TRIALS_MAX = 12
const HALVINGS = 2
/** Below this share of what was asked of it, the load itself is the limit. */
const OFFERED_SHARE = 0.97
/** What was sent must be decided and signed on disk this soon after the last of it. */
const SIGNED_WITHIN_MS = 3_000
const POLL_MS = 50

/**
 * The highest rate at which an agent still takes everything: nothing lost, nothing too late, nothing shed, and all of it
 * in signed batches on disk soon after the end. Rates are tried upwards from the bound, or downwards when that fails, then
 * between the last two.
 */
export function throughput(): Measure[] {
  return SHAPES.map((shape) => ({
    names: [shape.name],
    what: shape.what,
    run: async ({ short, say }) => ({ [shape.name]: await highestRate(shape, short ? 2 : 4, say) }),
  }))
}

async function highestRate(shape: Shape, seconds: number, say: (text: string) => void): Promise<number> {
  const agent = await startBenchAgent(shape.agent)
  try {
    let nextSeq = 0
    const trial = async (samplesPerS: number): Promise<Held | null> => {
      const report = await runLoad({
        endpoint: agent.endpoint,
        rig: 'bench',
        channels: agent.channels,
        samplesPerS,
        seconds,
        firstSeq: nextSeq,
        epoch: 'one',
        ...shape.load,
      })
      nextSeq = report.nextSeq
      const verdict = await settled(agent, report, totals)
      totals = verdict.totals
      const rate = report.samples / report.seconds
      const short = rate < OFFERED_SHARE * samplesPerS ? ', all that the load could send' : ''
      say(`${format(samplesPerS)}/s offered: ${verdict.why ?? `held at ${format(rate)}/s${short}`}`)
      return verdict.why === null ? { rate, more: short === '' } : null
    }
    let totals = countsOf(await agent.metrics())
    // Compiled code and caches first: an agent is measured as it runs after its first seconds.
    await trial(shape.beginWith / 4)
    return await search(trial, shape.beginWith)
  } finally {
    await agent.remove()
  }
}

/** A rate that was held, and whether the load could have sent more. */
type Held = Readonly<{ rate: number; more: boolean }>

/**
 * Coarse steps until one is held and the next is not, then finer ones between the two. A rate has failed when it failed
 * twice: what the machine does beside the bench makes a trial fail, and never makes one succeed.
 */
async function search(trial: (rate: number) => Promise<Held | null>, begin: number): Promise<number> {
  const twice = async (rate: number) => (await trial(rate)) ?? (await trial(rate))
  let held = await twice(begin)
  const up = held !== null
  let best = held?.rate ?? 0
  let low = up ? begin : 0
  let high = up ? Number.POSITIVE_INFINITY : begin
  for (let k = 0, rate = begin; k < TRIALS_MAX && (up ? held?.more === true : held === null); k += 1) {
    rate = up ? rate * FACTOR : rate / FACTOR
    held = await twice(rate)
    best = Math.max(best, held?.rate ?? 0)
    if (held === null) high = rate
    else low = rate
  }
  for (let k = 0; k < HALVINGS && low > 0 && high < Number.POSITIVE_INFINITY; k += 1) {
    const rate = Math.sqrt(low * high)
    held = await twice(rate)
    best = Math.max(best, held?.rate ?? 0)
    if (held === null) high = rate
    else low = rate
  }
  return best
}

type Totals = Readonly<{ received: number; bad: ReadonlyMap<string, number> }>

const BAD = ['late', 'duplicate', 'rejected', 'shed'] as const

function countsOf(metrics: ReadonlyMap<string, number>): Totals {
  const bad = new Map<string, number>(
    BAD.map((outcome) => [outcome, metrics.get(`hb_samples_total{rig="bench",outcome="${outcome}"}`) ?? 0]),
  )
  bad.set('missing frames', metrics.get('hb_frames_missing{rig="bench"}') ?? 0)
  bad.set('not journaled', metrics.get('hb_not_journaled_total') ?? 0)
  return { received: metrics.get('hb_samples_received_total{rig="bench"}') ?? 0, bad }
}

/** Waits until all that was sent is decided and signed. @returns why it was not, or null */
async function settled(
  agent: BenchAgent,
  report: LoadReport,
  before: Totals,
): Promise<{ why: string | null; totals: Totals }> {
  const wanted = before.received + report.samples
  const untilMs = performance.now() + SIGNED_WITHIN_MS
  let totals = before
  let decided: number | null = null
  let signed = false
  while (performance.now() < untilMs && !signed) {
    await sleep(POLL_MS)
    const metrics = await agent.metrics()
    totals = countsOf(metrics)
    if (totals.received < wanted) continue
    decided ??= metrics.get('hb_decision_seq') ?? null
    // Decisions of equal slides stay in an open range; all but it is on disk.
    signed = decided !== null && (metrics.get('hb_signed_seq') ?? 0) > 0
  }
  const losses = [...totals.bad].filter(([name, n]) => n > before.bad.get(name)!)
  const lost = losses.map(([name, n]) => `${n - before.bad.get(name)!} ${name}`).join(', ')
  const why =
    lost !== ''
      ? lost
      : totals.received < wanted
        ? `${wanted - totals.received} samples not taken ${SIGNED_WITHIN_MS / 1000} s after the end`
        : signed
          ? null
          : 'not signed in time'
  return { why, totals }
}

export function format(n: number): string {
  return n >= 1e6 ? `${(n / 1e6).toFixed(2)} M` : n >= 1e3 ? `${(n / 1e3).toFixed(1)} k` : n.toFixed(1)
}
