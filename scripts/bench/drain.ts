import { startHb } from '../demo/processes.ts'
import { runLoad, sleep, startBenchAgent } from './agent.ts'
import type { Measure } from './measure.ts'

const POLL_MS = 10
const DRAINED_WITHIN_MS = 60_000
const BATCHES_PER_S = 20

/** How fast an outbox empties when the collector comes back, against how fast it fills. */
export function drain(): Measure[] {
  return [
    {
      names: ['drain_x_line_rate', 'reconnect_ms'],
      what: `an agent without its collector, ${BATCHES_PER_S} batches a second; then the collector starts. Batches receipted a second against batches made a second, while it goes on`,
      run: async ({ short, say }) => {
        const seconds = short ? 15 : 60
        const agent = await startBenchAgent({
          encoding: 'cbor',
          collector: true,
          batchMs: 1000 / BATCHES_PER_S,
          recordMs: 1000 / BATCHES_PER_S,
        })
        const load = runLoad({
          endpoint: agent.endpoint,
          rig: 'bench',
          channels: agent.channels,
          encoding: 'cbor',
          timesPerFrame: 50,
          channelsPerFrame: agent.channels.length,
          samplesPerS: 64_000,
          seconds: seconds + 10,
          firstSeq: 0,
          epoch: 'one',
          lateShare: 0,
          lateMs: 0,
        })
        const waiting = async () => (await agent.metrics()).get('hb_outbox_batches') ?? 0
        await sleep(seconds * 1000)
        const backlog = await waiting()
        const program = startHb('collector', ['collector', '--config', 'collector.yaml'], { folder: agent.folder.path })
        try {
          await program.event('collector_started')
          const startMs = performance.now()
          let first: { atMs: number; batches: number } | null = null
          let left = backlog
          while (left > 1 && performance.now() - startMs < DRAINED_WITHIN_MS) {
            await sleep(POLL_MS)
            const now = await waiting()
            // From the last look before it began: what is receipted between two looks is part of it.
            if (now >= left && (first === null || now >= first.batches))
              first = { atMs: performance.now(), batches: now }
            left = now
          }
          const drainedMs = performance.now() - first!.atMs
          const rate = ((first!.batches - left) * 1000) / drainedMs + BATCHES_PER_S
          say(
            `${first!.batches} batches in ${drainedMs.toFixed(0)} ms, begun ${(first!.atMs - startMs).toFixed(0)} ms after the collector was there`,
          )
          return { drain_x_line_rate: rate / BATCHES_PER_S, reconnect_ms: first!.atMs - startMs }
        } finally {
          await load
          await agent.remove()
          await program.stop()
        }
      },
    },
  ]
}
