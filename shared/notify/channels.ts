import { type HttpPeer, postJson } from './http-post.ts'
import type { Notice, NotifyChannel } from './notice.ts'

/** The log of the program; `log` is the event that writes it. Somebody has to look there, so it proves nothing of people. */
export function createLogChannel(log: (notice: Notice) => void): NotifyChannel {
  return {
    name: 'log',
    async deliver(notice) {
      log(notice)
    },
    probe: async () => true,
    close() {},
  }
}

/** A notice as JSON, signed as `http-post.ts` says. 2xx has taken it. */
export function createWebhookChannel(peer: HttpPeer): NotifyChannel {
  const name = `webhook ${new URL(peer.url).host}`
  return {
    name,
    async deliver(notice, timeoutMs) {
      const body = { v: 1, type: 'notice', ...notice }
      const { status } = await postJson(peer, { id: notice.key, body, timeoutMs }).answer
      if (!(status >= 200 && status < 300)) throw new Error(`status ${status}`)
    },
    async probe(timeoutMs) {
      const id = `proof-${peer.clock.nowUs()}`
      const { status } = await postJson(peer, { id, body: { v: 1, type: 'proof', key: id }, timeoutMs }).answer
      return status >= 200 && status < 300
    },
    close() {},
  }
}

/** A notice as text for people. */
export function noticeText({ title, facts }: Notice): string {
  return [title, '', ...facts.map(({ name, value }) => `${name}: ${value}`)].join('\n').trimEnd()
}
