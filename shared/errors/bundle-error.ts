import type { BundleProblem } from '../model/config-bundle.ts'
import { HbError } from './hb-error.ts'

/** Problems that are told of one bundle; the rest is counted. */
export const BUNDLE_PROBLEMS_MAX = 200

/** Everything that is wrong with a bundle in one error: it was refused as a whole. */
export class BundleError extends HbError {
  /** Never empty. */
  readonly problems: readonly BundleProblem[]

  constructor(problems: readonly BundleProblem[]) {
    const shown = problems.slice(0, BUNDLE_PROBLEMS_MAX)
    super('BUNDLE_REFUSED', { problems: problems.length, first: shown[0]?.code })
    this.problems = shown
  }
}
