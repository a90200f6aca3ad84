import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type MakeCarrier, numberOf } from './carrier.ts'

/** Says how far the wall clock of the agent is off, in its working folder, as libfaketime reads it. */
const CLOCK_FILE = 'clock'
const LIBRARIES = '/usr/lib'
const LIBRARY = join('faketime', 'libfaketime.so.1')

/**
 * What an agent is started with so that its wall clock can be turned while it runs (libfaketime, Debian's `faketime`); nothing where
 * that is not installed. Its monotonic clock goes on as it is, as when somebody sets the time of a machine.
 */
export function turnable(folder: string): readonly string[] {
  const library = readdirSync(LIBRARIES)
    .map((machine) => join(LIBRARIES, machine, LIBRARY))
    .find((path) => existsSync(path))
  if (library === undefined) return []
  const file = join(folder, CLOCK_FILE)
  turn(file, 0)
  const settings = ['FAKETIME_NO_CACHE=1', 'DONT_FAKE_MONOTONIC=1', 'NO_FAKE_STAT=1']
  return ['env', `LD_PRELOAD=${library}`, `FAKETIME_TIMESTAMP_FILE=${file}`, ...settings]
}

function turn(file: string, offsetMs: number): void {
  writeFileSync(file, `${offsetMs < 0 ? '-' : '+'}${Math.abs(offsetMs) / 1000}\n`)
}

/** The wall clock of the agent is turned, and at the end turned back. It counts when the program does have such a clock. */
export const clockSpoof: MakeCarrier = (fault, { folder, agent }) => {
  const file = join(folder.path, CLOCK_FILE)
  let turns = 0
  return {
    begin: () => {
      if (!isTurnable(agent.now.pid)) return
      turn(file, numberOf(fault, 'offset_ms'))
      turns += 1
    },
    end: () => {
      if (turns > 0) turn(file, 0)
    },
    count: () => turns,
  }
}

function isTurnable(pid: number): boolean {
  return readFileSync(`/proc/${pid}/maps`, 'utf8').includes(LIBRARY)
}
