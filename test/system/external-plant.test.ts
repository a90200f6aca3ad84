import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createExternalPlant, type ExternalPlant } from '../../hil-testbed/bench/external-plant.ts'
import type { PlantNeeds } from '../../hil-testbed/bench/plant-protocol.ts'

import { ROOT } from '../../scripts/sources.ts'
import { isHbError } from '../../shared/errors/hb-error.ts'
import { createVirtualClock, systemClock, type VirtualClock } from '../../shared/lib/clock.ts'
import { hbEnded } from '../support/hb-ended.ts'

const PROGRAM = join(ROOT, 'test/support/stand-in-plant.ts')
const NEEDS: PlantNeeds = { stepUs: 20_000, signals: ['level'], inputs: ['inflow'] }
const WAIT_US = 30_000_000

type Made = Readonly<{ external: ExternalPlant; clock: VirtualClock; note: string }>

/** Host time stands still but where a test moves it: nothing here is late by accident. */
function made(
  t: Test,
  how: string,
  { needs = NEEDS, place = '{endpoint}' }: Partial<Readonly<{ needs: PlantNeeds; place: string }>> = {},
): Made {
  // Short enough for the name of a socket, wherever the tests are.
  const folder = mkdtempSync(join(tmpdir(), 'hb-plant-'))
  const note = join(folder, 'note')
  const clock = createVirtualClock(0)
  const command = [process.execPath, PROGRAM, place, how, note]
  const external = createExternalPlant({ command, cwd: folder, folder, needs, clock })
  t.teardown(async () => {
    const stopping = external.stop('end of the test')
    for (let k = 0; k < 2; k += 1) await clock.advance(5_000_000)
    await stopping
    rmSync(folder, { recursive: true })
  })
  return { external, clock, note }
}

t.test('a plant in a process of its own is a plant like any other, over a UNIX socket and over TCP', async (t) => {
  for (const place of ['{endpoint}', '{tcp_endpoint}']) {
    const { external, note } = made(t, 'well', { place })
    const { plant } = external
    t.match(await external.start(), { model: 'stand-in', step_us: 10_000 })
    t.same([plant.atUs, plant.read('level')], [0, 0], 'it can be read at once')
    plant.set('inflow', 0.5)
    t.equal(plant.advance(19_999), undefined, 'not a whole step: nothing is asked')
    await plant.advance(25_000)
    t.same([plant.atUs, plant.read('level')], [20_000, 1])
    await plant.advance(1_000_000)
    t.equal(plant.read('level'), 50)
    t.throws(() => plant.read('volume'), /no signal volume/)
    t.throws(() => plant.set('outflow', 1), /no input outflow/)
    t.throws(() => plant.set('inflow', Number.NaN), /not finite/)
    t.throws(() => plant.advance(0), /cannot go back/)
    t.same(await external.stop('done'), { safe: true, how: 'exit code 0' })
    t.equal(readFileSync(note, 'utf8'), place === '{endpoint}' ? 'safe ipc\n' : 'safe tcp\n')
    await t.rejects(Promise.resolve(plant.advance(2_000_000)), { code: 'PLANT_ENDED' })
  }
})

const WRONGS: Readonly<Record<string, readonly [code: string, says: RegExp]>> = {
  wrong_n: ['PLANT_ANSWER', /n is 7, expected 2/],
  wrong_time: ['PLANT_ANSWER', /at_us is 1, expected 40000/],
  nan: ['PLANT_ANSWER', /not_json/],
  endless: ['PLANT_ANSWER', /wrong_shape/],
  text: ['PLANT_ANSWER', /wrong_shape/],
  missing: ['PLANT_ANSWER', /signal inflow is missing/],
  unknown: ['PLANT_ANSWER', /signal more is not in its hello/],
  hello_again: ['PLANT_ANSWER', /expected=\\?"advanced/],
  failed: ['PLANT_ENDED', /out of range/],
  dies: ['PLANT_ENDED', /exit code 5/],
}

t.test('an answer that is wrong ends the run by name, and the plant is told to make itself safe', async (t) => {
  await Promise.all(
    Object.entries(WRONGS).map(([how, [code, says]]) =>
      t.test(how, async (t) => {
        const { external, note } = made(t, how)
        await external.start()
        await external.plant.advance(20_000)
        await t.rejects(Promise.resolve(external.plant.advance(40_000)), { code, message: says })
        await t.rejects(Promise.resolve(external.plant.advance(60_000)), { code, message: says }, 'and it stays so')
        const { safe } = await external.stop('over')
        t.equal(safe, how !== 'dies')
        t.equal(existsSync(note), how !== 'dies')
      }),
    ),
  )
})

t.test('a plant that hangs is late, and ends by a signal; one that is deaf to that by force', async (t) => {
  for (const [how, end] of [
    ['hangs', 'ended by SIGTERM'],
    ['deaf', 'ended by SIGKILL'],
  ] as const) {
    const { external, clock } = made(t, how)
    await external.start()
    await external.plant.advance(20_000)
    const late = t.rejects(Promise.resolve(external.plant.advance(40_000)), {
      code: 'PLANT_LATE',
      message: /advanced 2/,
    })
    await clock.advance(WAIT_US)
    await late
    const stopping = external.stop('over')
    await clock.advance(5_000_000)
    if (how === 'deaf') await clock.advance(2_000_000)
    t.same(await stopping, { safe: false, how: end })
  }
})

t.test(
  'a plant that never was one does not start: no program, no hello, another version, not what is needed',
  async (t) => {
    await t.rejects(made(t, 'no_hello').external.start(), {
      code: 'PLANT_NOT_STARTED',
      message: /exit code 3.*no licence/,
    })
    await t.rejects(made(t, 'v2').external.start(), { code: 'PLANT_ANSWER', message: /wrong_version/ })
    const needs = { stepUs: 15_000, signals: ['level', 'p_bar'], inputs: ['relief', 'inflow'] }
    const unfit = made(t, 'well', { needs })
    await t.rejects(unfit.external.start(), {
      code: 'PLANT_UNFIT',
      message: /15000 µs is no multiple of its step, 10000 µs; it has no signal p_bar; it has no input relief/,
    })
    t.same(await unfit.external.stop('unfit'), { safe: true, how: 'exit code 0' })
    const folder = t.testdir()
    const missing = createExternalPlant({
      ...{ command: ['no-such-program', '{endpoint}'], cwd: folder, folder, needs: NEEDS, clock: systemClock() },
    })
    await t.rejects(missing.start(), { code: 'PLANT_NOT_STARTED', message: /ENOENT/ })
    t.match(await missing.stop('never'), { safe: false, how: /not started/ })
    const silent = createExternalPlant({
      ...{
        command: [process.execPath, '-e', 'setTimeout(() => {}, 60000)', '{endpoint}'],
        cwd: folder,
        folder,
        needs: NEEDS,
      },
      ...{ clock: systemClock(), waitMs: 200 },
    })
    const error: unknown = await silent.start().catch((thrown: unknown) => thrown)
    t.ok(isHbError(error, 'PLANT_NOT_STARTED'))
    t.match(
      await silent.stop('silent'),
      { safe: false, how: 'ended by SIGTERM' },
      'it has no way to hear that it should end',
    )
  },
)

t.test('an owner tries a plant at the command line', async (t) => {
  const folder = t.testdir()
  const check = (how: string, ...options: readonly string[]) =>
    hbEnded(
      ['hil', 'plant', 'check', '--seconds', '0.2', ...options, '--', process.execPath, PROGRAM, '{endpoint}', how],
      folder,
    )
  const good = await check('well', '--set', 'inflow=0.1')
  t.equal(good.code, 0, good.stderr)
  t.match(JSON.parse(good.stdout), { event: 'fit', model: 'stand-in', answers: 42, repeatable: true, safe: true })
  const moody = await check('moody', '--json')
  t.equal(moody.code, 65)
  t.match(moody.stderr, /the same in both runs/)
  t.match(await check('well', '--set', 'outflow=1'), { code: 78, stderr: /it has no input outflow/ })
  t.match(await check('well', '--set', 'inflow=much'), { code: 64, stderr: /INPUT=NUMBER/ })
  const list = await hbEnded(['hil', 'plant', 'list', '--json'], folder)
  const { plants } = JSON.parse(list.stdout) as { plants: readonly { name: string; hazard: string }[] }
  t.match(
    plants.find(({ name }) => name === 'vessel'),
    { hazard: 'p_bar > 10', inputs: { pump: { maximum: 1 } } },
  )
})
