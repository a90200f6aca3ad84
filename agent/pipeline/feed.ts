import type { JournalInput } from '../../shared/codec/journal-input.ts'
import { decodeTelemetry } from '../../shared/codec/telemetry.ts'
import type { EvaluatorInput } from '../core/step.ts'
import { compileSettings } from './compile-settings.ts'

/**
 * What a journaled input says to the evaluator. The running agent and every replay go through this one function, with
 * the same bytes; it looks at nothing else, so they cannot differ.
 */
export function evaluatorInput(input: JournalInput): EvaluatorInput {
  switch (input.kind) {
    case 'frame': {
      const { messages, kind: _, ...about } = input
      return {
        kind: 'frame',
        nowUs: input.nowUs,
        results: messages.map((message) => decodeTelemetry({ ...about, message })),
      }
    }
    case 'config':
      return { kind: 'config', nowUs: input.nowUs, settings: compileSettings(input.files) }
    default:
      return input
  }
}
