import type { CheckedFile } from './document.ts'
import type { Problem } from './problems.ts'

/** Mistakes of `peer` that no single key shows. */
export function peerProblems(file: CheckedFile): Problem[] {
  if (!file.has(['peer'])) return []
  const [zmq, webhook] = [file.has(['peer', 'zmq']), file.has(['peer', 'webhook'])]
  if (zmq !== webhook) return []
  return [
    {
      ...file.at(['peer']),
      found: zmq ? '`zmq` and `webhook`' : 'neither `zmq` nor `webhook`',
      expected: 'one of them',
    },
  ]
}
