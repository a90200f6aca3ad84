import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Micros } from '../../shared/units.ts'
import type { BenchEvent, RunFacts } from '../core/run-record.ts'
import type { ScenarioRow } from '../core/scenario.ts'

/** Text that waits for the disk. */
const WAITING_CHARS_MAX = 65_536
/** Lines of one file; a plot needs no more, and the oracle is told by `truncated` that there would have been. */
export const TRUTH_LINES_MAX = 2_000_000
/** Points kept of one channel: the first of each such share of the run. */
const TELEMETRY_POINTS = 4_000
const EVENTS_MAX = 200_000

/** The files of a run (run-record.ts), written as it goes: what a run that breaks off has seen is there. */
export class RunFiles {
  readonly folder: string
  private readonly truth: LineFile
  private readonly telemetry: LineFile
  private readonly events: LineFile
  private readonly signals: readonly string[]
  private readonly everyUs: Micros
  private readonly nextUs = new Map<string, Micros>()
  private readonly values = new Map<string, number>()

  constructor(folder: string, row: ScenarioRow, signals: readonly string[]) {
    this.folder = folder
    this.signals = signals
    this.everyUs = row.clock.durationUs / TELEMETRY_POINTS
    writeFileSync(join(folder, 'row.json'), `${JSON.stringify(row, null, 1)}\n`)
    this.truth = new LineFile(join(folder, 'truth.csv'), TRUTH_LINES_MAX)
    this.telemetry = new LineFile(join(folder, 'telemetry.csv'), TRUTH_LINES_MAX)
    this.events = new LineFile(join(folder, 'events.jsonl'), EVENTS_MAX)
    this.truth.line(['t_us', ...signals].join(','))
    this.telemetry.line('t_us,channel,value')
  }

  sawTruth(atUs: Micros, read: (signal: string) => number): void {
    this.truth.line(`${atUs},${this.signals.map(read).join(',')}`)
  }

  /** Newest value that was sent of a channel, as text. */
  newest(channel: string): string {
    return this.values.get(channel)?.toPrecision(6) ?? 'nothing yet'
  }

  sent(channel: string, atUs: Micros, value: number): void {
    this.values.set(channel, value)
    const next = this.nextUs.get(channel) ?? Number.NEGATIVE_INFINITY
    if (atUs < next) return
    this.nextUs.set(channel, atUs + this.everyUs)
    this.telemetry.line(`${atUs},${channel},${value}`)
  }

  event(event: BenchEvent): void {
    this.events.line(JSON.stringify(event))
  }

  close(facts: RunFacts): void {
    for (const file of [this.truth, this.telemetry, this.events]) file.close()
    writeFileSync(join(this.folder, 'run.json'), `${JSON.stringify(facts, null, 1)}\n`)
  }
}

class LineFile {
  private readonly fd: number
  private readonly linesMax: number
  private text = ''
  private lines = 0

  constructor(path: string, linesMax: number) {
    this.fd = openSync(path, 'wx', 0o600)
    this.linesMax = linesMax
  }

  /** Beyond the bound nothing is added, and the last line says so. */
  line(text: string): void {
    if (this.lines > this.linesMax) return
    this.lines += 1
    this.text += this.lines > this.linesMax ? 'truncated\n' : `${text}\n`
    if (this.text.length > WAITING_CHARS_MAX) this.flush()
  }

  close(): void {
    this.flush()
    closeSync(this.fd)
  }

  private flush(): void {
    writeSync(this.fd, this.text)
    this.text = ''
  }
}
