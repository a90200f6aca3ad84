/** A state that our own code should have made impossible. It ends the process: going on would be guessing. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

/** Throws unless `condition` is true. For what only a bug can break; foreign input is refused with a value instead. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (condition !== true) throw new InvariantError(message)
}

/** Marks the end of an exhaustive `switch`: the compiler proves that no case is left. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${String(value)}`)
}
