/** A stream that speaks about a channel: the channel is in its alarm. */
export type Voice = Readonly<{
  stream: string
  /** Score ÷ limit. */
  ratio: number
  level: number | null
  perScore: number | null
  limit: number
  distance: number | null
  steps: number
}>
