import t from 'tap'
import { killAll } from '../../scripts/demo/processes.ts'
import { KILL_POINTS, type KilledLife, KillLane } from '../support/action-kills.ts'

t.setTimeout(0)

/** The arrows of the crash matrix, each once; in two lanes. */
const SHORT = [
  ['RELEASED', 'SENT, not yet handed over', 'SENT, and the peer is deaf', 'COMPLETED'],
  ['PROPOSED', 'SENT, done and not said', 'ACCEPTED, not yet done', 'STARTED, done'],
]

// verifies SE-13, SE-15, G12
t.test(
  'an agent that dies at an arrow of an action: one legal end, at most one effect, nothing fired anew',
  async (t) => {
    t.teardown(killAll)
    const lives = await Promise.all(
      SHORT.map(async (names) => {
        const lane = await KillLane.open()
        const lived: KilledLife[] = []
        for (const name of names) lived.push(await lane.kill(KILL_POINTS.find((one) => one.name === name)!, 'at once'))
        t.same(await lane.strangers(), [], 'no actuator knows a key that no ledger does')
        await lane.close()
        return lived
      }),
    )
    const all = lives.flat()
    for (const { name, problems, atDeath, ends } of all)
      t.same(problems, [], `${name}: died in ${atDeath}, ended as ${ends.join(', ')}`)
    t.equal(all.length, 8)
    t.comment(`counted: kills at the arrows of an action, short | ${all.length} | one end, at most one effect each`)
  },
)
