import type { AddressInfo } from 'node:net'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Clock } from '../../shared/lib/clock.ts'
import type { Millis } from '../../shared/units.ts'

const LOOPBACK = '127.0.0.1'

/** A TCP connection that a bench can cut, slow down, or let go half open. What is in it is not its business. */
export class LinkProxy {
  port = 0
  /** Pieces that were held back, swallowed or cut off, and connections that were refused. */
  hits = 0
  private readonly host: Clock
  private readonly server: Server
  private readonly pairs = new Set<readonly [Socket, Socket]>()
  private is: 'whole' | 'cut' | 'deaf' = 'whole'
  private delayMs: Millis = 0

  constructor(target: () => number, host: Clock) {
    this.host = host
    this.server = createServer((near) => this.join(near, target()))
  }

  /** Listens where it is wanted, or anywhere if somebody else does there. */
  async start(wantedPort: number): Promise<void> {
    await this.listen(wantedPort).catch(() => this.listen(0))
    this.port = (this.server.address() as AddressInfo).port
  }

  private listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject)
      this.server.listen(port, LOOPBACK, () => {
        this.server.off('error', reject)
        resolve()
      })
    })
  }

  /** Ends every connection, and lets none begin. */
  cut(): void {
    this.is = 'cut'
    for (const pair of this.pairs) for (const socket of pair) socket.destroy()
  }

  /** Connections stay and nothing comes through: the other end is gone and nobody says so. */
  deafen(): void {
    this.is = 'deaf'
  }

  slow(ms: Millis): void {
    this.delayMs = ms
  }

  /** Ends what there is and lets new ones begin: what was on its way is said again by who sent it. @returns how many there were */
  reconnect(): number {
    const { size } = this.pairs
    for (const pair of this.pairs) for (const socket of pair) socket.destroy()
    this.hits += 1
    return size
  }

  mend(): void {
    // What was swallowed never came: a connection that lost part of its stream is of no use to anybody.
    if (this.is === 'deaf') this.reconnect()
    this.is = 'whole'
    this.delayMs = 0
  }

  async stop(): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private join(near: Socket, port: number): void {
    if (this.is === 'cut') {
      this.hits += 1
      near.destroy()
      return
    }
    const far = connect(port, LOOPBACK)
    const pair = [near, far] as const
    this.pairs.add(pair)
    for (const socket of pair) {
      socket.on('error', () => undefined)
      socket.on('close', () => {
        this.pairs.delete(pair)
        near.destroy()
        far.destroy()
      })
    }
    this.pipe(near, far)
    this.pipe(far, near)
  }

  /** In order: what is held back holds back what comes after it. */
  private pipe(from: Socket, to: Socket): void {
    let before = Promise.resolve()
    from.on('data', (piece) => {
      if (this.is === 'deaf') {
        this.hits += 1
        return
      }
      const { delayMs } = this
      if (delayMs > 0) this.hits += 1
      // Each is late by so much, not by that of all before it.
      const dueUs = this.host.monotonicUs() + delayMs * 1000
      before = before
        .then(() =>
          delayMs === 0 ? undefined : this.host.sleep(Math.max(0, (dueUs - this.host.monotonicUs()) / 1000)),
        )
        .then(() => void to.write(piece))
    })
  }
}
