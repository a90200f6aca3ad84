import type { VerifyKey } from '../../shared/crypto/sign.ts'
import { isHbError } from '../../shared/errors/hb-error.ts'
import {
  type BaselineDownlink,
  type BundleBack,
  type BundleOffer,
  type Downlink,
  openDownlink,
  type SliceRequest,
} from '../../shared/protocol/downlink.ts'
import {
  BASELINE_ANSWER_VERSION,
  type BaselineAnswerMessage,
  type BundleAnswerMessage,
  type SliceMessage,
} from '../../shared/protocol/messages.ts'

export type DownlinkOptions = Readonly<{
  /** The only key whose requests are done. */
  collectorKey: VerifyKey
  agent(): string
  slice(request: SliceRequest): Promise<SliceMessage>
  /** Puts a baseline in force, or says why not. */
  baseline(downlink: BaselineDownlink): Promise<BaselineAnswerMessage>
  /** Takes a bundle or goes back from one, or says why not. */
  bundle(downlink: BundleOffer | BundleBack): Promise<BundleAnswerMessage>
  /** Begins to tell under what the agent runs. */
  watch(): void
  send(answer: SliceMessage | BaselineAnswerMessage | BundleAnswerMessage): void
  /** Something that its key did not sign for this agent: nothing of it is done, and nobody is answered. */
  refused(refusal: Readonly<{ code: string; detail: string }>): void
  failed(error: unknown): void
}>

/** Slices that are read from the journal at once; one more is answered with `busy` and may be asked for again. */
export const SLICES_AT_ONCE_MAX = 4
/** Baselines that wait to be put in force; one more is answered with `busy`. */
export const BASELINES_WAITING_MAX = 4
/** Offers of bundles, and wishes to go back, that wait; one more is passed over, and the collector asks again. */
export const BUNDLES_WAITING_MAX = 2

/** Does what the collector asks for: only what its key signed for this agent, and only so much at once. */
export class Downlinks {
  private readonly options: DownlinkOptions
  private slices = 0
  private waiting = 0
  private bundlesWaiting = 0
  private tail: Promise<void> = Promise.resolve()

  constructor(options: DownlinkOptions) {
    this.options = options
  }

  /** Never rejects. */
  async take(cose: Uint8Array): Promise<void> {
    const { failed } = this.options
    try {
      const request = this.open(cose)
      if (request === null) return
      if (request.kind === 'slice_request') await this.slice(request)
      else if (request.kind === 'baseline') await this.baseline(request)
      else if (request.kind === 'config_watch') this.options.watch()
      else await this.bundle(request)
    } catch (error) {
      failed(error)
    }
  }

  private open(cose: Uint8Array): Downlink | null {
    const { collectorKey, agent, refused } = this.options
    try {
      return openDownlink(cose, { key: collectorKey, agent: agent() })
    } catch (error) {
      if (!isHbError(error)) throw error
      refused({ code: error.code, detail: error.message })
      return null
    }
  }

  private async slice(request: SliceRequest): Promise<void> {
    const { slice, send } = this.options
    const { id, rig } = request
    this.slices += 1
    try {
      const busy = { t: 'slice', id, ok: false, rig, channels: [], reason: 'busy' } as const
      send(this.slices > SLICES_AT_ONCE_MAX ? busy : await slice(request))
    } finally {
      this.slices -= 1
    }
  }

  /** One after the other: each is judged by what the one before left in force. */
  private baseline(downlink: BaselineDownlink): Promise<void> {
    const { baseline, send } = this.options
    const { id, rig, role } = downlink
    if (this.waiting >= BASELINES_WAITING_MAX) {
      send({ t: 'baseline_answer', v: BASELINE_ANSWER_VERSION, id, rig, role, taken: false, reason: 'busy' })
      return Promise.resolve()
    }
    this.waiting += 1
    const turn = this.tail.then(async () => send(await baseline(downlink)))
    this.tail = turn.then(
      () => this.done(),
      () => this.done(),
    )
    return turn
  }

  private done(): void {
    this.waiting -= 1
  }

  /** In the same line as baselines, for the same reason. */
  private bundle(downlink: BundleOffer | BundleBack): Promise<void> {
    if (this.bundlesWaiting >= BUNDLES_WAITING_MAX) return Promise.resolve()
    this.bundlesWaiting += 1
    const turn = this.tail.then(async () => {
      try {
        this.options.send(await this.options.bundle(downlink))
      } finally {
        this.bundlesWaiting -= 1
      }
    })
    this.tail = turn.catch(() => undefined)
    return turn
  }
}
