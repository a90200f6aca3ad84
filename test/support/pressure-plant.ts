import { randomBytes } from 'node:crypto'
import { Publisher } from 'zeromq'
import { encodeFrame } from '../../shared/codec/telemetry.ts'

/** Transmitters of the pressure loop, each on an acquisition of its own, as the registry of the testbed has them. */
export const DAQS = { 'daq-1': 'p_a', 'daq-2': 'p_b', 'daq-4': 'p_c', 'daq-3': 'flow' } as const
export type DaqName = keyof typeof DAQS

/** What the transmitters read: bar, and l/min. */
export type Readings = { bar: number; flow: number }

export const AT_REST: Readonly<Readings> = { bar: 5, flow: 20 }
export const OVER_PRESSURE = 9

const FRAME_MS = 20
const SAMPLES_PER_FRAME = 4
const SAMPLE_US = (FRAME_MS * 1000) / SAMPLES_PER_FRAME

/** A loop that reads what a test says, two hundred times a second, whoever listens; nothing is kept for whoever does not. */
export type PressurePlant = Readonly<{
  endpoints: Readonly<Record<DaqName, string>>
  readings: Readings
  stop(): void
}>

export async function startPressurePlant(rig: string): Promise<PressurePlant> {
  const readings = { ...AT_REST }
  const names = Object.keys(DAQS) as DaqName[]
  const epoch = randomBytes(8).toString('hex')
  const sockets = names.map(() => new Publisher({ linger: 0 }))
  for (const socket of sockets) await socket.bind('tcp://127.0.0.1:0')
  const endpoints = Object.fromEntries(names.map((name, k) => [name, sockets[k]!.lastEndpoint!]))
  let seq = 0
  let untilUs = Date.now() * 1000
  const sending = sockets.map(() => Promise.resolve())
  const timer = setInterval(() => {
    while (untilUs + FRAME_MS * 1000 <= Date.now() * 1000) {
      const fromUs = untilUs
      untilUs += FRAME_MS * 1000
      const timeUs = Float64Array.from({ length: SAMPLES_PER_FRAME }, (_, k) => fromUs + k * SAMPLE_US)
      names.forEach((source, k) => {
        const read = DAQS[source] === 'flow' ? readings.flow : readings.bar
        const value = new Float64Array(SAMPLES_PER_FRAME).fill(read)
        const frame = encodeFrame({ rig, source, epoch, seq, cid: null, channels: [DAQS[source]], timeUs, value })
        sending[k] = sending[k]!.then(() => sockets[k]!.send([rig, frame])).catch(() => undefined)
      })
      seq += 1
    }
  }, FRAME_MS)
  return {
    endpoints: endpoints as Record<DaqName, string>,
    readings,
    stop() {
      clearInterval(timer)
      for (const socket of sockets) socket.close()
    },
  }
}
