import { cpSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { loadScenarios } from '../../../hil-testbed/scenario/load.ts'
import { newScenario } from '../../../hil-testbed/scenario/new-scenario.ts'
import { combinations, pairwiseRows } from '../../../hil-testbed/scenario/pairwise.ts'
import { filledIn, masked, referencesIn } from '../../../hil-testbed/scenario/params-text.ts'
import { type RigFile, type RigFileValue, RigReader } from '../../../hil-testbed/scenario/rig-file.ts'
import { microsOf, withinOf } from '../../../hil-testbed/scenario/time-text.ts'
import { ROOT } from '../../../scripts/sources.ts'
import { SOUND, scenarioFolder } from '../../support/scenario-folder.ts'

t.test('a scenario becomes a row a combination, the last parameter changing first', (t) => {
  const folder = scenarioFolder(t)
  folder.put('scenarios/try.scenario.yaml', SOUND)
  const { rows, files } = loadScenarios([`${folder.path}/scenarios`])
  t.equal(files, 1)
  t.same(
    rows.map(({ row, params, seed }) => [row, params['F1.value'], seed]),
    [
      [0, 'hold_last', 1],
      [1, 0, 1],
      [2, 'hold_last', 2],
      [3, 0, 2],
    ],
  )
  const [row] = rows
  t.match(row, {
    id: 'SCN-TRY-001',
    file: 'try.scenario.yaml',
    skip: '',
    clock: { mode: 'lockstep', quantumUs: 5000, durationUs: 40_000_000 },
    setup: [
      { do: 'arm', by: ['alice', 'bob'], forUs: 60_000_000 },
      { do: 'await', condition: 'p_bar > 4', withinUs: 2_000_000 },
      { do: 'wait', forUs: 2_000_000 },
    ],
    steps: [
      { atUs: 5_000_000, when: null, note: '' },
      {
        atUs: 8_000_000,
        steps: [
          { do: 'stimulate', inputs: { valve_opening: 0.15 } },
          { do: 'mark', name: 'hazard_onset' },
        ],
      },
      { atUs: 8_000_000, when: 'p_bar > 9.5', withinUs: 10_000_000, steps: [], note: 'the line' },
      { atUs: 30_000_000, steps: [{ do: 'clear', id: 'F1' }] },
    ],
    teardown: [
      { do: 'actuator', target: 'pump', inputs: { pump: 1 } },
      { do: 'disarm', by: 'alice' },
    ],
  })
  t.same(row!.steps[0]!.steps, [
    {
      do: 'inject',
      fault: {
        ...{ id: 'F1', target: 'p_a', class: 'sensor.stuck_at', shape: 'step', onsetUs: 5_000_000 },
        ...{ durationUs: 500_000, periodUs: 0, pulseUs: 0, params: { value: 'hold_last' } },
      },
    },
  ])
  t.same(JSON.parse(JSON.stringify(rows)), rows, 'plain JSON')
  t.end()
})

t.test('each word of an expectation becomes what the oracle judges', (t) => {
  const folder = scenarioFolder(t)
  const expect = `  - verdict: { is: PASS }
  - verdict: { is: [FAIL, NO_TEST], metric: p_a, ground: limit, within: 2s of F1, optional: true }
  - alarm: { name: permit_lost, active: false }
  - action: { kind: shutdown, reaches: GATE_DENIED, reason: STALE }
  - arm: { state: PASSIVE, within: 1s }
  - refused: { reason: NOT_TWO }
  - told: { event: peer_refused, why: wrong_version, within: 1s of F1 }
  - told: { event: uplink_lost }
  - gap: { reason: host_overrun }
  - never: { verdict: PASS, from: 2s, to: 3s }
  - never: { action: isolate }
  - never: { alarm: flow-lost }
  - always: { verdict: [PASS, PASS_WITH_DRIFT] }
  - count: { effect: pump, least: 1 }
  - count: { alarm: pressure-high, most: 3 }
  - start_refused: CONFIG_INVALID
  - collected: all
`
  const from = SOUND.indexOf('  - verdict')
  const text = `${SOUND.slice(0, from)}${expect}${SOUND.slice(SOUND.indexOf('teardown'))}`
  folder.put('try.scenario.yaml', text.replace('rig: vessel', 'rig: vessel\ncollector: true'))
  const after = { within: null, optional: false }
  const whole = { fromUs: 0, toUs: null }
  t.same(loadScenarios([folder.path]).rows[0]!.expect, [
    { kind: 'verdict', is: ['PASS'], metric: null, ground: null, ...after },
    {
      ...{ kind: 'verdict', is: ['FAIL', 'NO_TEST'], metric: 'p_a', ground: 'limit' },
      ...{ within: { us: 2_000_000, of: 'F1' }, optional: true },
    },
    { kind: 'alarm', name: 'permit_lost', severity: null, active: false, ...after },
    { kind: 'action', action: 'shutdown', target: null, reaches: 'GATE_DENIED', reason: 'STALE', ...after },
    { kind: 'arm', state: 'PASSIVE', within: { us: 1_000_000, of: 'start' }, optional: false },
    { kind: 'refused', reason: 'NOT_TWO', ...after },
    {
      ...{ kind: 'told', event: 'peer_refused', why: 'wrong_version' },
      ...{ within: { us: 1_000_000, of: 'F1' }, optional: false },
    },
    { kind: 'told', event: 'uplink_lost', why: null, ...after },
    { kind: 'gap', reason: 'host_overrun', optional: false },
    { kind: 'never', what: { verdict: ['PASS'] }, span: { fromUs: 2_000_000, toUs: 3_000_000 } },
    { kind: 'never', what: { action: 'isolate', target: null, state: 'RELEASED' }, span: whole },
    { kind: 'never', what: { alarm: 'flow-lost' }, span: whole },
    { kind: 'always', verdict: ['PASS', 'PASS_WITH_DRIFT'], span: whole },
    { kind: 'count', of: { effect: 'pump' }, least: 1, most: null },
    { kind: 'count', of: { alarm: 'pressure-high' }, least: 0, most: 3 },
    { kind: 'start_refused', code: 'CONFIG_INVALID' },
    { kind: 'collected', all: true },
  ])
  t.end()
})

t.test('a scenario says of its rig what differs, key by key', (t) => {
  const folder = scenarioFolder(t)
  folder.put('try.scenario.yaml', SOUND.replace('rig: vessel', 'rig: vessel\nkeys: { slide_ms: 100 }'))
  const { rig } = loadScenarios([folder.path]).rows[0]!
  t.match(rig.plant, {
    model: 'vessel',
    params: { orifice: 9 },
    init: { p_bar: 5 },
    command: null,
    hazard: 'p_bar > 10',
  })
  t.match(rig.nominal.plant, { params: {} }, 'what the baseline is made of is that of the rig')
  t.match(rig.sensors[0], { channel: 'p_a', of: 'p_bar', source: 'daq-1', noiseSd: 0.05, rateHz: 200, gain: 1 })
  t.equal(rig.nominal.sensors[0]!.noiseSd, 0.02)
  t.ok(rig.sensors[0]!.ccg.includes('psu-1'), 'groups are those of the registry unless they are said')
  t.same(rig.rigKeys, { detector_step_ms: 250, slide_ms: 100 })
  t.match(rig.actuators[0], { target: 'pump', latencyUs: 40_000, lossEffect: 'de_energise', idempotent: true })
  t.end()
})

t.test('another seed takes the place of every other, and of a matrix of seeds', (t) => {
  const folder = scenarioFolder(t)
  folder.put('try.scenario.yaml', SOUND)
  t.same(
    loadScenarios([folder.path], { seed: 99 }).rows.map(({ seed, params }) => [seed, params['F1.value']]),
    [
      [99, 'hold_last'],
      [99, 0],
    ],
  )
  t.end()
})

t.test('values by name are filled in anywhere, also through each other, and keep their kind', (t) => {
  const folder = scenarioFolder(t)
  const text = SOUND.replace(
    /params: \{ matrix.*/,
    `params: { set: { line: 10.0, far: "p_bar > \${line}", open: 0.3 }, matrix: { open: [0.1, 0.2] } }`,
  )
    .replace('plant: p_bar > 10.0', `plant: "\${far}"`)
    .replace('valve_opening: 0.15', `valve_opening: "\${open}"`)
    .replace('title: everything that there is', `title: open \${open} # not \${here}`)
  folder.put('try.scenario.yaml', text)
  const { rows } = loadScenarios([folder.path])
  t.same(
    rows.map(({ title, params }) => [title, params]),
    [
      ['open 0.1', { open: 0.1 }],
      ['open 0.2', { open: 0.2 }],
    ],
  )
  t.match(rows[1]!.expect[3], { what: { plant: 'p_bar > 10' } })
  t.match(rows[1]!.steps[1]!.steps[0], { inputs: { valve_opening: 0.2 } })
  t.end()
})

t.test('references are found outside of comments alone, and masking changes no line', (t) => {
  const text = `a: \${x} # \${no}\nb: { c: \${y}, d: "\${z}", e: "1 \${x}" }\n# \${no}\nf: '# \${w}'\n`
  t.same(
    referencesIn(text).map(({ name }) => name),
    ['x', 'y', 'z', 'x', 'w'],
  )
  t.equal(text.slice(referencesIn(text)[1]!.offset).slice(0, 4), `\${y}`)
  t.equal(masked(text).split('\n').length, text.split('\n').length)
  const values = new Map<string, number | string>([
    ['x', 1],
    ['y', 2],
    ['z', 3],
    ['w', 'v'],
  ])
  t.equal(filledIn(text, values), `a: 1 # \${no}\nb: { c: 2, d: 3, e: "1 1" }\n# \${no}\nf: '# v'\n`)
  t.end()
})

t.test('pairs: every two values of two parameters meet, in no more rows than all combinations', (t) => {
  const sizes = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 0, maxLength: 7 })
  fc.assert(
    fc.property(sizes, (of) => {
      const rows = pairwiseRows(of)
      const met = new Set(
        rows.flatMap((row) => row.flatMap((va, a) => row.slice(a + 1).map((vb, k) => `${a}:${va} ${a + 1 + k}:${vb}`))),
      )
      const wanted = of.flatMap((na, a) => of.slice(a + 1).map((nb) => na * nb)).reduce((sum, one) => sum + one, 0)
      const inRange = rows.every(
        (row) => row.length === of.length && row.every((value, k) => value >= 0 && value < of[k]!),
      )
      return met.size === wanted && inRange && rows.length <= of.reduce((product, one) => product * one, 1)
    }),
  )
  t.equal(combinations([2, 3]).length, 6)
  t.same(pairwiseRows([2, 2, 2]), pairwiseRows([2, 2, 2]))
  t.ok(pairwiseRows([4, 4, 4, 4, 4]).length <= 32, 'of 1024')
  t.end()
})

t.test('pairwise rows of a file', (t) => {
  const folder = scenarioFolder(t)
  const matrix =
    'params: { pairwise: true, matrix: { seed: [1, 2, 3], quantum_ms: [5, 20], F1.value: [hold_last, 0, 5.0] } }'
  folder.put('try.scenario.yaml', SOUND.replace(/params: \{ matrix.*/, matrix))
  const { rows } = loadScenarios([folder.path])
  t.equal(rows.length, 9)
  t.same(
    rows.map(({ row }) => row),
    [0, 1, 2, 3, 4, 5, 6, 7, 8],
  )
  t.end()
})

t.test('times with their unit', (t) => {
  t.same(['5.0s', '900ms', '1.5min', '250us', '0s'].map(microsOf), [5_000_000, 900_000, 90_000_000, 250, 0])
  t.same(withinOf('900ms of hazard_onset'), { us: 900_000, of: 'hazard_onset' })
  t.same(withinOf('5s'), { us: 5_000_000, of: 'start' })
  t.end()
})

t.test('a new scenario of every rig is sound, and so is what it has commented out', (t) => {
  const folder = scenarioFolder(t)
  cpSync(join(ROOT, 'hil-testbed/rigs'), join(folder.path, 'rigs'), { recursive: true })
  const rigs = readdirSync(join(folder.path, 'rigs'), { withFileTypes: true }).filter((one) => one.isDirectory())
  t.ok(rigs.length > 0)
  for (const { name } of rigs) {
    const rig = new RigReader().rig(join(folder.path, 'rigs', name, 'rig.yaml')) as RigFile & { value: RigFileValue }
    const text = newScenario({ id: 'SCN-NEW-001', rig, schema: null })
    const path = folder.put('new.scenario.yaml', text)
    t.equal(loadScenarios([path]).rows.length, 2, name)
    folder.put('new.scenario.yaml', text.replaceAll(/^( +)# /gm, '$1'))
    t.equal(loadScenarios([path]).rows.length, 4, `${name}, all of it`)
  }
  t.end()
})
