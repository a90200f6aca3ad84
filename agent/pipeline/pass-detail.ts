import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { toHex } from '../../shared/crypto/digest.ts'
import type { Canonical, DecisionValues } from '../../shared/model/decision.ts'
import { readRecordMap } from '../../shared/protocol/batch-records.ts'

/** What differs between two records that say the same: their place, their time, and the digest of their samples. */
const OF_THE_MOMENT: ReadonlySet<string> = new Set(['seq', 't_us', 'slice'])
const PASS = 'PASS'

/**
 * Says of batches, one after the other, whether they only repeat that all is well: every range unchanged at PASS, and
 * every record PASS with the same drivers, mode, run, persons, notes, configuration and baseline as the record of its rig
 * before. The first record of a rig is never a repetition, and neither is one by which anything changed: those stay.
 */
export function createPassDetail(): (records: Uint8Array) => boolean {
  // One entry a rig; how many rigs an agent has is bounded by its configuration.
  const said = new Map<string, string>()
  return (records) => {
    let repeats = true
    for (const { kind, values } of readRecordMap(records).items) {
      if (kind === 'range') {
        if (!unchangedOf(values).every((row) => Array.isArray(row) && row[2] === PASS)) repeats = false
        continue
      }
      const { rig, verdict, saying } = sayingOf(values)
      if (verdict !== PASS || said.get(rig) !== saying) repeats = false
      said.set(rig, saying)
    }
    return repeats
  }
}

type Fields = ReadonlyMap<unknown, Canonical>

function coreOf([core]: DecisionValues): Fields {
  return core instanceof Map ? (core as Fields) : new Map()
}

function unchangedOf(values: DecisionValues): readonly Canonical[] {
  const rows = coreOf(values).get('unchanged')
  // Of another shape than is known here: it stays.
  return Array.isArray(rows) && rows.length > 0 ? (rows as readonly Canonical[]) : [null]
}

function sayingOf(values: DecisionValues): { rig: string; verdict: Canonical; saying: string } {
  const core = coreOf(values)
  const lasting = [...core].filter(([name]) => !OF_THE_MOMENT.has(String(name)))
  const [, , identifiers, , persons, text] = values
  const saying = canonicalBytes([lasting as unknown as Canonical, identifiers, persons, text] as unknown as Canonical)
  return { rig: String(core.get('rig')), verdict: core.get('verdict') ?? null, saying: toHex(saying) }
}
