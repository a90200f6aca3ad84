import { createHash } from 'node:crypto'
import { createServer } from 'node:net'
import type { ScenarioRow } from '../core/scenario.ts'

const LOOPBACK = '127.0.0.1'
/** Below those that systems give to whoever asks for any (from 32768 on Linux). */
const FIRST = 20_000
const COUNT = 12_000

/**
 * Port for a part of the run of a row, the same in every run of it: it stands in the configuration of the agent, whose digest
 * is in every decision.
 */
export function portOf({ id, row }: Pick<ScenarioRow, 'id' | 'row'>, part: 'collector' | 'broker'): number {
  const digest = createHash('sha256')
    .update(JSON.stringify([id, row, part]))
    .digest()
  return FIRST + (digest.readUInt32BE(0) % COUNT)
}

/** Says that the port of a row is somebody else's, and that its digest will not be that of other runs. */
export function takenNote(part: string, wanted: number): string {
  return `port ${wanted} of the ${part} is taken: the configuration, and with it the digest, is that of this run alone`
}

/** The port that is wanted, or any that is free; it is not held. */
export async function freePort(wanted: number): Promise<number> {
  return (await tried(wanted)) ?? (await tried(0)) ?? 0
}

function tried(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer().on('error', () => resolve(null))
    server.listen(port, LOOPBACK, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : null))
    })
  })
}
