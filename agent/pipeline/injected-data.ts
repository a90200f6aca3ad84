import type { JournalInput } from '../../shared/codec/journal-input.ts'
import { decodeTelemetry } from '../../shared/codec/telemetry.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { Frame } from '../../shared/model/telemetry.ts'
import type { Micros } from '../../shared/units.ts'
import { injectedRefusal } from '../core/injected.ts'
import type { RigState } from '../core/state.ts'

/** Channels that are named of those that were injected. */
const CHANNELS_NAMED_MAX = 8

/** Injected samples that were taken, of one rig: how many, of which channels, and when. */
export type InjectedTally = { samples: number; firstUs: Micros; newestUs: Micros; channels: Set<string> }

export function createInjectedTally(): InjectedTally {
  return { samples: 0, firstUs: -1, newestUs: -1, channels: new Set() }
}

/** Counts what of an input a rig took that was injected; what it refused is in none of its windows. */
export function tallyInjected(tally: InjectedTally, rig: RigState, input: JournalInput): void {
  if (input.kind !== 'frame' || input.rig !== rig.settings.rig) return
  const { messages, kind: _, ...about } = input
  for (const message of messages) {
    const read = decodeTelemetry({ ...about, message })
    if (read.ok) tallyFrame(tally, rig, read.frame)
  }
}

function tallyFrame(tally: InjectedTally, rig: RigState, frame: Frame): void {
  const { injected, provenance, timeUs } = frame
  if ((injected === undefined && provenance !== 'injected') || timeUs.length === 0) return
  if (injectedRefusal(rig, frame) !== null) return
  const channels = injected?.channels ?? frame.channels ?? []
  tally.samples += timeUs.length * channels.length
  for (const channel of channels) if (tally.channels.size < CHANNELS_NAMED_MAX) tally.channels.add(channel)
  const newest = timeUs.reduce((a, b) => Math.max(a, b))
  if (tally.firstUs < 0) tally.firstUs = timeUs[0]!
  tally.newestUs = Math.max(tally.newestUs, newest)
}

/**
 * Not one injected sample enters a baseline: the windows of a record are of everything that was evaluated since `fromUs`.
 *
 * @throws HbError INJECTED_DATA
 */
export function requireNoneInjected({ samples, firstUs, newestUs, channels }: InjectedTally, fromUs: Micros): void {
  if (newestUs < fromUs || samples === 0) return
  throw new HbError('INJECTED_DATA', {
    samples,
    channels: [...channels].sort().join(', '),
    first_us: firstUs,
    last_us: newestUs,
  })
}
