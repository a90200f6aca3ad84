import type { BreakGlass, SafetyState } from '../core/safety/state.ts'

/** A break-glass of actions as people are shown it. */
export type GlassShown = Readonly<{ by: string; until_us: number; reason: string }>

export function glassShown(glass: BreakGlass | null): GlassShown | null {
  return glass === null ? null : { by: glass.by, until_us: glass.untilUs, reason: glass.reason }
}

/** What is in force, and what waits for its second act. */
export function glassView({
  glass,
  glassAsked,
}: SafetyState): Record<'break_glass' | 'break_glass_asked', GlassShown | null> {
  return { break_glass: glassShown(glass), break_glass_asked: glassShown(glassAsked) }
}
