import type { ErrorEntry } from './entry.ts'

/** Errors between agent and collector: connection, session, chain. */
export const SESSION_ERRORS = {
  COLLECTOR_UNREACHABLE: {
    exit: 69,
    retry: true,
    summary: 'The collector cannot be reached.',
    remedy: 'Check the address, the network and that the collector runs. The agent goes on and sends what it kept afterwards.',
  },
} as const satisfies Record<string, ErrorEntry>
