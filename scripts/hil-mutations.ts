/**
 * Breaks one gate of the safety kernel at a time and runs the scenarios that are tagged with it (`gate:NAME`): each must turn
 * at least one of them red, or the bench cannot see that gate (decisions 32). `npm run -s hil:mutations [-- --only NAME]
 * [-- --json]`; exits with 1 when a broken gate stays green, or the whole one is red.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build as bundle } from 'esbuild'
import { apart, BESIDE, EXTERNAL, programOptions } from './bundle.ts'
import { ROOT } from './sources.ts'

/** One gate, where it stands, and what it is broken to. `from` stands there exactly once. */
export type Mutation = Readonly<{ gate: string; file: string; from: string; to: string; means: string }>

const GATE = 'agent/core/safety/gate.ts'

export const MUTATIONS: readonly Mutation[] = [
  {
    gate: 'arm',
    file: 'agent/core/safety/arming.ts',
    from: "if (arm.state !== 'ARMED') return [",
    to: "if (arm.state !== 'ARMED') return arm.state !== 'OFF' ? [] : [",
    means: 'a rig that nobody armed acts',
  },
  {
    gate: 'independence',
    file: 'agent/core/safety/independence.ts',
    from: 'return [...new Set(shared)].map(',
    to: 'return shared.slice(0, 0).map(',
    means: 'two proofs with a common cause count as two',
  },
  {
    gate: 'vote',
    file: 'agent/core/safety/vote.ts',
    from: "'2oo3': { must_work: [2, 1, 'lost', 'lost'], must_not_work: [2, 2, 'lost', 'lost'] }",
    to: "'2oo3': { must_work: [3, 2, 'lost', 'lost'], must_not_work: [3, 2, 'lost', 'lost'] }",
    means: 'all of three must agree',
  },
  {
    gate: 'mode',
    file: GATE,
    from: 'return rule.modes.includes(mode) ? [] : [',
    to: 'return rule.modes.length > 0 ? [] : [',
    means: 'a rule acts in every mode',
  },
  {
    gate: 'baseline',
    file: GATE,
    from: "if (baseline === null) return ['BASELINE:none', ...reasons]",
    to: 'if (baseline === null) return []',
    means: 'a hard action is done without a baseline',
  },
  {
    gate: 'inhibit',
    file: GATE,
    from: 'return inhibits.some((one) => one.subject === subject) ? [',
    to: 'return inhibits.length < 0 ? [',
    means: 'an inhibit inhibits nothing',
  },
  {
    gate: 'budget',
    file: GATE,
    from: '...budgetReasons(policy.budgets, state.budgets, { action, target, nowUs: seen.nowUs }),',
    to: '',
    means: 'an action is done as often as it is asked for',
  },
  {
    gate: 'interlock',
    file: GATE,
    from: "if (verdict === 'inactive' || verdict === 'verified') return []",
    to: "if (verdict !== 'never') return []",
    means: 'an interlock blocks nothing',
  },
  {
    gate: 'verify',
    file: 'agent/core/safety/verify.ts',
    from: "if (found === 'TRUE') {",
    to: "if (found !== 'never') {",
    means: 'an effect is verified that nobody saw',
  },
  {
    gate: 'loss',
    file: 'agent/core/safety/grounds.ts',
    from: "demand: votes.demand ? 'vote' : isLoss ? 'loss' : null, seen }",
    to: "demand: votes.demand ? 'vote' : null, seen: isLoss ? seen : seen }",
    means: 'a rig that is blind is not made safe',
  },
]

const OUT = join(ROOT, 'node_modules', '.cache', 'hil-mutations')
const SCENARIOS = 'hil-testbed/scenarios'
/** A campaign of the scenarios of one gate. */
const CAMPAIGN_MS = 300_000

export type Told = Readonly<{ gate: string; means: string; red: number; of: number; detail: string }>

/** The program with one gate broken, in a folder of its own. */
async function build({ gate, file, from, to }: Mutation): Promise<string> {
  const outdir = join(OUT, gate)
  const text = readFileSync(join(ROOT, file), 'utf8')
  if (text.split(from).length !== 2)
    throw new Error(`${file} no longer has \`${from}\` once: mend the mutation ${gate}`)
  await bundle({
    ...programOptions(),
    entryPoints: [
      { in: 'scripts/hb.ts', out: 'hb' },
      { in: 'scripts/hb-all.ts', out: 'hb-all' },
      { in: 'shared/mqtt/package.ts', out: 'hb-mqtt' },
      { in: 'agent/adapters/shard-worker.ts', out: 'agent-shard-worker' },
    ],
    outdir,
    outExtension: { '.js': '.cjs' },
    target: 'node20',
    external: [...EXTERNAL],
    plugins: [
      apart(BESIDE),
      {
        name: 'mutation',
        setup(build) {
          build.onLoad({ filter: /\.ts$/ }, ({ path }) =>
            path === join(ROOT, file) ? { contents: text.replace(from, () => to), loader: 'ts' } : null,
          )
        },
      },
    ],
  })
  return join(outdir, 'hb.cjs')
}

/** Runs the scenarios of a gate with a program. */
function campaign(program: string, gate: string): Omit<Told, 'means'> {
  // What is red is what is wanted: nobody looks at its runs afterwards.
  const runs = join(OUT, `${gate}-runs`)
  const args = [program, 'hil', 'run', SCENARIOS, '--tag', `gate:${gate}`, '--json', '--evidence', runs]
  const ended = spawnSync(process.execPath, args, {
    cwd: ROOT,
    encoding: 'utf8',
    timeout: CAMPAIGN_MS,
    maxBuffer: 1 << 28,
  })
  if (ended.status !== 0 && ended.status !== 20)
    return { gate, red: 0, of: 0, detail: `exit ${ended.status}: ${ended.stderr.slice(-400)}` }
  const { cases } = JSON.parse(ended.stdout) as {
    cases: readonly Readonly<{ id: string; verdict: string; reason: string }>[]
  }
  const red = cases.filter(({ verdict }) => verdict === 'FAIL')
  const detail = red.map(({ id, reason }) => `${id}: ${reason}`).join('; ')
  return { gate, red: red.length, of: cases.length, detail }
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { only: { type: 'string' }, json: { type: 'boolean' } } })
  const chosen = MUTATIONS.filter(({ gate }) => values.only === undefined || gate === values.only)
  rmSync(OUT, { recursive: true, force: true })
  mkdirSync(OUT, { recursive: true })
  const told: Told[] = []
  for (const mutation of chosen) {
    const one = { ...campaign(await build(mutation), mutation.gate), means: mutation.means }
    told.push(one)
    if (values.json !== true)
      process.stdout.write(
        `${one.red > 0 ? 'told ' : 'MISSED'} ${mutation.gate}: ${mutation.means}\n         ${one.detail}\n`,
      )
  }
  rmSync(OUT, { recursive: true, force: true })
  const missed = told.filter(({ red }) => red === 0)
  if (values.json === true) process.stdout.write(`${JSON.stringify({ told, missed: missed.length })}\n`)
  else process.stdout.write(`${told.length - missed.length} passed, ${missed.length} failed\n`)
  process.exitCode = missed.length === 0 ? 0 : 1
}

await main()
