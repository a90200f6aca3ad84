import t from 'tap'
import { killAll } from '../../scripts/demo/processes.ts'
import { createBenchFolder } from '../support/bench-folder.ts'
import { killedRuns, makeRecording, ROWS, undisturbed } from '../support/kill-run.ts'

const KILLS = 20

t.test(`an agent killed ${KILLS} times at random moments decides what an undisturbed one decides`, async (t) => {
  const folder = await createBenchFolder()
  t.teardown(() => {
    killAll()
    folder.remove()
  })
  await makeRecording(folder)
  const reference = await undisturbed(folder)
  t.equal(reference.frames, ROWS, 'the undisturbed run journaled every row once')
  const results = await killedRuns(folder, { kills: KILLS, seed: 20_261_123, name: 'killed' })
  t.equal(
    results.reduce((sum, r) => sum + r.kills, 0),
    KILLS,
  )
  for (const result of results) {
    t.equal(result.digest, reference.digest, `the digest is the same after ${result.kills} kills`)
    t.equal(result.frames, ROWS, 'every row was journaled exactly once')
    t.equal(result.decisions, reference.decisions)
  }
  t.comment(`counted: kills of the agent, short | ${KILLS} | digest equal after every one`)
})
