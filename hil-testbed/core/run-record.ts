import type { Micros } from '../../shared/units.ts'

/**
 * What the agent tells of those it is connected to, of its disk and of its clock, in its log and in no signed record: the event,
 * and which of its facts says why. The bench notes each when it hears it, which is a few quanta late at most.
 */
export const TOLD_EVENTS = {
  peer_refused: 'refusal',
  uplink_connected: 'epoch',
  uplink_lost: 'reason',
  uplink_refused: 'code',
  downlink_refused: 'code',
  bundle_activated: 'number',
  bundle_refused: 'problems',
  journal_tail_cut: 'reason',
  ledger_damaged: 'why',
  clock_stepped: 'ahead_us',
} as const
export type ToldEvent = keyof typeof TOLD_EVENTS

/**
 * Folder of a run, as the runner leaves it and oracle and reports read it:
 *
 *   row.json        the ScenarioRow
 *   truth.csv       `t_us` and every signal of the plant, once a quantum, times from the start of the run
 *   telemetry.csv   `t_us,channel,value`: what was sent, thinned for plots
 *   events.jsonl    one BenchEvent a line, in order
 *   run.json        RunFacts
 *   agent/          working folder of the agent: runtime.yaml, keys, `state/` (journal, outbox, ledger)
 *   agent.log       what it wrote
 *
 * The oracle reads `agent/state/outbox` with a reader of its own and verifies every batch by `agent/sign.pub.pem`, and every
 * receipt of a collector by `agent/receipts.pub.pem`.
 */
export type BenchEvent = Readonly<{ t_us: Micros } & Record<string, unknown>> &
  (
    | Readonly<{ kind: 'fault_begun' | 'fault_ended'; id: string; class: string; target: string }>
    | Readonly<{ kind: 'mark'; name: string }>
    | Readonly<{ kind: 'stimulus'; inputs: Readonly<Record<string, number>> }>
    /** A request reached the actuator; an effect happened there; its permit ran out and it did what it declared; that reached the plant. */
    | Readonly<{ kind: 'request' | 'effect' | 'permit_lost' | 'plant_effect'; actuator: string; key: string }>
    | Readonly<{
        kind: 'agent'
        is: 'started' | 'killed' | 'stopped' | 'paused' | 'resumed' | 'exited'
        code: number | null
        /** Code of the error that it ended with at its start. */
        refused?: string
      }>
    /**
     * What the agent told people of an alarm of its alarm engine: its log, as it was written. It is in no signed record;
     * `RunFacts.alarms_again` says whether it follows from them.
     */
    | Readonly<{ kind: 'alarm'; id: string; severity: string | null; change: string; active: boolean }>
    /** What it told of those it is connected to, and why. */
    | Readonly<{ kind: 'told'; event: ToldEvent; why: string }>
    | Readonly<{ kind: 'order'; order: string; by: readonly string[]; answer: string }>
    /** What a step or the setup waited for in vain: what it was to do was not done. */
    | Readonly<{ kind: 'never_came'; what: string }>
    | Readonly<{ kind: 'note'; text: string }>
  )

/** A change of an alarm, by what it is known again. */
export type AlarmTold = Readonly<{ t_us: Micros; id: string; severity: string | null; change: string }>

/** What is known of a run when it is over. */
export type RunFacts = Readonly<{
  /** Event time of the start of the run, µs since 1970: `t_us` of signed records minus this is time from the start. */
  begin_us: Micros
  simulated_us: Micros
  host_ms: number
  started_utc: string
  /** What was seen of each fault. */
  faults: readonly Readonly<{
    id: string
    class: string
    target: string
    count: number
    first_us: Micros | null
    last_us: Micros | null
  }>[]
  hashes: Readonly<{ config: string; policy: string; baseline: string; software: string }>
  /** Digest of the chain of decisions as `hb decisions digest` says it, and whether `hb replay` gave the same; null: not asked. */
  replay: Readonly<{ equal: boolean; detail: string }> | null
  /** Changes of alarms that a replay of the journal came to, which gave the signed decisions again; null: not asked, or it did not. */
  alarms_again: readonly AlarmTold[] | null
  /** null without a collector. */
  collected: Readonly<{ decisions: number; missing: number; duplicate: number }> | null
  /** What kept the run from its end; null when it got there. INCONCLUSIVE and ABORTED come from here too. */
  broken: Readonly<{ verdict: 'ERROR' | 'INCONCLUSIVE' | 'ABORTED'; code: string; detail: string }> | null
  log_tail: readonly string[]
}>
