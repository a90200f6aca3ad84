import type { Micros } from '../units.ts'

/** What is ordered of the collector about rollouts. */
export const ROLLOUT_ORDERS = ['start', 'abort'] as const
export type RolloutOrderKind = (typeof ROLLOUT_ORDERS)[number]

/**
 * An order about a rollout as it was signed. It lets the collector do no more than carry what others signed: agents look at
 * the bundle alone. `rollout` names the one that is aborted; what a kind has no use for is '' or 0.
 */
export type RolloutOrder = Readonly<{
  /** Identity of the signed bytes, in hex; its beginning names the rollout that it starts. */
  id: string
  kind: RolloutOrderKind
  deployment: string
  rollout: string
  /** Digest (hex) of the bundle. */
  digest: string
  /** Such as `1,10%,all`. */
  stages: string
  /** For so long every agent of a stage must be well before the next one begins. */
  soakUs: Micros
  /** Within this a stage passes, or the rollout is taken back. */
  withinUs: Micros
  reason: string
  atUs: Micros
  /** Id of the key that signed it. */
  by: string
}>

/** Characters of an order's identity that name its rollout. */
export const ROLLOUT_ID_CHARS = 16
/** How far the time of an order may be from that of the collector. */
export const ROLLOUT_ORDER_AGE_MAX_US: Micros = 300_000_000
/** Longest reason, in characters. */
export const ROLLOUT_REASON_CHARS_MAX = 512
/** Stages of one rollout. */
export const STAGES_MAX = 16
export const SOAK_MIN_US: Micros = 1_000_000
export const SOAK_US: Micros = 60_000_000
export const WITHIN_US: Micros = 600_000_000
export const WITHIN_MAX_US: Micros = 7 * 24 * 3_600_000_000

export type Stages = Readonly<{ ok: true; counts: readonly number[] }> | Readonly<{ ok: false; reason: string }>

/**
 * How many agents have the bundle after each stage, of so many in all. A part of a hundred is rounded up and at least one;
 * a number above all of them is all of them. No stage has fewer than the one before, and the last one is `all`.
 */
export function stagesOf(text: string, agents: number): Stages {
  const words = text.split(',').map((word) => word.trim())
  if (words.length > STAGES_MAX) return { ok: false, reason: `${words.length} stages, at most ${STAGES_MAX}` }
  if (words.at(-1) !== 'all') return { ok: false, reason: `the last stage is \`${words.at(-1)}\`, not \`all\`` }
  const counts: number[] = []
  for (const word of words) {
    const count = countOf(word, agents)
    if (count === null)
      return { ok: false, reason: `\`${word}\` is no number above 0, no part such as 10%, and not \`all\`` }
    if (count < (counts.at(-1) ?? 0))
      return { ok: false, reason: `\`${word}\` are ${count}, fewer than the stage before` }
    counts.push(count)
  }
  return { ok: true, counts }
}

function countOf(word: string, agents: number): number | null {
  if (word === 'all') return agents
  const number = /^([1-9][0-9]{0,5})$/.exec(word)
  if (number !== null) return Math.min(agents, Number(number[1]))
  const part = /^([1-9][0-9]?|100)%$/.exec(word)
  return part === null ? null : Math.floor((agents * Number(part[1]) + 99) / 100)
}
