import { createSocket } from 'node:dgram'
import { hostname } from 'node:os'
import { connect, type TLSSocket } from 'node:tls'
import type { SyslogChannelConfig } from '../config/executor-schema.ts'
import type { Clock } from '../lib/clock.ts'
import type { Millis } from '../units.ts'
import type { Notice, NotifyChannel } from './notice.ts'
import { octetCounted, syslogText } from './syslog-format.ts'

export type SyslogOptions = Readonly<{
  config: Pick<SyslogChannelConfig, 'host' | 'port' | 'transport' | 'facility'>
  /** Program that speaks. */
  app: string
  ca: string | null
  clock: Clock
}>

/** Severity of a notice: `warning` (RFC 5424, table 2). */
const SEVERITY = 4
/** Our element of structured data; 32473 is the enterprise number of examples, we have none of our own (RFC 5612). */
const ELEMENT = 'hb@32473'

/** Syslog over UDP, which proves nothing, or over TLS with a connection for each notice. */
export function createSyslogChannel(options: SyslogOptions): NotifyChannel {
  const { config, app, clock } = options
  const { host, port, transport, facility } = config
  const text = (notice: Notice): string => messageText(notice, { facility, app, timeUs: clock.nowUs() })
  return {
    name: `syslog ${host}`,
    deliver: (notice, timeoutMs) =>
      transport === 'udp'
        ? sendDatagram(Buffer.from(text(notice), 'utf8'), { host, port })
        : withTls(options, timeoutMs, (socket) => flushed(socket, octetCounted(text(notice)))),
    async probe(timeoutMs) {
      if (transport === 'udp') return false
      await withTls(options, timeoutMs, async () => undefined)
      return true
    },
    close() {},
  }
}

type Saying = Readonly<{ facility: number; app: string; timeUs: number }>

function messageText(notice: Notice, { facility, app, timeUs }: Saying): string {
  const { key, rig, action, target, title, facts } = notice
  return syslogText({
    facility,
    severity: SEVERITY,
    timeUs,
    host: hostname(),
    app,
    process: String(process.pid),
    id: action,
    data: [
      {
        id: ELEMENT,
        params: [
          { name: 'key', value: key },
          { name: 'rig', value: rig },
          { name: 'target', value: target },
        ],
      },
    ],
    text: [title, ...facts.map(({ name, value }) => `${name}=${value}`)].join('; '),
  })
}

function sendDatagram(bytes: Buffer, { host, port }: Readonly<{ host: string; port: number }>): Promise<void> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  return new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.send(bytes, port, host, (error) => (error === null ? resolve() : reject(error)))
  }).finally(() => socket.close())
}

/** `use` on a connection whose other end has proved its name; ended whatever comes of it. */
function withTls(
  { config: { host, port }, ca, clock }: SyslogOptions,
  timeoutMs: Millis,
  use: (socket: TLSSocket) => Promise<void>,
): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const options = { host, port, minVersion: 'TLSv1.2', rejectUnauthorized: true } as const
    const socket = connect({ ...options, ...(ca === null ? {} : { ca }) }, () => {
      use(socket)
        .then(resolve, reject)
        .finally(() => socket.end())
    })
    const cancel = clock.after(timeoutMs, () => socket.destroy(new Error(`not within ${timeoutMs} ms`)))
    socket.once('error', reject)
    socket.once('close', () => {
      cancel()
      reject(new Error('the connection was closed'))
    })
    socket.resume()
  })
}

/** Settles when the bytes are with the system and the end of the stream is too. */
function flushed(socket: TLSSocket, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => socket.end(bytes, resolve))
}
