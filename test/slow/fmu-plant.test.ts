import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Router } from 'zeromq'
import { createExternalPlant, type ExternalPlant } from '../../hil-testbed/bench/external-plant.ts'
import { plantNamed } from '../../hil-testbed/core/plants/models.ts'
import { ROOT } from '../../scripts/sources.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { hbEnded } from '../support/hb-ended.ts'
import { REQUIREMENTS } from '../support/scenario-folder.ts'
import { FMU_PLANT, type FmiVersion, type FmuChange, PYTHON, TROUBLE, thermalFmus } from '../support/thermal-fmu.ts'

const STEPS = 2_000
const STEP_US = 10_000
const VERSIONS: readonly FmiVersion[] = [2, 3]

// Short enough for the name of a socket. What the adapter unpacks is in here as well.
const folder = mkdtempSync(join(tmpdir(), 'hb-fmu-test-'))
process.env['TMPDIR'] = folder
t.teardown(() => rmSync(folder, { recursive: true }))
const fmu = thermalFmus(folder)

/** Where the FMU writes what was called. */
function noteFile(): string {
  const path = join(mkdtempSync(join(folder, 'note-')), 'note')
  process.env['HB_THERMAL_NOTE'] = path
  return path
}

const noted = (path: string): string[] => (existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [])
const unpacked = (): string[] => readdirSync(folder).filter((name) => /^hb-fmu-(?!test)/.test(name))

function plantOf(t: Test, file: string, options: readonly string[] = [], signals: readonly string[] = []) {
  const external = createExternalPlant({
    command: [PYTHON, '-B', FMU_PLANT, file, '{endpoint}', ...options],
    cwd: folder,
    folder: mkdtempSync(join(folder, 'run-')),
    needs: { stepUs: STEP_US, signals, inputs: [] },
    clock: systemClock(),
  })
  t.teardown(() => external.stop('end of the test'))
  return external
}

async function goneTo(
  external: ExternalPlant,
  atUs: number,
  set: Readonly<Record<string, number>> = {},
): Promise<void> {
  await external.start()
  for (const [name, value] of Object.entries(set)) external.plant.set(name, value)
  await external.plant.advance(atUs)
}

t.test('the thermal plant as an FMU goes where the built-in one goes, to the last bit', async (t) => {
  const model = plantNamed('thermal')!
  for (const version of VERSIONS) {
    const path = noteFile()
    const external = plantOf(t, fmu(version), ['--local', 'loss.w_k', '--safe', 'heater_on=0'])
    const hello = await external.start()
    t.match(hello, { model: `thermal 1.0 (FMI ${version}.0)`, step_us: STEP_US })
    t.match(hello.signals, { temp_c: 'degC', heat_w: 'W', ambient_c: 'degC', steps: '1', loss_w_k: 'W/K' })
    t.match(hello.inputs, { heater_on: '1', cooling: '1', heater_w: 'W', extra_heat_w: 'W', ambient_c: 'degC' })
    t.equal(external.plant.read('temp_c'), 60, 'it begins where its description says')
    const builtIn = model.create({ params: {}, init: {} })
    let equal = 0
    let moved = 0
    for (let k = 1; k <= STEPS; k += 1) {
      for (const plant of [builtIn, external.plant]) {
        if (k % 100 === 0) plant.set('extra_heat_w', (k * 37) % 211)
        if (k % 310 === 0) plant.set('cooling', (k % 7) / 7)
        if (k % 170 === 0) plant.set('ambient_c', 20 - (k % 13) / 3)
        if (k === 1500) plant.set('heater_on', 0)
        await plant.advance(k * STEP_US)
      }
      moved = Math.max(moved, Math.abs(builtIn.read('temp_c') - 60))
      if (Object.keys(model.signals).every((name) => Object.is(builtIn.read(name), external.plant.read(name))))
        equal += 1
    }
    t.equal(equal, STEPS)
    t.ok(moved > 1, 'it has moved')
    t.equal(external.plant.read('steps'), STEPS)
    if (version === 3) t.equal(external.plant.read('temp_single'), Math.fround(builtIn.read('temp_c')))
    t.same(await external.stop('done'), { safe: true, how: 'exit code 0' })
    const ends = [`terminated after ${STEPS + 1} steps, heater off`, `freed after ${STEPS + 1} steps, heater off`]
    t.same(noted(path), ['loaded', 'initialized after 0 steps, heater on', ...ends], 'safe in one more step')
    t.comment(`counted: steps of the FMI ${version}.0 plant beside the built-in one | ${STEPS} | equal to the last bit`)
  }
  t.same(unpacked(), [])
})

t.test('parameters and start values are set before it is initialized; a slow step is waited for', async (t) => {
  for (const version of VERSIONS) {
    const external = plantOf(t, fmu(version), ['--set', 'capacity_j_k=30', 'Temp.C=80'])
    await goneTo(external, STEP_US)
    const builtIn = plantNamed('thermal')!.create({ params: { capacity_j_k: 30 }, init: { temp_c: 80 } })
    await builtIn.advance(STEP_US)
    t.equal(external.plant.read('temp_c'), builtIn.read('temp_c'))
    await external.stop('done')
  }
  const slow = plantOf(t, fmu(2), ['--set', `trouble=${TROUBLE.slow}`, 'trouble_at_s=0.02'])
  await goneTo(slow, 5 * STEP_US)
  t.equal(slow.plant.read('steps'), 5)
})

/** What it says, and whether it could be made safe: an FMU that saves its state, and one that does not. */
const TROUBLES: Readonly<
  Record<'discard' | 'error' | 'fatal' | 'nan' | 'wantsEnd', readonly [RegExp, boolean, boolean]>
> = {
  discard: [/DoStep gave fmi\dDiscard: the step is too long for it/, true, false],
  error: [/DoStep gave fmi\dError: the body has melted/, true, false],
  fatal: [/DoStep gave fmi\dFatal: the memory is gone/, false, false],
  nan: [/temp_c is nan(, temp_single is nan)? at 0\.05 s/, true, true],
  wantsEnd: [/asks for the end of the simulation.*0\.02 s/, true, false],
}
const saveless = (text: string): string => text.replace(/(canGetAndSetFMU[sS]tate)="true"/, '$1="false"')

t.test('a step that goes wrong ends the run with what the FMU said, and it is made safe if it can be', async (t) => {
  let tried = 0
  for (const version of VERSIONS)
    for (const [name, [says, safeSaved, safe]] of Object.entries(TROUBLES))
      for (const saves of [true, false]) {
        const what = `FMI ${version}.0, ${name}, ${saves ? 'with' : 'without'} its state saved`
        const path = noteFile()
        const file = fmu(version, saves ? {} : { description: saveless })
        const trouble = `trouble=${TROUBLE[name as keyof typeof TROUBLES]}`
        const external = plantOf(t, file, ['--set', trouble, 'trouble_at_s=0.025', '--safe', 'heater_on=0'])
        await t.rejects(goneTo(external, 5 * STEP_US), { code: 'PLANT_ENDED', message: says }, what)
        const isSafe = saves ? safeSaved : safe
        t.same(await external.stop('over'), { safe: isSafe, how: `exit code ${isSafe ? 0 : 1}` }, what)
        const last = noted(path).at(-1)
        if (name === 'fatal') t.match(last, /^initialized/, `${what}: nothing more is asked of it`)
        else t.match(last, isSafe ? /^freed .* heater off/ : /^freed .* heater on/, what)
        tried += 1
      }
  t.same(unpacked(), [])
  t.comment(`counted: steps of an FMU that go wrong | ${tried} | each with its reason; safe wherever FMI allows it`)
})

t.test('an input that it does not take ends the run, and it is made safe from what it took last', async (t) => {
  for (const [input, value, says, options] of [
    ['cooling', 1.5, /'cooling' = 1\.5, expected 0\.0 to 1\.0/, []],
    ['heater_on', 0.5, /'heater_on' = 0\.5, expected 0 or 1/, []],
    ['heater_w', 2000, /'heater_w': fmi2SetReal gave fmi2Discard: more power/, [`trouble=${TROUBLE.refusesInput}`]],
  ] as const) {
    const path = noteFile()
    const file = fmu(2, { description: saveless })
    const set = options.length === 0 ? [] : ['--set', ...options]
    const external = plantOf(t, file, [...set, '--safe', 'heater_on=0'])
    await t.rejects(goneTo(external, STEP_US, { [input]: value }), { code: 'PLANT_ENDED', message: says })
    t.same(await external.stop('over'), { safe: true, how: 'exit code 0' })
    t.equal(noted(path).at(-1), 'freed after 1 steps, heater off')
  }
})

t.test('one that refuses its identity or its parameters does not start, and says why', async (t) => {
  const wrongs: readonly (readonly [FmuChange, readonly string[], RegExp])[] = [
    [
      { description: (text) => text.replace('{hb-thermal}', '{other}') },
      [],
      /refused to be instantiated: the (GUID|token)/,
    ],
    [{}, ['--set', 'capacity_j_k=0'], /EnterInitializationMode gave fmi\dError: a body without capacity/],
    [
      { description: (text) => text.replace(/(valueReference)="6"/, '$1="99"') },
      [],
      /'heat\[W\]': fmi\dGet(Real|Float64) gave fmi\dError: no such/,
    ],
  ]
  for (const version of VERSIONS)
    for (const [change, options, says] of wrongs) {
      const external = plantOf(t, fmu(version, change), options)
      await t.rejects(external.start(), { message: says })
      t.match(await external.stop('over'), { how: /exit code [01]/ })
    }
  t.same(unpacked(), [])
})

/** Runs the adapter by itself: what is refused is refused before it looks for a bench. */
function refused(file: string, ...options: readonly string[]) {
  const path = noteFile()
  const { status, stderr } = spawnSync(PYTHON, ['-B', FMU_PLANT, file, 'ipc:///nowhere', ...options], {
    encoding: 'utf8',
  })
  return { status, stderr, isLoaded: existsSync(path), lines: stderr.trim().split('\n') }
}

const more = (lines: string) => (text: string) => text.replace('</ModelVariables>', `${lines}</ModelVariables>`)
const scalar = (name: string, causality: string, inside: string): string =>
  `<ScalarVariable name="${name}" valueReference="50" causality="${causality}">${inside}</ScalarVariable>`

const REFUSED: Readonly<Record<string, readonly [FmiVersion, FmuChange, RegExp]>> = {
  'a string': [2, { description: more(scalar('state', 'output', '<String/>')) }, /output 'state' is String/],
  'an array': [
    3,
    {
      description: more(
        '<Float64 name="field" valueReference="50" causality="output"><Dimension start="3"/></Float64>',
      ),
    },
    /output 'field' is an array/,
  ],
  'another type': [
    3,
    { description: more('<UInt64 name="count" valueReference="50" causality="input" start="0"/>') },
    /input 'count' is UInt64/,
  ],
  clocked: [
    3,
    { description: more('<Float64 name="tick" valueReference="50" causality="input" start="0" clocks="7"/>') },
    /input 'tick' is clocked/,
  ],
  'two of one name': [
    2,
    { description: more(scalar('temp c', 'output', '<Real/>')) },
    /'temp_c' on the bench, as 'Temp\.C' is already/,
  ],
  'no name left': [2, { description: more(scalar('温度', 'output', '<Real/>')) }, /would be '' on the bench/],
  'a name that is too long': [2, { description: more(scalar('x'.repeat(64), 'output', '<Real/>')) }, /at most 63/],
  'a unit that is too long': [
    2,
    { description: more(scalar('q', 'output', `<Real unit="${'m'.repeat(33)}"/>`)) },
    /its unit is longer/,
  ],
  'a bad reference': [
    2,
    { description: (text) => text.replace('valueReference="5"', 'valueReference="-5"') },
    /valueReference is '-5'/,
  ],
  'no number': [2, { description: (text) => text.replace('max="1"', 'max="one"') }, /max is 'one', which is no number/],
  'no step': [2, { description: (text) => text.replace('stepSize="0.01"', 'stepSize="0.0000001"') }, /--step-us/],
  'an endless step': [2, { description: (text) => text.replace('stepSize="0.01"', 'stepSize="INF"') }, /--step-us/],
  'another step of its own': [
    3,
    { description: (text) => text.replace('<CoSimulation', '<CoSimulation fixedInternalStepSize="0.003"') },
    /10000 µs is no multiple of its own, 0\.003 s/,
  ],
  'model exchange': [
    2,
    { description: (text) => text.replace('<CoSimulation', '<ModelExchange') },
    /not for co-simulation/,
  ],
  'version 1': [
    2,
    { description: (text) => text.replace('fmiVersion="2.0"', 'fmiVersion="1.0"') },
    /FMI version '1\.0'/,
  ],
  'a beta': [3, { description: (text) => text.replace('fmiVersion="3.0"', 'fmiVersion="3.0-beta.2"') }, /3\.0-beta\.2/],
  'no XML': [2, { description: (text) => text.slice(0, 300) }, /is not XML/],
  'a DOCTYPE': [2, { description: (text) => text.replace('?>', '?><!DOCTYPE x [<!ENTITY a "b">]>') }, /DOCTYPE/],
  'no binary for this machine': [2, { platform: 'win64' }, /there is no binaries\/.*has: binaries\/win64\/thermal\.so/],
  'a path out of it': [2, { entries: { '../evil': { text: 'x' } } }, /'\.\.\/evil': a path that leads out/],
  'a path from the root': [2, { entries: { '/etc/evil': { text: 'x' } } }, /'\/etc\/evil': a path that leads out/],
  'a link': [2, { entries: { 'resources/l': { text: '/etc/passwd', mode: 0o120777 } } }, /'resources\/l': a link/],
  'too large': [2, { entries: { 'resources/big': { text: 'x', says_bytes: 5e9 } } }, /unpacked it is 50000\d+ bytes/],
  'a file that is not what it says': [
    2,
    { entries: { 'resources/data': { text: 'data', says_bytes: 1 } } },
    /it cannot be unpacked: Bad CRC-32 for file 'resources\/data'/,
  ],
  'a description that is too large': [
    2,
    { entries: { 'modelDescription.xml': { text: 'x', says_bytes: 1e8 } } },
    /modelDescription\.xml is 100000000 bytes/,
  ],
}

t.test('what cannot be taken is refused by name, with exit code 78 and nothing loaded', async (t) => {
  for (const [what, [version, change, says]] of Object.entries(REFUSED)) {
    const { status, stderr, isLoaded } = refused(fmu(version, change))
    t.match({ status, stderr, isLoaded }, { status: 78, stderr: says, isLoaded: false }, what)
  }
  t.match(refused(join(folder, 'thermal2.so')), { status: 78, stderr: /not a zip/ })
  t.match(refused(join(folder, 'none.fmu')), { status: 78, stderr: /No such file/ })
  t.same(unpacked(), [])
  t.comment(`counted: FMUs that are refused | ${Object.keys(REFUSED).length + 2} | by name, nothing of them loaded`)
})

t.test('an FMU that is damaged anywhere is refused, or taken for what is left of it', async (t) => {
  const script = join(ROOT, 'test/support/fmu/damage.py')
  for (const version of VERSIONS) {
    const ran = spawnSync(PYTHON, ['-B', script, join(FMU_PLANT, '..'), fmu(version), '500'], { encoding: 'utf8' })
    t.equal(ran.status, 0, ran.stderr)
    const { refused, taken } = JSON.parse(ran.stdout) as Readonly<{ refused: number; taken: number }>
    t.equal(refused + taken, 1_000)
    t.ok(refused > 500 && taken > 0, ran.stdout)
    t.comment(`counted: damaged FMUs of FMI ${version}.0 | ${refused + taken} | ${refused} refused, the others taken`)
  }
})

t.test('all problems are told at once, and those that can be left out are left out', async (t) => {
  const change = more(scalar('state', 'output', '<String/>') + scalar('temp c', 'output', '<Real/>'))
  const file = fmu(2, { description: change })
  const options = ['--set', 'capacity_j_k=-1', 'loss.w_k=1', 'trouble=0.5', '--safe', 'heater_on=off', 'drain=1']
  const { lines, status } = refused(file, ...options, '--local', 'steps', '--step-us', '0')
  t.equal(status, 78)
  for (const says of [
    /output 'state' is String/,
    /'temp c' would be 'temp_c'/,
    /--set capacity_j_k=-1: 'capacity_j_k' = -1\.0, expected 0\.0 to inf/,
    /--set loss\.w_k=1: there is no 'loss\.w_k'/,
    /--set trouble=0\.5: .* whole number/,
    /--safe heater_on=off: 'off' is no number/,
    /--safe drain=1: there is no 'drain'/,
    /--local steps: it has no local variable/,
    /a step of 0 µs/,
  ])
    t.equal(lines.filter((line) => says.test(line)).length, 1, `${says}`)
  t.equal(lines.length, 9)
  const { signals } = await plantOf(t, file, ['--without', 'state', 'temp c']).start()
  t.same(Object.keys(signals), ['temp_c', 'heat_w', 'ambient_c', 'steps'])
})

t.test('one that the bench ends by a signal is made safe and leaves nothing behind', async (t) => {
  const path = noteFile()
  const bench = new Router({ linger: 0 })
  t.teardown(() => bench.close())
  const endpoint = `ipc://${join(folder, 'deaf.sock')}`
  await bench.bind(endpoint)
  const child = spawn(PYTHON, ['-B', FMU_PLANT, fmu(2), endpoint, '--safe', 'heater_on=0'])
  t.teardown(() => child.kill('SIGKILL'))
  const ended = new Promise((resolve) => child.once('close', resolve))
  await bench.receive()
  t.equal(unpacked().length, 1)
  child.kill('SIGTERM')
  t.equal(await ended, 143)
  t.equal(noted(path).at(-1), 'freed after 1 steps, heater off')
  t.same(unpacked(), [])
})

t.test('an owner tries an FMU at the command line', async (t) => {
  const path = noteFile()
  for (const version of VERSIONS) {
    const command = [PYTHON, '-B', FMU_PLANT, fmu(version), '{endpoint}', '--safe', 'heater_on=0']
    const good = await hbEnded(
      ['hil', 'plant', 'check', '--seconds', '2', '--set', 'extra_heat_w=120', '--', ...command],
      folder,
    )
    t.equal(good.code, 0, good.stderr)
    t.match(JSON.parse(good.stdout), { event: 'fit', answers: 402, repeatable: true, safe: true })
  }
  t.equal(noted(path).filter((line) => line === 'freed after 201 steps, heater off').length, 4)
})

/** The rig `outside` with the FMU in place of the program that it names. */
function rigWithFmu(bench: string, file: string): void {
  cpSync(join(ROOT, 'hil-testbed/rigs/outside'), join(bench, 'rigs/outside'), { recursive: true })
  const rig = join(bench, 'rigs/outside/rig.yaml')
  const command = [PYTHON, '-B', FMU_PLANT, file, '{endpoint}', '--safe', 'heater_on=0']
  const plant = `plant: { model: thermal-fmu, command: ${JSON.stringify(command)}, step_us: 50000, hazard: temp_c > 90 }`
  writeFileSync(rig, readFileSync(rig, 'utf8').replace(/^plant:.*$/m, plant))
}

t.test('an FMU that runs away is stopped by the real agent before it does harm', async (t) => {
  const bench = mkdtempSync(join(folder, 'bench-'))
  process.env['HB_HIL_RESERVATIONS'] = join(bench, 'places')
  writeFileSync(join(bench, 'requirements.yaml'), REQUIREMENTS)
  mkdirSync(join(bench, 'scenarios'))
  for (const version of VERSIONS) {
    const path = noteFile()
    rigWithFmu(bench, fmu(version))
    const from = readFileSync(join(ROOT, 'hil-testbed/scenarios/external/made-safe.scenario.yaml'), 'utf8')
    const text = from.replace(/^verifies:.*$/m, 'verifies: [REQ-ACT-001]').replace(/^tags:.*\n/m, '')
    writeFileSync(join(bench, 'scenarios/fmu.scenario.yaml'), text)
    const ran = await hbEnded(
      ['hil', 'run', 'scenarios', '--speed', 'max', '--evidence', `ev${version}`, '--json', 'r.json'],
      bench,
    )
    t.equal(ran.code, 0, `${ran.stdout}${ran.stderr}`)
    const report = JSON.parse(readFileSync(join(bench, 'r.json'), 'utf8')) as { cases: unknown }
    t.match(report.cases, [{ verdict: 'PASS' }])
    t.match(noted(path).at(-1), /^freed after 1\d\d\d steps, heater off$/)
    t.comment(`counted: scenario with an FMI ${version}.0 plant through the real agent | 1 | PASS, its heater is off`)
  }
})

t.test('in all of this the FMU heard no call that the standard does not allow where it was', (t) => {
  const notes = readdirSync(folder).filter((name) => name.startsWith('note-'))
  const lines = notes.flatMap((name) => noted(join(folder, name, 'note')))
  t.ok(lines.filter((line) => line.startsWith('initialized')).length > 30, `${lines.length} lines`)
  t.same(
    lines.filter((line) => line.startsWith('not allowed')),
    [],
  )
  t.end()
})
