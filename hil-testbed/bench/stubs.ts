import { symlinkSync, unlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import type { Micros } from '../../shared/units.ts'
import { type Actuator, createActuator } from '../actuator.ts'
import { openActuatorBook } from '../actuator-book.ts'
import type { ActuatorSpec } from '../core/scenario.ts'
import { AGENT, type AgentFolder, socketOf } from './agent-folder.ts'
import type { HostTime } from './host-time.ts'

/** How the hardware behind an actuator can be wrong while its link says nothing of it (8.3): what becomes of an effect. */
export type EffectChange = (inputs: Readonly<Record<string, number>>) => Readonly<Record<string, number>>

export type StubOptions = Readonly<{
  spec: ActuatorSpec
  folder: AgentFolder
  /** Folder that stays open, by which sockets have short names. */
  path: (name: string) => string
  clock: Clock
  /** A request came, an effect happened. */
  request(target: string, key: string): void
  /** Something is to be set on the plant after the latency of the hardware. */
  effect(target: string, key: string, inputs: Readonly<Record<string, number>>): void
}>

/** An actuator of a run: the link that speaks the contract, and what its effects do to the plant. */
export class ActuatorStub {
  readonly spec: ActuatorSpec
  readonly link: Actuator
  change: EffectChange = (inputs) => inputs
  private readonly close: () => void

  constructor({ spec, folder, path, clock, request, effect }: StubOptions) {
    this.spec = spec
    const { target, ack } = spec
    const book = openActuatorBook(join(folder.path, `${target}.book`), target)
    this.close = () => book.close()
    this.link = createActuator({
      ...{ id: target, agent: AGENT, endpoint: `ipc://${path(socketOf(target))}`, book, clock, testbed: true },
      key: folder.linkKeys.get(target)!,
      ...{ idempotent: spec.idempotent, lossEffect: spec.lossEffect },
      stages: {
        acceptMs: ack.acceptUs / 1000,
        startMs: ack.startUs / 1000,
        completeMs: ack.completeUs / 1000,
      },
      say: (event, facts) => {
        if (event === 'request') request(target, String(facts['key']))
        else if (event === 'effect') effect(target, String(facts['key']), this.change(spec.effect))
        // The permit is gone: the hardware does what it declared, whoever says what.
        else if (event === 'permit' && facts['held'] === false && facts['effect'] === 'de_energise')
          effect(target, 'permit', this.change(spec.effect))
      },
    })
  }

  start(): Promise<string> {
    return this.link.start()
  }

  async stop(): Promise<void> {
    await this.link.stop()
    this.close()
  }
}

let opened = 0

/**
 * A folder under a short name of its own, so that sockets in a deep one can be named at all (107 bytes, unix(7)). No two runs
 * ever have the same: what still looks for a run that is over must not find the next one.
 */
export function openFolder(path: string): Readonly<{ in(name: string): string; close(): void }> {
  opened += 1
  const link = join(tmpdir(), `hb-hil-${process.pid}-${opened}`)
  symlinkSync(path, link)
  return { in: (name) => `${link}/${name}`, close: () => unlinkSync(link) }
}

/** Waits for something on the host's time, as long as anybody wants it. @throws HbError BENCH_WAIT; the reason of `signal` */
export async function within<T>(
  what: string,
  promise: Promise<T>,
  { host, signal }: Readonly<{ host: HostTime; signal: AbortSignal }>,
): Promise<T> {
  const over = new AbortController()
  const late = host.sleep(host.waitMs, AbortSignal.any([signal, over.signal])).then(() => {
    throw new HbError('BENCH_WAIT', { waited_for: what, expected: `${host.waitMs} ms` })
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    over.abort()
  }
}

/** Something that reaches the plant later. */
export type PlantEffect = Readonly<{
  atUs: Micros
  target: string
  key: string
  inputs: Readonly<Record<string, number>>
}>
