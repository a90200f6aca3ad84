import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Bytes, Millis } from '../units.ts'

/** What a broker is met with, as text; null where there is nothing. */
export type BrokerCredentials = Readonly<{
  user: string | null
  password: string | null
  ca: string | null
  cert: string | null
  key: string | null
}>

export const NO_CREDENTIALS: BrokerCredentials = { user: null, password: null, ca: null, cert: null, key: null }

/** A broker that does not answer to a greeting in time is not there. */
const CONNECT_MS: Millis = 5000
/** A broker that is silent for half as long again is gone. */
const KEEPALIVE_S = 10

/** A connection to a broker that begins; `error` and `close` tell how it goes. */
export function openSocket(url: string, { ca, cert, key }: BrokerCredentials): Socket {
  const { hostname, port, protocol } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  if (protocol === 'mqtt:') return connectTcp({ host, port: port === '' ? 1883 : Number(port), noDelay: true })
  return connectTls({
    host,
    port: port === '' ? 8883 : Number(port),
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(ca === null ? {} : { ca }),
    ...(cert === null || key === null ? {} : { cert, key }),
    minVersion: 'TLSv1.2',
    // Said here, so that NODE_TLS_REJECT_UNAUTHORIZED cannot unsay it.
    rejectUnauthorized: true,
  }).setNoDelay(true)
}

export type ClientOptions = Readonly<{
  clientId: string
  protocol: 'mqtt5' | 'mqtt311'
  /** The broker keeps messages while nobody is there; 0: a new session each time. */
  sessionKeepMs: Millis
  /** Longest packet that a broker of version 5 may send. */
  packetBytesMax: Bytes
  /** Messages that a broker of version 5 may send without an acknowledgement. */
  receiveMax: number
}> &
  Pick<BrokerCredentials, 'user' | 'password'>

/** Options of one connection. Whoever opened it decides when there is another one. */
export function clientOptions(options: ClientOptions) {
  const { clientId, protocol, sessionKeepMs, packetBytesMax, receiveMax, user, password } = options
  const five = protocol === 'mqtt5'
  return {
    clientId,
    protocolId: 'MQTT',
    protocolVersion: five ? 5 : 4,
    clean: sessionKeepMs === 0,
    keepalive: KEEPALIVE_S,
    connectTimeout: CONNECT_MS,
    reconnectPeriod: 0,
    resubscribe: false,
    // It would write names and passwords to standard error when a variable of the environment says so.
    log: () => undefined,
    ...(user === null ? {} : { username: user }),
    ...(password === null ? {} : { password }),
    ...(five
      ? {
          properties: {
            sessionExpiryInterval: Math.ceil(sessionKeepMs / 1000),
            maximumPacketSize: packetBytesMax,
            receiveMaximum: receiveMax,
          },
        }
      : {}),
  } as const
}
