import type { Path } from '../../shared/config/document.ts'
import type { Micros } from '../../shared/units.ts'
import type { Fault } from '../core/fault.ts'
import { faultKind, paramOf } from '../core/faults/catalogue.ts'
import type { RowContext } from './row-context.ts'
import { timeText } from './time-text.ts'

/** A fault of a row, where it stands, and whether it begins by itself at its onset. */
export type PlacedFault = Readonly<{ fault: Fault; path: Path; isTimed: boolean }>

/** Faults that take hold of the same thing: of two at once one would undo the other, or start what runs. */
const HOLDS: readonly Readonly<{ what: string; classes: readonly string[] }>[] = [
  {
    what: 'the life of the agent',
    classes: [
      ...['compute.kill', 'compute.worker_crash', 'compute.oom_cap', 'compute.pause', 'compute.stall'],
      ...['storage.read_only', 'storage.torn_write', 'storage.corrupt_ledger_page', 'storage.lost_checkpoint'],
    ],
  },
  {
    what: 'the place of the collector',
    classes: [
      ...['collector.down', 'collector.version_skew', 'collector.conflicting_command'],
      ...['collector.revoked_certificate', 'collector.stale_policy_push'],
    ],
  },
  {
    what: 'the link to the collector',
    classes: ['collector.down', 'collector.partition', 'collector.half_open', 'collector.slow'],
  },
]
/** Over when they have begun: the agent is there again. */
const AT_ONCE: readonly string[] = [
  ...['compute.oom_cap', 'storage.torn_write', 'storage.corrupt_ledger_page', 'storage.lost_checkpoint'],
]
/** In lock-step an agent that is not scheduled is waited for, and there is one time, which the bench grants. */
const ON_THE_WALL: readonly string[] = ['compute.pause', 'compute.stall', 'security.clock_spoof']

/** What faults need beside a target, and which of them cannot act at the same time. */
export function checkFaults(context: RowContext, faults: readonly PlacedFault[]): void {
  for (const one of faults) checkNeeds(context, one)
  for (const { what, classes } of HOLDS) {
    const holding = faults.filter(({ fault }) => classes.includes(fault.class))
    holding.forEach((one, k) => {
      const other = holding.slice(0, k).find((before) => meet(before, one))
      if (other !== undefined)
        context.notes.add(
          [...one.path, 'class'],
          `\`${one.fault.class}\` while ${other.fault.id} has ${what}`,
          `a time at which ${other.fault.id} (\`${other.fault.class}\`, ${spanText(other)}) is over`,
        )
    })
  }
}

function checkNeeds({ notes, rig, clock }: RowContext, { fault, path }: PlacedFault): void {
  const of = fault.class
  const add = (key: string, found: string, expected: string): void => notes.add([...path, key], found, expected)
  if (clock?.isLockstep === true && ON_THE_WALL.includes(of))
    add('class', `\`${of}\` in lock-step`, '`clock: { mode: free_run }`: it is about time of the wall')
  if (rig === null) return
  if (of === 'security.replayed_batch' && rig.collector !== true)
    add('class', `\`${of}\` without a collector`, '`collector: true`')
  if (of === 'compute.worker_crash') {
    const { threads = 0 } = (rig.agent?.['evaluation'] ?? {}) as { threads?: number }
    const worker = paramNumber(fault, 'worker')
    // One rig needs no more than one thread, whatever it is given.
    if (Math.min(threads, 1) <= worker)
      add(
        'class',
        `worker ${worker} of ${Math.min(threads, 1)}`,
        '`agent: { evaluation: { threads: 1 } }`, and its worker 0',
      )
  }
  if (of !== 'config.partial_bundle') return
  const missing = String(paramOf(faultKind(of)!, fault.params, 'missing'))
  if (missing === 'policy' && rig.policy === undefined)
    add('missing', '`policy`', 'one that the rig has; it has no policy')
  if (missing === 'baseline' && rig.baseline?.kind === 'none')
    add('missing', '`baseline`', 'one that the rig has; it has no baseline')
}

function paramNumber({ class: of, params }: Fault, name: string): number {
  return Number(paramOf(faultKind(of)!, params, name))
}

function meet(one: PlacedFault, other: PlacedFault): boolean {
  const [a, b] = [spanOf(one), spanOf(other)]
  return a.fromUs <= b.toUs && b.fromUs <= a.toUs
}

/** From when to when a fault has what it takes hold of, with the time until it gives it back. */
function spanOf({ fault, isTimed }: PlacedFault): Readonly<{ fromUs: Micros; toUs: Micros }> {
  const { class: of, onsetUs, durationUs } = fault
  if (!isTimed) return { fromUs: 0, toUs: Number.POSITIVE_INFINITY }
  const restarts = faultKind(of)?.params.some(({ name }) => name === 'restart_ms') === true
  const isNow = of === 'compute.worker_crash' || paramOf(faultKind(of)!, fault.params, 'at') === 'now'
  if (AT_ONCE.includes(of)) return { fromUs: onsetUs, toUs: onsetUs }
  if (restarts && isNow) return { fromUs: onsetUs, toUs: onsetUs + paramNumber(fault, 'restart_ms') * 1000 }
  return { fromUs: onsetUs, toUs: durationUs === null ? Number.POSITIVE_INFINITY : onsetUs + durationUs }
}

function spanText(one: PlacedFault): string {
  const { fromUs, toUs } = spanOf(one)
  return toUs === Number.POSITIVE_INFINITY ? 'to the end' : `${timeText(fromUs)} to ${timeText(toUs)}`
}
