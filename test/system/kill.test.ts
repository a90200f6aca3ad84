import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { killAll } from '../../scripts/demo/processes.ts'
import { type BenchFolder, createBenchFolder, recordedLoop, runtimeYaml } from '../support/bench-folder.ts'
import { killedRuns, makeRecording, ROWS, undisturbed } from '../support/kill-run.ts'

t.setTimeout(0)

/** A sample of it: two hundred are in the slow lanes. */
const KILLS = 8
const KILLS_REVISING = 3
/** Every so many rows one comes so many rows later than it should: behind the lateness, before a second look is over. */
const LATE_EVERY = 97
const LATE_BY = 60

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

/** The recording with some rows late, taken in by two rigs that look a second time, each on a thread of its own. */
function withLateRows(folder: BenchFolder): void {
  const [head, ...rows] = readFileSync(join(folder.path, 'loop.csv'), 'utf8').trimEnd().split('\n')
  for (let k = 0; k + LATE_BY < rows.length; k += LATE_EVERY) rows.splice(k + LATE_BY, 0, ...rows.splice(k, 1))
  folder.write('loop.csv', `${[head, ...rows].join('\n')}\n`)
  const one = recordedLoop().replace(
    '    sources:',
    '    late_policy: revise\n    revise_within_ms: 1000\n    sources:',
  )
  const rigs = one + one.replace('rig: water-loop', 'rig: twin')
  const threads = 'evaluation: { threads: 2 }\n'
  folder.write('runtime.yaml', runtimeYaml({ clock: 'recording', rigs, extra: threads }))
}

t.test(`two recorded rigs on threads that look a second time, killed ${KILLS_REVISING} times`, async (t) => {
  const folder = await createBenchFolder()
  t.teardown(() => {
    killAll()
    folder.remove()
  })
  await makeRecording(folder)
  withLateRows(folder)
  const reference = await undisturbed(folder)
  t.ok(reference.revisions > 0, `${reference.revisions} revisions`)
  const results = await killedRuns(folder, { kills: KILLS_REVISING, seed: 42, name: 'revising' })
  for (const result of results) {
    t.equal(result.digest, reference.digest, `the digest is the same after ${result.kills} kills`)
    t.equal(result.revisions, reference.revisions, 'and every revision is there once')
  }
  t.comment(
    `counted: kills with two recorded rigs on threads, revising | ${KILLS_REVISING} | digest equal after every one`,
  )
})
