import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { createExternalPlant } from '../../hil-testbed/bench/external-plant.ts'
import { plantNamed } from '../../hil-testbed/core/plants/models.ts'
import { ROOT } from '../../scripts/sources.ts'
import { systemClock } from '../../shared/lib/clock.ts'

/** That of the system: it is the one that has the package `python3-zmq`. */
const PYTHON = '/usr/bin/python3'
const STEPS = 2_000

t.test('the thermal plant in Python goes where the built-in one goes, to the last bit', async (t) => {
  const model = plantNamed('thermal')!
  const folder = mkdtempSync(join(tmpdir(), 'hb-plant-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const external = createExternalPlant({
    command: [PYTHON, '-B', 'thermal_plant.py', '{endpoint}'],
    cwd: join(ROOT, 'hil-testbed/clients/python'),
    folder,
    needs: { stepUs: model.stepUs, signals: Object.keys(model.signals), inputs: Object.keys(model.inputs) },
    clock: systemClock(),
  })
  t.teardown(() => external.stop('end of the test'))
  const hello = await external.start()
  t.same(Object.keys(hello.signals), Object.keys(model.signals))
  for (const [name, { unit }] of Object.entries({ ...model.signals, ...model.inputs }))
    t.equal({ ...hello.signals, ...hello.inputs }[name], unit, name)
  const builtIn = model.create({ params: {}, init: {} })
  let equal = 0
  for (let k = 1; k <= STEPS; k += 1) {
    for (const plant of [builtIn, external.plant]) {
      if (k % 100 === 0) plant.set('extra_heat_w', (k * 37) % 211)
      if (k % 310 === 0) plant.set('cooling', (k % 7) / 7)
      if (k === 1500) plant.set('heater_on', 0)
      await plant.advance(k * model.stepUs)
    }
    if (Object.keys(model.signals).every((name) => Object.is(builtIn.read(name), external.plant.read(name)))) equal += 1
  }
  t.equal(equal, STEPS)
  t.ok(Math.abs(builtIn.read('temp_c') - 60) > 1, 'it has moved')
  t.same(await external.stop('done'), { safe: true, how: 'exit code 0' })
  t.comment(`counted: steps of the Python plant beside the built-in one | ${STEPS} | equal to the last bit`)
})

t.test('a Python plant that fails, or says NaN, ends the run with its reason', async (t) => {
  for (const [change, says] of [
    ['Thermal.step = lambda self: 1 / 0', /ZeroDivisionError/],
    ['Thermal.heat_w = lambda self: float("nan")', /Out of range float values/],
  ] as const) {
    const folder = mkdtempSync(join(tmpdir(), 'hb-plant-'))
    t.teardown(() => rmSync(folder, { recursive: true }))
    const code = [
      'import sys, plant_client, thermal_plant',
      'from thermal_plant import *',
      'plant = Thermal()',
      change,
      'sys.exit(plant_client.serve(plant, sys.argv[1], "broken", STEP_US, SIGNALS, INPUTS))',
    ].join('\n')
    const external = createExternalPlant({
      ...{ command: [PYTHON, '-B', '-c', code, '{endpoint}'], cwd: join(ROOT, 'hil-testbed/clients/python'), folder },
      ...{ needs: { stepUs: 10_000, signals: ['temp_c'], inputs: [] }, clock: systemClock() },
    })
    const run = async (): Promise<void> => {
      await external.start()
      await external.plant.advance(50_000)
    }
    await t.rejects(run(), { code: 'PLANT_ENDED', message: says })
    t.same(await external.stop('over'), { safe: true, how: 'exit code 0' })
  }
})
