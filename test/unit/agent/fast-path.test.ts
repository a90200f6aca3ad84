import t from 'tap'
import type { ActionChange } from '../../../agent/core/safety/changes.ts'
import type { RigSettings } from '../../../agent/core/settings.ts'
import type { EvaluatorInput } from '../../../agent/core/step.ts'
import { createPrng, type Prng } from '../../../shared/lib/prng.ts'
import type { Rule } from '../../../shared/model/actions-policy.ts'
import { actingRig, EARLY, LOOP } from '../../support/acting-inputs.ts'
import { cutEverywhere } from '../../support/cuts.ts'
import {
  type Collected,
  collected,
  configInput,
  evaluatorSettings,
  feed,
  frameInput,
  frameOf,
  LATENESS_US,
  RIG,
  SLIDE_US,
  T0,
  tickInput,
} from '../../support/evaluator-rig.ts'

const CONFIG = 'c0ffee'
const END_US = T0 + 12_000_000

const rigOf = (fastPath: boolean, change: Partial<Rule> = {}): RigSettings =>
  actingRig(CONFIG, { ...EARLY, fastPath, ...change })

/** What one channel does in a chunk of time: of 0–1, how likely each is. */
type Weather = Readonly<{ rubbish: number; disorder: number }>

/** Frames of 1 to 9 samples a channel, each at most the lateness behind, with pressures that rise now and then. */
function arrivals(prng: Prng, { rubbish, disorder }: Weather): EvaluatorInput[] {
  const sent: { atUs: number; input: EvaluatorInput }[] = []
  const highs = [3, 6, 9].map((s) => ({
    fromUs: T0 + s * 1_000_000 + prng.int(200_000),
    forUs: 30_000 + prng.int(300_000),
  }))
  const isHigh = (timeUs: number): boolean =>
    highs.some(({ fromUs, forUs }) => timeUs >= fromUs && timeUs < fromUs + forUs)
  // The pump stops for a while whenever it may have been asked to.
  const flowAt = (timeUs: number): number =>
    highs.some(({ fromUs }) => timeUs > fromUs && timeUs < fromUs + 2_000_000) ? 0 : 10
  for (const metric of LOOP) {
    let seq = 0
    for (let timeUs = T0; timeUs < END_US; ) {
      const count = 1 + prng.int(9)
      const times = Array.from({ length: count }, (_, k) => timeUs + k * 10_000)
      timeUs += count * 10_000
      const isBad = prng.next() < rubbish
      const values = times.map((at) =>
        isBad ? Number.NaN : metric === 'flow' ? flowAt(at) : isHigh(at) ? 9 + prng.next() : 5,
      )
      // Later by less than the lateness, and not always in order.
      const atUs = timeUs + (prng.next() < disorder ? prng.int(LATENESS_US - 90_000) : 1_000)
      const frame = frameOf({ times, values: [values], channels: [metric], source: `pub-${metric}`, seq })
      sent.push({ atUs, input: frameInput(atUs, frame) })
      seq += 1
    }
  }
  for (let atUs = T0; atUs <= END_US + 1_000_000; atUs += SLIDE_US) sent.push({ atUs, input: tickInput(atUs) })
  return sent.sort((a, b) => a.atUs - b.atUs).map(({ input }) => input)
}

/** Feeds it to a rig that two people have armed, and whose actions are released and done at once. */
function acted(rig: RigSettings, brought: readonly EvaluatorInput[]): Collected & { inputs: EvaluatorInput[] } {
  const out = { ...collected(), inputs: [] as EvaluatorInput[] }
  function take(input: EvaluatorInput): void {
    out.inputs.push(input)
    const before = out.safety.length
    feed(out, input)
    const about = { nowUs: input.nowUs, rig: RIG }
    for (const change of out.safety.slice(before)) {
      if (change.kind !== 'action' || change.from === change.state) continue
      const { key, state } = change
      if (state === 'GATE_PASSED') take({ kind: 'action_transition', ...about, step: { kind: 'release', key } })
      if (state !== 'RELEASED') continue
      take({ kind: 'action_transition', ...about, step: { kind: 'sent', key } })
      take({ kind: 'ack', ...about, key, status: 'completed', from: 'pump', message: '' })
    }
  }
  take(configInput(T0, evaluatorSettings([rig])))
  let armed = false
  for (const input of brought) {
    take(input)
    if (armed || input.nowUs < T0 + 1_500_000) continue
    const order = { kind: 'arm', config: CONFIG, untilUs: T0 + 3_600_000_000, by: ['ada', 'bob'] } as const
    take({ kind: 'policy', nowUs: input.nowUs, rig: RIG, order, statements: [] })
    armed = true
  }
  return out
}

const actions = ({ safety }: Collected): ActionChange[] =>
  safety.flatMap((change) => (change.kind === 'action' ? [change] : []))
const proposed = (out: Collected): ActionChange[] => actions(out).filter(({ state }) => state === 'PROPOSED')
const closings = (out: Collected): string[] =>
  actions(out).flatMap(({ reasons }) => reasons.filter((reason) => reason.startsWith('CLOSED:')))

// verifies SE-29
t.test(
  'whatever the order of arrival, what is told early is what its slide says, and nothing is told twice',
  async (t) => {
    let [early, sooner, episodes] = [0, 0, 0]
    for (let seed = 1; seed <= 30; seed += 1) {
      const brought = arrivals(createPrng(seed), { rubbish: 0, disorder: seed % 3 === 0 ? 1 : 0.2 })
      const fast = acted(rigOf(true), brought)
      const slow = acted(rigOf(false), brought)
      const says = closings(fast)
      if (says.some((word) => word !== 'CLOSED:agrees')) t.fail(`seed ${seed}: ${says.join(', ')}`)
      early += says.length
      // Every episode of the slow rig has one action of the fast one, about the same slide, and sooner.
      const [soon, late] = [proposed(fast), proposed(slow)]
      if (soon.length !== late.length) t.fail(`seed ${seed}: ${soon.length} and ${late.length} proposals`)
      late.forEach((change, k) => {
        const of = soon[k]
        if (of === undefined || of.endUs > change.endUs) t.fail(`seed ${seed}: ${of?.endUs} and ${change.endUs}`)
        else if (of.nowUs < change.nowUs) sooner += 1
      })
      episodes += late.length
      t.same(
        fast.decisions.map(({ timeUs, verdict }) => [timeUs, verdict]),
        slow.decisions.map(({ timeUs, verdict }) => [timeUs, verdict]),
      )
    }
    t.ok(episodes > 60, `${episodes} episodes`)
    t.ok(sooner > 0.9 * episodes, `${sooner} of ${episodes} sooner`)
    t.ok(early >= sooner)
  },
)

t.test('rubbish that comes later can make a closed slide differ, which is said', async (t) => {
  const words = new Set<string>()
  for (let seed = 1; seed <= 40; seed += 1) {
    const out = acted(
      rigOf(true, { vote: '1ooN', action: 'degrade' }),
      arrivals(createPrng(seed), { rubbish: 0.1, disorder: 0.5 }),
    )
    for (const word of closings(out)) words.add(word)
    t.equal(new Set(proposed(out).map(({ key }) => key)).size, proposed(out).length)
  }
  t.same([...words].sort(), ['CLOSED:agrees', 'CLOSED:differs'])
})

// verifies SE-29
t.test('a state is whole with it: cut at every input and gone on with', async (t) => {
  const { inputs } = acted(
    rigOf(true),
    arrivals(createPrng(5), { rubbish: 0.02, disorder: 0.5 }).filter(({ nowUs }) => nowUs < T0 + 4_500_000),
  )
  const { cuts, differs } = cutEverywhere(inputs, 25)
  t.equal(differs, null)
  t.ok(cuts > 400, `${cuts} cuts`)
})

t.test('the record names the frame that it rests on', async (t) => {
  const out = acted(rigOf(true), arrivals(createPrng(2), { rubbish: 0, disorder: 0 }))
  const [first] = proposed(out)
  t.match(first?.reasons[0], /^PROVISIONAL:pub-p_[abc]\/e1#\d+$/)
  const core = out.items
    .map(({ values }) => values[0] as Record<string, unknown>)
    .find((one) => one['state'] === 'PROPOSED')
  t.match(core, { v: 5, reasons: first!.reasons, t_us: first!.nowUs, end_us: first!.endUs })
  t.ok(first!.endUs > (core!['t_us'] as number) - LATENESS_US, 'its slide could not have closed')
})

t.test('samples so far ahead that too many slides are open wait until they are nearer', async (t) => {
  const far = { ...rigOf(true), latenessUs: 10_000_000, maxFutureUs: 20_000_000 }
  const out = acted(far, arrivals(createPrng(3), { rubbish: 0, disorder: 0 }))
  const [first] = proposed(out)
  t.ok(first!.nowUs < first!.endUs + 10_000_000 - 126 * SLIDE_US)
  t.ok(first!.nowUs > first!.endUs + 10_000_000 - 129 * SLIDE_US)
})
