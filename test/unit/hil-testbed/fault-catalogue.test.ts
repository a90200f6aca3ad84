import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { DEVICE_FAULTS } from '../../../hil-testbed/actuator-device.ts'
import { isCarried } from '../../../hil-testbed/bench/carried-faults.ts'
import { FAULT_KINDS, faultKind } from '../../../hil-testbed/core/faults/catalogue.ts'
import { FAULT_CLASSES } from '../../../hil-testbed/core/faults/kind.ts'
import { faultProblems } from '../../../hil-testbed/fault-problems.ts'
import { ROOT } from '../../../scripts/sources.ts'
import { fault, sensor, tried } from '../../support/instrumented-rig.ts'

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))

/** What must be given, for kinds that have no default for it. */
const GIVEN: Readonly<Record<string, Record<string, number | string>>> = {
  'sensor.saturation': { low: 0, high: 1 },
  'sensor.swap': { with: 'y' },
  'sensor.plausible': { value: 5 },
  'comms.masquerade': { as: 'daq-2' },
  'config.mapping_error': { one: 'x', other: 'y' },
  'config.inverted_limits': { metric: 'x' },
  'operator.ack_old_occurrence': { alarm: 'x' },
  'operator.shelve_during_escalation': { alarm: 'x' },
  'security.suppression_flood': { alarm: 'x' },
  'recording.rename_column': { column: 'x', to: 'z' },
  'recording.drop_column': { column: 'x' },
}

/** What makes a rare one happen within seconds. */
const OFTEN: Readonly<Record<string, Record<string, number>>> = {
  'sensor.spike': { rate: 10 },
  'sensor.quantise': { step: 4 },
}

t.test('every class has faults, every fault one name, and defaults that its own rules take', async (t) => {
  t.same(new Set(FAULT_KINDS.map((kind) => kind.class)), new Set(FAULT_CLASSES))
  t.equal(new Set(FAULT_KINDS.map(({ name }) => name)).size, FAULT_KINDS.length)
  for (const { name, params, grows, about } of FAULT_KINDS) {
    const defaults = Object.fromEntries(params.flatMap((p) => (p.initial === null ? [] : [[p.name, p.initial]])))
    t.same(
      faultProblems(fault(name, 'x', { ...defaults, ...GIVEN[name] }), { config: ['x'] }).filter(
        (p) => p.key !== 'target',
      ),
      [],
      name,
    )
    const listed = params.map((param) => param.name)
    t.ok(grows.every((one) => listed.includes(one)) && new Set(listed).size === listed.length && about !== '', name)
  }
})

t.test('every fault is carried out, and is in a scenario', async (t) => {
  const files = ['scenarios', 'scenarios-host'].flatMap((folder) => filesBelow(join(ROOT, 'hil-testbed', folder)))
  const injected = new Set(
    files.flatMap((path) =>
      [...readFileSync(path, 'utf8').matchAll(/class: ([a-z]+\.[a-z_]+)/g)].map(([, name]) => name),
    ),
  )
  const rehearsed = FAULT_KINDS.filter(({ by }) => by !== 'file')
  t.same(
    rehearsed.filter(({ by, name }) => by === 'runner' && !isCarried(name)).map(({ name }) => name),
    [],
    'the runner can do all of it',
  )
  t.same(
    rehearsed.filter(({ name }) => !injected.has(name)).map(({ name }) => name),
    [],
    'and it is done',
  )
})

t.test('whatever the simulated actuator can do wrong is in the list', async (t) => {
  t.same(
    DEVICE_FAULTS.filter((name) => faultKind(`actuator.${name}`) === undefined),
    [],
  )
})

t.test('every fault of acquisitions can be injected, and is seen', async (t) => {
  const sensors = [sensor('x', { ccg: ['psu'] }), sensor('y', { source: 'daq-2' })]
  for (const { name, by, params } of FAULT_KINDS) {
    if (by !== 'instrumentation') continue
    const target = name === 'sensor.common_cause' ? 'psu' : name.startsWith('sensor.') ? 'x' : 'daq-1'
    const often = params.some((p) => p.name === 'share') ? { share: 1 } : (OFTEN[name] ?? {})
    const change = { onsetUs: 300_000, durationUs: 5_000_000 }
    const wanted = fault(name, target, { ...GIVEN[name], ...often }, change)
    t.same(faultProblems(wanted), [], name)
    const seen = tried({ sensors, faults: [wanted], untilUs: 6_000_000 }).instrumentation.seen()[0]!
    t.ok(seen.count > 0 && seen.firstUs! >= 300_000 && seen.lastUs! <= 5_300_000, `${name} seen ${seen.count}`)
  }
})

const RIG = { channel: ['x', 'y'], source: ['daq-1', 'daq-2'], ccg: ['psu'], actuator: ['relief'], operator: ['alice'] }

t.test('a fault that is wrong says everything at once, with what was probably meant', async (t) => {
  const problems = faultProblems(
    fault('sensor.spike', 'z', { rat: 1, amp: 'big' }, { onsetUs: -1, durationUs: 0, shape: 'periodic', periodUs: 5 }),
    RIG,
  )
  t.match(problems, [
    { key: 'target', found: '"z"', expected: 'channel or source or ccg' },
    { key: 'onset' },
    { key: 'duration' },
    { key: 'pulse' },
    { key: 'params.rat', hint: 'did you mean `rate`?' },
    { key: 'params.amp', found: '"big"' },
  ])
  t.equal(problems.length, 6)
})

t.test('what is refused of a fault', async (t) => {
  const refused = (...args: Parameters<typeof fault>): string[] =>
    faultProblems(fault(...args), RIG).map(({ key, found, expected, hint }) => `${key} ${found} ${hint ?? expected}`)
  const says = (found: string[], expected: RegExp[]): void => {
    t.match(found, expected)
    t.equal(found.length, expected.length)
  }
  says(refused('sensor.stuckat', 'x'), [/^class "sensor.stuckat" did you mean `sensor.stuck_at`/])
  says(refused('sensor.saturation', 'x'), [/^params.low nothing a number/, /^params.high nothing a number/])
  says(refused('sensor.saturation', 'x', { low: 2, high: 1 }), [/^params.high 1 more than `low`, 2/])
  says(refused('sensor.stuck_at', 'x', { value: 'rail' }), [/^params.rail nothing/])
  says(refused('sensor.stuck_at', 'x', { value: 'hold_lst' }), [/did you mean `hold_last`/])
  says(refused('sensor.swap', 'x', { with: 'x' }), [/another channel/])
  says(refused('sensor.swap', 'x', { with: 'qq' }), [/^params.with "qq" the name of a channel/])
  says(refused('sensor.swap', 'psu', { with: 'x' }), [/^target/])
  says(refused('sensor.dropout', 'x', {}, { shape: 'ramp', durationUs: 5 }), [/^shape ramp/])
  says(refused('sensor.bias', 'x', {}, { shape: 'ramp' }), [/^duration none/])
  says(refused('sensor.bias', 'x', {}, { shape: 'periodic', pulseUs: 5, periodUs: 5 }), [/^period 5/])
  says(refused('sensor.common_cause', 'psu', { fault: 'sensor.swap' }), [/^params.fault/])
  says(refused('sensor.common_cause', 'psu', { fault: 'sensor.nan' }, { shape: 'ramp', durationUs: 5 }), [])
  t.match(refused('sensor.common_cause', 'psu', { fault: 'sensor.drift' }, { shape: 'ramp', durationUs: 5 }), [
    /^shape/,
  ])
  says(refused('sensor.common_cause', 'psu', { fault: 'sensor.drift', offset: 1 }), [/^params.offset/])
  says(refused('comms.lose', 'x'), [/^target "x" source or ccg/])
  says(refused('comms.misaddress', 'daq-1', { rig: 'Not An Id' }), [/^params.rig/])
  says(refused('comms.masquerade', 'daq-1', { as: 'daq-1' }), [/another source/])
  says(refused('comms.repeat', 'daq-1', { copies: 1.5 }), [/^params.copies 1.5 a whole number/])
  says(refused('actuator.no_ack', 'relif'), [/did you mean `relief`/])
  says(refused('compute.kill', 'agent', {}, { shape: 'ramp', durationUs: 5 }), [/^shape ramp/])
  says(refused('config.wrong_signature', 'polcy'), [/did you mean `policy`/])
  t.same(refused('compute.pause', 'agent'), [])
  t.same(refused('sensor.bias', 'psu', { offset: -1 }), [])
})
