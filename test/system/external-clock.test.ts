import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { fetchDesktop, giveOrder } from '../../agent/cli/order-client.ts'
import { killAll, runHb } from '../../scripts/demo/processes.ts'
import { type ExternalBench, externalFolder, removeFolder, startExternalBench } from '../support/external-bench.ts'
import { OVER_PRESSURE } from '../support/pressure-plant.ts'
import { RIG } from '../support/pressure-rig.ts'

const HOUR_US = 3_600_000_000

type Action = Readonly<{ key: string; action: string; target: string; state: string; first_us: number }>

async function arm({ folder, nowUs }: ExternalBench): Promise<void> {
  const state = join(folder, 'state')
  const by = (name: string) => ({ state, key: join(folder, `${name}.pem`), reason: 'a test' })
  const config = (await fetchDesktop(state)).rigs[0]!.config ?? ''
  const asked = await giveOrder(by('ada'), { kind: 'arm', rig: RIG, config, untilUs: nowUs() + HOUR_US })
  await giveOrder(by('grace'), { kind: 'confirm', rig: RIG, subject: String(asked['order']), config })
}

/** The loop is armed, bursts nearly, and is shut down. @returns what the agent did, and the digest of all it decided */
async function run(folder: string): Promise<{ actions: readonly Action[]; digest: string; untilUs: number }> {
  const bench = await startExternalBench(folder)
  const json = async (...args: string[]) =>
    JSON.parse(await runHb([...args, '--state', 'state', '--json'], folder)) as Record<string, unknown>
  const actions = async (): Promise<readonly Action[]> =>
    (await json('actions', 'list'))['actions'] as readonly Action[]
  for (let k = 0; k < 40; k += 1) await bench.step()
  await arm(bench)
  for (let k = 0; k < 10; k += 1) await bench.step()
  bench.readings.bar = OVER_PRESSURE
  await bench.stepUntil('an effect', () => bench.effects('pump') > 0)
  bench.readings.bar = 5
  for (let k = 0; k < 40; k += 1) await bench.step()
  const untilUs = bench.nowUs()
  const done = await actions()
  if ((await bench.stop()) !== 0)
    throw new Error(`the agent did not end in order: ${JSON.stringify(bench.lines.at(-1))}`)
  const { digest } = await json('decisions', 'digest')
  const replayed = await json('replay')
  if (replayed['equal'] !== true) throw new Error(JSON.stringify(replayed))
  return { actions: done, digest: String(digest), untilUs }
}

t.teardown(() => killAll())

t.test('the same grants give the same decisions and actions, byte for byte', async (t) => {
  const first = externalFolder()
  const second = externalFolder(first)
  t.teardown(() => [first, second].forEach(removeFolder))
  const startMs = performance.now()
  const [one, two] = [await run(first), await run(second)]
  t.comment(`two runs: ${Math.round(performance.now() - startMs)} ms`)
  t.match(one.actions, [{ action: 'shutdown', target: 'pump', state: 'VERIFIED' }])
  t.equal(two.digest, one.digest)
  t.same(two.actions, one.actions)
  t.equal(two.untilUs, one.untilUs)
  t.same(readFileSync(join(second, 'runtime.yaml')), readFileSync(join(first, 'runtime.yaml')))
})
