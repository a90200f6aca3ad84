import { invariant } from '../../shared/lib/assert.ts'
import type { Micros } from '../../shared/units.ts'
import { VALUES_PER_FRAME_MAX } from './channel-group.ts'
import type { FaultSeen } from './fault.ts'
import { epochOf } from './instrumentation.ts'
import type { Instrumentation, InstrumentationOptions, OutFrame } from './out-frame.ts'
import type { Recording } from './recording.ts'

/** Acquisitions that send what was recorded, when it came then: with its gaps, delays and qualities, and without faults. */
export function createRecordedInstrumentation(options: InstrumentationOptions, recording: Recording): Instrumentation {
  return new RecordedInstrumentation(options, recording)
}

/** One acquisition, and the frame that it is filling. */
type Line = { readonly source: string; readonly epoch: string; seq: number; open: Filling | null }
/** Times of the same channels, one after the other. `values[i]` are those of `times[i]`. */
type Filling = {
  readonly line: Line
  readonly channels: readonly number[]
  readonly times: Micros[]
  readonly values: number[]
  readonly qualities: number[]
  takenUs: Micros
}

class RecordedInstrumentation implements Instrumentation {
  readonly nextSampleUs: Micros = Number.POSITIVE_INFINITY
  private readonly options: InstrumentationOptions
  private readonly recording: Recording
  /** Acquisition of each channel of the recording, and the name that it sends it under; null where no sensor is for it. */
  private readonly lines: readonly (Line | null)[]
  private readonly names: readonly string[]
  private row = 0

  constructor(options: InstrumentationOptions, recording: Recording) {
    this.options = options
    this.recording = recording
    const lines = new Map<string, Line>()
    for (const { source } of options.sensors)
      lines.set(source, { source, epoch: epochOf(options.seed, source), seq: 0, open: null })
    const sensors = recording.channels.map((name) => options.sensors.find(({ of }) => of === name))
    this.lines = sensors.map((sensor) => (sensor === undefined ? null : lines.get(sensor.source)!))
    this.names = sensors.map((sensor) => sensor?.channel ?? '')
  }

  inject({ class: of }: { class: string }): void {
    invariant(false, `${of} is not for a recording`)
  }

  clear(): void {}

  sample(): void {
    invariant(false, 'a recording is not asked for samples')
  }

  frames(toUs: Micros): OutFrame[] {
    const { takenUs } = this.recording
    const begun: Filling[] = []
    for (; this.row < takenUs.length && takenUs[this.row]! <= toUs; this.row += 1) this.take(this.row, begun)
    for (const { line } of begun) line.open = null
    return begun.map((filling) => this.frameOf(filling))
  }

  seen(): FaultSeen[] {
    return []
  }

  /** Samples of a row go into the open frame of their acquisition where it holds the same channels, else into another one. */
  private take(row: number, begun: Filling[]): void {
    const { first, channel, value, quality, timeUs, takenUs } = this.recording
    const [from, to] = [first[row]!, first[row + 1]!]
    const parts = new Map<Line, number[]>()
    for (let k = from; k < to; k += 1) {
      const line = this.lines[channel[k]!] ?? null
      if (line === null) continue
      const samples = parts.get(line)
      if (samples === undefined) parts.set(line, [k])
      else samples.push(k)
    }
    for (const [line, samples] of parts) {
      const filling = fillingFor(
        line,
        samples.map((k) => channel[k]!),
        begun,
      )
      filling.times.push(this.options.beginUs + timeUs[row]!)
      filling.takenUs = takenUs[row]!
      for (const k of samples) {
        filling.values.push(value[k]!)
        filling.qualities.push(quality[k]!)
      }
    }
  }

  private frameOf({ line, channels, times, values, qualities, takenUs }: Filling): OutFrame {
    const [width, count] = [channels.length, times.length]
    const turned = (from: readonly number[], to: Float64Array | Uint8Array): void => {
      from.forEach((one, k) => {
        to[(k % width) * count + Math.floor(k / width)] = one
      })
    }
    const value = new Float64Array(width * count)
    turned(values, value)
    const isGood = qualities.every((one) => one === 0)
    const quality = new Uint8Array(isGood ? 0 : width * count)
    if (!isGood) turned(qualities, quality)
    const seq = line.seq
    line.seq += 1
    return {
      ...{ rig: this.options.rig, source: line.source, epoch: line.epoch, seq, line: line.source },
      channels: channels.map((c) => this.names[c]!),
      timeUs: Float64Array.from(times),
      ...{ value, quality: isGood ? null : quality, injected: [], mutate: null, dueUs: takenUs },
    }
  }
}

function fillingFor(line: Line, channels: readonly number[], begun: Filling[]): Filling {
  const { open } = line
  const isSame =
    open !== null && open.channels.length === channels.length && open.channels.every((c, k) => c === channels[k])
  if (isSame && open.values.length + channels.length <= VALUES_PER_FRAME_MAX) return open
  const filling: Filling = { line, channels, times: [], values: [], qualities: [], takenUs: 0 }
  line.open = filling
  begun.push(filling)
  return filling
}
