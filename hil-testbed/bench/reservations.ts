import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import { utc } from '../../shared/lib/command-output.ts'
import { isId } from '../../shared/model/ids.ts'
import type { Micros, Millis } from '../../shared/units.ts'

/** Whoever has a place that there is only one of: a rack, a rig on a desk. Ends by itself. */
export type Reservation = Readonly<{
  place: string
  by: string
  host: string
  /** The run that has it; null for a person, whose command is over. */
  pid: number | null
  comment: string
  since_utc: string
  until_utc: string
}>

const LOOK_MS: Millis = 500

/** Where reservations stand: a file each, in a folder that everybody who shares the places sees. */
export function reservationFolder(): string {
  return process.env['HB_HIL_RESERVATIONS'] ?? join(tmpdir(), 'hb-hil-reservations')
}

type Wanted = Readonly<{
  forMs: Millis
  waitMs: Millis
  comment: string
  pid: number | null
  host: Clock
  signal?: AbortSignal
}>

/** Takes a place, waiting for it so long. @throws HbError RIG_RESERVED with who has it, USAGE; the reason of `signal` */
export async function reserve(
  place: string,
  { forMs, waitMs, comment, pid, host, signal }: Wanted,
): Promise<Reservation> {
  if (!isId(place)) throw new HbError('USAGE', { found: place, expected: 'a name of lower-case letters, digits and -' })
  for (let waited = 0; ; waited += LOOK_MS) {
    const nowUs = host.nowUs()
    const times = { since_utc: utc(nowUs), until_utc: utc(nowUs + forMs * 1000) }
    const made: Reservation = { place, by: userInfo().username, host: hostname(), pid, comment, ...times }
    if (put(made)) return made
    const held = heldBy(place, nowUs)
    // What was over has been taken away.
    if (held === null && put(made)) return made
    if (waited >= waitMs) throw new HbError('RIG_RESERVED', { place, ...(held === null ? {} : whoHas(held)) })
    await host.sleep(LOOK_MS, signal)
  }
}

function whoHas({ by, host, comment, until_utc }: Reservation): Readonly<Record<string, string>> {
  return { found: `${by}@${host}${comment === '' ? '' : `, ${comment}`}`, until: until_utc }
}

/** Frees a place, whoever has it. */
export function release(place: string): void {
  rmSync(fileOf(place), { force: true })
}

/** Gives back what was taken; a place that somebody else has by now stays his. */
export function giveBack(held: Reservation): void {
  if (textIn(fileOf(held.place)) === textOf(held)) release(held.place)
}

/** Every place that is taken. */
export function reservations(nowUs: Micros): readonly Reservation[] {
  let names: string[] = []
  try {
    names = readdirSync(reservationFolder())
  } catch {
    return []
  }
  return names
    .filter((name) => name.endsWith(SUFFIX))
    .flatMap((name) => heldBy(name.slice(0, -SUFFIX.length), nowUs) ?? [])
}

const SUFFIX = '.json'
const fileOf = (place: string): string => join(reservationFolder(), `${place}${SUFFIX}`)
const textOf = (made: Reservation): string => `${JSON.stringify(made)}\n`

/** Who has it; null frees it: an end that is past, a run of this machine that is gone, or what nobody can read. */
function heldBy(place: string, nowUs: Micros): Reservation | null {
  const text = textIn(fileOf(place))
  if (text === null) return null
  const held = parsed(text)
  if (held !== null && Date.parse(held.until_utc) * 1000 > nowUs && lives(held)) return held
  free(place, text)
  return null
}

function lives({ host, pid }: Reservation): boolean {
  if (pid === null || host !== hostname()) return true
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Takes away what is over. When somebody was faster and has the place again, it is put back. */
function free(place: string, over: string): void {
  const aside = `${fileOf(place)}.${process.pid}.over`
  try {
    renameSync(fileOf(place), aside)
    if (textIn(aside) !== over) linkSync(aside, fileOf(place))
  } catch {
    // Somebody else has freed it, or has it.
  }
  rmSync(aside, { force: true })
}

/** Makes it as a whole or not at all. @returns false when somebody has it */
function put(made: Reservation): boolean {
  const aside = `${fileOf(made.place)}.${process.pid}.new`
  try {
    mkdirSync(reservationFolder(), { recursive: true })
    rmSync(aside, { force: true })
    // Also in a folder of everybody: nothing that lies there already is written to.
    writeFileSync(aside, textOf(made), { flag: 'wx', mode: 0o644 })
  } catch (cause) {
    const { code = 'unknown' } = cause as NodeJS.ErrnoException
    throw new HbError('REPORT_UNWRITABLE', { path: reservationFolder(), errno: code }, { cause })
  }
  try {
    linkSync(aside, fileOf(made.place))
    return true
  } catch {
    return false
  } finally {
    rmSync(aside, { force: true })
  }
}

function textIn(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}

function parsed(text: string): Reservation | null {
  try {
    const held = JSON.parse(text) as Reservation
    return typeof held === 'object' && held !== null ? held : null
  } catch {
    return null
  }
}
