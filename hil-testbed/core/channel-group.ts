import { QUALITY } from '../../shared/model/telemetry.ts'
import type { Micros } from '../../shared/units.ts'
import type { Reading, SensorFault } from './faults/sensor-fault.ts'
import type { OutFrame } from './out-frame.ts'
import type { SensorSpec } from './scenario.ts'
import { Sensor, sampleUs } from './sensor.ts'

/** Values of one frame; more samples make another one. */
export const VALUES_PER_FRAME_MAX = 65_536
/** Samples a group has room for at first. */
const ROWS = 64

/** A channel in its group, with the faults that are on it. */
export type GroupChannel = {
  readonly sensor: Sensor
  readonly group: ChannelGroup
  faults: SensorFault[]
  /** What it would say now, and what it said last. */
  clean: number
  said: number | null
}

export function createGroup(sensors: readonly SensorSpec[], seed: number): ChannelGroup {
  return new ChannelGroup(sensors, seed)
}

/** Channels that one acquisition samples together, and their samples since the last frame. */
export class ChannelGroup {
  readonly channels: readonly GroupChannel[]
  nextUs: Micros = 0
  newestUs: Micros = 0
  count = 0
  hasFaults = false
  private readonly names: readonly string[]
  private readonly rateHz: number
  private index = 0
  /** Sample by sample: a row is one time. */
  private rows: Float64Array
  private times = new Float64Array(ROWS)
  private readonly missing = new Set<number>()
  private readonly altered: Uint8Array
  private anyAltered = false
  private isTurned = false
  private readonly reading: Reading = { value: 0, isMissing: false }

  constructor(sensors: readonly SensorSpec[], seed: number) {
    this.rateHz = sensors[0]!.rateHz
    this.names = sensors.map(({ channel }) => channel)
    this.channels = sensors.map((spec) => ({
      sensor: new Sensor(spec, seed),
      group: this,
      faults: [],
      clean: Number.NaN,
      said: null,
    }))
    this.rows = new Float64Array(ROWS * sensors.length)
    this.altered = new Uint8Array(sensors.length)
  }

  get isFull(): boolean {
    return (this.count + 1) * this.channels.length > VALUES_PER_FRAME_MAX
  }

  /** What every sensor would say of the truth now: first all of them, for a fault may need another channel. */
  readTruth(read: (signal: string) => number): void {
    for (const channel of this.channels) channel.clean = channel.sensor.read(read(channel.sensor.spec.of), this.index)
  }

  /** Takes the sample of now, under the time its clock gives it. */
  take(stampUs: Micros, trueUs: Micros): void {
    const width = this.channels.length
    if (this.count === this.times.length) this.grow()
    this.times[this.count] = stampUs
    if (stampUs !== trueUs) this.isTurned = true
    const at = this.count * width
    if (this.hasFaults) for (let c = 0; c < width; c += 1) this.rows[at + c] = this.faulty(this.channels[c]!, c, at + c)
    else
      for (let c = 0; c < width; c += 1) {
        const channel = this.channels[c]!
        channel.said = channel.clean
        this.rows[at + c] = channel.clean
      }
    this.newestUs = this.nextUs
    this.count += 1
    this.index += 1
    this.nextUs = sampleUs(this.rateHz, this.index)
  }

  /** The samples taken since the last time, as part of a frame. */
  cut(): Pick<OutFrame, 'channels' | 'timeUs' | 'value' | 'quality' | 'injected'> {
    const { names, count, rows } = this
    const width = names.length
    const value = new Float64Array(width * count)
    for (let i = 0; i < count; i += 1) for (let c = 0; c < width; c += 1) value[c * count + i] = rows[i * width + c]!
    const frame = {
      channels: names,
      timeUs: this.times.slice(0, count),
      value,
      quality: this.quality(),
      injected: this.isTurned ? names : this.anyAltered ? names.filter((_, c) => this.altered[c] === 1) : NOBODY,
    }
    this.count = 0
    this.isTurned = false
    if (this.anyAltered) this.altered.fill(0)
    this.anyAltered = false
    return frame
  }

  forgetFaults(atUs: Micros): void {
    for (const channel of this.channels) channel.faults = channel.faults.filter(({ wanted }) => !wanted.isOver(atUs))
    this.hasFaults = this.channels.some(({ faults }) => faults.length > 0)
  }

  private faulty(channel: GroupChannel, c: number, at: number): number {
    const { reading } = this
    reading.value = channel.clean
    reading.isMissing = false
    for (const fault of channel.faults)
      if (fault.apply(reading, this.nextUs, channel.sensor.intervalUs)) {
        this.altered[c] = 1
        this.anyAltered = true
      }
    if (reading.isMissing) this.missing.add(at)
    else channel.said = reading.value
    return reading.value
  }

  private quality(): Uint8Array | null {
    if (this.missing.size === 0) return null
    const { count } = this
    const width = this.names.length
    const quality = new Uint8Array(width * count)
    for (const at of this.missing) quality[(at % width) * count + Math.floor(at / width)] = QUALITY.missing
    this.missing.clear()
    return quality
  }

  private grow(): void {
    const rows = new Float64Array(this.rows.length * 2)
    rows.set(this.rows)
    this.rows = rows
    const times = new Float64Array(this.times.length * 2)
    times.set(this.times)
    this.times = times
  }
}

const NOBODY: readonly string[] = []
