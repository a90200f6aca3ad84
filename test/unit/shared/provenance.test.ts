import t from 'tap'
import { parseRuntimeFiles } from '../../../shared/config/load.ts'
import type { Look, MetricProvenance } from '../../../shared/model/actions-policy.ts'
import { CAUSE_KINDS, sharedCauses, trailOf, workOutProvenance } from '../../../shared/model/provenance.ts'
import { bytesOf } from '../../support/config-texts.ts'
import { inLoop, LOOP_REGISTRY, LOOP_RUNTIME, loopFiles, parsedLoop } from '../../support/policy-texts.ts'

const windowOf = (metric: string): Look => ({
  kind: 'window',
  metric,
  windowUs: 250_000,
  of: 'mean',
  op: '>',
  value: 7,
})
const sharedBy = (a: Look, b: Look, all: readonly MetricProvenance[]) => sharedCauses(trailOf(a, all), trailOf(b, all))
const own = (n: number) => Object.fromEntries(CAUSE_KINDS.map((kind) => [kind, `${kind}-${n}`]))
const stated = (metric: string, n: number, more: object = {}) => ({
  ...{ metric, source: `S-${n}`, publisher: `pub-${n}`, causes: own(n), derivedFrom: [], added: [] },
  ...more,
})

// verifies SE-06
t.test('two channels are independent when they state everything and share nothing: each thing alone decides', (t) => {
  const both = (more: object) => workOutProvenance([stated('a', 1), stated('b', 2, more)], [])
  const shared = (more: object) => sharedBy(windowOf('a'), windowOf('b'), both(more))
  t.same(shared({}), [], 'nothing shared')
  t.same(shared({ source: 'S-1' }), ['leaf:s-1'])
  t.same(shared({ source: 's-1' }), ['leaf:s-1'], 'in whatever case')
  t.same(shared({ publisher: 'pub-1' }), ['publisher:pub-1'], 'one publisher is one group')
  for (const kind of CAUSE_KINDS) {
    t.same(shared({ causes: { ...own(2), [kind]: `${kind}-1` } }), [`${kind}:${kind}-1`], `shared ${kind}`)
    const { [kind]: _, ...without } = own(2)
    t.same(shared({ causes: without }), ['undeclared'], `${kind} left out is unknown`)
  }
  t.same(shared({ source: null }), ['undeclared'])
  t.same(shared({ publisher: null }), ['undeclared'])
  t.same(shared({ derivedFrom: ['nobody'] }), ['undeclared'], 'a parent that is not there')
  t.same(sharedBy(windowOf('a'), windowOf('a'), both({})).length, CAUSE_KINDS.length + 2, 'one channel in two windows')
  t.same(sharedBy(windowOf('a'), windowOf('nobody'), both({})), ['undeclared'])
  t.end()
})

// verifies SE-06
t.test('`none` and the agent itself are outside the count', (t) => {
  const all = (name: string) =>
    workOutProvenance(
      [1, 2].map((n) => stated(`m${n}`, n, { causes: { ...own(n), host: name, bus: name } })),
      [],
    )
  for (const name of ['none', 'agent', 'Agent']) t.same(sharedBy(windowOf('m1'), windowOf('m2'), all(name)), [], name)
  t.same(sharedBy(windowOf('m1'), windowOf('m2'), all('edge')), ['bus:edge', 'host:edge'])
  t.end()
})

// verifies SE-06
t.test('what is derived has the leaves and groups of all it comes from, through any depth', (t) => {
  const derived = (metric: string, ...derivedFrom: string[]) =>
    stated(metric, 9, { metric, source: null, causes: {}, publisher: 'pub-9', derivedFrom })
  const all = workOutProvenance(
    [
      stated('a', 1),
      stated('b', 2),
      stated('c', 3),
      derived('rate', 'a'),
      derived('mix', 'rate', 'b'),
      derived('sum', 'mix'),
    ],
    [],
  )
  t.same(all.find(({ metric }) => metric === 'sum')!.leaves, ['s-1', 's-2'])
  t.same(sharedBy(windowOf('sum'), windowOf('c'), all), [])
  t.same(
    sharedBy(windowOf('a'), windowOf('rate'), all),
    [
      'leaf:s-1',
      ...['bus', 'clock', 'daq', 'host', 'power', 'publisher', 'sensor'].map((k) =>
        k === 'publisher' ? 'publisher:pub-1' : `${k}:${k}-1`,
      ),
    ],
    'raw and derived are one witness',
  )
  t.ok(sharedBy(windowOf('sum'), windowOf('b'), all).includes('leaf:s-2'))
  const gap = workOutProvenance([stated('a', 1, { causes: {} }), stated('b', 2), derived('mix', 'a')], [])
  t.same(sharedBy(windowOf('mix'), windowOf('b'), gap), ['undeclared'], 'what a parent does not state, nobody does')
  const cycle = workOutProvenance([derived('x', 'y'), derived('y', 'x'), stated('b', 2)], [])
  t.same(sharedBy(windowOf('x'), windowOf('b'), cycle), ['undeclared'], 'a cycle ends, without a leaf')
  t.end()
})

// verifies SE-06
t.test(
  'a verdict also rests on the baseline in force, a window does not, and the rig as a whole on everything',
  (t) => {
    const all = workOutProvenance([stated('a', 1), stated('b', 2)], [])
    const drift = (metric: string): Look => ({ kind: 'verdict', metric, verdicts: ['DRIFT'] })
    t.same(sharedBy(drift('a'), drift('b'), all), ['baseline:in_force'])
    t.same(sharedBy(drift('a'), windowOf('b'), all), [])
    t.same(sharedBy({ kind: 'event' }, windowOf('b'), all), ['undeclared'])
    t.same(sharedBy({ kind: 'overall', verdicts: ['FAIL'] }, windowOf('b'), all), ['undeclared'])
    t.end()
  },
)

// verifies SE-06
t.test('the registry compiles to it, with the mapping that a channel goes through', (t) => {
  const mapping =
    'version: 1\nmappings:\n  - { source_name: PRESS_A, target_name: p_a }\n  - { source_name: PRESS_B, target_name: p_b }\n'
  const runtime = LOOP_RUNTIME.replace(
    '    actions_policy_file: loop.actions.yaml\n',
    '    equivalence_file: map.yaml\n',
  )
  const { provenance } = parseRuntimeFiles([...loopFiles({ runtime }), { name: 'map.yaml', bytes: bytesOf(mapping) }])
  const all = provenance.get('pressure-loop')!
  t.same(sharedBy(windowOf('p_a'), windowOf('p_b'), all), ['mapping:map.yaml'])
  t.same(sharedBy(windowOf('p_a'), windowOf('p_c'), all), [])
  t.same(parsedLoop().provenance.get('pressure-loop')![1], {
    metric: 'p_a',
    leaves: ['pt-101'],
    groups: [
      'bus:link-1',
      'clock:clock-1',
      'daq:daq-1',
      'host:edge-1',
      'power:psu-1',
      'publisher:daq-1',
      'sensor:tapping-1',
    ],
    declared: true,
  })
  t.end()
})

t.test('mistakes of provenance: cycles, parents that are not there, two spellings, a mode that changes it', (t) => {
  const more = (text: string) => inLoop({ registry: LOOP_REGISTRY + text })
  const metric = (name: string, keys: string) =>
    `  ${name}: { unit: bar, nominal_rate_hz: 200, baseline_required: false, invariant_max: 9, ${keys} }\n`
  t.match(more(metric('rate', 'derived_from: [p_aa]')), [
    { key: 'metrics.rate.derived_from', found: '`p_aa`', hint: 'did you mean `p_a`?' },
  ])
  t.match(more(metric('x', 'derived_from: [x]')), [{ key: 'metrics.x.derived_from', found: 'a cycle: `x` → `x`' }])
  t.match(
    more(metric('x', 'derived_from: [p_a, y]') + metric('y', 'derived_from: [z]') + metric('z', 'derived_from: [x]')),
    [
      { key: 'metrics.x.derived_from', found: 'a cycle: `x` → `y` → `z` → `x`' },
      { key: 'metrics.y.derived_from' },
      { key: 'metrics.z.derived_from' },
    ],
  )
  t.match(more(metric('x', 'ccg: { power: PSU1 }')), [
    { key: 'metrics.x.ccg', found: 'power `PSU1`, elsewhere `psu-1`', hint: /fail independently/ },
  ])
  t.match(more(metric('x', 'ccg: { powr: psu-1 }')), [{ key: 'metrics.x.ccg.powr', hint: 'did you mean `power`?' }])
  t.match(more('mode_overrides:\n  test: { metrics: { p_a: { publisher: daq-9 } } }\n'), [
    { key: 'mode_overrides.test.metrics.p_a.publisher', found: 'a key that no mode changes' },
  ])
  t.end()
})
