import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { systemFiles } from '../../agent/adapters/files.ts'
import { openLedger } from '../../agent/adapters/sqlite-ledger.ts'
import type { ActionLedger } from '../../agent/pipeline/action-ledger.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { actionHistory, WHOLE_WAY } from '../../test/support/action-changes.ts'
import { ROOT } from '../sources.ts'
import type { Measure } from './measure.ts'

/** Actions that are under way at a time. */
const ABREAST = 64
/** States of an action that are not waited for together: everything else follows one that was durable. */
const STEPS = WHOLE_WAY.length

/** Whole actions through the ledger, every state durable before the next one of the same action. */
export function ledger(): Measure[] {
  return [
    {
      names: ['ledger_actions_per_s'],
      what: `actions of ${STEPS} states through the ledger, ${ABREAST} at a time, each state fsynced before the next of its action`,
      run: async ({ short, say }) => {
        // Beside the sources and not in a folder that may be memory: what is measured is a disk.
        const folder = mkdtempSync(join(ROOT, '.bench-ledger-'))
        try {
          const { ledger } = await openLedger({ files: systemFiles, folder, clock: systemClock() })
          const rate = await rateOf(ledger, short ? 2_000 : 8_000)
          const { groups, transitions } = ledger.counts()
          say(`${groups} transactions; ${transitions} transitions are kept`)
          await ledger.close()
          return { ledger_actions_per_s: rate }
        } finally {
          rmSync(folder, { recursive: true })
        }
      },
    },
  ]
}

async function rateOf(ledger: ActionLedger, actions: number): Promise<number> {
  const startMs = performance.now()
  let next = 0
  const lane = async (): Promise<void> => {
    for (; next < actions; ) {
      next += 1
      for (const change of actionHistory(WHOLE_WAY, { key: `action ${next}` })) await ledger.record([change])
    }
  }
  await Promise.all(Array.from({ length: ABREAST }, lane))
  return (actions * 1000) / (performance.now() - startMs)
}
