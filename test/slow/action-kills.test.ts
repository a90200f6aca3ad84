import t from 'tap'
import { killAll } from '../../scripts/demo/processes.ts'
import { ARROWS, killAtArrows } from '../support/action-kills.ts'

t.setTimeout(0)

const ROUNDS = 10

// verifies SE-13, SE-15, G12
t.test(
  'ten kills at each arrow leave exactly one effect a key, and a ledger in which everything has ended',
  async (t) => {
    t.teardown(killAll)
    const { kills, ends, wrong, effects, replay } = await killAtArrows(ROUNDS, 11)
    t.equal(kills, ROUNDS * ARROWS.length)
    t.same(wrong, [])
    t.match(replay, /^equal: /)
    t.ok(effects > kills / 3, `${effects} effects`)
    t.comment(`counted: kills of an armed agent | ${kills} | ${effects} effects, one a key; ${JSON.stringify(ends)}`)
  },
)
