import t from 'tap'
import { killAll } from '../../scripts/demo/processes.ts'
import { KILL_POINTS, type KillDelay, type KilledLife, KillLane } from '../support/action-kills.ts'

t.setTimeout(0)

const LANES = 2
const DELAYS: readonly KillDelay[] = ['at once', 'next turn', 3, 10]
/** Where an agent must have died at least once for the matrix to be one. */
const ARROWS = ['GATE_PASSED', 'RELEASED', 'SENT', 'ACCEPTED', 'STARTED', 'COMPLETED', 'VERIFIED']

// verifies SE-13, SE-15, G12
t.test('the crash matrix of an action: every arrow, before and after its effect, four moments each', async (t) => {
  t.teardown(killAll)
  const cases = DELAYS.flatMap((delay) => KILL_POINTS.map((point) => ({ point, delay })))
  const lanes = Array.from({ length: LANES }, async (_, lane) => {
    const opened = await KillLane.open()
    const lived: KilledLife[] = []
    for (const { point, delay } of cases.filter((_, k) => k % LANES === lane))
      lived.push(await opened.kill(point, delay))
    t.same(await opened.strangers(), [], 'no actuator knows a key that no ledger does')
    await opened.close()
    return lived
  })
  const lives = (await Promise.all(lanes)).flat()
  t.same(
    lives.filter(({ problems }) => problems.length > 0),
    [],
    'one legal end of everything, one effect of what was done, none of what was never sent',
  )
  const died = new Set(lives.map(({ atDeath }) => atDeath))
  t.same(
    ARROWS.filter((arrow) => !died.has(arrow)),
    [],
    'they died at every arrow',
  )
  const kills = lives.reduce((sum, life) => sum + life.kills, 0)
  t.ok(kills >= 60, `${kills} kills`)
  t.comment(`counted: kills at the arrows of an action | ${kills} | one end, at most one effect each`)
})
