import { closeSync, existsSync, fdatasyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { HbError } from '../shared/errors/hb-error.ts'
import { ACK_STAGES, type AckStage } from '../shared/protocol/actuator.ts'

/** What an actuator knows of one key. `request` is what was asked, so that a key cannot come to mean something else. */
export type KeyEntry = Readonly<{ request: string; effects: number; stage: AckStage; detail: string }>

/**
 * What a simulated actuator has done, in a file of its own: one JSON object a line, on disk before anything is answered.
 * The line of an effect is the effect, so that whoever is killed anywhere has done exactly what stands there.
 */
export interface ActuatorBook {
  /** Bytes of a last line that was cut off by a crash, and is gone. */
  readonly cutBytes: number
  readonly keys: ReadonlyMap<string, KeyEntry>
  /** How often the permit was lost. */
  readonly permitLost: number
  /** @returns false at {@link KEYS_MAX} keys */
  accept(key: string, request: string): boolean
  stage(key: string, stage: AckStage, detail: string): void
  effect(key: string): void
  losePermit(effect: string): void
  close(): void
}

/** Keys of one file; beyond, requests are rejected. */
export const KEYS_MAX = 100_000

type Line =
  | Readonly<{ what: 'actuator'; v: 1; id: string }>
  | Readonly<{ what: 'accepted'; key: string; request: string }>
  | Readonly<{ what: 'stage'; key: string; stage: AckStage; detail: string }>
  | Readonly<{ what: 'effect'; key: string }>
  | Readonly<{ what: 'permit_lost'; effect: string }>

/** What a file says, without opening it for writing. */
export type BookRead = Readonly<{
  id: string | null
  keys: Map<string, KeyEntry>
  permitLost: number
  wholeBytes: number
  cutBytes: number
}>

/** @throws HbError ACTUATOR_STATE for a file that is not one of an actuator, or of another one. */
export function openActuatorBook(path: string, id: string): ActuatorBook {
  const read = existsSync(path) ? readActuatorBook(path) : null
  if (read !== null && read.id !== null && read.id !== id)
    throw new HbError('ACTUATOR_STATE', { path, found: `of ${read.id}`, expected: `of ${id}` })
  const fd = openSync(path, 'a', 0o600)
  if (read !== null && read.cutBytes > 0) ftruncateSync(fd, read.wholeBytes)
  const keys = read?.keys ?? new Map<string, KeyEntry>()
  let permitLost = read?.permitLost ?? 0
  const write = (line: Line): void => {
    writeSync(fd, `${JSON.stringify(line)}\n`)
    fdatasyncSync(fd)
  }
  const change = (key: string, to: Partial<KeyEntry>): void => {
    const before = keys.get(key) ?? { request: '', effects: 0, stage: 'accepted' as const, detail: '' }
    keys.set(key, { ...before, ...to })
  }
  if (read === null || read.id === null) write({ what: 'actuator', v: 1, id })
  return {
    cutBytes: read?.cutBytes ?? 0,
    keys,
    get permitLost() {
      return permitLost
    },
    accept(key, request) {
      if (keys.size >= KEYS_MAX && !keys.has(key)) return false
      write({ what: 'accepted', key, request })
      change(key, { request, stage: 'accepted', detail: '' })
      return true
    },
    stage(key, stage, detail) {
      write({ what: 'stage', key, stage, detail })
      change(key, { stage, detail })
    },
    effect(key) {
      write({ what: 'effect', key })
      change(key, { effects: (keys.get(key)?.effects ?? 0) + 1 })
    },
    losePermit(effect) {
      write({ what: 'permit_lost', effect })
      permitLost += 1
    },
    close: () => closeSync(fd),
  }
}

/** @throws HbError ACTUATOR_STATE with the line. */
export function readActuatorBook(path: string): BookRead {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (cause) {
    throw new HbError('ACTUATOR_STATE', { path, found: (cause as NodeJS.ErrnoException).code ?? 'no file' }, { cause })
  }
  const wholeBytes = bytes.lastIndexOf(0x0a) + 1
  const lines = bytes.subarray(0, wholeBytes).toString('utf8').split('\n').slice(0, -1)
  const keys = new Map<string, KeyEntry>()
  let id: string | null = null
  let permitLost = 0
  lines.forEach((text, index) => {
    const line = lineOf(text)
    if (line === null || (line.what === 'actuator') !== (index === 0))
      throw new HbError('ACTUATOR_STATE', { path, line: index + 1, found: 'a line that does not belong there' })
    if (line.what === 'actuator') id = line.id
    else if (line.what === 'permit_lost') permitLost += 1
    else keys.set(line.key, after(keys.get(line.key), line))
  })
  return { id, keys, permitLost, wholeBytes, cutBytes: bytes.length - wholeBytes }
}

function after(before: KeyEntry | undefined, line: Exclude<Line, { what: 'actuator' | 'permit_lost' }>): KeyEntry {
  const entry = before ?? { request: '', effects: 0, stage: 'accepted', detail: '' }
  if (line.what === 'accepted') return { ...entry, request: line.request, stage: 'accepted', detail: '' }
  if (line.what === 'effect') return { ...entry, effects: entry.effects + 1 }
  return { ...entry, stage: line.stage, detail: line.detail }
}

function lineOf(text: string): Line | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null) return null
  const { what, v, id, key, request, stage, detail, effect } = value as Record<string, unknown>
  const isText = (...all: unknown[]): boolean => all.every((one) => typeof one === 'string')
  const fits =
    (what === 'actuator' && v === 1 && isText(id)) ||
    (what === 'accepted' && isText(key, request)) ||
    (what === 'stage' && isText(key, detail) && (ACK_STAGES as readonly unknown[]).includes(stage)) ||
    (what === 'effect' && isText(key)) ||
    (what === 'permit_lost' && isText(effect))
  return fits ? (value as Line) : null
}
