import type { Command } from 'commander'
import { isBundle, openBundle } from '../../shared/codec/baseline-bundle.ts'
import { decodeBaseline } from '../../shared/codec/baseline-record.ts'
import { BASELINE_BYTES_MAX, readBytes } from '../../shared/config/files.ts'
import { NOBODY } from '../../shared/config/operators.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { printResult, table } from '../../shared/lib/command-output.ts'
import type { BaselineKind, BaselineRecord } from '../../shared/model/baseline.ts'
import { currentOf, isInForce, slotOf } from '../../shared/model/baseline-book.ts'
import { type CreepFinding, creepOf, sinceGolden } from '../../shared/model/baseline-creep.ts'
import { type Decay, decayOf } from '../../shared/model/baseline-decay.ts'
import { REASON_CHARS_MAX } from '../../shared/model/baseline-statement.ts'
import { PERSONS_NOTE } from '../../shared/model/order.ts'
import type { Micros } from '../../shared/units.ts'
import { about, type BookOptions, type BookView, lookInto, NOTE_LINE, saying } from './baseline-book.ts'

type DecayOptions = BookOptions & Readonly<{ current?: string; key?: string }>

/** Adds `hb baseline decay`. */
export function decayCommand(baseline: Command): void {
  baseline
    .command('decay')
    .description('how far every baseline in force still holds; with --key it is signed into the book')
    .requiredOption('--book <dir>', 'folder of the book of baselines')
    .option('--current <file>', 'record (.hbb) of how the rig is now; otherwise its rolling baseline, or its age alone')
    .option('--key <file>', 'private key: signs what was found into the book')
    .option('--operators <file>', 'people who are trusted; operators.yaml in the folder of the book otherwise')
    .option('--json', 'one JSON object')
    .action(decay)
}

type Found = Readonly<{ digest: string; record: BaselineRecord; left: Decay; creep: readonly CreepFinding[] }>

function decay(options: DecayOptions): void {
  const current = options.current === undefined ? null : recordIn(options.current)
  const nowUs = systemClock().nowUs()
  const found = decaysOf(lookInto(options), { nowUs, current })
  if (options.key !== undefined && found.length > 0) sign(options, options.key, found)
  printResult(
    options.json,
    {
      signed: options.key !== undefined,
      baselines: found.map(({ digest, record, left, creep }) => ({
        ...{ digest, kind: record.kind, rig: record.rig, family: record.family, mode: record.mode },
        ...{ factor: left.factor, confidence: record.gate.confidence * left.factor, reasons: left.reasons },
        ...{ terms: left.terms, creep },
      })),
      note: PERSONS_NOTE,
    },
    [
      ...table([
        ['DIGEST', 'KIND', 'LEFT', 'CONFIDENCE', 'WHY'],
        ...found.map(({ digest, record, left }) => [
          digest.slice(0, 12),
          record.kind,
          left.factor.toFixed(2),
          (record.gate.confidence * left.factor).toFixed(2),
          left.reasons.join('; ') || '-',
        ]),
      ]),
      ...found.flatMap(({ creep }) => creep.filter(({ ground }) => ground !== null).map(creepLine)),
      ...(options.key === undefined || found.length === 0 ? [] : [`${found.length} statements signed`]),
      NOTE_LINE,
    ],
  )
}

/** A creep in a sentence. */
export function creepLine({ metric, distance, ground, isSure }: CreepFinding): string {
  const how = ground === 'golden_distance' ? 'by its distance alone' : 'by the sum of its runs'
  const sure = isSure ? '' : ', though levels are not known well enough to be sure'
  return `creep: ${metric} is ${distance.toPrecision(3)} spreads from golden, found ${how}${sure}`
}

/** Rolling baselines against the golden one in force: those approved, oldest first, and `next` behind them. */
export function creepInBook(book: BookView, next: BaselineRecord, nowUs: Micros): readonly CreepFinding[] {
  const since = sinceGolden(book.log().state, next, nowUs)
  const golden = since === null ? undefined : book.records.get(since.golden)?.record
  if (since === null || golden === undefined) return []
  const rolling = since.rolling.flatMap((digest) => book.records.get(digest)?.record ?? [])
  return creepOf(golden, [...rolling, next])
}

function decaysOf(
  book: BookView,
  { nowUs, current }: Readonly<{ nowUs: Micros; current: BaselineRecord | null }>,
): Found[] {
  const { state } = book.log()
  const inForce = [...state.slots.keys()].flatMap((slot) => currentOf(state, slot, nowUs) ?? [])
  return inForce.map(({ digest }) => {
    const { record, rules } = book.records.get(digest)!
    const rolling = record.kind === 'golden' ? currentOf(state, slotOf(record, 'rolling'), nowUs) : null
    const now = current ?? (rolling === null ? null : (book.records.get(rolling.digest)?.record ?? null))
    const left = decayOf(record, { nowUs, current: now?.metrics ?? null }, rules.decay)
    const creep = record.kind === 'golden' && now !== null ? creepInBook(book, withKind(now, record), nowUs) : []
    return { digest, record, left, creep }
  })
}

/** A record of how the rig is now stands for the next rolling one of that baseline. */
function withKind(now: BaselineRecord, { program, rig, family, mode }: BaselineRecord): BaselineRecord {
  const kind: BaselineKind = 'rolling'
  return { ...now, kind, program, rig, family, mode }
}

function sign(options: DecayOptions, key: string, found: readonly Found[]): void {
  saying({ ...options, key, reason: 'decay' }, ({ book, signer, nowUs }) => {
    const { state } = book.log()
    const statements = found.map(({ digest, left }) => {
      const request = [...state.requests.values()].find((r) => r.digest === digest && isInForce(r, nowUs))
      return {
        ...about(book.records.get(digest)!, digest, 'decay'),
        ...(request === undefined ? {} : { request: request.request }),
        factor: left.factor,
        reason: (left.reasons.join('; ') || 'it holds').slice(0, REASON_CHARS_MAX),
      }
    })
    book.say(statements, signer, nowUs)
  })
}

function recordIn(file: string): BaselineRecord {
  const bytes = readBytes(file, BASELINE_BYTES_MAX)
  if (!(bytes instanceof Uint8Array))
    throw new HbError('USAGE', { option: '--current', found: file, reason: bytes.reason })
  if (!isBundle(bytes)) return decodeBaseline(bytes)
  return openBundle(bytes, { ...NOBODY, nowUs: systemClock().nowUs() }).record
}
