import type { PageClock } from './page-clock.ts'

/** Delays before trying again: doubling from a quarter of a second to five, each shortened by up to a third at random. */
const RETRY_FIRST_MS = 250
const RETRY_MAX_MS = 5_000
const RETRY_JITTER_RATIO = 1 / 3
/** An open socket on which nothing comes is given up after this: a cable that was pulled closes nothing. */
const SILENCE_MAX_MS = 6_000
/** Text longer than this is not parsed: a fleet of 300 rigs with 20 channels is about a tenth of it. */
const MESSAGE_CHARS_MAX = 32 * 1024 * 1024

export type LinkState = Readonly<{
  phase: 'connecting' | 'open' | 'waiting'
  attempts: number
  nextTryMs: number | null
}>

export type Link = Readonly<{ state(): LinkState; stop(): void }>

type LinkOptions = Readonly<{ url: string; clock: PageClock; onMessage(message: unknown): void; onChange(): void }>

/**
 * Holds the live feed open: connects, gives every message to `onMessage`, and connects again for ever with growing
 * delays. A message that is not JSON is given on as `undefined`, so that it is counted where everything is counted.
 */
export function openLink({ url, clock, onMessage, onChange }: LinkOptions): Link {
  let socket: WebSocket | undefined
  let stopped = false
  let heardMs = clock.monotonicMs()
  let state: LinkState = { phase: 'connecting', attempts: 0, nextTryMs: null }
  let cancelRetry = () => {}

  const become = (next: LinkState) => {
    state = next
    onChange()
  }
  const connect = () => {
    if (stopped) return
    become({ phase: 'connecting', attempts: state.attempts + 1, nextTryMs: null })
    const mine = new WebSocket(url)
    socket = mine
    heardMs = clock.monotonicMs()
    mine.onmessage = (event) => {
      if (socket !== mine) return
      heardMs = clock.monotonicMs()
      if (state.phase !== 'open' || state.attempts !== 0) become({ phase: 'open', attempts: 0, nextTryMs: null })
      onMessage(parse(event.data))
    }
    mine.onopen = () => {
      if (socket === mine) become({ ...state, phase: 'open' })
    }
    mine.onclose = () => lost(mine)
  }
  const lost = (which: WebSocket) => {
    if (stopped || socket !== which) return
    socket = undefined
    const delayMs = retryDelayMs(state.attempts)
    become({ phase: 'waiting', attempts: state.attempts, nextTryMs: clock.monotonicMs() + delayMs })
    cancelRetry = clock.after(delayMs, connect)
  }
  const cancelWatch = clock.every(1000, () => {
    const mine = socket
    if (mine === undefined || clock.monotonicMs() - heardMs < SILENCE_MAX_MS) return
    mine.close()
    lost(mine)
  })

  connect()
  return {
    state: () => state,
    stop() {
      stopped = true
      cancelRetry()
      cancelWatch()
      socket?.close()
    },
  }
}

function retryDelayMs(attempts: number): number {
  const whole = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(10, Math.max(0, attempts - 1)))
  return whole * (1 - RETRY_JITTER_RATIO * Math.random())
}

function parse(data: unknown): unknown {
  if (typeof data !== 'string' || data.length > MESSAGE_CHARS_MAX) return undefined
  try {
    return JSON.parse(data)
  } catch {
    // Not JSON: the caller counts it, there is nothing else to be done about it here.
    return undefined
  }
}
