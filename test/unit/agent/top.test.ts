import t from 'tap'
import { agentPage, agentRates, type FleetAnswer, fleetPage } from '../../../agent/cli/top-pages.ts'
import type { AgentDetail } from '../../../agent/detail-json.ts'

const COUNTS = { received: 10, evaluated: 5, late: 1, duplicate: 1, rejected: 1, shed: 1, pending: 1 }

function detail(nowUs: number, received: number, frames: number): AgentDetail {
  const counters = { ...COUNTS, received, evaluated: received - 5 }
  return {
    v: 1,
    now_us: nowUs,
    agent: 'bench-1',
    deployment: 'demo',
    version: '0.1.0',
    epoch: 1,
    decision_seq: 7,
    journal_seq: 9,
    not_journaled: 2,
    uplink: 'open',
    outbox: { batches: 3, bytes: 2048, oldest_us: nowUs - 4_000_000 },
    latency_ms: { p50: 1, p99: null },
    fills: [
      { name: 'journal', is: 512, max: 1024, unit: 'bytes' },
      { name: 'outbox', is: 90, max: 100, unit: 'bytes' },
      { name: 'to be signed', is: 100, max: 100, unit: 'decisions' },
    ],
    rigs: [
      {
        rig: 'loop',
        mode: 'nominal',
        run: null,
        verdict: 'PASS',
        limits_only: true,
        break_glass: { by: 'ada', until_us: 1_767_225_900_000_000, reason: 'night shift' },
        evaluated_through_us: nowUs - 300_000,
        counters: { ...counters, missing: 4 },
        refused: [{ reason: 'bad_row', count: 1 }],
        channels: [{ metric: 'fl\u001bow', unit: 'L', verdict: null, value: null, newest_us: null, counters }],
        sources: [
          { source: 'daq/e', frames, missing: 4, last_us: nowUs - 10_000 },
          { source: 'json', frames: null, missing: 0, last_us: nowUs },
        ],
      },
    ],
  }
}

t.test('rates are differences over the time of the agent; what went back has none', async (t) => {
  const first = detail(1_000_000, 100, 10)
  const later = detail(3_000_000, 300, 30)
  t.match(agentRates(first, null), {
    over_s: null,
    rigs: [{ received_per_s: null, channels: [null], sources: [null, null] }],
  })
  t.match(agentRates(later, first), {
    over_s: 2,
    rigs: [{ received_per_s: 100, channels: [100], sources: [10, null] }],
  })
  t.match(agentRates(detail(5_000_000, 1, 1), later), { rigs: [{ received_per_s: null, channels: [null] }] })
  t.match(agentRates(detail(2_000_000, 400, 1), later), { rigs: [{ received_per_s: null }] }, 'nor when time went back')
})

t.test('the page of an agent says everything in words, with times in UTC', async (t) => {
  const now = detail(1_767_225_600_000_000, 100, 10)
  const text = agentPage(now, agentRates(now, null)).join('\n')
  for (const part of [
    '2026-01-01T00:00:00.000Z',
    'uplink open   3 batches wait, 2.0 KiB, oldest 4.00 s',
    '! 2 inputs NOT JOURNALED',
    'latency p50 1.0 ms, p99 ?',
    '50.0\n',
    '90.0 ! NEARLY FULL',
    '100.0 ! FULL',
    'PASS (LIMITS ONLY)',
    '0.30 s ago',
    'received 100 (?/s) = evaluated 95 + late 1 + duplicate 1 + rejected 1 + shed 1 + pending 1; missing 4 frames\n',
    'refused: bad_row 1',
    '! BREAK-GLASS on loop by ada until 2026-01-01T00:05:00.000Z: night shift',
    'fl·ow',
    'never',
    'no numbers',
  ])
    t.match(text, part)
  t.notMatch(text, '\u001b', 'no colour and no command for what is no terminal')
  const broken = { ...now, rigs: [{ ...now.rigs[0]!, counters: { ...COUNTS, received: 99 } }] }
  t.match(agentPage(broken, agentRates(now, null)).join('\n'), '! DOES NOT BALANCE')
})

t.test('a rig that nobody hears is UNKNOWN on the page of a collector, whatever it was', async (t) => {
  const rig = {
    agent: 'bench-1',
    rig: 'loop',
    verdict: 'PASS',
    limits_only: false,
    samples_per_s: 100,
    counters: { ...COUNTS, missing: 2 },
    outbox: { batches: 0, bytes: 0, oldest_us: null },
    heard_age_ms: 100,
  }
  const fleet = {
    now_us: 1_767_225_600_000_000,
    label: 'demo',
    agents: [
      {
        agent: 'bench-1',
        connected: true,
        version: '1',
        seen_us: 1_767_225_600_000_000,
        head: { epoch: 1, batch_seq: 8 },
      },
      { agent: 'rack-2', connected: false, version: '', seen_us: null, head: null },
    ],
    vitals: [rig, { ...rig, rig: 'old', heard_age_ms: 9_000 }],
    refusals: [{ code: 'CHAIN_GAP', agent: 'rack-2', count: 3, time_us: 1_767_225_600_000_000 }],
  } as unknown as FleetAnswer
  const text = fleetPage(fleet).join('\n')
  t.match(text, /loop +PASS /)
  t.match(text, /old +UNKNOWN \(was PASS\)/)
  t.match(text, /rack-2 +AWAY/)
  t.match(text, /CHAIN_GAP {2}rack-2 {2}3 times/)
})
