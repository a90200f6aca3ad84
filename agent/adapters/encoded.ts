/** One telemetry message, and how it is written. */
export type Encoded = Readonly<{ encoding: 'cbor' | 'json'; bytes: Uint8Array }>

/** Neighbours that may go to the journal together, in order. */
export function* runsOf<T extends Encoded>(
  messages: readonly T[],
  isAlike: (a: T, b: T) => boolean = (a, b) => a.encoding === b.encoding,
): Generator<readonly T[]> {
  for (let from = 0; from < messages.length; ) {
    let to = from + 1
    while (to < messages.length && isAlike(messages[from]!, messages[to]!)) to += 1
    yield messages.slice(from, to)
    from = to
  }
}
