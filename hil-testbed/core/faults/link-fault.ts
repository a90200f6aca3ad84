import { invariant } from '../../../shared/lib/assert.ts'
import type { Micros } from '../../../shared/units.ts'
import type { OutFrame } from '../out-frame.ts'
import { mutationOf } from './mutation.ts'
import type { WantedFault } from './wanted-fault.ts'

/** A frame on its way. `sentUs`: when it was sent, from the start of the run, whatever holds it up; `copy`: which of several like it. */
export type SentFrame = OutFrame & Readonly<{ sentUs: Micros; copy: number }>

/** What a link fault may know of the source it is on. */
export type FaultyLine = Readonly<{
  /** Of its chances. */
  stream: number
  /** Frames sent before, oldest first, at most {@link RECENT_MAX}. */
  recent: readonly SentFrame[]
  /** Life of a sender by its name. */
  epochOf(name: string): string
}>

/** Frames that a sender can repeat after a reconnect. */
export const RECENT_MAX = 64
/** Chances of one frame: its number, and which copy of it. */
const COPIES_MAX = 1024

/** What is done to the frames of one source. */
export interface LinkFault {
  readonly wanted: WantedFault
  /** Takes a frame, and hands on what becomes of it now. */
  pass(frame: SentFrame, out: SentFrame[]): void
  /** Hands on what it kept and what is due by now. */
  release(toUs: Micros, out: SentFrame[]): void
  /** Frames it keeps. */
  readonly kept: number
}

export function createLinkFault(wanted: WantedFault, line: FaultyLine): LinkFault {
  const name = wanted.fault.class
  if (name === 'comms.reorder') return new Reorder(wanted, line)
  if (name === 'comms.slow_reader') return new SlowReader(wanted)
  if (name === 'comms.partition' || name === 'comms.duplicate_after_reconnect') return new Outage(wanted, line)
  const make = CHANGES[name]
  invariant(make !== undefined, `${name} is no fault of a link`)
  return new Change(wanted, make(wanted, line))
}

/** Whether a fault with a share hits this frame. */
function hits(wanted: WantedFault, stream: number, frame: SentFrame, strength: number): boolean {
  return wanted.chance(stream, frame.seq * COPIES_MAX + frame.copy) < wanted.number('share') * strength
}

function touched(frame: SentFrame, change: Partial<SentFrame> = {}): SentFrame {
  return { ...frame, injected: frame.channels, ...change }
}

/** What becomes of a frame while a fault acts; null: it is as it was. */
type FrameChange = (frame: SentFrame, strength: number) => readonly SentFrame[] | null

/** A fault that needs no memory of frames. */
class Change implements LinkFault {
  readonly wanted: WantedFault
  readonly kept = 0
  private readonly change: FrameChange

  constructor(wanted: WantedFault, change: FrameChange) {
    this.wanted = wanted
    this.change = change
  }

  pass(frame: SentFrame, out: SentFrame[]): void {
    const strength = this.wanted.strengthAt(frame.sentUs)
    const changed = strength > 0 ? this.change(frame, strength) : null
    if (changed !== null) this.wanted.note(frame.sentUs)
    out.push(...(changed ?? [frame]))
  }

  release(): void {}
}

const CHANGES: Readonly<Record<string, (wanted: WantedFault, line: FaultyLine) => FrameChange>> = {
  'comms.corrupt': (wanted, line) => {
    const mutation = mutationOf(wanted, line.stream)
    return sharedOut(wanted, line, (frame) => {
      const before = frame.mutate
      const mutate = mutation(frame.seq * COPIES_MAX + frame.copy)
      return [touched(frame, { mutate: (bytes) => mutate(before === null ? bytes : before(bytes)) })]
    })
  },
  'comms.repeat': (wanted, line) => {
    const copies = wanted.number('copies')
    return sharedOut(wanted, line, (frame) => {
      const again = Array.from({ length: copies }, (_, k) => touched(frame, { copy: frame.copy * 17 + k + 1 }))
      return [frame, ...again]
    })
  },
  'comms.lose': (wanted, line) => sharedOut(wanted, line, () => []),
  'comms.half_open': () => () => [],
  'comms.delay': (wanted, line) => {
    const delayUs = wanted.number('delay_ms') * 1000
    const jitterUs = wanted.number('jitter_ms') * 1000
    return sharedOut(
      wanted,
      line,
      (frame, strength) => {
        // Another chance than the one that chose it.
        const jitter = jitterUs * wanted.chance(line.stream + 1, frame.seq * COPIES_MAX + frame.copy)
        return [touched(frame, { dueUs: frame.dueUs + Math.floor((delayUs + jitter) * strength) })]
      },
      false,
    )
  },
  'time.late': (wanted, line) => {
    const lateUs = Math.floor(wanted.number('late_ms') * 1000)
    return sharedOut(wanted, line, (frame) => [touched(frame, { dueUs: frame.dueUs + lateUs })])
  },
  'comms.insert': (wanted, line) => {
    const source = wanted.text('from')
    const offset = wanted.number('offset')
    let seq = 0
    return sharedOut(wanted, line, (frame) => {
      const value = frame.value.map((one) => one + offset)
      const strange = { source, epoch: line.epochOf(`${source} of ${frame.source}`), seq, value, copy: frame.copy * 17 }
      seq += 1
      return [frame, touched(frame, strange)]
    })
  },
  'comms.masquerade': (wanted, line) => {
    const source = wanted.text('as')
    const isStolen = wanted.text('life') === 'stolen'
    let seq = 0
    return sharedOut(wanted, line, (frame) => {
      const epoch = line.epochOf(isStolen ? source : `${source} by ${frame.source}`)
      const masked = touched(frame, { source, epoch, seq: isStolen ? frame.seq : seq })
      seq += 1
      return [masked]
    })
  },
  'comms.misaddress': (wanted, line) => {
    const rig = wanted.text('rig')
    return sharedOut(wanted, line, (frame) => [touched(frame, { rig })])
  },
  'comms.burst': (wanted) => {
    const holdUs = wanted.number('hold_ms') * 1000
    const { onsetUs } = wanted.fault
    return (frame) => {
      const gathered = onsetUs + Math.floor((frame.dueUs - onsetUs) / holdUs + 1) * holdUs
      const dueUs = Math.max(frame.dueUs, Math.floor(Math.min(gathered, wanted.actEndUs(frame.sentUs))))
      return dueUs === frame.dueUs ? null : [touched(frame, { dueUs })]
    }
  },
}

/** A change of a share of the frames. A ramp brings the share to its value, unless something else grows. */
function sharedOut(wanted: WantedFault, line: FaultyLine, change: FrameChange, grows = true): FrameChange {
  return (frame, strength) => (hits(wanted, line.stream, frame, grows ? strength : 1) ? change(frame, strength) : null)
}

/** Frames that wait until so many later ones have passed. */
class Reorder implements LinkFault {
  readonly wanted: WantedFault
  private readonly line: FaultyLine
  private waiting: { frame: SentFrame; left: number }[] = []

  constructor(wanted: WantedFault, line: FaultyLine) {
    this.wanted = wanted
    this.line = line
  }

  get kept(): number {
    return this.waiting.length
  }

  pass(frame: SentFrame, out: SentFrame[]): void {
    const strength = this.wanted.strengthAt(frame.sentUs)
    if (strength > 0 && hits(this.wanted, this.line.stream, frame, strength)) {
      this.wanted.note(frame.sentUs)
      this.waiting.push({ frame: touched(frame), left: this.wanted.number('behind') })
      return
    }
    out.push(frame)
    for (const one of this.waiting) one.left -= 1
    const { dueUs } = frame
    this.letGo(({ left }) => left <= 0, dueUs, out)
  }

  release(toUs: Micros, out: SentFrame[]): void {
    for (const one of [...this.waiting]) {
      const endUs = this.wanted.actEndUs(one.frame.sentUs)
      if (endUs <= toUs) this.letGo((other) => other === one, endUs, out)
    }
  }

  private letGo(isFree: (one: { frame: SentFrame; left: number }) => boolean, atUs: Micros, out: SentFrame[]): void {
    for (const { frame } of this.waiting.filter(isFree)) out.push({ ...frame, dueUs: Math.max(frame.dueUs, atUs) })
    this.waiting = this.waiting.filter((one) => !isFree(one))
  }
}

/** A link that is gone while the fault acts. The sender keeps its frames, and may repeat what it sent before. */
class Outage implements LinkFault {
  readonly wanted: WantedFault
  private readonly again: number
  private readonly keep: number
  private before: SentFrame[]
  private queue: { frame: SentFrame; isRepeat: boolean }[] = []

  constructor(wanted: WantedFault, line: FaultyLine) {
    this.wanted = wanted
    this.again = wanted.fault.class === 'comms.duplicate_after_reconnect' ? wanted.number('again') : 0
    this.keep = wanted.number('keep')
    this.before = [...line.recent]
  }

  get kept(): number {
    return this.queue.length
  }

  pass(frame: SentFrame, out: SentFrame[]): void {
    if (this.wanted.strengthAt(frame.sentUs) === 0) {
      out.push(frame)
      if (this.again > 0) this.before = [...this.before, frame].slice(-RECENT_MAX)
      return
    }
    if (this.before.length > 0 && this.again > 0) {
      const { sentUs } = frame
      for (const old of this.before.slice(-this.again))
        this.queue.push({ frame: touched(old, { sentUs, copy: old.copy * 17 + 1 }), isRepeat: true })
    }
    this.before = []
    this.wanted.note(frame.sentUs)
    if (this.queue.filter(({ isRepeat }) => !isRepeat).length < this.keep)
      this.queue.push({ frame: touched(frame), isRepeat: false })
  }

  release(toUs: Micros, out: SentFrame[]): void {
    while (this.queue.length > 0) {
      const { frame, isRepeat } = this.queue[0]!
      const endUs = this.wanted.actEndUs(frame.sentUs)
      if (!(endUs <= toUs)) return
      this.queue.shift()
      if (isRepeat) this.wanted.note(endUs)
      out.push({ ...frame, dueUs: isRepeat ? endUs : Math.max(frame.dueUs, endUs) })
    }
  }
}

/** A reader that takes so many frames a second; when the fault is over it takes the rest at once. */
class SlowReader implements LinkFault {
  readonly wanted: WantedFault
  private readonly betweenUs: Micros
  private readonly room: number
  private freeUs: Micros = 0
  private queue: SentFrame[] = []

  constructor(wanted: WantedFault) {
    this.wanted = wanted
    this.betweenUs = Math.floor(1_000_000 / wanted.number('frames_per_s'))
    this.room = wanted.number('queue')
  }

  get kept(): number {
    return this.queue.length
  }

  pass(frame: SentFrame, out: SentFrame[]): void {
    if (this.wanted.strengthAt(frame.sentUs) === 0) {
      out.push(frame)
      return
    }
    const dueUs = Math.max(this.freeUs, frame.dueUs)
    const waiting = this.queue.filter((one) => one.dueUs > frame.sentUs).length
    if (dueUs > frame.dueUs && waiting >= this.room) {
      this.wanted.note(frame.sentUs)
      return
    }
    this.freeUs = dueUs + this.betweenUs
    if (dueUs === frame.dueUs) {
      out.push(frame)
      return
    }
    this.wanted.note(frame.sentUs)
    this.queue.push(touched(frame, { dueUs }))
  }

  release(toUs: Micros, out: SentFrame[]): void {
    this.queue = this.queue.filter((frame) => {
      const dueUs = Math.max(frame.sentUs, Math.min(frame.dueUs, this.wanted.actEndUs(frame.sentUs)))
      if (dueUs > toUs) return true
      out.push({ ...frame, dueUs })
      return false
    })
  }
}
