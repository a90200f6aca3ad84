import { ItemComparison, replay } from '../../agent/pipeline/replay.ts'
import { viewStorage } from '../../agent/storage.ts'
import { readRecords } from '../../shared/codec/record-file.ts'
import { createPrng, type Prng } from '../../shared/lib/prng.ts'
import { BareAgent, key } from './bare-agent.ts'
import { ModelCollector } from './model-collector.ts'
import { type DiskFault, ModelDisk } from './model-disk.ts'

/** Frames of 50 ms in the life before the damage, and in the one after it. */
export const FRAMES_BEFORE = 70
const FRAMES_AFTER = 30

/** A state folder with everything in it: saved states, batches with receipts, batches that were sent, some that were not. */
export async function wornState(): Promise<{ disk: ModelDisk; collector: ModelCollector }> {
  const disk = new ModelDisk()
  const collector = new ModelCollector(key)
  await live(disk, collector, { sendAt: [40], sendWithoutReceiptsAt: [55] })
  return { disk: disk.clone(), collector }
}

type Life = Readonly<{ sendAt: readonly number[]; sendWithoutReceiptsAt: readonly number[]; fault?: DiskFault }>

/** Tries of an input that the disk refuses, before the life counts as stuck. */
const TRIES_MAX = 50

async function live(
  disk: ModelDisk,
  collector: ModelCollector,
  { sendAt, sendWithoutReceiptsAt, fault }: Life,
): Promise<void> {
  const agent = await BareAgent.open(disk)
  disk.fault = fault ?? (() => null)
  for (let k = 0; k < FRAMES_BEFORE; k += 1) {
    for (let tries = 0; !agent.take(k); tries += 1) if (tries > TRIES_MAX) throw new Error(`input ${k} is never taken`)
    // A failure is told, and tried again by the next flush.
    if (k % 5 === 4) await agent.flush().catch(() => undefined)
    if (k % 20 === 19) await agent.loop.saveCheckpoint()
    if (sendAt.includes(k)) await agent.send(collector)
    if (sendWithoutReceiptsAt.includes(k)) await agent.send(collector, { receipts: false })
  }
  disk.fault = () => null
  await agent.flush()
}

/** A moment of a life at which the power fails: the disk with everything that was not synced, and what the collector has. */
export type CrashPoint = Readonly<{ name: string; disk: ModelDisk; collector: ModelCollector }>

/** `count` moments of one life, each just before a change of the disk, spread over all of its changes. */
export async function crashPoints(
  count: number,
  prng: Prng,
  { faultSeed }: { faultSeed?: number } = {},
): Promise<CrashPoint[]> {
  const whole = new ModelDisk()
  const life = (): Life => ({
    sendAt: [10, 25, 40, 60],
    sendWithoutReceiptsAt: [33, 55],
    ...(faultSeed === undefined ? {} : { fault: diskFaults(createPrng(faultSeed)) }),
  })
  await live(whole, new ModelCollector(key), life())
  const wanted = new Map<number, number>()
  for (let k = 0; k < count; k += 1) {
    const at = 1 + prng.int(whole.changes)
    wanted.set(at, (wanted.get(at) ?? 0) + 1)
  }
  const disk = new ModelDisk()
  const collector = new ModelCollector(key)
  const points: CrashPoint[] = []
  disk.onChange = (call, path) => {
    for (let n = wanted.get(disk.changes) ?? 0; n > 0; n -= 1)
      points.push({ name: `change ${disk.changes}, ${call} ${path}`, disk: disk.clone(), collector: collector.copy() })
  }
  await live(disk, collector, life())
  return points
}

/** A disk that fails now and then: in one of ten calls, with what such calls fail with. */
function diskFaults(prng: Prng): DiskFault {
  return (call) => {
    const isHit = prng.int(10) === 0
    const code = ['EIO', 'ENOSPC'][prng.int(2)]!
    if (!isHit || call === 'unlink' || call === 'ftruncate') return null
    return call.endsWith('sync') ? 'EIO' : code
  }
}

export type Outcome = Readonly<{
  /** What is wrong with how it went on; empty when nothing is. */
  faults: readonly string[]
  events: readonly string[]
  unreadable: readonly { from: number; to: number }[]
  startMs: number
  /** Why new epochs began. */
  renewed: readonly string[]
  /** Signed decisions that cannot come out again. */
  lost: number
}>

/** Starts an agent on a disk, lets it go on and send, and looks whether anybody could find fault with it. */
export async function lifeOn(disk: ModelDisk, collector: ModelCollector): Promise<Outcome> {
  const faults: string[] = []
  const receipted = new Map(collector.items)
  const startedMs = performance.now()
  const agent = await BareAgent.open(disk)
  const startMs = performance.now() - startedMs
  const decidedBefore = agent.loop.evaluation.state.decisionSeq
  for (let k = FRAMES_BEFORE; k < FRAMES_BEFORE + FRAMES_AFTER; k += 1) {
    agent.take(k)
    if (k % 5 === 4) await agent.flush()
  }
  await agent.flush()
  await agent.scrub()
  await agent.flush()
  const refused = await agent.send(collector)
  if (refused !== null) faults.push(`refused: ${refused}`)
  if (agent.loop.evaluation.state.decisionSeq <= decidedBefore) faults.push('nothing was decided any more')
  for (const [first, item] of receipted)
    if (collector.items.get(first)?.bytes !== item.bytes) faults.push(`decision ${first} is not what it was`)
  await agent.loop.stop()
  await agent.storage.close()
  const replayed = await replayOf(disk)
  faults.push(...replayed.faults)
  const loss = agent.logged.find(({ event }) => event === 'loss_declared')
  const named = (loss?.['unreadable'] ?? []) as { from_seq: number; to_seq: number }[]
  const damaged = agent.logged.filter(({ event }) => event === 'journal_damaged') as unknown as typeof named
  return {
    faults,
    startMs,
    events: agent.logged.filter(({ level }) => level !== 'info').map(({ event }) => event),
    unreadable: [...named, ...damaged].map(({ from_seq: from, to_seq: to }) => ({ from, to })),
    renewed: agent.logged.filter(({ event }) => event === 'chain_renewed').map((line) => String(line['reason'])),
    lost: replayed.lost,
  }
}

/** What was signed must come out again, except for what a loss declares. */
async function replayOf(disk: ModelDisk): Promise<{ faults: string[]; lost: number }> {
  const view = viewStorage('/state', disk.files)
  const comparison = new ItemComparison(view.outbox.all(), () => key)
  try {
    for await (const { effects, lostThrough } of replay(view)) {
      if (lostThrough > 0) comparison.passOver(lostThrough)
      for (const effect of effects) if (effect.kind === 'item') comparison.take(effect.item)
    }
  } catch (error) {
    // Damage in front of where the start went on from is found by the replay alone.
    return { faults: [`replay: ${(error as Error).message}`], lost: 0 }
  }
  const { difference, compared, missing, lost } = comparison.finish()
  const faults: string[] = []
  if (difference !== null) faults.push(`replay differs: ${JSON.stringify(difference)}`)
  if (compared === 0 || missing > 0) faults.push(`replay compared ${compared}, missing ${missing}`)
  return { faults, lost }
}

/** One thing done to a state folder while nobody ran on it. `kind` is for counting. */
export type Damage = Readonly<{ kind: string; name: string; to(disk: ModelDisk): void }>

const FLIP = 0x10

/** Every `stride`-th byte of a file flipped, from a start that differs with the file. */
export function* flips(disk: ModelDisk, path: string, stride: number): Generator<Damage> {
  const whole = disk.content(path)
  for (let at = path.length % stride; at < whole.length; at += stride) {
    const changed = whole.slice()
    changed[at] = changed[at]! ^ FLIP
    yield { kind: 'flip', name: `${path} byte ${at}`, to: (on) => on.damage(path, changed) }
  }
}

/** A file cut at every `stride`-th length, as it is and filled up with zeros. */
export function* cuts(disk: ModelDisk, path: string, stride: number): Generator<Damage> {
  const whole = disk.content(path)
  for (let size = path.length % stride; size < whole.length; size += stride) {
    const zeros = new Uint8Array(whole.length)
    zeros.set(whole.subarray(0, size))
    yield { kind: 'cut', name: `${path} cut at ${size}`, to: (on) => on.damage(path, whole.slice(0, size)) }
    yield { kind: 'zero tail', name: `${path} zeros from ${size}`, to: (on) => on.damage(path, zeros) }
  }
}

/** Whole files lost, swapped, doubled, of another agent, and several of these at once. */
export function* rearrangements(disk: ModelDisk, foreign: ModelDisk): Generator<Damage> {
  const of = (part: string): string[] => disk.paths().filter((path) => path.includes(part))
  const journal = of('.hbj')
  const files = [...journal, ...of('.hbo'), ...of('.hbc'), ...of('identity'), ...of('pins'), ...of('lock')]
  for (const path of files) yield { kind: 'file lost', name: `${path} lost`, to: (on) => on.lose(path) }
  for (const a of journal)
    for (const b of journal) {
      if (a === b) continue
      const doubled = disk.content(b)
      yield { kind: 'segment doubled', name: `${b} also as ${a}`, to: (on) => on.damage(a, doubled) }
      if (a > b) continue
      yield {
        kind: 'segments swapped',
        name: `${a} and ${b} swapped`,
        to(on) {
          const first = on.content(a)
          on.damage(a, on.content(b))
          on.damage(b, first)
        },
      }
    }
  for (const path of [...journal, ...of('.hbo')]) {
    const other = foreign.paths().includes(path) ? foreign.content(path) : foreign.content(journal[0]!)
    yield { kind: 'foreign file', name: `${path} of another agent`, to: (on) => on.damage(path, other) }
  }
  const [newest, ...older] = of('.hbc').toReversed()
  const groups: [string, string[]][] = [
    ['all saved states', of('.hbc')],
    ['all but the newest saved state', older],
    ['the newest saved state and segment', [newest!, journal.at(-1)!]],
    ['the whole journal', journal],
    ['the whole outbox', of('.hbo')],
    ['journal and outbox', [...journal, ...of('.hbo')]],
    ['saved states and the first segment', [...of('.hbc'), journal[0]!]],
    ['saved states and outbox', [...of('.hbc'), ...of('.hbo')]],
  ]
  for (const [name, paths] of groups)
    yield {
      kind: 'files lost together',
      name: `${name} lost`,
      to(on) {
        for (const path of paths) on.lose(path)
      },
    }
}

/** What came of a row of damages: counts for a report, and every fault with the damage it came from. */
export type Tally = { counts: Map<string, number>; worstStartMs: number; faults: string[] }

export async function endure(
  base: { disk: ModelDisk; collector: ModelCollector },
  damages: Iterable<Damage>,
  look: (damage: Damage, outcome: Outcome) => string | null = () => null,
): Promise<Tally> {
  const tally: Tally = { counts: new Map(), worstStartMs: 0, faults: [] }
  for (const damage of damages) {
    const disk = base.disk.clone()
    damage.to(disk)
    tally.counts.set(damage.kind, (tally.counts.get(damage.kind) ?? 0) + 1)
    try {
      const outcome = await lifeOn(disk, base.collector.copy())
      tally.worstStartMs = Math.max(tally.worstStartMs, outcome.startMs)
      const missed = look(damage, outcome)
      const faults = missed === null ? outcome.faults : [...outcome.faults, missed]
      for (const fault of faults) tally.faults.push(`${damage.name}: ${fault} (${outcome.events.join(' ')})`)
    } catch (error) {
      tally.faults.push(`${damage.name}: ${(error as Error).stack ?? String(error)}`)
    }
  }
  return tally
}

/**
 * A power cut takes nothing that had left the agent: every signed decision comes out again, and no batch that was sent is
 * missing here. A new epoch is only right where an unsynced batch was left in a state that could be anything.
 */
export async function afterPowerCut(point: CrashPoint, prng: Prng): Promise<string[]> {
  const outcome = await lifeOn(point.disk.crash(prng), point.collector)
  const faults = [...outcome.faults]
  if (outcome.lost > 0) faults.push(`${outcome.lost} signed decisions do not come out again`)
  for (const reason of outcome.renewed) if (!/batches$/.test(reason)) faults.push(`sent and not here: ${reason}`)
  return faults.map((fault) => `${point.name}: ${fault} (${outcome.events.join(' ')})`)
}

type Look = (damage: Damage, outcome: Outcome) => string | null

/** Of a flipped byte in the journal the record that it is in must be named, and no other one. */
export function exactlyTold(disk: ModelDisk): Look {
  const last = recordsOf(disk, disk.paths().findLast((path) => path.endsWith('.hbj'))!).at(-1)!
  return ({ name }, { unreadable, events }) => {
    const [, path, byte] = /^(\S+) byte (\d+)$/.exec(name) ?? []
    if (path === undefined || !path.endsWith('.hbj')) return null
    const hit = recordsOf(disk, path).find(({ end }) => Number(byte) < end)!.seq
    if (hit === last.seq)
      return events.includes('journal_tail_cut') ? null : `record ${hit} at the end was not said to be cut`
    const named = unreadable.map(({ from, to }) => `${from}-${to}`).join(' ')
    return named === `${hit}-${hit}` ? null : `record ${hit} was hit, ${named || 'none'} named`
  }
}

/** Whatever is done to journal or outbox is said; saved states and the like are there to be missed. */
export const toldAtAll: Look = ({ kind, name }, { events }) => {
  const isHarmless = /hbc|identity|pins|lock|saved state/.test(name)
  return events.length > 0 || isHarmless ? null : `${kind} was not said`
}

function recordsOf(disk: ModelDisk, path: string): { seq: number; end: number }[] {
  return [...readRecords(disk.content(path))].flatMap((r) => (r.kind === 'record' ? [{ seq: r.seq, end: r.end }] : []))
}
