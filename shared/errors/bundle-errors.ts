import type { ErrorEntry } from './entry.ts'

/** Errors of signed bundles of a configuration. */
export const BUNDLE_ERRORS = {
  BUNDLE_SHAPE: {
    exit: 65,
    retry: false,
    summary: 'A file is no bundle of a configuration, or one of a version that is not known here.',
    remedy: 'Make it with `hb bundle sign`, and carry it over again if it was cut; a newer version needs a newer hb.',
  },
  BUNDLE_REFUSED: {
    exit: 77,
    retry: false,
    summary: 'A bundle of a configuration was refused as a whole; what was in force stays in force.',
    remedy:
      'Every reason is listed: correct all of them, sign again with a higher number. For needs_restart put the same files in place of those on the disk, restart the agent, then activate the bundle.',
  },
} as const satisfies Record<string, ErrorEntry>
