import type { CampaignResult, CaseResult, FaultResult, Measures, Outcome } from '../../hil-testbed/core/result.ts'

/** A case that passed, with whatever a test changes of it. */
export function caseOf(change: Partial<CaseResult> = {}): CaseResult {
  return {
    id: 'SCN-ACT-001',
    title: 'over-pressure is shut down',
    file: 'scenarios/over-pressure.yaml',
    row: 0,
    params: {},
    rig: 'vessel',
    verifies: ['REQ-ACT-001', 'HAZ-003'],
    tags: ['gate'],
    seed: 7,
    verdict: 'PASS',
    reason: '',
    outcomes: [outcomeOf()],
    faults: [faultOf()],
    measures: measuresOf(),
    hashes: { config: 'c0', policy: 'p0', baseline: 'b0', software: 's0' },
    started_utc: '2026-01-02T03:04:05.678Z',
    host_ms: 1234,
    simulated_us: 40_000_000,
    folder: 'runs/SCN-ACT-001-0',
    log_tail: [],
    ...change,
  }
}

export function outcomeOf(change: Partial<Outcome> = {}): Outcome {
  return {
    text: 'action shutdown of relief reaches VERIFIED within 900 ms of hazard_onset',
    is: 'met',
    expected: 'at most 900 ms',
    observed: '412 ms',
    at_us: 8_412_000,
    margin: 0.54,
    optional: false,
    ...change,
  }
}

export function faultOf(change: Partial<FaultResult> = {}): FaultResult {
  return {
    id: 'F1',
    class: 'sensor.stuck_at',
    target: 'p1',
    seen: 3200,
    onset_us: 5_000_000,
    detected_us: 5_150_000,
    ...change,
  }
}

export function measuresOf(change: Partial<Measures> = {}): Measures {
  return {
    fdti_us: 150_000,
    frti_us: 262_000,
    fhti_us: 412_000,
    ftti_us: 2_500_000,
    decisions: 800,
    alarms: 1,
    actions: 1,
    digest: 'd0',
    ...change,
  }
}

export function campaignOf(cases: readonly CaseResult[], change: Partial<CampaignResult> = {}): CampaignResult {
  return {
    v: 1,
    started_utc: '2026-01-02T03:04:05.678Z',
    host_ms: 5000,
    commit: 'abc1234',
    complete: true,
    cases,
    ...change,
  }
}
