import t from 'tap'
import { FleetOffers } from '../../../agent/fleet-offers.ts'
import { UPDATE_SPACING_US, UPDATES_PER_MINUTE_MAX } from '../../../agent/pipeline/update-limiter.ts'
import { BundleError } from '../../../shared/errors/bundle-error.ts'
import { HbError } from '../../../shared/errors/hb-error.ts'
import type { BundleProblem } from '../../../shared/model/config-bundle.ts'
import { BUNDLE_REASON_MAX } from '../../../shared/protocol/messages.ts'

const [ONE, TWO] = ['11'.repeat(32), '22'.repeat(32)]

function offers({ refuses = null }: { refuses?: Error | null } = {}) {
  let nowUs = 0
  const calls: string[] = []
  const bundles = {
    inForce: null as never,
    take: async (_bytes: Uint8Array, source?: string) => {
      calls.push(`take ${source}`)
      if (refuses !== null) throw refuses
      return null as never
    },
    back: async (digest: string, why: { by: string; reason: string }) => {
      calls.push(`back ${digest.slice(0, 2)} ${why.by}: ${why.reason}`)
      if (refuses !== null) throw refuses
      return null
    },
  }
  const made = new FleetOffers({ bundles, monotonicUs: () => nowUs })
  const common = { agent: 'bench-1', id: 'r1', rig: '' } as const
  return {
    calls,
    bundles,
    offer: (digest = ONE) => made.offered({ kind: 'bundle', ...common, digest, bundle: new Uint8Array(0) }),
    back: (digest = ONE) => made.back({ kind: 'bundle_back', ...common, digest, reason: 'worse' }),
    pass: (us: number) => {
      nowUs += us
    },
  }
}

t.test('activations from afar are limited in their rate, with a reason and a time to ask again', async (t) => {
  const { offer, back, pass, calls } = offers()
  t.match(await offer(), { what: 'offer', digest: ONE, taken: true, again_ms: 0, reasons: [] })
  pass(UPDATE_SPACING_US - 1)
  t.match(await offer(TWO), { taken: false, again_ms: 6000, reasons: [/^rate_limited: .*10 a minute.*6 s/] })
  t.match(await back(), { what: 'back', taken: true }, 'the way back is never held up')
  pass(1)
  t.match(await offer(TWO), { taken: true })
  let taken = 0
  for (let k = 0; k < 600; k += 1) {
    pass(100_000)
    if ((await offer(TWO)).taken) taken += 1
  }
  t.equal(taken, UPDATES_PER_MINUTE_MAX)
  t.equal(calls.filter((call) => call === 'take rollout').length, 2 + taken, 'what is refused so is not even looked at')
})

t.test('what is in force already is taken, however often it is offered', async (t) => {
  const { offer, bundles, calls } = offers()
  Object.assign(bundles, { inForce: { digest: ONE } })
  for (let k = 0; k < 5; k += 1) t.match(await offer(ONE), { taken: true, reasons: [] })
  t.same(calls, [])
})

t.test('a refusal carries every reason, whole, and a fault of the disk is one too', async (t) => {
  const problems: BundleProblem[] = [
    { code: 'needs_restart', found: '9999', expected: '9000', key: 'health.port' },
    { code: 'mistake', found: 'x'.repeat(2000), expected: 'y', file: 'a.yaml', line: 3 },
  ]
  const { offer, back } = offers({ refuses: new BundleError(problems) })
  const { reasons, taken, again_ms: again } = await offer()
  t.same([taken, again], [false, 0])
  t.equal(reasons[0], 'needs_restart: health.port: 9999; expected 9000')
  t.match(reasons[1], /^mistake: a\.yaml:3: x+$/)
  t.equal(reasons[1]!.length, BUNDLE_REASON_MAX)
  t.match(await back(), { taken: false, what: 'back' })
  const full = offers({ refuses: new HbError('DISK_FULL', { path: '/state' }) })
  t.match(await full.offer(), { taken: false, again_ms: 0, reasons: [/^DISK_FULL/] })
  t.match(
    await full.back(),
    { taken: false, again_ms: 6000, reasons: [/^DISK_FULL/] },
    'who should go back is asked again',
  )
  const stuck = { code: 'not_journaled', found: 'full', expected: 'room' } as const
  t.match(await offers({ refuses: new BundleError([stuck]) }).back(), { taken: false, again_ms: 6000 })
  t.match(await offers({ refuses: new BundleError([stuck, ...problems]) }).back(), { taken: false, again_ms: 0 })
  await t.rejects(offers({ refuses: new Error('a bug') }).offer(), /a bug/)
})
