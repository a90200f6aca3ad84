import { sleep, startBenchAgent } from './agent.ts'
import type { Measure } from './measure.ts'

/** How soon an agent is ready, and what it needs while nothing comes. */
export function start(): Measure[] {
  return [
    {
      names: ['agent_ready_ms', 'agent_idle_rss_mb'],
      what: 'a new state folder, one rig of 64 channels, no telemetry; from the start of the process to `agent_started`, median',
      run: async ({ short, say }) => {
        const readyMs: number[] = []
        let rssMb = 0
        for (let k = 0; k < (short ? 3 : 7); k += 1) {
          const agent = await startBenchAgent({ encoding: 'cbor' })
          readyMs.push(agent.readyMs)
          if (k === 0) {
            await sleep(short ? 3_000 : 10_000)
            rssMb = agent.rssMb()
          }
          await agent.remove()
        }
        readyMs.sort((a, b) => a - b)
        say(`ready after ${readyMs.map((ms) => ms.toFixed(0)).join(', ')} ms`)
        return { agent_ready_ms: readyMs[Math.floor(readyMs.length / 2)]!, agent_idle_rss_mb: rssMb }
      },
    },
  ]
}
