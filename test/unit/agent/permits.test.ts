import t from 'tap'
import { Permits } from '../../../agent/pipeline/permits.ts'
import type { PermitExecutor } from '../../../agent/ports.ts'
import { createVirtualClock, turnOfLoop } from '../../../shared/lib/clock.ts'

const T0 = 1_800_000_000_000_000

// verifies SE-33
t.test('what a process held that died armed is lost, is told at once, and comes back by arming alone', async (t) => {
  const clock = createVirtualClock(T0)
  const told: string[] = []
  const said: string[] = []
  let strokes = 0
  let journalTakes = true
  const stroke = async () => {
    strokes += 1
    return 'held' as const
  }
  const executor = { target: 'pump', stroke } as Partial<PermitExecutor> as PermitExecutor
  const permits = new Permits({
    clock,
    events: {
      permitHeld: (target) => said.push(`held ${target}`),
      permitLost: (target, reason) => said.push(`lost ${target}: ${reason}`),
    },
    permits: [{ target: 'pump', executor, holdMs: 1000, rigs: ['loop'] }],
    stands(target, rigs, lost) {
      told.push(`${target} ${rigs.join()} ${lost ? 'lost' : 'held'}`)
      return journalTakes
    },
  })
  permits.endedArmed([])
  permits.endedArmed(['host'])
  t.same(
    [permits.states, told],
    [[{ target: 'pump', state: 'none' }], []],
    'of rigs that were not armed nothing is lost',
  )
  journalTakes = false
  permits.endedArmed(['host', 'loop'])
  t.same([permits.states, told], [[{ target: 'pump', state: 'lost' }], ['pump loop lost']], 'before any time passes')
  t.same(said, ['lost pump: the agent ended while it was armed'])
  journalTakes = true
  await clock.advance(2_000_000)
  for (let token = 1; token <= 3; token += 1) {
    permits.stroke(token)
    permits.tell()
  }
  t.same(told.splice(0), ['pump loop lost', 'pump loop lost'], 'what was not taken is told again, and then no more')
  t.equal(strokes, 0, 'tokens come through, and give nothing back')
  permits.begin('loop')
  permits.stroke(4)
  await turnOfLoop()
  permits.tell()
  t.same([permits.states, told], [[{ target: 'pump', state: 'held' }], ['pump loop held']])
})
