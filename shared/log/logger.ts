import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino'

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug'

export type LoggerOptions = Readonly<{
  /** Program or part, as `name` in every line. */
  name: string
  level: LogLevel
  /** Where lines go; standard output when absent. */
  destination?: DestinationStream
}>

/** Names under which a secret could be logged by mistake. Their values are never written. */
const SECRET_NAMES = [
  'key',
  'privateKey',
  'private_key',
  'secretKey',
  'secret_key',
  'secret',
  'seed',
  'password',
  'passwd',
  'passphrase',
  'token',
  'api_key',
  'apiKey',
  'authorization',
  'cookie',
  'pem',
  'privatePem',
]

/**
 * JSON lines with the time in RFC 3339 UTC. Only `events.ts` of a program logs.
 *
 * Lines are written synchronously: a line that explains why the process ends must not be lost with it, and at rest
 * there is at most one a minute.
 */
export function createLogger({ name, level, destination }: LoggerOptions): Logger {
  return pino(
    {
      name,
      level,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_NAMES.flatMap((secret) => [secret, `*.${secret}`, `*.*.${secret}`]), censor: '[secret]' },
    },
    destination ?? pino.destination({ dest: 1, sync: true }),
  )
}

export type { Logger }
