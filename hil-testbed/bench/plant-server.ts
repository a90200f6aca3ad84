import { Request } from 'zeromq'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { PlantModel } from '../core/plant.ts'
import { type FromPlant, PLANT_MESSAGE_BYTES_MAX, PLANT_PROTOCOL_VERSION, readToPlant } from './plant-protocol.ts'

/** Text of a reason; the protocol takes no longer one. */
const REASON_CHARS_MAX = 500

/**
 * A built-in plant as an external one: the other end of plant-protocol.ts, to rehearse a bench of one's own against, and this
 * bench against itself.
 *
 * @throws HbError PLANT_ANSWER for a message that is none; whoever granted it was told so
 */
export async function servePlant(model: PlantModel, endpoint: string): Promise<string> {
  const socket = new Request({ linger: 0, maxMessageSize: PLANT_MESSAGE_BYTES_MAX })
  socket.connect(endpoint)
  const plant = model.create({ params: {}, init: {} })
  const names = Object.keys(model.signals)
  const units = (of: Readonly<Record<string, { unit: string }>>): Record<string, string> =>
    Object.fromEntries(Object.entries(of).map(([name, { unit }]) => [name, unit]))
  let say: FromPlant = {
    ...{ type: 'hello', v: PLANT_PROTOCOL_VERSION, model: `built-in ${model.name}`, step_us: model.stepUs },
    ...{ signals: units(model.signals), inputs: units(model.inputs) },
  }
  try {
    for (;;) {
      await socket.send(JSON.stringify(say))
      const [bytes] = await socket.receive()
      const read = readToPlant(new Uint8Array(bytes ?? new Uint8Array()))
      if (!read.ok) {
        await socket.send(JSON.stringify({ type: 'failed', reason: read.detail.slice(0, REASON_CHARS_MAX) }))
        throw new HbError('PLANT_ANSWER', { found: read.refusal, reason: read.detail })
      }
      const { message } = read
      if (message.type === 'end') return message.reason
      for (const [input, value] of Object.entries(message.inputs)) plant.set(input, value)
      await plant.advance(message.until_us)
      const signals = Object.fromEntries(names.map((name) => [name, plant.read(name)]))
      say = { type: 'advanced', n: message.n, at_us: message.until_us, signals }
    }
  } finally {
    socket.close()
  }
}
