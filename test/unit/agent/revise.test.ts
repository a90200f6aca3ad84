import fc from 'fast-check'
import t from 'tap'
import { restoreState, snapshotState } from '../../../agent/core/snapshot.ts'
import type { EvaluatorInput } from '../../../agent/core/step.ts'
import { totalCounts } from '../../../agent/core/totals.ts'
import { canonicalBytes } from '../../../shared/codec/canonical.ts'
import { decodeSigned } from '../../../shared/codec/signed-cbor.ts'
import { toHex } from '../../../shared/crypto/digest.ts'
import type { Canonical } from '../../../shared/model/decision.ts'
import {
  type Collected,
  collected,
  configInput,
  digestOfRun,
  feed,
  feedAll,
  frameInput,
  frameOf,
  LATENESS_US,
  rigOf,
  SLIDE_US,
  T0,
  ticks,
} from '../../support/evaluator-rig.ts'
import { hostileInputs } from '../../support/hostile-inputs.ts'
import { arrivalOf, lateRun, lateSettings, REVISE_US, sayingOf, sayings, sentSamples } from '../../support/late-rig.ts'

/** Everything of a first decision that is about the rig: not its number, which revisions push further. */
const about = (out: Collected) =>
  out.decisions.map((d) => {
    const { seq: _, ...core } = d.values[0] as Record<string, unknown>
    return [core, ...d.values.slice(1)]
  })

const counts = (out: Collected) => rigOf(out).slower!.counts

t.test('a revision says what an evaluation with that much more lateness would have said', async (t) => {
  const inputs = arrivalOf(sentSamples(1), 1)
  const revised = feedAll(lateRun('revise', inputs))
  const slower = sayings(feedAll(lateRun('drop', inputs, { slowerBy: REVISE_US })))
  const { first, last } = sayings(revised)
  let compared = 0
  for (const [timeUs, saying] of slower.first) {
    if (!first.has(timeUs)) continue
    compared += 1
    t.equal(last.get(timeUs), saying, `slide ${(timeUs - T0) / SLIDE_US}`)
  }
  t.ok(compared > 70, `${compared} slides`)
  t.ok(revised.revisions.length > 20, `${revised.revisions.length} revisions`)
  t.equal(counts(revised).revised, revised.revisions.length)
  t.ok(counts(revised).confirmed > 3)
  t.comment(`counted: slides of a second look | ${compared} | as with more lateness`)
})

t.test('a revision names what it corrects, once a slide, and stands in the sequence as a full record', async (t) => {
  const out = feedAll(lateRun('revise', arrivalOf(sentSamples(2), 2)))
  const firsts = new Map(out.decisions.map((d) => [d.seq, d]))
  const seen = new Set<number>()
  for (const { decision, was } of out.revisions) {
    const first = firsts.get(decision.revises)!
    t.ok(first.seq < decision.seq && first.timeUs === decision.timeUs && first.verdict === was)
    t.not(sayingOf(first), sayingOf(decision), 'it says something else')
    t.notOk(seen.has(decision.timeUs), 'once a slide')
    seen.add(decision.timeUs)
    const item = out.items.find((i) => i.kind === 'record' && i.seq === decision.seq)
    t.match(item?.values[0], { v: 4, seq: decision.seq, revises: first.seq, t_us: first.timeUs, action: null })
  }
  const plain = out.items.filter((i) => i.kind === 'record' && firsts.has(i.seq))
  t.ok(plain.every((i) => (i.values[0] as { v: number }).v === 3 && !('revises' in (i.values[0] as object))))
  const spans = out.items.map((i) => (i.kind === 'record' ? [i.seq, i.seq] : [i.first, i.last]))
  t.ok(
    spans.every(([from], k) => k === 0 || from === spans[k - 1]![1]! + 1),
    'no number is left out and none is used twice',
  )
})

t.test(
  'first decisions and actions are those of `drop`: nothing is asked for, changed or cleared by a revision',
  async (t) => {
    for (const seed of [3, 4, 5]) {
      const inputs = arrivalOf(sentSamples(seed), seed)
      const [revised, dropped] = [feedAll(lateRun('revise', inputs)), feedAll(lateRun('drop', inputs))]
      t.same(about(revised), about(dropped))
      t.same(
        revised.actions.map(({ seq: _, ...action }) => action),
        dropped.actions.map(({ seq: _, ...action }) => action),
      )
      const numbers = new Set(revised.revisions.map(({ decision }) => decision.seq))
      t.notOk(revised.actions.some(({ seq }) => numbers.has(seq)))
      t.ok(revised.revisions.some(({ decision, was }) => decision.verdict === 'FAIL' && was !== 'FAIL'))
    }
  },
)

t.test('a thousand orders of arrival in which the same samples are late give the same bytes', async (t) => {
  const sent = sentSamples(1, 1)
  const reference = feedAll(lateRun('revise', arrivalOf(sent, 0)))
  t.ok(reference.revisions.length > 5, `${reference.revisions.length} revisions`)
  let orders = 0
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 - 1 }), (seed) => {
      orders += 1
      return digestOfRun(feedAll(lateRun('revise', arrivalOf(sent, seed)))) === digestOfRun(reference)
    }),
    { numRuns: 1000, seed: 61 },
  )
  t.comment(`counted: orders of arrival under revise | ${orders} | the same bytes, revisions included`)
})

t.test('and a thousand in which any sample may be late come to the same in the end', async (t) => {
  const sent = sentSamples(7, 1)
  const { first: expected } = sayings(feedAll(lateRun('drop', arrivalOf(sent, 0), { slowerBy: REVISE_US })))
  let orders = 0
  let revisions = 0
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 - 1 }), (seed) => {
      orders += 1
      const out = feedAll(lateRun('revise', arrivalOf(sent, seed, 'any')))
      revisions += out.revisions.length
      const { last } = sayings(out)
      for (const [timeUs, saying] of last)
        if (expected.get(timeUs) !== saying && timeUs <= T0 + 1_000_000)
          throw new Error(`slide ${(timeUs - T0) / SLIDE_US}: ${saying}, expected ${expected.get(timeUs)}`)
    }),
    { numRuns: 1000, seed: 71 },
  )
  t.ok(revisions > 5_000, `${revisions} revisions`)
  t.comment(`counted: orders of arrival within both spans | ${orders} | the same is said in the end`)
})

t.test('the ledger balances; what the second look took is late there and counted beside it', async (t) => {
  const sent = sentSamples(8)
  const out = feedAll(lateRun('revise', arrivalOf(sent, 8)))
  const { received, evaluated, late, duplicate, rejected, shed, pending } = totalCounts(rigOf(out))
  t.equal(received, sent.length)
  t.equal(received, evaluated + late + duplicate + rejected + shed + pending)
  t.equal(late, sent.filter((s) => s.late).length)
  t.equal(counts(out).samples, late, 'all of them came in time for the second look')

  const stray = frameInput(
    T0 + 7_000_000,
    frameOf({ channels: ['b'], times: [T0 + 60_000], values: [[1]], seq: 9_000 }),
  )
  feed(out, stray)
  t.equal(totalCounts(rigOf(out)).late, late + 1)
  t.equal(counts(out).samples, late, 'later than that it is late and nothing else')
})

/** Modes, runs, another configuration and a gap in the middle of what is late. */
function eventful(): EvaluatorInput[] {
  const inputs = lateRun('revise', arrivalOf(sentSamples(9), 9))
  const at = (k: number) => inputs[k]!.nowUs
  const run = (k: number, command: 'start' | 'note' | 'stop', note = ''): EvaluatorInput => ({
    kind: 'run',
    nowUs: at(k),
    rig: 'rig-a',
    command,
    run: 'run-1',
    article: 'SN 1',
    procedure: 'P',
    operator: 'Ada',
    note,
  })
  const mode = (k: number): EvaluatorInput => ({
    kind: 'mode',
    nowUs: at(k),
    rig: 'rig-a',
    mode: 'test',
    reason: '',
    operator: 'Ada',
    source: 'cli',
  })
  inputs.splice(330, 0, configInput(at(330), lateSettings('revise', { tag: 2 })))
  inputs.splice(250, 0, run(250, 'stop'))
  inputs.splice(200, 0, run(200, 'note', 'e\u0301'))
  inputs.splice(150, 0, mode(150))
  inputs.splice(100, 0, run(100, 'start'))
  const endUs = inputs[inputs.length - 1]!.nowUs
  const later = arrivalOf(sentSamples(10, 2), 10).map((input) => shifted(input, 20_000_000 + endUs - T0))
  return [...inputs, ...later]
}

function shifted(input: EvaluatorInput, byUs: number): EvaluatorInput {
  if (input.kind !== 'frame') return { ...input, nowUs: input.nowUs + byUs }
  const results = input.results.map((r) =>
    r.ok ? { ...r, frame: { ...r.frame, epoch: 'e2', timeUs: r.frame.timeUs.map((time) => time + byUs) } } : r,
  )
  return { ...input, nowUs: input.nowUs + byUs, results }
}

t.test('a revision is made under the mode and the run of the slide, not of the moment', async (t) => {
  const out = feedAll(eventful())
  const firsts = new Map(out.decisions.map((d) => [d.seq, d]))
  const changed = out.revisions.filter(({ decision }) => {
    const first = firsts.get(decision.revises)!
    t.equal(decision.mode, first.mode)
    t.same(decision.run, first.run)
    return first.run !== null
  })
  t.ok(changed.length > 0)
  t.ok(out.revisions.some(({ decision }) => decision.run === null))
})

t.test(
  'another configuration and a gap begin the second look anew; nothing decided before is revised behind them',
  async (t) => {
    const inputs = eventful()
    const out = feedAll(inputs)
    const config = inputs.findLastIndex((input) => input.kind === 'config')
    const before = feedAll(inputs.slice(0, config))
    const behind = out.revisions.slice(before.revisions.length)
    t.ok(behind.length > 0, 'revisions go on')
    t.ok(behind.every(({ decision }) => decision.revises > before.state.decisionSeq))
    t.equal(out.gaps.length, 1)
    t.ok(out.revisions.some(({ decision }) => decision.timeUs > out.gaps[0]!.toUs))
    const { revised, confirmed, unknown } = counts(out)
    t.equal(revised, out.revisions.length)
    t.ok(unknown >= (2 * REVISE_US) / SLIDE_US, 'what was dropped is counted')
    t.equal(revised + confirmed + unknown + rigOf(out).slower!.first.length, out.decisions.length)
  },
)

t.test('a loss in the middle: numbers go on behind it, and revisions are about what came after', async (t) => {
  const inputs = lateRun('revise', arrivalOf(sentSamples(11), 11))
  const half = feedAll(inputs.slice(0, 300))
  const { decisionSeq, chain, nowUs } = half.state
  const throughUs = half.decisions.at(-1)!.timeUs
  const seq = decisionSeq + 40
  feed(half, {
    kind: 'loss',
    nowUs,
    resumesAfter: 1,
    signedThrough: 0,
    decisionSeq: seq,
    chain,
    throughUs,
    unreadable: [],
  })
  const before = half.revisions.length
  for (const input of inputs.slice(300)) feed(half, input)
  t.ok(half.revisions.length > before)
  t.ok(half.revisions.slice(before).every(({ decision }) => decision.revises > seq))
})

/** Restores after every input and goes on for a while: effects and states must be those of the one that was never cut. */
function cuts(inputs: readonly EvaluatorInput[], followed: number): { cuts: number; differs: string | null } {
  const whole = collected()
  const settings: Collected['state']['settings'][] = []
  const snapshots: Uint8Array[] = []
  const effects = inputs.map((input) => {
    const bytes = toHex(canonicalBytes(brief(feed(whole, input)) as unknown as Canonical))
    snapshots.push(canonicalBytes(snapshotState(whole.state)))
    settings.push(whole.state.settings)
    return bytes
  })
  for (let cut = 0; cut < inputs.length; cut += 1) {
    const out = collected(restoreState(decodeSigned(snapshots[cut]!), settings[cut]!)!)
    const end = Math.min(cut + followed, inputs.length - 1)
    for (let k = cut + 1; k <= end; k += 1)
      if (toHex(canonicalBytes(brief(feed(out, inputs[k]!)) as unknown as Canonical)) !== effects[k])
        return { cuts: cut, differs: `effects of input ${k} after a cut at ${cut}` }
    if (Buffer.compare(canonicalBytes(snapshotState(out.state)), snapshots[end]!) !== 0)
      return { cuts: cut, differs: `state ${end - cut} inputs after a cut at ${cut}` }
  }
  return { cuts: inputs.length, differs: null }
}

const brief = (effects: ReturnType<typeof feed>) =>
  effects.map((e) =>
    e.kind === 'decided' || e.kind === 'revised' ? [e.kind, e.decision.seq, e.decision.timeUs, e.decision.values] : e,
  )

t.test('cut anywhere, with a snapshot restored, it goes on as if it had not been', async (t) => {
  const plain = cuts(eventful(), 40)
  t.equal(plain.differs, null)
  const hostile = cuts(hostileInputs(12, 500, 'revise'), 25)
  t.equal(hostile.differs, null)
  t.comment(`counted: cuts of the evaluation under revise | ${plain.cuts + hostile.cuts} | goes on as if not cut`)
  const out = feedAll(eventful().slice(0, 300))
  const value = decodeSigned(canonicalBytes(snapshotState(out.state)))
  t.equal(restoreState(value, lateSettings('drop')), null, 'a state of another policy is not taken')
})

t.test('hostile inputs under revise: first decisions as under drop, and the ledger balances', async (t) => {
  let revisions = 0
  for (let seed = 1; seed <= 8; seed += 1) {
    const [revised, dropped] = [feedAll(hostileInputs(seed, 400, 'revise')), feedAll(hostileInputs(seed, 400, 'drop'))]
    t.same(about(revised), about(dropped))
    t.equal(revised.actions.length, dropped.actions.length)
    for (const [k, rig] of revised.state.rigs.entries()) {
      t.same(totalCounts(rig), totalCounts(dropped.state.rigs[k]!))
      const { received, evaluated, late, duplicate, rejected, shed, pending } = totalCounts(rig)
      t.equal(received, evaluated + late + duplicate + rejected + shed + pending)
      t.ok(rig.slower!.first.length <= rig.settings.reviseWithinUs / rig.settings.slideUs, 'the ring is bounded')
    }
    revisions += revised.revisions.length
  }
  t.ok(revisions > 50, `${revisions} revisions`)
})

t.test('nothing is revised on what found no room', async (t) => {
  const out = feedAll([configInput(T0, lateSettings('revise')), ...ticks(T0, T0 + 500_000)])
  const burst = (seq: number, atUs: number) => {
    const times = Array.from({ length: 20_000 }, (_, k) => atUs + k * 10)
    return frameInput(atUs + 200_000, frameOf({ channels: ['b'], seq, times, values: [times.map(() => 1)] }))
  }
  for (let k = 0; k < 10; k += 1) {
    feed(out, burst(k, T0 + 500_000 + k * 200_000))
    for (const tick of ticks(T0 + 700_000 + k * 200_000, T0 + 850_000 + k * 200_000)) feed(out, tick)
  }
  for (const tick of ticks(T0 + 2_700_000, T0 + 6_000_000)) feed(out, tick)
  const { slower, ledger } = rigOf(out)
  t.ok(slower!.shedUs > 0, 'the second look keeps samples longer, so it was the one to run out of room')
  t.equal(totalCounts(rigOf(out)).shed, 0)
  t.ok(ledger.framesReceived === 10 && slower!.counts.unknown > 20)
  t.equal(out.revisions.length, 0)
  t.ok(LATENESS_US < REVISE_US)
})
