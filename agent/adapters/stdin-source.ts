import type { Readable } from 'node:stream'
import type { StdinSourceConfig } from '../../shared/config/types.ts'
import type { TelemetrySource } from '../ports.ts'
import { createLineFeed, type LinePlace } from './line-feed.ts'
import { createLineReader } from './line-reader.ts'

export type StdinSourceOptions = Readonly<{
  rig: string
  config: StdinSourceConfig
  /** Names this life of the source: nobody can say a pipe again. */
  epoch: string
  recording: boolean
  input: Readable
  failed(error: unknown): void
}>

/**
 * Lines of standard input. Nothing is read while what came before is not journaled, so that whoever writes waits; the
 * end of the input is the end of the source, its last line included whether it is ended or not.
 */
export function createStdinSource({ config, input, failed, ...options }: StdinSourceOptions): TelemetrySource {
  let done: Promise<void> = Promise.resolve()
  let stopped = false
  return {
    name: config.name,
    async start(sink) {
      const feed = createLineFeed({ ...options, config, path: 'standard input', sink })
      const reader = createLineReader({ bytesMax: config.line_bytes_max })
      const place: LinePlace = { epoch: options.epoch, row: 0, header: null }
      const read = async (): Promise<void> => {
        for await (const chunk of input) await feed.deliver(reader.push(chunk as Uint8Array), place)
        const rest = reader.rest()
        if (rest !== null) await feed.deliver([rest], place)
        sink.ended()
      }
      done = read().catch((error: unknown) => {
        // A stop closes the input under the reader.
        if (!stopped) failed(error)
      })
    },
    async stop() {
      stopped = true
      input.destroy()
      await done
    },
  }
}
