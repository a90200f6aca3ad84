import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { hbEnded } from '../support/hb-ended.ts'
import { changed, LOOP_ACTIONS } from '../support/policy-texts.ts'
import { recordLoop, writeLoop } from '../support/recorded-loop.ts'

t.test(
  'hb policy test says what would have been done and what was, and ends with 10 when that is too often',
  async (t) => {
    const folder = t.testdir({})
    const config = writeLoop(folder)
    await recordLoop(config, join(folder, 'recorded'), { seconds: 8, faultS: 3, armed: true })
    const hb = (...args: string[]) => hbEnded(['policy', 'test', '--journal', 'recorded', ...args], folder)

    const told = await hb()
    t.equal(told.code, 0, told.stderr)
    t.match(told.stdout, /^pressure-loop\/over-pressure +shutdown pump +1 +0 +1 +\d+\.\d\d +0\.1$/m)
    t.match(
      told.stdout,
      /^would have done:\n {2}\S+.* pressure-loop\/over-pressure {2}shutdown pump {2}a=TRUE b=TRUE c=TRUE$/m,
    )
    t.match(told.stdout, /^did, when it was recorded:\n.*over-pressure {2}shutdown pump: VERIFIED$/m)
    t.match(told.stdout, 'pressure-loop: 159 slides, 0.002 h; FAIL in 0 slides, 0 times unanswered')

    writeFileSync(
      join(folder, 'loop.actions.yaml'),
      changed(LOOP_ACTIONS, 'expected_per_hour: 0.1', 'expected_per_hour: 0'),
    )
    const often = await hb('--config', 'runtime.yaml')
    t.equal(often.code, 10)
    t.match(often.stdout, 'pressure-loop/over-pressure comes more often than expected: 1 times, 0 at most')
    const json = await hb('--config', 'runtime.yaml', '--json', '--rig', 'pressure-loop')
    t.equal(json.code, 10)
    t.match(JSON.parse(json.stdout), {
      ok: false,
      rigs: [{ rig: 'pressure-loop', slides: 159, fail_slides: 0, missed: 0 }],
      rules: [
        { rule: 'over-pressure', would: 1, denied: 0, did: 1, expected_per_hour: 0, allowed: 0, broken: true },
        { rule: 'high-pressure', would: 1, expected_per_hour: null },
      ],
      would_have_done: [{ rule: 'over-pressure', t_us: 1_800_000_004_350_000 }, { rule: 'high-pressure' }],
      denied: [],
      did: [
        { rule: 'over-pressure', state: 'VERIFIED' },
        { rule: 'high-pressure', state: 'VERIFIED' },
      ],
      misses: [],
    })
    t.equal((await hb('--rig', 'presure-loop')).code, 64)
  },
)

t.test('a journal in which nothing was evaluated tests nothing, and says so with its exit code', async (t) => {
  const folder = t.testdir({})
  const config = writeLoop(folder)
  await recordLoop(config, join(folder, 'recorded'), { seconds: 0, faultS: null, armed: false })
  const { code, stdout } = await hbEnded(['policy', 'test', '--journal', 'recorded'], folder)
  t.equal(code, 30)
  t.match(stdout, 'pressure-loop: 0 slides')
  writeFileSync(
    join(folder, 'bare.yaml'),
    changed(readFileSync(config, 'utf8'), '    actions_policy_file: loop.actions.yaml\n', ''),
  )
  const bare = await hbEnded(['policy', 'test', '--journal', 'recorded', '--config', 'bare.yaml'], folder)
  t.equal(bare.code, 78)
  t.match(bare.stderr, 'POLICY_MISSING')
  t.equal((await hbEnded(['policy', 'test', '--journal', 'nowhere'], folder)).code, 66)
})
