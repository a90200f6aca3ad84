import { plantNamed } from '../core/plants/models.ts'
import type { RigFile, RigFileValue } from './rig-file.ts'
import { plantSpec } from './rig-spec.ts'

type About = Readonly<{
  id: string
  rig: RigFile & Readonly<{ value: RigFileValue }>
  /** Path of its JSON Schema from its folder; null where there is none. */
  schema: string | null
}>

/** Text of a scenario that is sound: one sensor sticks, nothing unasked comes of it, and the words that there are stand beside it. */
export function newScenario({ id, rig: { value }, schema }: About): string {
  const plant = plantSpec(value.plant ?? {})
  const model = plantNamed(plant.model)
  const channel = Object.keys(value.sensors ?? {})[0] ?? 'CHANNEL'
  const input = Object.keys(model?.inputs ?? {})[0] ?? 'INPUT'
  const actuator = Object.keys(value.actuators ?? {})[0] ?? 'ACTUATOR'
  const [one, two] = [...(value.operators ?? []), 'alice', 'bob']
  const effect = actuator === 'ACTUATOR' ? '' : `  - count: { effect: ${actuator}, is: 0 }\n`
  const head = schema === null ? '' : `# yaml-language-server: $schema=${schema}\n`
  return `${head}# Check it with \`hb hil lint FILE\`; every word is in docs/operating/hil-scenarios.md.
hil: 1
id: ${id}
title: ${channel} sticks, and nothing is done that nobody asked for
# Requirements and hazards that it shows, as requirements.yaml names them.
verifies: []
tags: []
rig: ${value.name}
seed: 1
# lockstep: the bench moves the time of the agent, as fast as it goes, and every repeat is the same. free_run: on the wall.
clock: { mode: lockstep, quantum_ms: 5, duration_s: 20 }

# First, in order: arm, await, wait, order, stimulate, actuator.
setup:
  - wait: 1s
  # - arm: { by: [${one}, ${two}], for: 60s }

# What happens, in order of time. A step begins \`at\` a time, or \`when\` something holds of plant truth. The words:
# inject, clear, stimulate, mark, arm, disarm, order, actuator, note.
steps:
  - at: 10s
    inject: { id: F1, target: ${channel}, class: sensor.stuck_at, value: hold_last }
  # - at: 12s
  #   stimulate: { ${input}: 0 }
  #   mark: hazard_onset
  # - when: ${plant.hazard}
  #   within: 3s
  #   note: the line of harm

# What must come of it. The words: verdict, alarm, action, arm, refused, told, gap, never, always, stl, count, counter,
# fhti, start_refused, replay, collected. Times are those of \`start\`, of a fault or of a mark.
expect:
  - never: { plant: ${plant.hazard} }
${effect}  # - verdict: { is: [FAIL, NO_TEST], metric: ${channel}, within: 5s of F1 }
  - replay: equal

# At the end, also of a run that broke off.
teardown: []

# One run for each combination; \`pairwise: true\` for as few as it takes for every two values to meet.
params:
  matrix:
    seed: [1, 2]
    # F1.value: [hold_last, 0]
`
}
