import { invariant } from './assert.ts'

/** What happens to an element for which there is no room. */
export type Overflow = 'refuse' | 'drop_oldest'

export type BoundedQueueOptions = Readonly<{ max: number; name: string; overflow: Overflow }>

/** First in, first out, with a maximum. */
export interface BoundedQueue<T> {
  readonly name: string
  readonly length: number
  /** Elements lost so far: refused ones, or the oldest that made room. */
  readonly dropped: number
  /** @returns false when this element was refused; with `drop_oldest` always true. */
  push(element: T): boolean
  shift(): T | undefined
}

/** Slots at the start; a queue grows by doubling up to its maximum, so that a large maximum costs nothing when idle. */
const FIRST_SLOTS = 16

export function createBoundedQueue<T>({ max, name, overflow }: BoundedQueueOptions): BoundedQueue<T> {
  invariant(
    Number.isSafeInteger(max) && max > 0,
    `queue ${name}: its maximum must be a positive whole number, not ${max}`,
  )
  let ring: (T | undefined)[] = new Array(Math.min(max, FIRST_SLOTS))
  let head = 0
  let length = 0
  let dropped = 0

  function shift(): T | undefined {
    if (length === 0) return undefined
    const element = ring[head]
    ring[head] = undefined
    head = (head + 1) % ring.length
    length -= 1
    return element
  }

  function grow(): void {
    const wider: (T | undefined)[] = new Array(Math.min(max, ring.length * 2))
    for (let i = 0; i < length; i += 1) wider[i] = ring[(head + i) % ring.length]
    ring = wider
    head = 0
  }

  return {
    name,
    get length() {
      return length
    },
    get dropped() {
      return dropped
    },
    push(element) {
      if (length === max) {
        dropped += 1
        if (overflow === 'refuse') return false
        shift()
      }
      if (length === ring.length) grow()
      ring[(head + length) % ring.length] = element
      length += 1
      return true
    },
    shift,
  }
}
