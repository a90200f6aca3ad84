import t from 'tap'
import { killAll } from '../../scripts/demo/processes.ts'
import { ARROWS, killAtArrows } from '../support/action-kills.ts'

// verifies SE-13, SE-15, G12
t.test(
  'killed at every arrow, an agent leaves exactly one effect of what it released, and none of the rest',
  async (t) => {
    t.teardown(killAll)
    const { kills, ends, wrong, effects, replay } = await killAtArrows(1, 7)
    t.equal(kills, ARROWS.length)
    t.same(wrong, [])
    t.match(replay, /^equal: /)
    t.ok(effects >= 3, `${effects} effects`)
    t.comment(`counted: kills of an armed agent | ${kills} | ${effects} effects, one a key; ${JSON.stringify(ends)}`)
  },
)
