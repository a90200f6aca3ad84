import type { LinkState } from './link.ts'
import type { RigState } from './look.ts'
import type { PageModel, RigRow } from './page-model.ts'

/** What a component needs to draw: the model and the two times, taken once for the whole page so that ages agree. */
export type View = Readonly<{
  model: PageModel
  nowMs: number
  nowUs: number
  link: LinkState
  /** Nothing heard for 2 s: every value on the page is history. */
  lost: boolean
  rigs: readonly Readonly<{ row: RigRow; state: RigState }>[]
}>
