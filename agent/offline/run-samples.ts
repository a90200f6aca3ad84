/** Samples of one metric that a run keeps beside its value, in `tags`. */
export type TaggedSamples = Readonly<{ samples: readonly number[]; invalidSamples: number }>

const NONE: TaggedSamples = { samples: [], invalidSamples: 0 }

/** Reads `tags`: free text, or JSON whose `samples` are what the value was made of. */
export function samplesOf(tags: string | null | undefined): TaggedSamples {
  if (tags === null || tags === undefined || !tags.trimStart().startsWith('{')) return NONE
  let parsed: unknown
  try {
    parsed = JSON.parse(tags)
  } catch {
    return NONE
  }
  const list = (parsed as Readonly<{ samples?: unknown }>).samples
  if (!Array.isArray(list)) return NONE
  const samples = list.filter((sample): sample is number => typeof sample === 'number' && Number.isFinite(sample))
  return { samples, invalidSamples: list.length - samples.length }
}
