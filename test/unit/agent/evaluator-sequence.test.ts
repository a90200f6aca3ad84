import fc from 'fast-check'
import t from 'tap'
import { overallVerdict, rankFindings, sayingKey } from '../../../agent/core/decide.ts'
import { balances } from '../../../agent/core/ledger.ts'
import { metricCounts, totalCounts } from '../../../agent/core/totals.ts'
import type { DecisionItem } from '../../../shared/model/decision.ts'
import { PROVENANCES } from '../../../shared/model/telemetry.ts'
import { type Collected, collected, configInput, feed, rigOf, T0, tickInput } from '../../support/evaluator-rig.ts'
import { HOSTILE_RIGS, hostileInputs, hostileSettings } from '../../support/hostile-inputs.ts'

const SEED = fc.integer({ min: 1, max: 2 ** 31 - 1 })

/** First and last decision that an item stands for. */
function spanOf(item: DecisionItem): { first: number; last: number } {
  return item.kind === 'record' ? { first: item.seq, last: item.seq } : { first: item.first, last: item.last }
}

function samplesReceived(out: Collected): number {
  return out.state.rigs.reduce((sum, rig) => sum + totalCounts(rig).received, 0)
}

t.test('whatever arrives, every sample is accounted for after every input', async (t) => {
  const reasons = new Set<string>()
  const sums = { late: 0, duplicate: 0, rejected: 0, shed: 0, evaluated: 0 }
  fc.assert(
    fc.property(SEED, (seed) => {
      const out = collected()
      for (const input of hostileInputs(seed, 500)) {
        const before = samplesReceived(out)
        feed(out, input)
        for (const rig of out.state.rigs) {
          if (!balances(totalCounts(rig))) throw new Error(`${input.kind}: ${JSON.stringify(totalCounts(rig))}`)
          rig.settings.metrics.forEach((_, m) => {
            if (!balances(metricCounts(rig, m))) throw new Error(`metric ${m}`)
          })
          for (const reason of rig.ledger.refusals.keys()) reasons.add(reason)
        }
        if (input.kind !== 'frame' && samplesReceived(out) !== before)
          throw new Error(`${input.kind} changed what was received`)
      }
      for (const input of [tickInput(out.state.nowUs + 5_000_000), tickInput(out.state.nowUs + 9_900_000)])
        feed(out, input)
      for (const rig of out.state.rigs) {
        const counts = totalCounts(rig)
        if (counts.pending !== 0) throw new Error(`${counts.pending} samples never left`)
        for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += counts[key]
      }
    }),
    { numRuns: 60, seed: 30 },
  )
  for (const [key, sum] of Object.entries(sums)) t.ok(sum > 100, `${sum} samples were ${key}`)
  for (const reason of [
    'not_a_number',
    'quality_bad',
    'quality_missing',
    'future',
    'unknown_channel',
    'unit_mismatch',
    'bad_time',
    'suspect_ms',
    'suspect_s',
    'suspect_ns',
    'unknown_cid',
    'wrong_shape',
    'duplicate_frame',
  ]) {
    t.ok(reasons.has(reason), `${reason} was met`)
  }
  t.equal(PROVENANCES.length, 6)
})

t.test(
  'the sequence has no gap: a full record when something changes or its time has come, ranges between',
  async (t) => {
    let records = 0
    let ranged = 0
    fc.assert(
      fc.property(SEED, (seed) => {
        const out = collected()
        const inputs = [
          ...hostileInputs(seed, 400),
          { kind: 'operator', nowUs: T0 + 1, command: 'agent_stop', bootId: '', version: '' } as const,
        ]
        for (const input of inputs) feed(out, input)
        out.decisions.forEach((d, k) => {
          if (d.seq !== k + 1) throw new Error(`decision ${d.seq} at place ${k}`)
        })
        let next = 1
        for (const item of out.items) {
          const { first, last } = spanOf(item)
          if (first !== next || last < first) throw new Error(`item ${first}–${last} where ${next} was due`)
          if (item.kind === 'range' && item.count !== last - first + 1)
            throw new Error(`a range that counts ${item.count}`)
          if (item.kind === 'record' && item.values !== out.decisions[first - 1]!.values)
            throw new Error('a record of another decision')
          records += item.kind === 'record' ? 1 : 0
          ranged += item.kind === 'range' ? item.count : 0
          next = last + 1
        }
        if (next !== out.state.decisionSeq + 1)
          throw new Error(`${next - 1} of ${out.state.decisionSeq} left the evaluator`)
        checkRanges(out)
      }),
      { numRuns: 60, seed: 31 },
    )
    t.ok(records > 1000 && ranged > 1000, `${records} records, ${ranged} decisions in ranges`)
  },
)

/** Holds every decision of a range against the last full record of its rig: it must say the same, and not too long after. */
function checkRanges(out: Collected): void {
  const full = new Set(out.items.filter((i) => i.kind === 'record').map((i) => spanOf(i).first))
  const last = new Map<string, { said: string; timeUs: number }>()
  for (const d of out.decisions) {
    const said = JSON.stringify([
      d.verdict,
      d.mode,
      d.run?.run,
      d.run?.note,
      d.findings.map((f) => `${f.metric} ${f.verdict} ${f.ground} ${f.windowUs}`).sort(),
    ])
    const before = last.get(d.rig)
    if (full.has(d.seq)) last.set(d.rig, { said, timeUs: d.timeUs })
    else if (before?.said !== said) throw new Error(`decision ${d.seq} says something new and is in a range`)
    else if (d.timeUs - before.timeUs >= (d.verdict === 'PASS' ? 1_000_000 : 500_000))
      throw new Error(`decision ${d.seq} should have been recorded again`)
  }
}

t.test('a rig that says the same is recorded in full once in its time, and ranges name that record', async (t) => {
  const out = collected()
  feed(out, configInput(T0, hostileSettings(1)))
  for (let at = T0; at <= T0 + 5_000_000; at += 50_000) feed(out, tickInput(at))
  const times = out.items.filter((i) => i.kind === 'record').map((i) => out.decisions[i.seq - 1]!)
  t.ok(times.length >= 20 && times.length < 40, `${times.length} records of ${out.decisions.length} decisions`)
  for (const item of out.items) {
    if (item.kind !== 'range') continue
    const core = item.values[0] as { unchanged: [string, number, string][] }
    for (const [rig, seq, verdict] of core.unchanged) t.match(out.decisions[seq - 1], { rig, verdict })
  }
})

t.test('verdicts never say more than is known, whatever arrives', async (t) => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(SEED, (seed) => {
      const out = collected()
      for (const input of hostileInputs(seed, 400)) {
        const from = out.decisions.length
        feed(out, input)
        for (let k = from; k < out.decisions.length; k += 1) checkVerdict(out, k, seen)
      }
    }),
    { numRuns: 40, seed: 32 },
  )
  for (const verdict of ['FAIL', 'INVALID', 'STALE', 'INSUFFICIENT', 'NO_BASELINE', 'PASS'])
    t.ok(seen.has(verdict), `${verdict} was met`)
})

function checkVerdict(out: Collected, k: number, seen: Set<string>): void {
  const decision = out.decisions[k]!
  const judgements = out.judgements[k]!
  const rig = rigOf(out, decision.rig)
  const required = judgements.filter((_, m) => rig.settings.metrics[m]!.required).map((j) => j.verdict)
  for (const j of judgements) seen.add(j.verdict)
  const unknown = required.some((v) => v === 'STALE' || v === 'INVALID' || v === 'INSUFFICIENT')
  if (judgements.some((j) => j.verdict === 'FAIL') !== (decision.verdict === 'FAIL')) throw new Error('FAIL')
  if (unknown && decision.verdict !== 'FAIL' && decision.verdict !== 'NO_TEST')
    throw new Error(`${decision.verdict} with unknown metrics`)
  if (required.includes('NO_BASELINE') && decision.verdict.startsWith('PASS'))
    throw new Error('PASS without a baseline')
  if (decision.findings.length !== judgements.filter((j) => j.verdict !== 'PASS').length)
    throw new Error('a metric that is not PASS has no finding')
}

t.test('what a slide says does not depend on the order of its findings', async (t) => {
  const out = collected()
  for (const input of hostileInputs(77, 300)) feed(out, input)
  const rig = rigOf(out, HOSTILE_RIGS[0])
  const judgements = [...out.judgements]
    .reverse()
    .find(
      (slide, k) =>
        out.decisions[out.decisions.length - 1 - k]!.rig === rig.settings.rig &&
        slide.filter((j) => j.finding !== null).length > 1,
    )!
  const findings = rankFindings(judgements)
  const verdict = overallVerdict(rig, judgements)
  const slide = { endUs: 0, verdict, findings, slice: new Uint8Array(32), mode: rig.mode, run: rig.run, event: null }
  t.equal(sayingKey(slide), sayingKey({ ...slide, findings: [...findings].reverse() }))
  t.same(rankFindings([...judgements].reverse()), findings)
})
