import type { JournalInput } from '../../shared/codec/journal-input.ts'
import { decodeTelemetry } from '../../shared/codec/telemetry.ts'
import type { RigInput } from '../core/rig-step.ts'

/** An input that is evaluated rig by rig: its telemetry is decoded, the rest is what it says. */
export function rigInput(input: Exclude<JournalInput, { kind: 'config' | 'loss' }>): RigInput {
  if (input.kind !== 'frame') return input
  const { messages, kind, ...about } = input
  return { kind, nowUs: input.nowUs, results: messages.map((message) => decodeTelemetry({ ...about, message })) }
}
