/**
 * The page's only way to the time: the browser's clocks and timers behind one object, as `shared/lib/clock.ts` is for
 * the programs. Monotonic time is in milliseconds since the page was opened and never goes back.
 */
export type PageClock = Readonly<{
  /** Wall time in µs since the epoch, as this browser believes it. */
  nowUs(): number
  monotonicMs(): number
  every(ms: number, run: () => void): () => void
  after(ms: number, run: () => void): () => void
  /** Runs once before the next frame is drawn; a hidden page draws none, and then nothing runs. */
  nextFrame(run: () => void): void
}>

export function createPageClock(): PageClock {
  return {
    nowUs: () => Date.now() * 1000,
    monotonicMs: () => performance.now(),
    every(ms, run) {
      const timer = setInterval(run, ms)
      return () => clearInterval(timer)
    },
    after(ms, run) {
      const timer = setTimeout(run, ms)
      return () => clearTimeout(timer)
    },
    nextFrame(run) {
      requestAnimationFrame(run)
    },
  }
}
