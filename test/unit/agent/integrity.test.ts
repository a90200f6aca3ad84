import t from 'tap'
import type { RigChange } from '../../../agent/core/rig-change.ts'
import { createEvaluation, evaluate } from '../../../agent/pipeline/evaluation.ts'
import { Integrity } from '../../../agent/pipeline/integrity.ts'
import { markOf, mint } from '../../../agent/pipeline/pulse.ts'
import type { JournalFile, JournalInput } from '../../../shared/codec/journal-input.ts'
import type { PolicyOrder } from '../../../shared/model/action-input.ts'
import { changed, LOOP_ACTIONS, loopFiles } from '../../support/policy-texts.ts'

const T0 = 1_800_000_000_000_000
const RIG = 'pressure-loop'
const HOUR_US = 3_600_000_000

/** The pressure loop under its kernel, and who looks whether its memory is as it was put there. */
function watched() {
  const evaluation = createEvaluation()
  const [found, disarms, said]: [string[], string[], RigChange[]] = [[], [], []]
  let seq = 0
  const take = (input: JournalInput): void => {
    seq += 1
    for (const effect of evaluate(evaluation, seq, input)) {
      if (effect.kind !== 'safety') continue
      said.push(effect.change)
      if (effect.change.kind === 'arm') integrity.armed(effect.rig, effect.change)
    }
  }
  const order = (one: PolicyOrder): void =>
    take({ kind: 'policy', nowUs: T0 + seq * 1000, rig: RIG, order: one, statements: [] })
  const integrity = new Integrity({
    state: () => evaluation.state,
    found: (rig, what) => found.push(`${rig} ${what}`),
    disarm: (_, reason) => {
      disarms.push(reason)
      order({ kind: 'disarm', by: 'agent', reason })
    },
  })
  const look = (): void => {
    const { rigs } = markOf(mint(new Uint8Array(32), seq, true), [...evaluation.state.rigs.entries()])
    integrity.look(rigs)
  }
  take({ kind: 'config', nowUs: T0, files: loopFiles() })
  take({ kind: 'tick', nowUs: T0 })
  const rig = evaluation.state.rigs[0]!
  const { config, policy } = rig.settings.safety!
  // What is read from files is frozen, which keeps our own code from changing it and a broken memory from nothing.
  const safety = { ...rig.settings.safety!, policy: structuredClone(policy) }
  Object.assign(rig, { settings: { ...rig.settings, safety } })
  // Nothing is measured here: a rule that must work is taken out, or nobody could arm (SE-37).
  for (const { id } of policy.rules)
    order({ kind: 'inhibit', rule: id, action: null, untilUs: T0 + HOUR_US, by: ['ada', 'ben'], reason: 'bench' })
  const arm = (): void => order({ kind: 'arm', config, untilUs: T0 + HOUR_US, by: ['ada', 'ben'] })
  const configure = (files: readonly JournalFile[]): void => take({ kind: 'config', nowUs: T0 + seq * 1000, files })
  const now = () => evaluation.state.rigs[0]!.safety!.kernel
  return { configure, now, rig, found, disarms, said, look, arm, order, integrity, kernel: rig.safety!.kernel }
}

type Leaf = Readonly<{ at: Record<string, unknown>; name: string; path: string }>

/** Every word and number in a value, wherever it is. */
function leavesOf(value: object, path = ''): Leaf[] {
  return Object.entries(value).flatMap(([name, part]) =>
    typeof part === 'object' && part !== null
      ? leavesOf(part as object, `${path}.${name}`)
      : [{ at: value as Record<string, unknown>, name, path: `${path}.${name}` }],
  )
}

function spoiled(value: unknown): unknown {
  if (typeof value === 'number') return value + 1
  if (typeof value === 'boolean') return !value
  return value === null ? 'x' : `${String(value)}x`
}

// verifies SE-40
t.test('any word of a policy that changes in memory disarms the rig, CRITICAL', (t) => {
  const world = watched()
  world.look()
  const leaves = leavesOf(world.rig.settings.safety!.policy)
  t.ok(leaves.length > 150, `${leaves.length} words and numbers`)
  let missed = 0
  for (const { at, name, path } of leaves) {
    world.arm()
    world.look()
    const before = world.disarms.length
    if (world.kernel.arm.state !== 'ARMED' || (before > 0 && world.disarms.at(-1) !== 'INTEGRITY:policy')) t.fail(path)
    const was = at[name]
    at[name] = spoiled(was)
    world.look()
    if (world.disarms.length !== before + 1 || String(world.kernel.arm.state) !== 'PASSIVE') {
      missed += 1
      t.fail(`${path} went unseen`)
    }
    at[name] = was
    world.look()
    if (world.integrity.isBroken(RIG)) t.fail(`${path} is as it was, and said to be broken`)
  }
  t.equal(missed, 0)
  t.match(world.found[0], `${RIG} policy`)
  t.ok(
    world.said.some(
      (one) => one.kind === 'alarm' && one.active && one.severity === 'CRITICAL' && one.id === 'arm_dropped',
    ),
    'the kernel raises an alarm',
  )
  t.comment(`counted: words of a policy changed in memory | ${leaves.length} | each found, the rig disarmed`)
  t.end()
})

// verifies SE-40
t.test('any word of the arm record that changes in memory disarms the rig', (t) => {
  const changes: readonly [string, (kernel: ReturnType<typeof watched>['kernel']) => void][] = [
    ['longer', ({ arm }) => Object.assign(arm, { untilUs: arm.untilUs + 1 })],
    ['no end', ({ arm }) => Object.assign(arm, { untilUs: Number.NaN })],
    ['other people', ({ arm }) => arm.by.reverse()],
    ['nobody', ({ arm }) => Object.assign(arm, { by: [] })],
    ['disarmed without a word', (kernel) => Object.assign(kernel.arm, { state: 'PASSIVE' })],
    ['another state', (kernel) => Object.assign(kernel.arm, { state: 'OFF' })],
  ]
  for (const [name, change] of changes) {
    const world = watched()
    world.arm()
    world.look()
    t.same(world.disarms, [], `${name}: well before`)
    change(world.kernel)
    world.look()
    t.same(world.disarms, ['INTEGRITY:arm'], name)
    t.same(world.kernel.arm, { state: 'PASSIVE', untilUs: 0, config: '', by: [] })
    world.look()
    t.same(world.disarms, ['INTEGRITY:arm'], `${name}: once`)
    t.same(world.found, [`${RIG} arm`])
  }
  const forged = watched()
  Object.assign(forged.kernel.arm, { state: 'ARMED', untilUs: T0 + HOUR_US, by: ['ada', 'ben'] })
  forged.look()
  t.same(forged.disarms, ['INTEGRITY:arm'], 'armed without an order')
  t.equal(forged.kernel.arm.state, 'PASSIVE')
  t.end()
})

// verifies SE-40
t.test(
  'a rig that people took off, in this life or the one before, is as it should be; one that took itself off is not',
  (t) => {
    const off = watched()
    off.order({ kind: 'off', by: 'ada', reason: 'the loop is rebuilt' })
    off.look()
    t.same(off.disarms, [])
    Object.assign(off.kernel.arm, { untilUs: T0 + HOUR_US })
    off.look()
    t.same(off.disarms, ['INTEGRITY:arm'])
    t.match(off.kernel, { arm: { state: 'PASSIVE' } }, 'it is judged again, and does nothing')
    off.look()
    t.equal(off.disarms.length, 1)

    const before = watched()
    Object.assign(before.kernel.arm, { state: 'OFF' })
    before.look()
    t.same(before.disarms, [], 'what a start finds')
    Object.assign(before.kernel.arm, { state: 'PASSIVE' })
    before.look()
    t.same(before.disarms, ['INTEGRITY:arm'])
    t.end()
  },
)

// verifies SE-21, SE-40
t.test('a rig that is off is off under another policy, and nobody takes that for a broken memory', (t) => {
  const world = watched()
  world.order({ kind: 'off', by: 'ada', reason: 'the loop is rebuilt' })
  world.look()
  const [from, to] = ['6', '5.9'].map((value) => `op: ">", value: ${value}, persistence: 5 }\n      - { id: b`)
  world.configure(loopFiles({ actions: changed(LOOP_ACTIONS, from!, to!) }))
  t.equal(world.now().arm.state, 'OFF')
  t.not(world.now(), world.kernel, 'another memory')
  world.look()
  t.same([world.found, world.disarms], [[], []])
  t.notOk(world.said.some((one) => one.kind === 'alarm' && one.active && one.id === 'arm_dropped'))
  world.order({ kind: 'passive', by: 'ada', reason: 'it is rebuilt' })
  world.look()
  t.same([world.now().arm.state, world.disarms], ['PASSIVE', []])
  t.end()
})
