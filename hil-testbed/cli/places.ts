import type { Command } from 'commander'
import { systemClock } from '../../shared/lib/clock.ts'
import { numberOption, printResult, table } from '../../shared/lib/command-output.ts'
import { spanOption } from '../../shared/lib/span.ts'
import { release, reservationFolder, reservations, reserve } from '../bench/reservations.ts'

type PlaceOptions = Readonly<{ for: string; wait: string; comment: string; json?: boolean }>

const WAIT_S_MAX = 86_400

/** Adds `hb hil reserve`, `release` and `reservations`: places that there is only one of are for one run at a time. */
export function placeCommands(hil: Command): void {
  hil
    .command('reserve')
    .description('take a place that runs share, such as a rack, so that no other run begins on it')
    .argument('<place>', 'its name, as `reserve` in the file of a rig')
    .option('--for <span>', 'until it is free again by itself', '1h')
    .option('--wait <s>', 'how long to wait for who has it', '0')
    .option('--comment <text>', 'what for', '')
    .option('--json', 'one JSON object')
    .action(async (place: string, options: PlaceOptions) => {
      const made = await reserve(place, {
        forMs: spanOption(options.for, '--for') / 1000,
        waitMs: numberOption(options.wait, '--wait', { min: 0, max: WAIT_S_MAX }) * 1000,
        comment: options.comment,
        // The command ends at once; what it took stays.
        pid: null,
        host: systemClock(),
      })
      printResult(options.json, made, [`${made.place} is reserved for ${made.by} until ${made.until_utc}`])
    })
  hil
    .command('release')
    .description('give a place back')
    .argument('<place>', 'its name')
    .option('--json', 'one JSON object')
    .action((place: string, { json }: { json?: boolean }) => {
      release(place)
      printResult(json, { place }, [`${place} is free`])
    })
  hil
    .command('reservations')
    .description('places that are taken: by whom, what for, until when')
    .option('--json', 'one JSON object')
    .action(({ json }: { json?: boolean }) => {
      const all = reservations(systemClock().nowUs())
      const rows = all.map(({ place, by, comment, until_utc: until }) => [place, by, until, comment])
      printResult(json, { folder: reservationFolder(), reservations: all }, all.length === 0 ? ['none'] : table(rows))
    })
}
