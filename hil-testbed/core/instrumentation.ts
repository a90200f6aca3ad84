import { invariant } from '../../shared/lib/assert.ts'
import { streamOf, uniformAt } from '../../shared/lib/prng.ts'
import type { Micros } from '../../shared/units.ts'
import { type ChannelGroup, createGroup, type GroupChannel } from './channel-group.ts'
import type { Fault, FaultSeen } from './fault.ts'
import { ClockFault, turnsClock } from './faults/clock-fault.ts'
import { createLinkFault, type LinkFault, RECENT_MAX, type SentFrame } from './faults/link-fault.ts'
import { SensorFault } from './faults/sensor-fault.ts'
import { COMMON_CAUSE, WantedFault } from './faults/wanted-fault.ts'
import type { Instrumentation, InstrumentationOptions, OutFrame, Truth } from './out-frame.ts'

/** Faults of one run. */
export const FAULTS_MAX = 1024
/** Frames that are held up at once; later ones are lost as on a link that is full. */
export const HELD_FRAMES_MAX = 65_536

export function createInstrumentation(options: InstrumentationOptions): Instrumentation {
  return new RigInstrumentation(options)
}

/** One acquisition: the channels it samples, its clock, and the link it sends over. */
type Line = {
  readonly source: string
  readonly epoch: string
  readonly stream: number
  readonly groups: ChannelGroup[]
  clockFaults: ClockFault[]
  linkFaults: LinkFault[]
  seq: number
  /** Frames of this call, before the link. */
  sent: SentFrame[]
  recent: SentFrame[]
}

class RigInstrumentation implements Instrumentation {
  nextSampleUs: Micros = 0
  private readonly options: InstrumentationOptions
  private readonly lines: readonly Line[]
  private readonly groups: readonly (readonly [Line, ChannelGroup])[]
  private readonly channels = new Map<string, GroupChannel>()
  private readonly wanted: WantedFault[] = []
  /** Frames that are due later, in order of arrival. */
  private held: SentFrame[] = []
  private doneUs: Micros = Number.NEGATIVE_INFINITY

  constructor(options: InstrumentationOptions) {
    this.options = options
    this.lines = linesOf(options)
    this.groups = this.lines.flatMap((line) => line.groups.map((group) => [line, group] as const))
    for (const [, group] of this.groups)
      for (const one of group.channels) this.channels.set(one.sensor.spec.channel, one)
    this.nextSampleUs = this.soonest()
  }

  inject(fault: Fault): void {
    invariant(this.wanted.length < FAULTS_MAX, `more than ${FAULTS_MAX} faults`)
    const wanted = new WantedFault(fault, this.options.seed)
    invariant(wanted.kind.by === 'instrumentation', `${fault.class} is not a fault of acquisitions`)
    this.wanted.push(wanted)
    if (wanted.kind.class === 'sensor') this.injectSensor(wanted)
    else this.injectLine(wanted)
  }

  clear(id: string, atUs: Micros): void {
    for (const wanted of this.wanted) if (wanted.fault.id === id) wanted.clear(atUs)
  }

  sample(read: (signal: string) => number): void {
    const atUs = this.nextSampleUs
    for (const [, group] of this.groups) if (group.nextUs === atUs) group.readTruth(read)
    for (const [line, group] of this.groups)
      if (group.nextUs === atUs) {
        group.take(this.stampOf(line, atUs), this.options.beginUs + atUs)
        if (group.isFull) this.cut(line, group)
      }
    this.nextSampleUs = this.soonest()
  }

  frames(toUs: Micros, truth?: Truth): OutFrame[] {
    invariant(toUs >= this.doneUs, 'frames are taken in order of time')
    while (truth !== undefined && this.nextSampleUs <= toUs) {
      truth.advance(this.nextSampleUs)
      this.sample(truth.read)
    }
    invariant(this.nextSampleUs > toUs, 'samples are taken before the frames that hold them')
    this.doneUs = toUs
    for (const [line, group] of this.groups) if (group.count > 0) this.cut(line, group)
    const gone = this.held
    for (const line of this.lines) this.sendLine(line, toUs, gone)
    this.held = gone.filter(({ dueUs }) => dueUs > toUs)
    if (this.held.length > HELD_FRAMES_MAX) this.held.length = HELD_FRAMES_MAX
    this.forgetFaults(toUs)
    // A sort keeps the order of equals: what was sent first comes first.
    return gone.filter(({ dueUs }) => dueUs <= toUs).sort((a, b) => a.dueUs - b.dueUs)
  }

  seen(): FaultSeen[] {
    return this.wanted.map((wanted) => wanted.seen())
  }

  private soonest(): Micros {
    let soonest = Number.POSITIVE_INFINITY
    for (const [, group] of this.groups) soonest = Math.min(soonest, group.nextUs)
    return soonest
  }

  private injectSensor(wanted: WantedFault): void {
    const { target } = wanted.fault
    const channels = this.channelsOf(wanted)
    invariant(channels.length > 0, `${wanted.fault.id}: no channel is ${target}`)
    const common = wanted.fault.class === COMMON_CAUSE
    const swapped = wanted.fault.class === 'sensor.swap' ? this.channels.get(wanted.text('with')) : undefined
    invariant(wanted.fault.class !== 'sensor.swap' || swapped !== undefined, `${wanted.fault.id}: nothing to swap with`)
    for (const channel of swapped === undefined ? channels : [...channels, swapped]) {
      const other = channel === swapped ? channels[0]! : (swapped ?? channel)
      const about = { stream: common ? 0 : channel.sensor.stream, other: () => other.clean }
      channel.faults.push(new SensorFault(wanted, about, channel.said))
      channel.group.hasFaults = true
    }
  }

  private injectLine(wanted: WantedFault): void {
    const { id, target, class: name } = wanted.fault
    const lines = this.lines.filter(
      ({ source, groups }) =>
        source === target ||
        groups.some((group) => group.channels.some(({ sensor }) => sensor.spec.ccg.includes(target))),
    )
    const named = lines.filter(({ source }) => source === target)
    const hit = named.length > 0 ? named : lines
    invariant(hit.length > 0, `${id}: no source is ${target}`)
    const { seed, beginUs } = this.options
    for (const line of hit) {
      if (turnsClock(name)) line.clockFaults.push(new ClockFault(wanted, line.stream, beginUs))
      else {
        const { stream, recent } = line
        line.linkFaults.push(createLinkFault(wanted, { stream, recent, epochOf: (source) => epochOf(seed, source) }))
      }
    }
  }

  /** A channel of that name; else those of a source; else those of a group. */
  private channelsOf({ fault: { target }, kind }: WantedFault): GroupChannel[] {
    const all = [...this.channels.values()]
    for (const of of kind.targets) {
      const found = all.filter(({ sensor: { spec } }) =>
        of === 'channel'
          ? spec.channel === target
          : of === 'source'
            ? spec.source === target
            : spec.ccg.includes(target),
      )
      if (found.length > 0) return found
    }
    return []
  }

  private stampOf({ clockFaults }: Line, atUs: Micros): Micros {
    let stampUs = this.options.beginUs + atUs
    for (const fault of clockFaults) stampUs = fault.stamp(stampUs, atUs)
    return stampUs
  }

  private cut(line: Line, group: ChannelGroup): void {
    const sentUs = group.newestUs
    line.sent.push({
      ...{ rig: this.options.rig, source: line.source, line: line.source, epoch: line.epoch, seq: line.seq },
      ...group.cut(),
      ...{ mutate: null, dueUs: sentUs, sentUs, copy: 0 },
    })
    line.seq += 1
  }

  private sendLine(line: Line, toUs: Micros, out: SentFrame[]): void {
    let frames = line.sent
    for (const fault of line.linkFaults) {
      const passed: SentFrame[] = []
      for (const frame of frames) {
        // What was kept comes first when its time is before that of the next frame.
        fault.release(frame.sentUs, passed)
        fault.pass(frame, passed)
      }
      fault.release(toUs, passed)
      frames = passed
    }
    out.push(...frames)
    if (line.sent.length > 0) line.recent = [...line.recent, ...line.sent].slice(-RECENT_MAX)
    line.sent = []
  }

  /** Faults that are over cost nothing; what they were seen to do stays. */
  private forgetFaults(toUs: Micros): void {
    for (const line of this.lines) {
      if (line.clockFaults.length > 0) line.clockFaults = line.clockFaults.filter(({ wanted }) => !wanted.isOver(toUs))
      if (line.linkFaults.length > 0)
        line.linkFaults = line.linkFaults.filter((fault) => fault.kept > 0 || !fault.wanted.isOver(toUs))
      for (const group of line.groups) if (group.hasFaults) group.forgetFaults(toUs)
    }
  }
}

function linesOf({ seed, sensors }: InstrumentationOptions): Line[] {
  const sources = [...new Set(sensors.map(({ source }) => source))]
  return sources.map((source) => {
    const own = sensors.filter((sensor) => sensor.source === source)
    const rates = [...new Set(own.map(({ rateHz }) => rateHz))]
    return {
      source,
      epoch: epochOf(seed, source),
      stream: streamOf(source),
      groups: rates.map((rateHz) =>
        createGroup(
          own.filter((sensor) => sensor.rateHz === rateHz),
          seed,
        ),
      ),
      clockFaults: [],
      linkFaults: [],
      seq: 0,
      sent: [],
      recent: [],
    }
  })
}

/** The life of a sender: random where it really starts, here a function of seed and name. */
export function epochOf(seed: number, source: string): string {
  const word = (k: number): string =>
    Math.floor(uniformAt(seed, streamOf(source), k) * 4_294_967_296)
      .toString(16)
      .padStart(8, '0')
  return `${word(0)}${word(1)}`
}
