import type { JournalInput } from '../../shared/codec/journal-input.ts'
import type { EvaluatorInput } from '../core/step.ts'
import { compileSettings } from './compile-settings.ts'
import { rigInput } from './rig-input.ts'

/**
 * What a journaled input says to the evaluator. The running agent and every replay go through this one function, with
 * the same bytes; it looks at nothing else, so they cannot differ.
 */
export function evaluatorInput(input: JournalInput): EvaluatorInput {
  switch (input.kind) {
    case 'config':
      return { kind: 'config', nowUs: input.nowUs, settings: compileSettings(input.files) }
    case 'loss':
      return input
    default:
      return rigInput(input)
  }
}
