import t from 'tap'
import { baselineReasons } from '../../../../agent/core/safety/gate.ts'
import { ACTIONS, type Action } from '../../../../shared/model/action.ts'
import { BASELINE_KINDS } from '../../../../shared/model/baseline.ts'
import type { CertificateBasis } from '../../../../shared/model/baseline-arming.ts'
import { seenAt, T0 } from '../../../support/safety-rig.ts'

// verifies SE-11
t.test('what may follow a baseline depends on its kind, its confidence and what it rests on', async (t) => {
  const least: Record<Action, string[]> = {
    notify: ['none', 'draft', 'rolling', 'golden'],
    degrade: ['rolling', 'golden'],
    failover: ['golden'],
    rate_limit: ['golden'],
    isolate: ['golden'],
    abort: ['golden'],
    shutdown: ['golden'],
  }
  for (const action of ACTIONS)
    for (const kind of [...BASELINE_KINDS, 'none'] as const) {
      const baseline = kind === 'none' ? null : { kind, confidence: 0.5 }
      const reasons = baselineReasons({ action, minConfidence: 0 }, seenAt(T0, {}, { baseline }), 2)
      t.same(reasons, least[action].includes(kind) ? [] : [`BASELINE:${kind}`], `${action} on ${kind}`)
    }
  const of = (action: Action, change: Partial<CertificateBasis>, streams: number, confidence = 0.5): string[] => {
    const basis = {
      kind: 'golden',
      segments: 9,
      minSegments: 3,
      hardSegments: 9,
      confidence: 0.5,
      decay: 1,
      breakGlass: false,
      ...change,
    } as const
    const seen = seenAt(T0, {}, { baseline: { kind: 'golden', confidence, basis } })
    return baselineReasons({ action, minConfidence: 0.5 }, seen, streams)
  }
  t.same(of('abort', {}, 1), [])
  t.same(of('abort', { segments: 8 }, 1), ['BASELINE:confidence_below_min_for_critical'])
  t.same(of('abort', { segments: 8 }, 2), [])
  t.same(of('failover', { segments: 2 }, 2), ['BASELINE:few_segments'])
  t.same(of('failover', { breakGlass: true }, 2), ['BASELINE:break_glass'])
  t.same(of('degrade', { breakGlass: true }, 2), [])
  t.same(of('abort', { decay: 0 }, 2), ['BASELINE:stale'])
  t.same(of('abort', { kind: 'draft' }, 2), ['BASELINE:draft'])
  t.same(of('abort', { confidence: 0 }, 2, 0), ['CONF 0<0.5', 'BASELINE:no_confidence'])
  const nothing = seenAt(T0, {}, { baseline: { kind: 'golden', confidence: 0.5, basis: null } })
  t.same(baselineReasons({ action: 'abort', minConfidence: 0.5 }, nothing, 0), [])
  t.same(baselineReasons({ action: 'notify', minConfidence: 0.6 }, nothing, 0), ['CONF 0.5<0.6'])
})
