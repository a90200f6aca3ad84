import { invariant } from '../../../shared/lib/assert.ts'
import type { Micros } from '../../../shared/units.ts'
import type { Plant } from '../plant.ts'
import type { Recording } from '../recording.ts'

/**
 * A plant that was: its signals are the channels of a recording, each at what came of it last (before its first sample, at
 * that). It has no inputs: nothing that is done now changes what was.
 */
export class RecordedPlant implements Plant {
  readonly recording: Recording
  atUs: Micros = 0
  private readonly held: Float64Array
  private readonly columns: ReadonlyMap<string, number>
  private row = 0

  constructor(recording: Recording) {
    this.recording = recording
    const { channels, channel, value } = recording
    this.columns = new Map(channels.map((name, c) => [name, c]))
    this.held = Float64Array.from(channels, (_, c) => value[channel.indexOf(c)] ?? Number.NaN)
  }

  set(input: string): void {
    invariant(false, `a recording has no input ${input}`)
  }

  advance(toUs: Micros): void {
    const { takenUs, first, channel, value } = this.recording
    for (; this.row < takenUs.length && takenUs[this.row]! <= toUs; this.row += 1)
      for (let k = first[this.row]!; k < first[this.row + 1]!; k += 1) this.held[channel[k]!] = value[k]!
    this.atUs = Math.max(this.atUs, toUs)
  }

  read(signal: string): number {
    return this.held[this.columns.get(signal)!]!
  }
}
