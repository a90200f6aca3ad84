import { spawnSync } from 'node:child_process'
import { cpSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { killAll, runHb, startHb } from '../../scripts/demo/processes.ts'
import { ROOT } from '../../scripts/sources.ts'
import { createPrng } from '../../shared/lib/prng.ts'
import { type BenchFolder, createBenchFolder, recordedLoop, runtimeYaml } from '../support/bench-folder.ts'
import { flipIn } from '../support/flip.ts'
import { makeRecording, resultOf } from '../support/kill-run.ts'

t.setTimeout(0)

/** Positions flipped with the real process (decisions 29), and how soon it must be ready. */
const FLIPS = 60
const READY_MS = 2000
/** Which call of its kind the fault hits: the first ones of a start, and later ones. */
const HITS = [1, 2, 3, 5, 9, 17, 33]
const CALLS = ['pwrite64', 'fdatasync', 'fsync', 'rename'] as const
const FAULTS = ['error=EIO', 'error=ENOSPC', 'signal=KILL'] as const
const STRACE_MS = 120_000

const folder = await createBenchFolder()
t.teardown(() => {
  killAll()
  folder.remove()
})
await makeRecording(folder)
const lines = (more: string): string => runtimeYaml({ clock: 'recording', rigs: recordedLoop({ more }) })
folder.write('first.yaml', lines(', rows_to: 3000'))
folder.write('more.yaml', lines(', rows_to: 5000'))

t.test(`${FLIPS} seeded bytes flipped under the real program`, async (t) => {
  await runHb(['runtime', '--config', 'first.yaml', '--state', 'worn'], folder.path)
  const prng = createPrng(29)
  const files = stateFiles(folder, 'worn')
  let worstMs = 0
  for (let k = 0; k < FLIPS; k += 1) {
    const state = `flip-${k}`
    cpSync(join(folder.path, 'worn'), join(folder.path, state), { recursive: true })
    const file = files[k % files.length]!
    const at = flipIn(join(folder.path, state, file), prng)
    const startedMs = performance.now()
    const agent = startHb(state, ['runtime', '--config', 'more.yaml', '--state', state], { folder: folder.path })
    await agent.event('agent_started')
    const readyMs = performance.now() - startedMs
    worstMs = Math.max(worstMs, readyMs)
    const code = await agent.exited
    const verified = verify(state)
    if (code !== 0 || readyMs > READY_MS || !verified)
      t.fail(`${file} byte ${at}: exit ${String(code)}, ready after ${readyMs.toFixed(0)} ms, verified ${verified}`)
  }
  t.ok(worstMs < READY_MS, `ready after ${worstMs.toFixed(0)} ms at most, program start included`)
  t.comment(`counted: bytes flipped, real program | ${FLIPS} | ready ≤ ${worstMs.toFixed(0)} ms with its start`)
})

t.test('a disk that refuses, or a kill at the call itself, by strace', async (t) => {
  await runHb(['runtime', '--config', 'more.yaml', '--state', 'undisturbed'], folder.path)
  const reference = await resultOf(folder, 'undisturbed')
  let runs = 0
  let killed = 0
  for (const call of CALLS)
    for (const fault of FAULTS)
      for (const hit of HITS) {
        const state = `${call}-${fault.replace('=', '-')}-${hit}`
        if (faulted(state, `${call}:${fault}:when=${hit}`) && fault === 'signal=KILL') killed += 1
        await runHb(['runtime', '--config', 'more.yaml', '--state', state], folder.path)
        const result = await resultOf(folder, state)
        if (result.digest !== reference.digest || result.decisions !== reference.decisions)
          t.fail(`${state}: ${JSON.stringify(result)} instead of ${JSON.stringify(reference)}`)
        runs += 1
      }
  t.equal(runs, CALLS.length * FAULTS.length * HITS.length)
  t.ok(killed > CALLS.length, `${killed} of the kills hit: the others came after the last call of their kind`)
  t.comment(`counted: disk faults and kills by strace, agent | ${runs} | journal whole, digest equal`)
})

/**
 * Runs the agent with a fault injected; how it ends is its own affair, what is on disk afterwards is not.
 *
 * @returns whether it was killed
 */
function faulted(state: string, inject: string): boolean {
  const args = ['-f', '-qq', '-o', '/dev/null', '-e', `trace=${inject.split(':')[0]}`, '-e', `inject=${inject}`]
  const hb = [process.execPath, join(ROOT, 'dist', 'hb.cjs'), 'runtime', '--config', 'more.yaml', '--state', state]
  const { error, signal } = spawnSync('strace', [...args, ...hb], {
    cwd: folder.path,
    timeout: STRACE_MS,
    stdio: 'ignore',
  })
  if (error !== undefined) throw error
  return signal === 'SIGKILL'
}

/** Declared losses are what an agent said; anything else that is damaged is a fault. */
function verify(state: string): boolean {
  const hb = [join(ROOT, 'dist', 'hb.cjs'), 'journal', 'verify', '--state', state, '--json']
  const { stdout, status } = spawnSync(process.execPath, hb, { cwd: folder.path, encoding: 'utf8' })
  const { damage, outbox_damage: outboxDamage } = JSON.parse(stdout) as {
    damage: { declared: boolean; from_seq: number; to_seq: number }[]
    outbox_damage: unknown[]
  }
  // A record that no evaluation needs any more stays damaged: it is named, one of them, and nothing else is.
  const undeclared = damage.filter(({ declared }) => !declared)
  return outboxDamage.length === 0 && (status === 0 || undeclared.length === 1)
}

function stateFiles({ path }: BenchFolder, state: string): string[] {
  const all = readdirSync(join(path, state), { recursive: true }) as string[]
  return all.filter((name) => /\.(hbj|hbo|hbc)$|identity/.test(name)).sort()
}
