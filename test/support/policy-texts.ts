import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../../scripts/sources.ts'
import { type ParsedRuntime, parseRuntimeFiles } from '../../shared/config/load.ts'
import type { Problem } from '../../shared/config/problems.ts'
import { bytesOf, problemsOf } from './config-texts.ts'

const text = (name: string): string => readFileSync(join(ROOT, 'hil-testbed/rigs', name), 'utf8')

/** The pressure loop of the testbed: its metrics and its policy, without a mistake, to be broken by tests. */
export const LOOP_REGISTRY = text('pressure-loop.registry.yaml')
export const LOOP_ACTIONS = text('pressure-loop.actions.yaml')
export const LOOP_RUNTIME = `version: 1
deployment: demo
agent: bench-1
signing_key_file: sign.pem
executors:
  - { target: pump, type: actuator, endpoint: "tcp://127.0.0.1:5611", identity: pump, key_file: pump.key }
  - { target: inlet-valve, type: actuator, endpoint: "tcp://127.0.0.1:5612", identity: inlet-valve, key_file: valve.key }
  - { target: control-room, type: notify, channels: [{ type: log }] }
rigs:
  - rig: pressure-loop
    program: demo
    registry_file: loop.registry.yaml
    actions_policy_file: loop.actions.yaml
    sources:
      - { name: daq-1, type: zmq, endpoint: "tcp://127.0.0.1:5601" }
`

export type LoopTexts = Readonly<{ actions?: string; registry?: string; runtime?: string }>

/** Files of an agent of the pressure loop in the order of the journal. */
export function loopFiles({
  actions = LOOP_ACTIONS,
  registry = LOOP_REGISTRY,
  runtime = LOOP_RUNTIME,
}: LoopTexts = {}) {
  return [
    { name: 'runtime.yaml', bytes: bytesOf(runtime) },
    { name: 'loop.registry.yaml', bytes: bytesOf(registry) },
    { name: 'loop.actions.yaml', bytes: bytesOf(actions) },
  ]
}

export const parsedLoop = (texts: LoopTexts = {}): ParsedRuntime => parseRuntimeFiles(loopFiles(texts))

/** Mistakes of a loop that was changed. */
export const inLoop = (texts: LoopTexts): readonly Problem[] => problemsOf(() => parsedLoop(texts))

/** A text with one part of it, which must be there exactly once, changed. */
export function changed(whole: string, from: string, to: string): string {
  const parts = whole.split(from)
  if (parts.length !== 2) throw new Error(`${parts.length - 1} times in the text: ${from}`)
  return parts.join(to)
}
