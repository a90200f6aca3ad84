import { createInstrumentation } from '../core/instrumentation.ts'
import type { Instrumentation, InstrumentationOptions } from '../core/out-frame.ts'
import type { Plant } from '../core/plant.ts'
import { RecordedPlant } from '../core/plants/recording.ts'
import { createRecordedInstrumentation } from '../core/recorded-instrumentation.ts'
import type { RunFacts } from '../core/run-record.ts'
import { openRecording } from '../recording-file.ts'

type Opened = Readonly<{ plant: Plant | null; signals: readonly string[]; broken: RunFacts['broken'] }>

/** A recording in place of a plant. It was looked at before, and may have been changed or taken away since. */
export function openRecorded(path: string): Opened {
  const read = openRecording(path)
  if (read.ok) return { plant: new RecordedPlant(read.recording), signals: read.recording.channels, broken: null }
  const detail = read.problems.map(({ line, found }) => `${path}:${line}: ${found}`).join('; ')
  return { plant: null, signals: [], broken: { verdict: 'ERROR', code: 'CONFIG_INVALID', detail } }
}

/** Acquisitions on a plant: on a recording those that say what was recorded. */
export function instrumentsOf(plant: Plant, options: InstrumentationOptions): Instrumentation {
  return plant instanceof RecordedPlant
    ? createRecordedInstrumentation(options, plant.recording)
    : createInstrumentation(options)
}
