import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BenchEvent, RunFacts } from '../core/run-record.ts'
import type { ScenarioRow } from '../core/scenario.ts'
import { type Evidence, readEvidence } from './evidence.ts'
import { type Trace, traceOf } from './truth.ts'

/** Everything that is kept of a run. Times of `row`, `events` and `truth` count from its start; those of `evidence` do not. */
export type Run = Readonly<{
  row: ScenarioRow
  facts: RunFacts
  events: readonly BenchEvent[]
  /** null when there is none that can be read. */
  truth: Trace | null
  evidence: Evidence
  log: string
}>

/** Thrown for a folder that no run was left in. */
export class RunUnreadable extends Error {
  readonly file: string
  constructor(file: string, why: string) {
    super(`${file}: ${why}`)
    this.file = file
  }
}

/** Characters of the agent's log that are looked through, from its end. */
const LOG_CHARS_MAX = 1_000_000

/** Reads the folder of a run (`hil-testbed/core/run-record.ts`). @throws RunUnreadable without row, facts or whole events */
export function readRun(folder: string): Run {
  const row = jsonIn(join(folder, 'row.json')) as ScenarioRow
  const facts = jsonIn(join(folder, 'run.json')) as RunFacts
  if (!Array.isArray(row.expect) || row.clock === undefined) throw new RunUnreadable(join(folder, 'row.json'), 'no row')
  if (!Array.isArray(facts.faults) || !Number.isSafeInteger(facts.begin_us))
    throw new RunUnreadable(join(folder, 'run.json'), 'no facts of a run')
  const truth = join(folder, 'truth.csv')
  const log = join(folder, 'agent.log')
  return {
    ...{
      row,
      facts: { ...facts, alarms_again: facts.alarms_again ?? null },
      events: eventsIn(join(folder, 'events.jsonl')),
    },
    truth: existsSync(truth) ? traceOf(readFileSync(truth, 'utf8'), row.clock.quantumUs) : null,
    evidence: readEvidence(join(folder, 'agent', 'state', 'outbox'), {
      agent: join(folder, 'agent', 'sign.pub.pem'),
      collector: join(folder, 'agent', 'receipts.pub.pem'),
    }),
    log: existsSync(log) ? readFileSync(log, 'utf8').slice(-LOG_CHARS_MAX) : '',
  }
}

/** Events, one a line; a last line without its end was not written to the end. */
function eventsIn(file: string): BenchEvent[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  if (lines.at(-1) === 'truncated') throw new RunUnreadable(file, 'was cut at its bound')
  return lines.map((line, k) => {
    const event = jsonOf(line, `${file}:${k + 1}`) as BenchEvent
    if (typeof event.kind !== 'string' || typeof event.t_us !== 'number') throw new RunUnreadable(file, `line ${k + 1}`)
    return event
  })
}

function jsonIn(file: string): object {
  if (!existsSync(file)) throw new RunUnreadable(file, 'is not there')
  return jsonOf(readFileSync(file, 'utf8'), file)
}

function jsonOf(text: string, file: string): object {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new RunUnreadable(file, 'is no JSON')
  }
  if (typeof value !== 'object' || value === null) throw new RunUnreadable(file, 'is no JSON object')
  return value
}
