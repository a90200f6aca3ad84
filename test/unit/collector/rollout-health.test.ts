import t from 'tap'
import { healthOf, STATE_AGE_MAX_US } from '../../../collector/core/rollout-health.ts'
import type { ConfigState } from '../../../shared/model/config-state.ts'
import { NEW, OLD, said, withRig } from '../../support/config-said.ts'

const at = (now: ConfigState | null, { before = said(), connected = true, armed = [] as string[], ageUs = 0 } = {}) =>
  healthOf({ digest: NEW, connected, ageUs, before, now, armed })

const GOOD: [string, ReturnType<typeof at>][] = [
  ['the same', at(said(NEW))],
  ['better', at(withRig({ verdict: 'PASS' }), { before: withRig({ verdict: 'FAIL' }, OLD) })],
  ['as bad as before', at(withRig({ verdict: 'FAIL' }), { before: withRig({ verdict: 'FAIL' }, OLD) })],
  [
    'unready as before',
    at(said(NEW, { ready: false, reasons: ['X: 2'] }), { before: said(OLD, { ready: false, reasons: ['X: 1'] }) }),
  ],
  ['disarmed by the activation', at(withRig({ arm: 'PASSIVE' }), { before: withRig({ arm: 'ARMED' }, OLD) })],
  ['armed again', at(withRig({ arm: 'ARMED' }), { armed: ['loop'] })],
  ['an alarm that was there', at(withRig({ severe: ['a'] }), { before: withRig({ severe: ['a'] }, OLD) })],
  ['unknown as before', at(withRig({ verdict: 'NO_TEST' }), { before: withRig({ verdict: '' }, OLD) })],
  ['said a moment ago', at(said(NEW), { ageUs: STATE_AGE_MAX_US })],
  ['losses of the start before', at(said(NEW, { boot_id: 'c' }), { before: said(OLD, { not_journaled: 7 }) })],
]
type Worse = [string, 'bad' | 'not_yet', RegExp, ReturnType<typeof at>]
const WORSE: Worse[] = [
  ['FAIL', 'bad', /FAIL, PASS before/, at(withRig({ verdict: 'FAIL' }))],
  [
    'FAIL of a rig that is new',
    'bad',
    /FAIL, nothing before/,
    at(withRig({ rig: 'new', verdict: 'FAIL' }), { before: said(OLD, { rigs: [] }) }),
  ],
  ['disarmed since', 'bad', /PASSIVE, armed before/, at(withRig({ arm: 'PASSIVE' }), { armed: ['loop'] })],
  [
    'not journaled',
    'bad',
    /3 inputs were not journaled/,
    at(said(NEW, { not_journaled: 5 }), { before: said(OLD, { not_journaled: 2 }) }),
  ],
  [
    'not journaled in another start',
    'bad',
    /5 inputs/,
    at(said(NEW, { not_journaled: 5, boot_id: 'c' }), { before: said(OLD, { not_journaled: 9 }) }),
  ],
  ['not journaled, NaN', 'bad', /NaN/, at(said(NEW, { not_journaled: Number.NaN }))],
  ['damage', 'bad', /damage/, at(said(NEW, { damage: 1 }))],
  ['away', 'not_yet', /not connected/, at(said(NEW), { connected: false })],
  ['silent', 'not_yet', /not said/, at(null)],
  ['another bundle', 'not_yet', /runs 0a0a/, at(said(OLD))],
  ['its disk', 'not_yet', /files of its disk/, at(said(''))],
  ['NO_TEST', 'not_yet', /NO_TEST, PASS before/, at(withRig({ verdict: 'NO_TEST' }))],
  ...(['NO_TEST', 'NO_BASELINE', ''] as const).map(
    (verdict): Worse => [
      `blind after FAIL: ${verdict}`,
      'not_yet',
      /FAIL before/,
      at(withRig({ verdict }), { before: withRig({ verdict: 'FAIL' }, OLD) }),
    ],
  ),
  ['said long ago', 'not_yet', /for 15 s/, at(said(NEW), { ageUs: STATE_AGE_MAX_US + 1 })],
  ['said nobody knows when', 'not_yet', /NaN s/, at(said(NEW), { ageUs: Number.NaN })],
  ['drift', 'not_yet', /PASS_WITH_DRIFT/, at(withRig({ verdict: 'PASS_WITH_DRIFT' }))],
  ['no decision', 'not_yet', /no decision yet/, at(withRig({ verdict: '' }))],
  ['a word that nobody knows', 'not_yet', /FINE/, at(withRig({ verdict: 'FINE' }))],
  ['unready', 'not_yet', /not ready: DISK_FULL/, at(said(NEW, { ready: false, reasons: ['DISK_FULL: x'] }))],
  ['unready without a reason', 'not_yet', /not ready/, at(said(NEW, { ready: false }))],
  [
    'unready for more',
    'not_yet',
    /not ready: B/,
    at(said(NEW, { ready: false, reasons: ['A', 'B'] }), { before: said(OLD, { ready: false, reasons: ['A'] }) }),
  ],
  ['an alarm that is new', 'not_yet', /alarm protection_lost/, at(withRig({ severe: ['protection_lost'] }))],
  ['a rig less', 'not_yet', /loop is not there/, at(said(NEW, { rigs: [] }))],
]

t.test('what is known to be worse ends it, what may be windows that fill must pass, what is as before is good', (t) => {
  for (const [what, health] of GOOD) t.same(health, { is: 'good' }, what)
  for (const [what, is, why, health] of WORSE) t.match(health, { is, why }, what)
  t.end()
})
