import type { ConfigState } from '../../shared/model/config-state.ts'

/** Digests of two bundles: the one before, and the one that is rolled out. */
export const [OLD, NEW] = ['0a'.repeat(32), '0b'.repeat(32)] as const
const RIG = { rig: 'loop', mode: 'nominal', verdict: 'PASS', arm: 'PASSIVE', severe: [] as string[] }

/** What a healthy agent says of the configuration that it runs under. */
export function said(digest: string = OLD, change: Partial<ConfigState> = {}): ConfigState {
  return {
    ...{ config: digest, bundle: { digest, number: 1, at_us: 1 }, ready: true, reasons: [], not_journaled: 0 },
    ...{ damage: 0, boot_id: 'b', rigs: [RIG], ...change },
  }
}

/** The same of its one rig. */
export const withRig = (change: Partial<typeof RIG>, digest: string = NEW): ConfigState =>
  said(digest, { rigs: [{ ...RIG, ...change }] })
