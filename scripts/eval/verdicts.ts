import { NO_DRIVER } from './events.ts'
import { isStreamInAlarm, type Reply } from './system-under-test.ts'

export type Stats = Readonly<{ nsPerValue: number | null; bytesPerChannel: number | null }>

export const NOT_MEASURED: Stats = { nsPerValue: null, bytesPerChannel: null }

/** What the evaluator said of a run, row by row, with the channels under their own places again. */
export type Verdicts = Readonly<{
  /** 1 where an alarm stood. */
  alarm: Uint8Array
  /** Rows for which it was still warming up: no alarm, and not held against it. */
  warmingUp: number
  /** NaN where it gave none. */
  scores: Float64Array
  drivers: Int16Array
  /** Of every companion stream: 1 where it stood in alarm. */
  streams: ReadonlyMap<string, Uint8Array>
  /** Every answer as text that does not depend on the disguise; empty unless asked for. */
  answers: readonly string[]
  /** Rows for which the answer says that less was evaluated than the row itself. */
  behind: number
  lateVerdicts: number
  stats: Stats
}>

/** `names`: neutral name of every channel by its place in the recording. */
export function createVerdicts(rows: number, names: readonly string[], keepAnswers: boolean) {
  const place = new Map(names.map((name, channel) => [name, channel]))
  const alarm = new Uint8Array(rows)
  const scores = new Float64Array(rows).fill(Number.NaN)
  const drivers = new Int16Array(rows).fill(NO_DRIVER)
  const streams = new Map<string, Uint8Array>()
  const answers: string[] = []
  let [warmingUp, behind] = [0, 0]
  return {
    take(row: number, reply: Reply): void {
      alarm[row] = reply.state === 'alarm' ? 1 : 0
      if (reply.state === 'warming_up') warmingUp += 1
      if (reply.throughUs !== null && reply.throughUs < reply.tMs * 1000) behind += 1
      scores[row] = reply.score ?? Number.NaN
      drivers[row] = place.get(reply.drivers[0]?.channel ?? '') ?? NO_DRIVER
      for (const [name, stream] of Object.entries(reply.streams)) {
        if (!streams.has(name)) streams.set(name, new Uint8Array(rows))
        if (isStreamInAlarm(stream)) streams.get(name)![row] = 1
      }
      if (keepAnswers) answers.push(answerText(reply, place))
    },
    finish: (stats: Stats, lateVerdicts: number): Verdicts => ({
      ...{ alarm, warmingUp, scores, drivers, streams, answers, behind, lateVerdicts, stats },
    }),
  }
}

/** Two evaluators that judge alike give the same text, under whatever names the channels are shown. */
function answerText(reply: Reply, place: ReadonlyMap<string, number>): string {
  const drivers = reply.drivers
    .map(({ channel, contribution }) => [place.get(channel) ?? channel, contribution] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  const streams = Object.keys(reply.streams)
    .sort()
    .map((name) => [name, reply.streams[name]])
  const { state, score, confidence, verdict } = reply
  return JSON.stringify({ state, score, confidence, verdict, drivers, streams })
}
