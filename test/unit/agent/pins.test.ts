import t from 'tap'
import type { SafetyChange } from '../../../agent/core/safety/changes.ts'
import type { Effect } from '../../../agent/core/step.ts'
import { Pins } from '../../../agent/pipeline/pins.ts'
import { createTimeIndex } from '../../../agent/pipeline/time-index.ts'

const S = 1_000_000
const ARMED: SafetyChange = { kind: 'arm', state: 'ARMED', reason: 'ordered', untilUs: 9 * S, by: ['ada', 'bob'] }

/** One record a second, numbered by its second; the effects come of record 100. */
function pinned(effects: readonly Effect[], seconds: number): (readonly [number, number])[] {
  const pins: (readonly [number, number])[] = []
  const times = createTimeIndex()
  const watch = new Pins({ journal: { pin: (from, to) => pins.push([from, to]) }, times, startSeq: 1 })
  for (let seq = 1; seq <= seconds; seq += 1) {
    times.note(seq * S, seq)
    watch.take(seq === 100 ? effects : [], seq * S, seq)
  }
  return pins
}

t.test('what is around a change of an action stays: half a minute before, and half a minute after', async (t) => {
  const pins = pinned([{ kind: 'safety', rig: 'loop', seq: 7, change: ARMED }], 200)
  t.ok(Math.min(...pins.map(([from]) => from)) <= 70)
  t.ok(Math.min(...pins.map(([from]) => from)) > 60)
  t.equal(Math.max(...pins.map(([, to]) => to)), 129)
})

t.test('what is no evidence keeps nothing, so that a peer that talks without end does not', async (t) => {
  t.same(pinned([{ kind: 'safety', rig: 'loop', seq: null, change: ARMED }], 200), [])
})
