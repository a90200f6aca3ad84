/** Why an evaluation cannot go on, and the exit code that says so: 64 usage, 65 data, 66 missing, 70 the evaluator. */
export class EvaluationError extends Error {
  override readonly name = 'EvaluationError'
  readonly exitCode: 64 | 65 | 66 | 70

  constructor(exitCode: 64 | 65 | 66 | 70, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.exitCode = exitCode
  }
}
