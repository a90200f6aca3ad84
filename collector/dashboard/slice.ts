import type { PageClock } from './page-clock.ts'
import { fieldsOf, parseSlice, textOf } from './wire.ts'

/** The agent may be slow, away, or answer never: asked again this often, and given up after this many times. */
const ASK_EVERY_MS = 1000
const ASK_TIMES_MAX = 20

export type SliceChannel = Readonly<{ channel: string; unit: string; timeS: number[]; value: (number | null)[] }>
/** How the raw samples of a decision stand. */
export type SliceState =
  | Readonly<{ phase: 'asking'; note: string }>
  | Readonly<{ phase: 'there'; channels: readonly SliceChannel[] }>
  | Readonly<{ phase: 'none'; note: string }>

/** Fetches the raw samples around a decision; they come from the agent by way of the collector. @returns stops it */
export function fetchSlice(decision: string, clock: PageClock, tell: (state: SliceState) => void): () => void {
  let stopped = false
  let cancel = (): void => {}
  const say = (state: SliceState): void => {
    if (!stopped) tell(state)
  }
  const ask = async (times: number): Promise<void> => {
    const answer = await fetch(`api/slices/${encodeURIComponent(decision)}`).catch(() => null)
    if (stopped) return
    if (answer?.status === 200) say(readSlice(await answer.json().catch(() => null)))
    else if (answer !== null && answer.status !== 202) say({ phase: 'none', note: await reasonOf(answer) })
    else if (times >= ASK_TIMES_MAX) say({ phase: 'none', note: 'the agent did not answer; it may be away' })
    else {
      say({ phase: 'asking', note: answer === null ? 'the collector cannot be reached' : 'asked for from the agent' })
      cancel = clock.after(ASK_EVERY_MS, () => void ask(times + 1))
    }
  }
  void ask(1)
  return () => {
    stopped = true
    cancel()
  }
}

async function reasonOf(answer: Response): Promise<string> {
  const fields = fieldsOf(await answer.json().catch(() => null))
  return (
    textOf(fields?.['detail']) ||
    textOf(fields?.['message']) ||
    textOf(fields?.['code']) ||
    `the collector answered ${answer.status}`
  )
}

function readSlice(value: unknown): SliceState {
  const channels = (parseSlice(value)?.channels ?? []).map((c) => ({
    channel: c.channel,
    unit: c.unit,
    timeS: c.t_us.map((us) => us / 1_000_000),
    value: [...c.value],
  }))
  return channels.length === 0
    ? { phase: 'none', note: 'the agent has no samples of that time any more' }
    : { phase: 'there', channels }
}
