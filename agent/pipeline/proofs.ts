import type { Clock } from '../../shared/lib/clock.ts'
import type { Micros, Millis } from '../../shared/units.ts'
import type { Executor } from '../ports.ts'

/** A proof test as it was: whether the whole path to a target and back was there. */
export type Proof = Readonly<{ target: string; atUs: Micros; ok: boolean }>

/** A target that is proved, how often, and for which rigs. */
export type ProofTarget = Readonly<{
  target: string
  executor: Pick<Executor, 'proof'>
  /** null: nobody asked for it, so it is never due. */
  everyUs: Micros | null
  rigs: readonly string[]
}>

/** How a target stands. `provedUs`: the last one that was good; `dueUs`: when the next one is; null for never. */
export type ProofStanding = Readonly<{
  target: string
  rigs: readonly string[]
  last: Proof | null
  provedUs: Micros | null
  dueUs: Micros | null
  overdue: boolean
}>

/** Where proofs are kept over a restart. What cannot be read was never proved. */
export interface ProofStore {
  read(): readonly Proof[]
  /** @throws HbError DISK_… */
  write(proofs: readonly Proof[]): void
}

export type ProofEvents = Readonly<{
  proof(facts: Readonly<{ target: string; ok: boolean; by: 'agent' | 'operator'; dueUs: Micros | null }>): void
  proofOverdue(facts: Readonly<{ target: string; rigs: readonly string[]; dueUs: Micros | null }>): void
  proofNotKept(target: string, reason: string): void
}>

export type ProofsOptions = Readonly<{
  clock: Clock
  targets: readonly ProofTarget[]
  store: ProofStore
  events: ProofEvents
  /** Tells the rigs of a target how it stands, so that they have an alarm; false: not taken, and told again. */
  stands(target: string, rigs: readonly string[], overdue: boolean): boolean
}>

/** How long a proof may take, there and back. */
const PROOF_WITHIN_MS: Millis = 2000
/** Looks whether one is due, and tries one again that was not good, this often. */
export const PROOF_LOOK_MS: Millis = 10_000
/** One is made by itself when this share of its time is over: before it is overdue. */
const DUE_SHARE = 0.9

/** What is kept: the last proof of a target, and the last that was good. */
type Kept = {
  last: Proof | null
  provedUs: Micros | null
  /** What the rigs were told; null for nothing yet. */
  told: boolean | null
  running: Promise<Proof> | null
}

/**
 * Proof tests (SE-42): the whole path to a target and back, without an effect. Each is made by itself before it is due, and when
 * somebody orders it; one that is overdue is a WARNING, and its rigs cannot be armed until it was good.
 */
export class Proofs {
  private readonly options: ProofsOptions
  private readonly kept = new Map<string, Kept>()
  private cancel: () => void = () => {}

  constructor(options: ProofsOptions) {
    this.options = options
    const proofs = options.store.read()
    for (const { target } of options.targets) {
      const of = proofs.filter((one) => one.target === target)
      const good = of.findLast(({ ok }) => ok)
      this.kept.set(target, { last: of.at(-1) ?? null, provedUs: good?.atUs ?? null, told: null, running: null })
    }
  }

  start(): void {
    this.tell()
    this.cancel = this.options.clock.every(PROOF_LOOK_MS, () => this.look())
  }

  stop(): void {
    this.cancel()
  }

  standing(): ProofStanding[] {
    const nowUs = this.options.clock.nowUs()
    return this.options.targets.map(({ target, rigs, everyUs }) => {
      const { last, provedUs } = this.kept.get(target)!
      const dueUs = everyUs === null || provedUs === null ? null : provedUs + everyUs
      // A proof from a time to come proves that a clock was set, and nothing else.
      const isGood = provedUs !== null && provedUs <= nowUs && dueUs !== null && nowUs < dueUs
      return { target, rigs, last, provedUs, dueUs, overdue: everyUs !== null && !isGood }
    })
  }

  /** What stands against arming a rig. */
  against(rig: string): string[] {
    return this.standing().flatMap(({ target, rigs, overdue }) =>
      overdue && rigs.includes(rig) ? [`PROOF_OVERDUE:${target}`] : [],
    )
  }

  /** Proves a target now; who asks while one is under way waits for that one. @returns null for a target that nobody has */
  prove(target: string, by: 'agent' | 'operator'): Promise<Proof> | null {
    const kept = this.kept.get(target)
    const of = this.options.targets.find((one) => one.target === target)
    if (kept === undefined || of === undefined) return null
    kept.running ??= this.run(of, kept, by).finally(() => {
      kept.running = null
    })
    return kept.running
  }

  private async run({ target, executor }: ProofTarget, kept: Kept, by: 'agent' | 'operator'): Promise<Proof> {
    const { clock, events } = this.options
    const ok = await executor.proof(PROOF_WITHIN_MS)
    const proof: Proof = { target, atUs: clock.nowUs(), ok: ok === true }
    const isNews = by === 'operator' || kept.last?.ok !== proof.ok || proof.ok
    kept.last = proof
    if (proof.ok) kept.provedUs = proof.atUs
    this.keep(target)
    this.tell()
    const dueUs = this.standing().find((one) => one.target === target)?.dueUs ?? null
    if (isNews) events.proof({ target, ok: proof.ok, by, dueUs })
    return proof
  }

  private keep(target: string): void {
    const proofs = [...this.kept].flatMap(([name, { last, provedUs }]) => [
      ...(provedUs === null || last?.atUs === provedUs ? [] : [{ target: name, atUs: provedUs, ok: true }]),
      ...(last === null ? [] : [last]),
    ])
    try {
      this.options.store.write(proofs)
    } catch (error) {
      // It counts for this life; the next one has to prove it again.
      this.options.events.proofNotKept(target, (error as Error).message)
    }
  }

  private look(): void {
    const { clock } = this.options
    const nowUs = clock.nowUs()
    this.tell()
    for (const { target, everyUs, provedUs, overdue } of this.asked()) {
      const isNear = provedUs === null || !(nowUs < provedUs + everyUs * DUE_SHARE)
      if (overdue || isNear) void this.prove(target, 'agent')
    }
  }

  /** Says what is overdue, and what is so no longer, once each. */
  private tell(): void {
    const { events, stands } = this.options
    for (const { target, rigs, dueUs, overdue } of this.asked()) {
      const kept = this.kept.get(target)!
      if (kept.told === overdue || !stands(target, rigs, overdue)) continue
      kept.told = overdue
      if (overdue) events.proofOverdue({ target, rigs, dueUs })
    }
  }

  /** Standings of the targets that somebody wants proved. */
  private asked(): (ProofStanding & Readonly<{ everyUs: Micros }>)[] {
    return this.standing().flatMap((one) => {
      const everyUs = this.options.targets.find(({ target }) => target === one.target)?.everyUs ?? null
      return everyUs === null ? [] : [{ ...one, everyUs }]
    })
  }
}
