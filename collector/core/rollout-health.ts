import type { ConfigState, RigStateSaid } from '../../shared/model/config-state.ts'
import { OVERALL_VERDICTS } from '../../shared/model/verdict.ts'
import type { Micros } from '../../shared/units.ts'

/** Agents say how they are every 5 s: what is older than three of them says nothing of now. */
export const STATE_AGE_MAX_US: Micros = 15_000_000

/**
 * How an agent is under what it took, against how it was before. `bad` ends a rollout at once: it is known to be worse.
 * `not_yet` may be windows that fill; it must end within the time of the stage.
 */
export type Health = Readonly<{ is: 'good' }> | Readonly<{ is: 'not_yet' | 'bad'; why: string }>

export type HealthOf = Readonly<{
  digest: string
  connected: boolean
  /** How long ago it said how it is. */
  ageUs: Micros
  /** When it was offered the bundle; null when that is not known. */
  before: ConfigState | null
  now: ConfigState | null
  /** Rigs that were seen armed since it took the bundle. */
  armed: readonly string[]
}>

export function healthOf({ digest, connected, ageUs, before, now, armed }: HealthOf): Health {
  if (!connected) return notYet('is not connected')
  if (now === null) return notYet('has not said how it is')
  if (!(ageUs <= STATE_AGE_MAX_US)) return notYet(`has not said how it is for ${Math.floor(ageUs / 1e6)} s`)
  if (now.bundle.digest !== digest)
    return notYet(`runs ${now.bundle.digest === '' ? 'the files of its disk' : now.bundle.digest.slice(0, 12)}`)
  const known = knownWorse(before, now, armed)
  if (known !== null) return { is: 'bad', why: known }
  const waits = maybeWorse(before, now)
  return waits === null ? { is: 'good' } : notYet(waits)
}

function notYet(why: string): Health {
  return { is: 'not_yet', why }
}

function knownWorse(before: ConfigState | null, now: ConfigState, armed: readonly string[]): string | null {
  const since = before?.boot_id === now.boot_id ? before.not_journaled : 0
  if (!(now.not_journaled <= since)) return `${now.not_journaled - since} inputs were not journaled`
  if (!(now.damage <= (before?.damage ?? 0))) return 'found damage'
  for (const rig of now.rigs) {
    const was = rigOf(before, rig.rig)
    if (rig.verdict === 'FAIL' && was?.verdict !== 'FAIL')
      return `rig ${rig.rig}: FAIL, ${was?.verdict || 'nothing'} before`
    if (armed.includes(rig.rig) && rig.arm !== 'ARMED') return `rig ${rig.rig}: ${rig.arm}, armed before`
  }
  return null
}

function maybeWorse(before: ConfigState | null, now: ConfigState): string | null {
  const lacking = (before?.rigs ?? []).filter(({ rig }) => rigOf(now, rig) === undefined)
  if (lacking.length > 0) return `rig ${lacking[0]!.rig} is not there`
  const reasons = now.reasons.map(codeOf)
  const news = reasons.filter((code) => !(before?.reasons ?? []).map(codeOf).includes(code))
  if (!now.ready && (news.length > 0 || before?.ready !== false)) return `is not ready: ${news.join(', ')}`
  for (const rig of now.rigs) {
    const was = rigOf(before, rig.rig)
    // What is not known is not better than FAIL: a configuration that blinds a rig must not pass for a cure.
    const isBlind = !isKnown(rig.verdict) && isKnown(was?.verdict ?? 'PASS')
    if (isBlind || !(goodOf(rig.verdict) >= goodOf(was?.verdict ?? 'PASS')))
      return `rig ${rig.rig}: ${rig.verdict || 'no decision yet'}, ${was?.verdict || 'nothing'} before`
    const alarm = rig.severe.find((id) => was?.severe.includes(id) !== true)
    if (alarm !== undefined) return `rig ${rig.rig}: alarm ${alarm}`
  }
  return null
}

function codeOf(reason: string): string {
  return reason.split(':', 1)[0]!
}

function rigOf(said: ConfigState | null, rig: string): RigStateSaid | undefined {
  return said?.rigs.find((one) => one.rig === rig)
}

function isKnown(verdict: string): boolean {
  return verdict === 'FAIL' || verdict === 'PASS_WITH_DRIFT' || verdict === 'PASS'
}

/** Place of a verdict from worst to best. A word that nobody knows, or none yet, is as good as NO_TEST. */
function goodOf(verdict: string): number {
  const at = (OVERALL_VERDICTS as readonly string[]).indexOf(verdict)
  return at < 0 ? OVERALL_VERDICTS.indexOf('NO_TEST') : at
}
