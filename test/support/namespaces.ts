import { spawnSync } from 'node:child_process'
import { BUNDLE, type Hb } from '../../scripts/demo/processes.ts'

/**
 * Two network namespaces with one cable between them. The kernel of a small machine may have no `netem`; what is needed
 * of it is made otherwise: loss by a random drop of nftables, delay by the queue of a slow link (`tbf`), and silence by
 * dropping everything. Packets out of order cannot be made that way; TCP hides them from both programs.
 */
export type Cable = Readonly<{
  agent: Hb
  collector: Hb
  address: string
  /** Drops this share of packets, in percent, both ways; 100 is a link that is silent and not closed. */
  lose(percent: number): void
  /** Kilobits a second, both ways; packets wait in front of it for up to `waitMs`. */
  slow(kbitPerS: number, waitMs: number): void
  plug(up: boolean): void
  /** As it was. */
  mend(): void
  remove(): void
}>

const ADDRESSES = ['10.177.0.1', '10.177.0.2'] as const

export function createCable(): Cable {
  const names = ['a', 'c'].map((side) => `hb-${process.pid}-${side}`) as [string, string]
  const ports = ['hb-a', 'hb-c'] as const
  const inside = (k: 0 | 1, ...command: readonly string[]): void => run('ip', 'netns', 'exec', names[k], ...command)
  const both = (act: (k: 0 | 1) => void): void => [0 as const, 1 as const].forEach(act)
  both((k) => run('ip', 'netns', 'add', names[k]))
  run('ip', 'link', 'add', ports[0], 'netns', names[0], 'type', 'veth', 'peer', 'name', ports[1], 'netns', names[1])
  both((k) => {
    inside(k, 'ip', 'address', 'add', `${ADDRESSES[k]}/24`, 'dev', ports[k])
    inside(k, 'ip', 'link', 'set', 'lo', 'up')
    inside(k, 'ip', 'link', 'set', ports[k], 'up')
    inside(k, 'nft', 'add', 'table', 'inet', 'hb')
    inside(k, 'nft', 'add chain inet hb out { type filter hook output priority 0; }')
  })
  const hb = (k: 0 | 1): Hb => ({
    command: 'ip',
    before: ['netns', 'exec', names[k], BUNDLE.command, ...BUNDLE.before],
  })
  const mend = (): void =>
    both((k) => {
      inside(k, 'ip', 'link', 'set', ports[k], 'up')
      inside(k, 'nft', 'flush', 'chain', 'inet', 'hb', 'out')
      spawnSync('ip', ['netns', 'exec', names[k], 'tc', 'qdisc', 'del', 'dev', ports[k], 'root'])
    })
  return {
    agent: hb(0),
    collector: hb(1),
    address: ADDRESSES[1],
    lose: (percent) => {
      const which = percent >= 100 ? '' : `numgen random mod 100 < ${percent} `
      both((k) => inside(k, 'nft', `add rule inet hb out oifname ${ports[k]} ${which}drop`))
    },
    slow: (kbitPerS, waitMs) =>
      both((k) =>
        inside(
          k,
          'tc',
          'qdisc',
          'add',
          'dev',
          ports[k],
          'root',
          'tbf',
          'rate',
          `${kbitPerS}kbit`,
          'burst',
          '4k',
          'latency',
          `${waitMs}ms`,
        ),
      ),
    plug: (up) => inside(0, 'ip', 'link', 'set', ports[0], up ? 'up' : 'down'),
    mend,
    remove: () => {
      for (const name of names) spawnSync('ip', ['netns', 'del', name])
    },
  }
}

function run(command: string, ...args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (error !== undefined || status !== 0)
    throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`)
}
