import type { Micros } from '../units.ts'

/** One message of syslog. Fields that are '' are written as `-`. */
export type SyslogMessage = Readonly<{
  facility: number
  severity: number
  timeUs: Micros
  host: string
  app: string
  process: string
  id: string
  /** Elements of structured data, each with its parameters. */
  data: readonly Readonly<{ id: string; params: readonly Readonly<{ name: string; value: string }>[] }>[]
  text: string
}>

/** Longest text; with the rest a message stays below the 2048 bytes that every receiver should take (RFC 5424, 6.1). */
export const SYSLOG_TEXT_MAX = 512
/** Longest fields of the header (RFC 5424, 6). */
const FIELD_MAX = { host: 255, app: 48, process: 128, id: 32, name: 32 } as const
const VALUE_MAX = 128

/** A message of RFC 5424. Text is UTF-8 behind a byte order mark, as 6.4 wants it. */
export function syslogText(message: SyslogMessage): string {
  const { facility, severity, timeUs, host, app, process, id, data, text } = message
  const head = [
    `<${facility * 8 + severity}>1`,
    timestamp(timeUs),
    field(host, FIELD_MAX.host),
    field(app, FIELD_MAX.app),
    field(process, FIELD_MAX.process),
    field(id, FIELD_MAX.id),
  ]
  const elements = data.map(
    (element) =>
      `[${[name(element.id), ...element.params.map((one) => `${name(one.name)}="${value(one.value)}"`)].join(' ')}]`,
  )
  const said = text === '' ? '' : ` \uFEFF${text.slice(0, SYSLOG_TEXT_MAX)}`
  return `${head.join(' ')} ${elements.length === 0 ? '-' : elements.join('')}${said}`
}

/** A frame on a stream: the length in octets before it (RFC 5425, 4.3). */
export function octetCounted(message: string): Buffer {
  const bytes = Buffer.from(message, 'utf8')
  return Buffer.concat([Buffer.from(`${bytes.length} `, 'ascii'), bytes])
}

/** Milliseconds are enough for people; RFC 5424 has at most microseconds. */
function timestamp(us: Micros): string {
  return new Date(Math.floor(us / 1000)).toISOString()
}

/** Printable ASCII without blanks. */
function field(text: string, max: number): string {
  const printable = text.replace(/[^\u0021-\u007e]/g, '_').slice(0, max)
  return printable === '' ? '-' : printable
}

function name(text: string): string {
  return text.replace(/[^\u0021-\u007e]|[="\]]/g, '_').slice(0, FIELD_MAX.name)
}

function value(text: string): string {
  return text.slice(0, VALUE_MAX).replace(/["\\\]]/g, (one) => `\\${one}`)
}
