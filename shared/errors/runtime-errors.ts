import type { ErrorEntry } from './entry.ts'

/** Errors of running programs: sources, ports, commands, replay. */
export const RUNTIME_ERRORS = {
  PORT_TAKEN: {
    exit: 69,
    retry: false,
    summary: 'Another program already listens on a port.',
    remedy: 'Stop the other program or choose another port in the configuration.',
  },
} as const satisfies Record<string, ErrorEntry>
