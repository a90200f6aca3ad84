import { type DestinationStream, pino, stdTimeFunctions } from 'pino'
import { type Clock, systemClock } from '../lib/clock.ts'
import type { Micros } from '../units.ts'

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug'

/**
 * What a line says beside its text. `event` is what happened, by which lines are searched; names that every line has already
 * are not free: a line with two of them says one thing to one reader and another to the next.
 */
export type LogFacts = Readonly<{
  event: string
  level?: never
  time?: never
  msg?: never
  name?: never
  pid?: never
  hostname?: never
}> &
  Readonly<Record<string, unknown>>

/** One line a call. */
export type Logger = Readonly<Record<LogLevel, (facts: LogFacts, text: string) => void>>

/** Under this a field is written whose name every line has already, and which no type kept out. */
const TAKEN_PREFIX = 'fact_'
const TAKEN_NAMES = ['level', 'time', 'msg', 'name', 'pid', 'hostname']

export type LoggerOptions = Readonly<{
  /** Program or part, as `name` in every line. */
  name: string
  level: LogLevel
  /** Where lines go; standard output when absent. */
  destination?: DestinationStream
  /** Monotonic time, for the bound of lines; the system's when absent. */
  clock?: Pick<Clock, 'monotonicUs'>
}>

/** Lines of one event, in this time; more are counted, and said as a number when the time is over. */
export const LINES_OF_EVENT_MAX = 200
const LINES_WITHIN_US: Micros = 10_000_000
/** Events told apart; they are named in the code, so that more of them is a bug, and goes under one name. */
const EVENTS_MAX = 256

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
export function createLogger({ name, level, destination, clock = systemClock() }: LoggerOptions): Logger {
  const mayWrite = createLineBound(clock)
  return pino(
    {
      hooks: {
        logMethod(args, method) {
          const event = eventOf(args)
          const { writes, shed } = mayWrite(event)
          if (!writes) return
          if (shed > 0)
            method.apply(this, [{ event: 'lines_shed', of: event, lines: shed }, 'lines that were not written'])
          method.apply(this, [withoutTaken(args[0]), ...args.slice(1)] as typeof args)
        },
      },
      name,
      level,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_NAMES.flatMap((secret) => [secret, `*.${secret}`, `*.*.${secret}`]), censor: '[secret]' },
    },
    destination ?? pino.destination({ dest: 1, sync: true }),
  )
}

/** Facts of foreign objects are spread into lines too: whatever they bring, a line has each name once. */
function withoutTaken(facts: unknown): unknown {
  if (typeof facts !== 'object' || facts === null || !TAKEN_NAMES.some((name) => Object.hasOwn(facts, name)))
    return facts
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [TAKEN_NAMES.includes(name) ? `${TAKEN_PREFIX}${name}` : name, value]),
  )
}

function eventOf(args: readonly unknown[]): string {
  const [facts] = args
  const event = typeof facts === 'object' && facts !== null ? (facts as { event?: unknown }).event : undefined
  return typeof event === 'string' ? event : ''
}

type Window = { sinceUs: Micros; lines: number; shed: number }

/** A log that a failing part fills is of no use to anybody, and a disk full of it stops the rest. */
function createLineBound(clock: Pick<Clock, 'monotonicUs'>): (event: string) => { writes: boolean; shed: number } {
  const windows = new Map<string, Window>()
  return (event) => {
    const name = windows.size < EVENTS_MAX || windows.has(event) ? event : ''
    const nowUs = clock.monotonicUs()
    const window = windows.get(name) ?? { sinceUs: nowUs, lines: 0, shed: 0 }
    windows.set(name, window)
    let { shed } = window
    if (nowUs - window.sinceUs >= LINES_WITHIN_US) Object.assign(window, { sinceUs: nowUs, lines: 0, shed: 0 })
    else shed = 0
    const writes = window.lines < LINES_OF_EVENT_MAX
    if (writes) window.lines += 1
    else window.shed += 1
    return { writes, shed }
  }
}
