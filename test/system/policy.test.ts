import { join } from 'node:path'
import t from 'tap'
import { hbEnded } from '../support/hb-ended.ts'
import { changed, LOOP_ACTIONS, LOOP_REGISTRY, LOOP_RUNTIME } from '../support/policy-texts.ts'

const hb = (folder: string, ...args: string[]) => hbEnded(args, folder)

function loopFolder(t: { testdir(files: Record<string, string>): string }, actions = LOOP_ACTIONS): string {
  return t.testdir({ 'runtime.yaml': LOOP_RUNTIME, 'loop.registry.yaml': LOOP_REGISTRY, 'loop.actions.yaml': actions })
}

// verifies SE-29
t.test('hb policy lint says that nothing is wrong, and adds up what a reaction takes', async (t) => {
  const folder = loopFolder(t)
  const { code, stdout } = await hb(folder, 'policy', 'lint')
  t.equal(code, 0)
  t.match(stdout, 'pressure-loop/over-pressure: shutdown pump, at worst 1276 ms of 1300 ms (half of ftti_ms 2600)')
  t.match(stdout, /^ {2}fsync_p99 +20 ms +assumed/m)
  t.match(stdout, 'runtime.yaml: 0 mistakes, 0 errors, 0 warnings')
  const json = await hb(folder, 'policy', 'lint', '--json', '--rig', 'pressure-loop', '--fsync-p99-ms', '2.5')
  t.equal(json.code, 0)
  const said = JSON.parse(json.stdout)
  t.match(said, { ok: true, mistakes: 0, errors: 0, warnings: 0, findings: [], rigs: [{ rig: 'pressure-loop' }] })
  const [{ budgets, vote, needs }] = said.rigs[0].rules
  t.match(budgets[0], { ftti_us: 2_600_000, allowed_us: 1_300_000, total_us: 1_258_500 })
  const terms = budgets[0].terms as { name: string }[]
  t.match(
    terms.find(({ name }) => name === 'fsync_p99'),
    { name: 'fsync_p99', us: 2500, basis: 'measured' },
  )
  t.match({ vote, needs }, { vote: '2oo3', needs: { conditions: 2, of: 3, least_us: 50_000 } })
})

// verifies SE-06, SE-29
t.test('what refuses a policy is listed with its place and ends with 65; no agent takes it', async (t) => {
  const slow = changed(LOOP_ACTIONS, 'ftti_ms: 2600', 'ftti_ms: 2000')
  const dependent = changed(slow, 'id: c, metric: p_c', 'id: c, metric: p_b')
  const folder = loopFolder(t, dependent)
  const { code, stdout } = await hb(folder, 'policy', 'lint')
  t.equal(code, 65)
  t.match(
    stdout,
    /loop\.actions\.yaml:\d+:\d+ {2}rules\[0\]\.conditions\[2\]\n.*not independent of `b`: leaf:pt-102.*\(error, not_independent, SE-06\)/,
  )
  t.match(stdout, /\(error, reaction_budget, SE-29\)/)
  t.match(stdout, 'runtime.yaml: 0 mistakes, 2 errors, 0 warnings')
  const check = await hb(folder, 'config', 'check', 'runtime.yaml', '--json')
  t.equal(check.code, 78)
  t.match(check.stderr + check.stdout, /reaction_budget, SE-29/)
  t.match(check.stderr + check.stdout, /not_independent, SE-06/)
  const wrong = loopFolder(t, changed(dependent, 'vote: 1ooN', 'vote: 1of2'))
  const json = await hb(wrong, 'policy', 'lint', '--json')
  t.equal(json.code, 65)
  t.match(JSON.parse(json.stdout), {
    ok: false,
    mistakes: 1,
    findings: [{ rule: 'mistake', key: 'rules[1].vote', line: Number }],
  })
})

t.test(
  'hb policy explain says a rule as a sentence, and which rules there are to one that asks for another',
  async (t) => {
    const folder = loopFolder(t)
    const { code, stdout } = await hb(folder, 'policy', 'explain', 'over-pressure')
    t.equal(code, 0)
    t.match(
      stdout,
      /^In mode nominal, .* the agent shall shut down pump within 1276 ms; it is seen by mean of flow over 250 ms < 1 l\/min within 1500 ms/,
    )
    t.match(stdout, /\nvote: two of three conditions must agree \(2oo3\)/)
    const json = await hb(folder, 'policy', 'explain', 'high-pressure', '--json')
    t.match(JSON.parse(json.stdout), {
      rules: [{ rig: 'pressure-loop', rule: 'high-pressure', vote: '1ooN', sentence: /^In mode startup/ }],
    })
    const other = await hb(folder, 'policy', 'explain', 'over-presure')
    t.equal(other.code, 64)
    t.match(other.stderr, 'did you mean `over-pressure`?')
    t.equal((await hb(folder, 'policy', 'lint', '--rig', 'presure-loop')).code, 64)
    t.equal((await hb(folder, 'policy', 'lint', '--gate-p99-ms', 'fast')).code, 64)
    t.equal((await hb(folder, 'policy', 'lint', '--config', join(folder, 'nothing.yaml'))).code, 66)
  },
)

t.test('a trap does not refuse a policy, and hb config check tells it', async (t) => {
  const folder = loopFolder(t, LOOP_ACTIONS.slice(0, LOOP_ACTIONS.indexOf('budgets:')))
  const { code, stdout } = await hb(folder, 'policy', 'lint')
  t.equal(code, 0)
  t.match(stdout, /\(warning, no_budget, SE-19\)/)
  // Whether the rest of the configuration is there does not matter to a policy, and does to an agent.
  const check = await hb(folder, 'config', 'check', 'runtime.yaml')
  t.match(check.stderr, /sign\.pem/)
  const { code: made } = await hb(folder, 'keys', 'create', 'sign.pem')
  t.equal(made, 0)
  const good = await hb(folder, 'config', 'check', 'runtime.yaml')
  t.equal(good.code, 0)
  t.match(good.stdout, 'rig pressure-loop: 4 metrics, LIMITS ONLY, 2 rules')
  t.match(good.stdout, /warning: .*loop\.actions\.yaml:\d+:\d+ rules\[0\]\.action: shutdown on `pump` without a budget/)
})
