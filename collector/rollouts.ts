import {
  cutFleetBundle,
  FLEET_CUT_BYTES_MAX,
  lookIntoFleetBundle,
  type OpenedFleetBundle,
  openFleetBundle,
} from '../shared/codec/fleet-bundle.ts'
import {
  openRolloutOrder,
  ROLLOUT_ORDER_BYTES_MAX,
  readHandedOrder,
  requirePlainReason,
} from '../shared/codec/rollout-order.ts'
import type { Trust } from '../shared/config/operators.ts'
import { coseKeyId } from '../shared/crypto/cose.ts'
import { equalBytes, toHex } from '../shared/crypto/digest.ts'
import { BundleError } from '../shared/errors/bundle-error.ts'
import { HbError } from '../shared/errors/hb-error.ts'
import type { Clock } from '../shared/lib/clock.ts'
import type { BundleProblem } from '../shared/model/config-bundle.ts'
import type { ConfigState } from '../shared/model/config-state.ts'
import {
  ROLLOUT_ID_CHARS,
  ROLLOUT_ORDER_AGE_MAX_US,
  type RolloutOrder,
  SOAK_MIN_US,
  stagesOf,
  WITHIN_MAX_US,
} from '../shared/model/rollout.ts'
import type { Micros, Millis } from '../shared/units.ts'
import {
  isLive,
  type RolloutEffect,
  type RolloutInput,
  type RolloutPlan,
  type RolloutState,
  resumeRollout,
  startRollout,
  stepRollout,
} from './core/rollout.ts'
import type { CollectorEvents } from './events.ts'
import type { RolloutStore, StoredRollout } from './store/rollouts.ts'

/** An agent that is connected, as far as rollouts go. */
export type RolloutLink = Readonly<{
  offer(asked: Readonly<{ id: string; digest: string; bundle: Uint8Array }>): void
  back(asked: Readonly<{ id: string; digest: string; reason: string }>): void
}>

export type RolloutsOptions = Readonly<{
  store: RolloutStore
  trust: Trust
  deployment: string
  /** Whether an agent is enrolled here. */
  isEnrolled(agent: string): boolean
  link(agent: string): RolloutLink | undefined
  /** What an agent that is connected last said; null: it is not, or has said nothing yet. */
  saidBy(agent: string): ConfigState | null
  clock: Pick<Clock, 'nowUs' | 'monotonicUs' | 'every'>
  events: Pick<CollectorEvents, 'rolloutSaid' | 'broken'>
  changed(): void
}>

/** How often time is looked at, and how often a rollout in which nothing happens is kept anew. */
const TICK_MS: Millis = 200
const SAVE_US: Micros = 5_000_000

type Live = {
  readonly stored: StoredRollout
  readonly state: RolloutState
  /** Monotonic time at which the time of the rollout was `state.nowUs`. */
  readonly zeroUs: Micros
  /** What it hands out; null when it was not looked at yet, or nothing of it is kept. */
  bundle: Pick<OpenedFleetBundle, 'parts' | 'manifest'> | null
  savedUs: Micros
}

/** An input of a rollout without its time. */
type Untimed = RolloutInput extends infer One ? (One extends RolloutInput ? Omit<One, 'nowUs'> : never) : never

/**
 * Rollouts of a deployment: one runs at a time. What an agent takes is for the agent to judge; here it is only decided who
 * is asked when. A step is kept before anything of it is sent, so that a collector that was killed goes on from there.
 */
export class Rollouts {
  private readonly options: RolloutsOptions
  /** Those that run, or owe agents the way back, oldest first. */
  private live: Live[] = []
  private tail: Promise<unknown> = Promise.resolve()
  private cancel = (): void => {}

  private constructor(options: RolloutsOptions) {
    this.options = options
  }

  static async open(options: RolloutsOptions): Promise<Rollouts> {
    const made = new Rollouts(options)
    for (const stored of await options.store.live()) {
      const state = resumeRollout(JSON.parse(stored.body) as RolloutState)
      made.live.push(made.liveOf(stored, state))
      options.events.rolloutSaid({ rollout: stored.id, what: 'resumed', agent: '', detail: state.status })
    }
    return made
  }

  begin(): void {
    this.cancel = this.options.clock.every(TICK_MS, () => this.feed(() => this.live, { kind: 'tick' }))
  }

  /** What is on its way is kept; what runs goes on at the next start. */
  async end(): Promise<void> {
    this.cancel()
    await this.tail
  }

  /**
   * Does what an operator ordered: begins a rollout of the bundle that comes with it, or ends the one that runs.
   *
   * @throws HbError ROLLOUT_REFUSED, ROLLOUT_RUNNING, ROLLOUT_UNKNOWN, COSE_SHAPE, CBOR_REFUSED, BATCH_SIGNATURE; BundleError
   */
  order(bytes: Uint8Array): Promise<Ordered> {
    return this.inTurn(async () => {
      const { order: signed, bundle } = readHandedOrder(bytes)
      const { order, by } = this.ordered(signed)
      return order.kind === 'start' ? this.start({ signed, order, by }, bundle) : this.abort(order, by)
    })
  }

  private async start({ signed, order, by }: SignedOrder, bundle: Uint8Array | null): Promise<Ordered> {
    const { store, clock, changed, saidBy } = this.options
    const running = this.live.find(({ state }) => state.status === 'RUNNING' || state.status === 'ROLLING_BACK')
    if (running !== undefined)
      throw new HbError('ROLLOUT_RUNNING', { rollout: running.stored.id, status: running.state.status })
    const opened = this.openedBundle(bundle ?? new Uint8Array(0), order)
    const { manifest, digest } = opened
    const id = order.id.slice(0, ROLLOUT_ID_CHARS)
    // An order that was carried off may not be handed in twice.
    if ((await store.get(id)) !== undefined) throw refused('repeated_order', id)
    const plan = planOf(
      id,
      manifest.agents.map(({ agent }) => agent),
      order,
    )
    const state = startRollout(plan)
    const stored: StoredRollout = {
      ...{ id, digest, number: manifest.number, order: signed, by, reason: order.reason, stages: order.stages },
      ...{ startedUs: clock.nowUs(), endedUs: null, status: state.status, live: true, body: bodyOf(state) },
    }
    await store.start(stored, bundle!)
    const live = { ...this.liveOf(stored, state), bundle: opened }
    this.live.push(live)
    const detail = `${by}: ${order.reason === '' ? 'no reason given' : order.reason}`
    await this.note(live, [{ kind: 'note', agent: '', what: 'started', detail }])
    changed()
    for (const agent of plan.agents) {
      const said = saidBy(agent)
      if (said !== null) await this.step(live, { kind: 'said', agent, said })
    }
    return { kind: 'start', id, digest, agents: plan.agents.length, stages: plan.stages }
  }

  private async abort(order: RolloutOrder, by: string): Promise<Ordered> {
    const live = this.live.find(({ stored }) => stored.id === order.rollout)
    if (live === undefined) throw new HbError('ROLLOUT_UNKNOWN', { rollout: order.rollout, found: 'none that runs' })
    if (live.state.status !== 'RUNNING') throw refused('not_running', live.state.status)
    await this.step(live, { kind: 'abort', by, reason: order.reason })
    return { kind: 'abort', id: live.stored.id }
  }

  /** What an agent says, answers to the rollout that asked it, or that it went away. */
  hear(input: Extract<Untimed, { agent: string }>, rollout: string | null = null): void {
    // Who is still to go back hears nothing of a newer rollout before it has.
    this.feed(() => {
      const mine = this.live.filter(
        ({ stored, state }) => state.plan.agents.includes(input.agent) && (rollout ?? stored.id) === stored.id,
      )
      const owed = mine.filter(({ state }) => phaseOf(state, input.agent) === 'going_back')
      return owed.length > 0 && input.kind === 'said' ? owed.slice(0, 1) : mine
    }, input)
  }

  /** State of a rollout that is live; undefined: it has ended, and what was kept is how it ended. */
  stateOf(id: string): RolloutState | undefined {
    return this.live.find(({ stored }) => stored.id === id)?.state
  }

  private feed(to: () => readonly Live[], input: Untimed): void {
    this.inTurn(async () => {
      for (const live of [...to()]) await this.step(live, input)
    }).catch((error: unknown) => this.options.events.broken('rollout', error))
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.tail.then(work)
    this.tail = turn.catch(() => undefined)
    return turn
  }

  private async step(live: Live, input: Untimed): Promise<void> {
    const nowUs = this.options.clock.monotonicUs() - live.zeroUs
    const effects = stepRollout(live.state, { ...input, nowUs } as RolloutInput)
    if (effects.length === 0 && nowUs - live.savedUs < SAVE_US) return
    await this.note(live, effects)
    for (const effect of effects) await this.carryOut(live, effect)
  }

  /** Keeps the state with what happened, before anything is sent. */
  private async note(live: Live, effects: readonly RolloutEffect[]): Promise<void> {
    const { store, clock, events, changed } = this.options
    const { stored, state } = live
    const timeUs = clock.nowUs()
    const notes = effects.flatMap((e) => (e.kind === 'note' ? [{ timeUs, ...e }] : []))
    const isOver = state.status === 'COMPLETED' || state.status === 'ROLLED_BACK'
    const endedUs = stored.endedUs ?? (isOver ? timeUs : null)
    Object.assign(stored, { endedUs, status: state.status })
    const body = bodyOf(state)
    await store.save(stored.id, { status: state.status, live: isLive(state), body, endedUs }, notes)
    live.savedUs = state.nowUs
    if (!isLive(state)) this.live = this.live.filter((one) => one !== live)
    for (const { agent, what, detail } of notes) events.rolloutSaid({ rollout: stored.id, what, agent, detail })
    if (notes.length > 0) changed()
  }

  private async carryOut(live: Live, effect: RolloutEffect): Promise<void> {
    if (effect.kind === 'note') return
    const link = this.options.link(effect.agent)
    const { id, digest } = live.stored
    if (effect.kind === 'back') link?.back({ id, digest, reason: effect.reason })
    else {
      live.bundle ??= await this.keptBundle(digest)
      const cut = live.bundle === null ? null : cutFleetBundle(live.bundle.parts, live.bundle.manifest, effect.agent)
      if (cut !== null) link?.offer({ id, digest, bundle: cut })
      else await this.step(live, { kind: 'broken', reason: 'the bundle that was kept is damaged or gone' })
    }
  }

  private async keptBundle(digest: string): Promise<Live['bundle']> {
    const bytes = await this.options.store.bundle(digest)
    if (bytes === undefined) return null
    try {
      const look = lookIntoFleetBundle(bytes)
      return look.digest === digest && look.problems.length === 0 ? look : null
    } catch (error) {
      if (error instanceof HbError) return null
      throw error
    }
  }

  private liveOf(stored: StoredRollout, state: RolloutState): Live {
    const zeroUs = this.options.clock.monotonicUs() - state.nowUs
    return { stored, state, zeroUs, bundle: null, savedUs: state.nowUs }
  }

  /** @throws HbError ROLLOUT_REFUSED, and what is wrong with the signature */
  private ordered(signed: Uint8Array): Readonly<{ order: RolloutOrder; by: string }> {
    const { trust, deployment, clock } = this.options
    if (signed.length > ROLLOUT_ORDER_BYTES_MAX)
      throw new HbError('COSE_SHAPE', {
        found: `an order of ${signed.length} bytes`,
        expected: ROLLOUT_ORDER_BYTES_MAX,
      })
    const id = coseKeyId(signed)
    const operator = trust.operators.find(({ key }) => equalBytes(key.keyId, id))
    if (operator === undefined) throw refused('unknown_key', toHex(id))
    const order = openRolloutOrder(signed, operator.key)
    requirePlainReason(order)
    if (order.deployment !== deployment) throw refused('other_deployment', order.deployment)
    const aheadUs = order.atUs - clock.nowUs()
    if (!(Math.abs(aheadUs) <= ROLLOUT_ORDER_AGE_MAX_US))
      throw refused('stale', `${Math.round(aheadUs / 1e6)} s from now`)
    return { order, by: operator.name }
  }

  /** @throws BundleError with everything that is wrong as far as it can be seen from here; HbError ROLLOUT_REFUSED */
  private openedBundle(bytes: Uint8Array, order: RolloutOrder): OpenedFleetBundle {
    const { trust, deployment, isEnrolled, clock } = this.options
    const { opened, problems } = openFleetBundle(bytes, trust.operators)
    const found: BundleProblem[] = [...problems]
    if (opened === null) throw new BundleError(found)
    const { manifest, parts, digest } = opened
    if (manifest.deployment !== deployment)
      found.push({ code: 'other_deployment', found: `deployment ${manifest.deployment}`, expected: deployment })
    if (!(manifest.notAfterUs === 0 || clock.nowUs() <= manifest.notAfterUs))
      found.push({
        code: 'expired',
        found: `valid until ${new Date(manifest.notAfterUs / 1000).toISOString()}`,
        expected: 'later than now',
      })
    for (const { agent } of manifest.agents)
      if (!isEnrolled(agent))
        found.push({ code: 'other_agent', found: `agent ${agent}`, expected: 'agents that are enrolled here' })
    if (found.length > 0) throw new BundleError(found)
    for (const { agent } of manifest.agents)
      if ((cutFleetBundle(parts, manifest, agent)?.length ?? 0) > FLEET_CUT_BYTES_MAX)
        throw new BundleError([
          { code: 'shape', found: `more for ${agent}`, expected: `at most ${FLEET_CUT_BYTES_MAX} bytes` },
        ])
    if (digest !== order.digest) throw refused('digest_differs', digest)
    return opened
  }
}

/** What became of an order. */
export type Ordered =
  | Readonly<{ kind: 'start'; id: string; digest: string; agents: number; stages: readonly number[] }>
  | Readonly<{ kind: 'abort'; id: string }>
type SignedOrder = Readonly<{ signed: Uint8Array; order: RolloutOrder; by: string }>

/** @throws HbError ROLLOUT_REFUSED */
function planOf(id: string, agents: readonly string[], order: RolloutOrder): RolloutPlan {
  const { soakUs, withinUs, digest, stages: text } = order
  const stages = stagesOf(text, agents.length)
  if (!stages.ok) throw refused('stages', stages.reason)
  if (!(soakUs >= SOAK_MIN_US && withinUs > soakUs && withinUs <= WITHIN_MAX_US))
    throw refused('times', `soak ${soakUs / 1e6} s within ${withinUs / 1e6} s`)
  return { id, digest, agents, stages: stages.counts, soakUs, withinUs }
}

/** What is kept of a state: what agents say now they say again. */
function bodyOf(state: RolloutState): string {
  return JSON.stringify(state, (key, value: unknown) => (key === 'now' ? null : value))
}

function phaseOf({ agents }: RolloutState, agent: string): string | undefined {
  return agents.find((one) => one.agent === agent)?.phase
}

function refused(reason: string, found: string): HbError {
  return new HbError('ROLLOUT_REFUSED', { reason, found })
}
