import type { BatchItem } from './batch-items.ts'
import { type CborValue, EvidenceFault, plain } from './cbor.ts'

export type Finding = Readonly<{ metric: string; verdict: string; ground: string }>

type Place = Readonly<{ seq: number; rig: string; atUs: number }>

/** A decision, or several that said the same, from the first slide end to the last. */
export type Decision = Place &
  Readonly<{
    kind: 'decision'
    lastSeq: number
    untilUs: number
    count: number
    verdict: string
    /** '' where the record that it repeats is not there. */
    mode: string
    /** null where the record that it repeats is not there. */
    findings: readonly Finding[] | null
    /** Findings beyond those that are listed. */
    more: number
    /** Decision that it corrects; what was told at that time was the other one. */
    revises: number | null
  }>

/** What the safety kernel said. Times are those at which it said it. */
export type Said =
  | Decision
  | (Place &
      Readonly<{
        kind: 'action'
        key: string
        rule: string
        action: string
        target: string
        state: string
        from: string | null
        reasons: readonly string[]
      }>)
  | (Place & Readonly<{ kind: 'arm'; state: string }>)
  | (Place & Readonly<{ kind: 'alarm'; id: string; severity: string; active: boolean }>)
  | (Place & Readonly<{ kind: 'refused'; input: string; subject: string; reasons: readonly string[] }>)
  | (Place & Readonly<{ kind: 'inhibit' | 'rule' | 'break_glass' }>)

/** Versions of a core: range, decision, revision, what the kernel said. */
const RANGE = 1
const DECISION = 3
const REVISION = 4
const SAFETY = 5

/**
 * What an item of a batch says. Of a range, one interval for every rig in it, with the findings of the record that it repeats,
 * by `known`.
 *
 * @throws EvidenceFault for a core of a version or kind that is not known
 */
export function saidBy(item: BatchItem, known: (seq: number) => Decision | undefined): readonly Said[] {
  const core = new Fields(plain(item.core))
  const version = core.whole('v')
  if (item.isRange) {
    if (version !== RANGE) throw new EvidenceFault(`a range of version ${version}`)
    return rangeBy(item, core, known)
  }
  const place = { seq: item.first, rig: core.text('rig'), atUs: core.whole('t_us') }
  if (core.whole('seq') !== item.first) throw new EvidenceFault(`record ${item.first} says that it is another`)
  if (version === DECISION || version === REVISION)
    return [
      {
        ...place,
        ...{ kind: 'decision', lastSeq: item.first, untilUs: place.atUs, count: 1, verdict: core.text('verdict') },
        ...{ mode: core.text('mode'), findings: core.rows('drivers').map(findingOf), more: core.whole('more') },
        revises: version === REVISION ? core.whole('revises') : null,
      },
    ]
  if (version === SAFETY) return [safetyOf(core, place)]
  throw new EvidenceFault(`record ${item.first} of version ${version}`)
}

function rangeBy(item: BatchItem, core: Fields, known: (seq: number) => Decision | undefined): readonly Decision[] {
  const rigs = core.rows('unchanged')
  return rigs.map(([rig, as, verdict]) => {
    if (typeof rig !== 'string' || typeof as !== 'number' || typeof verdict !== 'string')
      throw new EvidenceFault(`range ${item.first} of another shape`)
    const like = known(as)
    return {
      ...{ kind: 'decision', rig, verdict, seq: item.first, lastSeq: item.last, revises: null },
      ...{ atUs: core.whole('t_first_us'), untilUs: core.whole('t_last_us') },
      count: Math.max(1, Math.round((item.last - item.first + 1) / rigs.length)),
      ...{ mode: like?.mode ?? '', findings: like?.findings ?? null, more: like?.more ?? 0 },
    }
  })
}

function findingOf([metric, verdict, ground]: readonly CborValue[]): Finding {
  if (typeof metric !== 'string' || typeof verdict !== 'string' || typeof ground !== 'string')
    throw new EvidenceFault('a driver of another shape')
  return { metric, verdict, ground }
}

function safetyOf(core: Fields, place: Place): Said {
  const kind = core.text('kind')
  switch (kind) {
    case 'action':
      return {
        ...{ ...place, kind, key: core.text('key'), rule: core.text('rule'), action: core.text('action') },
        ...{ target: core.text('target'), state: core.text('state'), from: core.textOrNull('from') },
        reasons: core.texts('reasons'),
      }
    case 'arm':
      return { ...place, kind, state: core.text('state') }
    case 'alarm':
      return { ...place, kind, id: core.text('id'), severity: core.text('severity'), active: core.flag('active') }
    case 'refused':
      return {
        ...place,
        kind,
        input: core.text('input'),
        subject: core.text('subject'),
        reasons: core.texts('reasons'),
      }
    case 'inhibit':
    case 'rule':
    case 'break_glass':
      return { ...place, kind }
    default:
      throw new EvidenceFault(`record ${place.seq} of the kind ${kind}`)
  }
}

/** Fields of a core, each of the kind that it must be of. @throws EvidenceFault */
class Fields {
  private readonly map: ReadonlyMap<unknown, CborValue>

  constructor(core: CborValue) {
    if (!(core instanceof Map)) throw new EvidenceFault('a core that is no map')
    this.map = core
  }

  text(name: string): string {
    const value = this.map.get(name)
    return typeof value === 'string' ? value : this.refuse(name)
  }

  textOrNull(name: string): string | null {
    return this.map.get(name) === null ? null : this.text(name)
  }

  whole(name: string): number {
    const value = this.map.get(name)
    return typeof value === 'number' && Number.isSafeInteger(value) ? value : this.refuse(name)
  }

  flag(name: string): boolean {
    const value = this.map.get(name)
    return typeof value === 'boolean' ? value : this.refuse(name)
  }

  texts(name: string): readonly string[] {
    const value = this.map.get(name)
    const isTexts = Array.isArray(value) && value.every((one) => typeof one === 'string')
    return isTexts ? (value as readonly string[]) : this.refuse(name)
  }

  rows(name: string): readonly (readonly CborValue[])[] {
    const value = this.map.get(name)
    const isRows = Array.isArray(value) && value.every((row) => Array.isArray(row))
    return isRows ? (value as readonly (readonly CborValue[])[]) : this.refuse(name)
  }

  private refuse(name: string): never {
    throw new EvidenceFault(`a core without its ${name}`)
  }
}
