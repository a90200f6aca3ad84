import type { ErrorEntry } from './entry.ts'

/** Errors of configuration files. All of them are found before anything is started. */
export const CONFIG_ERRORS = {
  CONFIG_INVALID: {
    exit: 78,
    retry: false,
    summary: 'The configuration has mistakes.',
    remedy:
      'Correct every line listed and run the same again; `hb config check FILE` looks at a runtime.yaml and all that it names. Nothing was started.',
  },
  CONFIG_MISSING: {
    exit: 66,
    retry: false,
    summary: 'A configuration file cannot be read.',
    remedy: 'Check the path and that this user may read the file; paths in a file are relative to that file.',
  },
  CONFIG_TOO_LARGE: {
    exit: 78,
    retry: false,
    summary: 'A configuration file is larger than any real one.',
    remedy: 'Check that the path names the right file; the limit is 4 MiB.',
  },
} as const satisfies Record<string, ErrorEntry>
