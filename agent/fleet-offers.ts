import { BundleError } from '../shared/errors/bundle-error.ts'
import { isHbError } from '../shared/errors/hb-error.ts'
import type { BundleBack, BundleOffer } from '../shared/protocol/downlink.ts'
import {
  BUNDLE_ANSWER_VERSION,
  BUNDLE_REASON_MAX,
  BUNDLE_REASONS_MAX,
  type BundleAnswerMessage,
} from '../shared/protocol/messages.ts'
import type { Micros } from '../shared/units.ts'
import { type BundleActivation, inWords } from './bundle-activation.ts'
import { UPDATE_SPACING_US, UpdateLimiter } from './pipeline/update-limiter.ts'

export type FleetOffersOptions = Readonly<{
  bundles: Pick<BundleActivation, 'take' | 'back' | 'inForce'>
  monotonicUs(): Micros
}>

/** The collector, in the journal: whoever asked it to is in the record of its rollouts. */
const COLLECTOR = 'collector'

/**
 * Bundles that come from the collector. It is only the carrier: whether one is taken is judged as if a person had handed it
 * in. Activations are limited in their rate, however many are offered; going back is not, because it is possible once for
 * each of them.
 */
export class FleetOffers {
  private readonly options: FleetOffersOptions
  private readonly limiter = new UpdateLimiter()

  constructor(options: FleetOffersOptions) {
    this.options = options
  }

  /** Never rejects for what was sent. */
  offered({ id, digest, bundle }: BundleOffer): Promise<BundleAnswerMessage> {
    const { bundles, monotonicUs } = this.options
    const answer = answerTo(id, 'offer', digest)
    // Asked again after an answer that was lost.
    if (digest === bundles.inForce?.digest) return Promise.resolve(answer([]))
    if (!this.limiter.permit(monotonicUs()))
      return Promise.resolve(answer([RATE_LIMITED], Math.ceil(UPDATE_SPACING_US / 1000)))
    return outcome(answer, () => bundles.take(bundle, 'rollout'))
  }

  /** Never rejects for what was sent. */
  back({ id, digest, reason }: BundleBack): Promise<BundleAnswerMessage> {
    const answer = answerTo(id, 'back', digest)
    const work = () => this.options.bundles.back(digest, { by: `${COLLECTOR}, rollout ${id}`, reason })
    // A disk that is full now may have room later: who should go back is asked again.
    return outcome(answer, work, Math.ceil(UPDATE_SPACING_US / 1000))
  }
}

const RATE_LIMITED = inWords({
  code: 'rate_limited',
  found: 'one more activation from afar',
  expected: 'at most 10 a minute, with 6 s between two',
})

type Answer = (reasons: readonly string[], againMs?: number) => BundleAnswerMessage

function answerTo(id: string, what: 'offer' | 'back', digest: string): Answer {
  return (reasons, againMs = 0) => ({
    ...{ t: 'bundle_answer', v: BUNDLE_ANSWER_VERSION, id, what, digest, taken: reasons.length === 0 },
    ...{ again_ms: againMs, reasons: reasons.slice(0, BUNDLE_REASONS_MAX).map((r) => r.slice(0, BUNDLE_REASON_MAX)) },
  })
}

/** `againMs` for faults of the disk: nothing is wrong with what was asked. */
async function outcome(answer: Answer, work: () => Promise<unknown>, againMs = 0): Promise<BundleAnswerMessage> {
  try {
    await work()
    return answer([])
  } catch (error) {
    if (error instanceof BundleError) {
      const isOfDisk = error.problems.every(({ code }) => code === 'not_journaled')
      return answer(error.problems.map(inWords), isOfDisk ? againMs : 0)
    }
    if (isHbError(error)) return answer([error.message], againMs)
    throw error
  }
}
