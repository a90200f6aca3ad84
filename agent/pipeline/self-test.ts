import { gatesThatFail } from '../core/safety/self-test.ts'

/** What is tried before anything may be armed (SE-37). Each rejects, throws or gives false when it is not well. */
export type SelfTestParts = Readonly<{
  gates?: () => readonly string[]
  clock(): boolean
  /** Journal and ledger take something and it is durable. */
  disk(): Promise<void>
  /** The key of the agent signs, and what it signed verifies. */
  key(): boolean
}>

export type SelfTestPart = 'gates' | 'clock' | 'disk' | 'key'
export type SelfTestResult = Readonly<{ part: SelfTestPart; reason: string }>

/** Tries all of it, whatever fails. @returns what failed and why */
export async function selfTest({ gates = gatesThatFail, clock, disk, key }: SelfTestParts): Promise<SelfTestResult[]> {
  const parts: readonly [SelfTestPart, () => Promise<string>][] = [
    ['gates', async () => gates().slice(0, 3).join('; ')],
    ['clock', async () => (clock() ? '' : 'the wall clock and the time of the agent have parted')],
    ['disk', async () => disk().then(() => '')],
    ['key', async () => (key() ? '' : 'a signature of the agent does not verify')],
  ]
  const failed: SelfTestResult[] = []
  for (const [part, run] of parts) {
    const reason = await run().catch((error: unknown) => (error instanceof Error ? error.message : String(error)))
    if (reason !== '') failed.push({ part, reason })
  }
  return failed
}
