import { HOSTILE } from './fleet-sample.ts'

const MINUTE_US = 60_000_000

function alarm(id: string, nowUs: number, change: object = {}) {
  const at = id.lastIndexOf(':')
  return {
    ...{
      id,
      kind: id.slice(at + 1),
      agent: at < 0 ? '' : id.slice(0, at),
      title: `nothing is heard of ${id.slice(0, at)}`,
    },
    ...{ state: 'UNACK', severity: 'CRITICAL', level: 'CRITICAL', occurrence: 1, seen: '1/CRITICAL', count: 1 },
    ...{ text: 'last batch 2026-03-31T08:15:00Z; not connected', raised_us: nowUs - 5 * MINUTE_US },
    ...{ announced_us: nowUs - 5 * MINUTE_US, suppressed_by: null, shelf: null, out_of_service: null },
    ...{ consequence: 'Nobody here sees how its rigs are.', response: 'Look at its rigs on the spot.' },
    ...{ time_to_respond_us: 5 * MINUTE_US, guidance: 'docs/operating/collector-alarms.md', acked_by: null },
    ...change,
  }
}

/** A switch that is down, alarms in every state, and an agent that acts unseen. */
export function alarmsOf(nowUs: number): Record<string, unknown> {
  return {
    now_us: nowUs,
    boot: '00'.repeat(16),
    deployment: 'bench',
    operators: ['ada'],
    counts: { open: 9, unacked: 3, critical: 5 },
    sites: sitesOf(nowUs),
    of_agents: [
      {
        ...{ agent: 'bench-1', program: 'demo', rig: 'water-loop', alarm: 'budget-exhausted', severity: 'CRITICAL' },
        ...{ text: 'no shutdown is left', since_us: nowUs - MINUTE_US, id: 'bench-1:7', state: null, occurrence: null },
      },
      {
        ...{ agent: 'bench-1', program: 'demo', rig: 'water-loop', alarm: 'pressure-high', severity: 'WARNING' },
        ...{
          text: `chamber pressure is high: ${HOSTILE}`,
          since_us: nowUs - MINUTE_US,
          id: null,
          state: 'UNACK',
          occurrence: 2,
        },
      },
    ],
    autonomous: [
      {
        agent: 'rack-1',
        rigs: ['gone', 'silent'],
        last_us: nowUs - 95_000_000,
        until_us: nowUs + 30 * MINUTE_US,
        over: false,
      },
    ],
    targets: [
      { target: 'ops', waiting: 0, told: 3, failed: 0, failing: null },
      { target: 'boss', waiting: 2, told: 0, failed: 4, failing: `webhook hooks.example: no answer ${HOSTILE}` },
    ],
    heartbeat: {
      outcome: 'withheld',
      problem: 'a batch does not come through',
      sent_us: nowUs,
      sent: 3,
      failed: 0,
      withheld: 2,
    },
    waiting: [],
    note: 'keys distinct, persons unproven',
  }
}

function sitesOf(nowUs: number): Record<string, unknown>[] {
  const held = { state: 'SUPPRESSED', suppressed_by: 'under:silent' }
  const warning = { severity: 'WARNING', level: 'WARNING', seen: '1/WARNING' }
  return [
    {
      ...{ site: '', agents: 2, silent: [], alarms_more: 0 },
      alarms: [
        alarm('rack-1:silent', nowUs, { state: 'ACKED', acked_by: 'ada', occurrence: 3 }),
        alarm('bench-1:clock', nowUs, { ...warning, title: 'the clock of bench-1 is not ours', text: HOSTILE }),
        alarm('bench-1:backlog', nowUs, {
          ...warning,
          state: 'RTN_UNACK',
          level: null,
          title: 'decisions wait at bench-1',
        }),
        alarm('bench-1:certificate', nowUs, {
          ...warning,
          state: 'SHELVED',
          title: 'the certificate of bench-1 ends',
          shelf: {
            by: 'ada',
            reason: 'the new one is on its way',
            until_us: nowUs + 60 * MINUTE_US,
            one_shot: false,
          },
        }),
        alarm('bench-1:quorum', nowUs, { severity: 'APOCALYPTIC', title: 'data of rigs of bench-1 are lost' }),
      ],
    },
    {
      ...{ site: 'north', agents: 6, silent: ['north-1', 'north-2', 'north-3'], alarms_more: 0 },
      alarms: [
        alarm('silent', nowUs, {
          title: 'agents of north fell silent together',
          text: '3 of 6 agents: north-1, north-2, north-3',
        }),
        ...['north-1', 'north-2', 'north-3'].map((agent) => alarm(`${agent}:silent`, nowUs, held)),
      ],
    },
  ]
}
