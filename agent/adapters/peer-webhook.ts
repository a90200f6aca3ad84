import { webhookProblem } from '../../shared/crypto/webhook-signature.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { type HttpPeer, postJson } from '../../shared/notify/http-post.ts'
import { refused } from '../../shared/protocol/peer-reader.ts'
import { createSmallServer, type HttpAnswer, type RawRequest, type SmallServer } from './http-listen.ts'
import type { Handing, PeerSink, PeerTransport } from './peer-sender.ts'

export type PeerWebhookOptions = HttpPeer & Readonly<{ listen: Readonly<{ host: string; port: number }> }>

/** Where the peer posts to. */
export const PEER_PATH = '/peer'
/** Answers that say "try again", not "no". */
const NOT_REFUSED: ReadonlySet<number> = new Set([408, 425, 429])

/**
 * Messages are posted to the peer, and it posts to a small listener of ours; both are signed with the shared key as Standard
 * Webhooks 1.0.0 has it. The identity of a request is its action's key, that of an event its own.
 */
export function createPeerWebhook(options: PeerWebhookOptions): PeerTransport {
  const { url, secret, clock, listen } = options
  let server: SmallServer | null = null

  function answer({ headers, bytes }: RawRequest, sink: PeerSink): HttpAnswer {
    if (bytes === null) return refusal(413, sink.refuse(refused('too_large')).refusal)
    const problem = webhookProblem(secret, headers, { body: bytes, nowUs: clock.nowUs() })
    if (problem !== null) return refusal(401, sink.refuse(refused('not_authentic', problem)).refusal)
    const taken = sink.take(bytes)
    if (taken.ok) return { code: 202, body: { taken: taken.type } }
    return refusal(taken.refusal === 'rate_limited' || taken.refusal === 'too_many' ? 429 : 409, taken.refusal)
  }

  return {
    async start(sink) {
      server = createSmallServer({}, {}, { [`POST ${PEER_PATH}`]: (raw) => answer(raw, sink) })
      return server.listen(listen)
    },
    hand(message, timeoutMs): Handing {
      const id = message.type === 'ACTION_REQUEST' ? message.action_id : message.message_id
      const posted = postJson(options, { id, body: message, timeoutMs })
      const done = posted.answer.then(({ status }) => {
        if (status >= 200 && status < 300) return 'taken' as const
        if (status >= 400 && status < 500 && !NOT_REFUSED.has(status)) return 'refused' as const
        throw new HbError('EXECUTOR_UNREACHABLE', { url, reason: `status ${status}` })
      })
      done.catch(() => undefined)
      return { handed: posted.handed, done }
    },
    async stop() {
      await server?.close()
    },
  }
}

function refusal(code: number, name: string): HttpAnswer {
  return { code, body: { refused: name } }
}
