import t from 'tap'
import { killAll } from '../../scripts/demo/processes.ts'
import { createBenchFolder } from '../support/bench-folder.ts'
import { custodyUnderKills } from '../support/collector-kills.ts'
import { makeRecording } from '../support/kill-run.ts'

const KILLS = 8

t.test('a collector and an agent killed at random moments: every decision arrives once, in order', async (t) => {
  const folder = await createBenchFolder()
  t.teardown(() => {
    killAll()
    folder.remove()
  })
  await makeRecording(folder)
  const custody = await custodyUnderKills(folder, { kills: KILLS, seed: 7, agentToo: true })
  t.equal(custody.firstGap, null)
  t.ok(custody.batches > 0)
  t.equal(custody.receipted, custody.batches, 'the collector holds every batch')
  t.equal(custody.covered, custody.decisions, 'and they cover every decision exactly once')
  t.comment(`counted: kills of agent and collector | ${KILLS} | ${custody.decisions} decisions there exactly once`)
  t.equal(custody.refusals, 0, 'nothing was refused: killing is no equivocation')
})
