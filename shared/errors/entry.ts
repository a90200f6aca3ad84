/**
 * Exit codes of everything that is not a verdict (sysexits): 64 usage, 65 data, 66 missing input, 69 unavailable,
 * 70 bug, 75 try again later, 77 denied, 78 configuration. Verdicts have their own codes (`VERDICT_EXIT`).
 */
export type ErrorExit = 64 | 65 | 66 | 69 | 70 | 75 | 77 | 78

/**
 * One error somebody outside the code can act on. `retry` says whether doing the same again may help without anybody
 * acting; `remedy` is what a person does. A code is never reused and never changes meaning: people search for it.
 */
export type ErrorEntry = Readonly<{
  exit: ErrorExit
  retry: boolean
  summary: string
  remedy: string
}>
