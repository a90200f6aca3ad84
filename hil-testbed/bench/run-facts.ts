import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { configDigest } from '../../shared/codec/config-digest.ts'
import { isHbError } from '../../shared/errors/hb-error.ts'
import type { FaultSeen } from '../core/fault.ts'
import type { RunFacts } from '../core/run-record.ts'
import { faultsOf, type ScenarioRow } from '../core/scenario.ts'
import type { AgentFolder } from './agent-folder.ts'
import type { Pace } from './pace.ts'

/** What kept a run from its end. */
export type Broken = NonNullable<RunFacts['broken']>

/** Quanta that may be late in free run before nothing that came of it counts. */
const OVERRUNS_MAX = 5
const DETAIL_CHARS_MAX = 2000

/** Facts of a run that came to nothing. */
export const NOTHING = {
  faults: [],
  hashes: { config: '', policy: '', baseline: '', software: '' },
  replay: null,
  alarms_again: null,
  collected: null,
  log_tail: [],
} as const

/** Whether it is what a wait rejects with that nobody wants any more. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}

export function brokenBy(error: unknown): Broken {
  if (isAbort(error)) return { verdict: 'ABORTED', code: 'ABORTED', detail: 'the campaign was ended' }
  const code = isHbError(error) ? error.code : 'INTERNAL'
  const { message } = error as Error
  // The code stands at the front of the message as well.
  const detail = message.startsWith(`${code}: `) ? message.slice(code.length + 2) : message
  return { verdict: 'ERROR', code, detail: detail.slice(0, DETAIL_CHARS_MAX) }
}

/** What of a run counts when this machine could not keep up with real time. */
export function overrunOf(pace: Pace | null): Broken | null {
  if (pace === null || pace.overruns <= OVERRUNS_MAX) return null
  const detail = `${pace.overruns} quanta were late by more than 100 ms`
  return { verdict: 'INCONCLUSIVE', code: 'HOST_OVERRUN', detail }
}

/** Code of the error that an agent ended with, from the last thing it said. */
export function refusalIn(tail: readonly string[]): string {
  for (const text of [...tail].reverse()) {
    const code = /\b([A-Z][A-Z]+(?:_[A-Z]+)+)\b/.exec(text)?.[1]
    if (code !== undefined) return code
  }
  return ''
}

/** Every fault of a row with what was seen of it. */
export function faultFacts(row: ScenarioRow, seen: readonly FaultSeen[]): RunFacts['faults'] {
  return faultsOf(row).map(({ id, class: of, target }) => {
    const { count = 0, firstUs = null, lastUs = null } = seen.find((found) => found.id === id) ?? {}
    return { id, class: of, target, count, first_us: firstUs, last_us: lastUs }
  })
}

/** Digests of what was tested, hex; '' for what there was not. */
export function hashesOf({ rig }: ScenarioRow, { path }: AgentFolder): RunFacts['hashes'] {
  const policy = rig.policyFile === null ? [] : [basename(rig.policyFile)]
  const names = ['runtime.yaml', basename(rig.registryFile), ...policy]
  const there = names.filter((name) => existsSync(join(path, name)))
  const files = there.map((name) => ({ name, bytes: new Uint8Array(readFileSync(join(path, name))) }))
  return {
    config: Buffer.from(configDigest(files)).toString('hex'),
    policy: policy[0] === undefined ? '' : digestIn(join(path, policy[0])),
    baseline: digestIn(join(path, 'baseline.hbb')),
    software: digestIn(process.argv[1] ?? process.execPath),
  }
}

function digestIn(path: string): string {
  try {
    return createHash('sha256').update(readFileSync(path)).digest('hex')
  } catch {
    return ''
  }
}
