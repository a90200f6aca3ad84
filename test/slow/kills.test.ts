import t from 'tap'
import { killAll } from '../../scripts/demo/processes.ts'
import { createBenchFolder } from '../support/bench-folder.ts'
import { custodyUnderKills } from '../support/collector-kills.ts'
import { killedRuns, makeRecording, ROWS, undisturbed } from '../support/kill-run.ts'

const LANES = 2
const KILLS_A_LANE = 100
const COLLECTOR_KILLS = 30

t.test(`${LANES * KILLS_A_LANE} kills at random moments in ${LANES} lanes`, async (t) => {
  const folder = await createBenchFolder()
  t.teardown(() => {
    killAll()
    folder.remove()
  })
  await makeRecording(folder)
  const reference = await undisturbed(folder)
  const lanes = Array.from({ length: LANES }, (_, lane) =>
    killedRuns(folder, { kills: KILLS_A_LANE, seed: 1000 + lane, name: `lane-${lane}` }),
  )
  const results = (await Promise.all(lanes)).flat()
  t.equal(
    results.reduce((sum, r) => sum + r.kills, 0),
    LANES * KILLS_A_LANE,
  )
  t.same(
    results.filter((r) => r.digest !== reference.digest || r.frames !== ROWS || r.decisions !== reference.decisions),
    [],
    'every run has the digest of the undisturbed one',
  )
  t.comment(
    `counted: kills of the agent | ${results.reduce((sum, r) => sum + r.kills, 0)} | digest equal after every one`,
  )
})

t.test(`a collector killed ${COLLECTOR_KILLS} times`, async (t) => {
  const folder = await createBenchFolder()
  t.teardown(() => {
    killAll()
    folder.remove()
  })
  await makeRecording(folder)
  const custody = await custodyUnderKills(folder, { kills: COLLECTOR_KILLS, seed: 99, agentToo: false })
  t.match(custody, { firstGap: null, refusals: 0, receipted: custody.batches, covered: custody.decisions })
  t.comment(`counted: kills of the collector | ${COLLECTOR_KILLS} | ${custody.decisions} decisions there exactly once`)
})
