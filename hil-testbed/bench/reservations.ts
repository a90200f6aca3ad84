import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs'
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
  pid: number
  comment: string
  since_utc: string
  until_utc: string
}>

const LOOK_MS: Millis = 500

/** Where reservations stand: a file each, on a folder that everybody who shares the places sees. */
export function reservationFolder(): string {
  return process.env['HB_HIL_RESERVATIONS'] ?? join(tmpdir(), 'hb-hil-reservations')
}

type Wanted = Readonly<{ forMs: Millis; waitMs: Millis; comment: string; pid: number; host: Clock }>

/** Takes a place, waiting for it so long. @throws HbError RIG_RESERVED with who has it */
export async function reserve(place: string, { forMs, waitMs, comment, pid, host }: Wanted): Promise<Reservation> {
  if (!isId(place)) throw new HbError('USAGE', { found: place, expected: 'a name of lower-case letters, digits and -' })
  const folder = reservationFolder()
  mkdirSync(folder, { recursive: true })
  for (let waited = 0; ; waited += LOOK_MS) {
    const nowUs = host.nowUs()
    const held = heldBy(place, nowUs)
    if (held === null) {
      const times = { since_utc: utc(nowUs), until_utc: utc(nowUs + forMs * 1000) }
      const made: Reservation = { place, by: `${userInfo().username}@${hostname()}`, pid, comment, ...times }
      if (put(place, made)) return made
    }
    if (waited >= waitMs)
      throw new HbError('RIG_RESERVED', {
        place,
        ...(held === null ? {} : { found: `${held.by}, ${held.comment}`, until: held.until_utc }),
      })
    await host.sleep(LOOK_MS)
  }
}

/** Gives a place back; one that is free is free. */
export function release(place: string): void {
  rmSync(fileOf(place), { force: true })
}

export function reservations(nowUs: Micros): readonly Reservation[] {
  let names: string[] = []
  try {
    names = readdirSync(reservationFolder())
  } catch {
    return []
  }
  return names.flatMap((name) => heldBy(name.replace(/\.json$/, ''), nowUs) ?? [])
}

const fileOf = (place: string): string => join(reservationFolder(), `${place}.json`)

/** Who has it; an end that is past frees it, and so does what nobody can read. */
function heldBy(place: string, nowUs: Micros): Reservation | null {
  try {
    const held = JSON.parse(readFileSync(fileOf(place), 'utf8')) as Reservation
    if (Date.parse(held.until_utc) * 1000 > nowUs) return held
  } catch {
    // Not there, or not one of ours.
  }
  rmSync(fileOf(place), { force: true })
  return null
}

/** @returns false when somebody else was faster */
function put(place: string, made: Reservation): boolean {
  try {
    const fd = openSync(fileOf(place), 'wx', 0o644)
    writeSync(fd, `${JSON.stringify(made)}\n`)
    closeSync(fd)
    return true
  } catch {
    return false
  }
}
