import fc from 'fast-check'
import t from 'tap'
import { AlarmFleet, toldOf } from '../../../support/alarm-fleet.ts'

const AGENTS = ['a', 'b', 'c', 'd', 'e', 'f'] as const
const north = () => new AlarmFleet('north', AGENTS)

t.test('one switch down is one alarm, with who fell silent, and it ends after the last of them is back', async (t) => {
  const fleet = north()
  fleet.run(5)
  fleet.cut('a', 'b', 'c')
  t.same(toldOf(fleet.run(60)), ['raised silent #1 CRITICAL'])
  t.equal(fleet.entry('silent').text, '3 of 6 agents: a, b, c')
  t.same(fleet.open(), [
    'silent UNACK',
    'quorum SUPPRESSED',
    'a:silent SUPPRESSED',
    'b:silent SUPPRESSED',
    'c:silent SUPPRESSED',
  ])
  fleet.cut('d')
  t.same(toldOf(fleet.run(60)), [], 'whoever falls silent later joins')
  t.equal(fleet.entry('silent').text, '4 of 6 agents: a, b, c, d')
  fleet.heal('a', 'b', 'c', 'd')
  t.same(fleet.input({ kind: 'ack', id: 'silent', occurrence: 1, severity: 'CRITICAL' })[0]?.kind, 'acked')
  const over = fleet.run(20).flatMap(({ kind, id }) => (kind === 'returned' ? [id] : []))
  t.same(over, ['quorum', 'a:silent', 'b:silent', 'c:silent', 'd:silent', 'silent'])
  t.same(fleet.open(), [], 'nobody has to acknowledge what nobody was told of')
})

t.test('what falls silent one after the other is told one by one, after the window', async (t) => {
  const fleet = north()
  fleet.run(5)
  fleet.cut('a')
  t.same(toldOf(fleet.run(5)), [])
  t.same(toldOf(fleet.run(1)), ['raised a:silent #1 CRITICAL'])
  fleet.cut('b')
  t.same(toldOf(fleet.run(6)), ['raised b:silent #1 CRITICAL'])
  t.same(fleet.alarms.group.members, [])
})

t.test('agents that stand alone are never one alarm', async (t) => {
  const fleet = new AlarmFleet('', AGENTS)
  fleet.cut('a', 'b', 'c', 'd')
  t.equal(toldOf(fleet.run(3)).length, 4)
})

t.test('a restart in the middle of it tells nobody again, and those that are back are known to be', async (t) => {
  const fleet = north()
  fleet.cut('a', 'b', 'c')
  fleet.run(20)
  fleet.restart()
  t.same(toldOf(fleet.run(100)), [])
  t.same(fleet.alarms.group.members, ['a', 'b', 'c'])
  fleet.heal('a', 'b', 'c', 'd', 'e', 'f')
  fleet.run(20)
  t.same(fleet.open(), ['silent RTN_UNACK'])
})

t.test('the alarm of a site that is shelved hides none of its agents', async (t) => {
  const fleet = north()
  fleet.cut('a', 'b', 'c')
  fleet.run(20)
  const changes = fleet.input({ kind: 'shelve', id: 'silent', occurrence: 1, severity: 'CRITICAL' })
  t.same(toldOf(changes), [
    're_alarmed quorum #2 CRITICAL',
    ...['a', 'b', 'c'].map((agent) => `re_alarmed ${agent}:silent #2 CRITICAL`),
  ])
})

type Step = Readonly<{ cut: readonly string[]; heal: readonly string[]; seconds: number; restart: boolean }>
const some = fc.subarray([...AGENTS])
const step: fc.Arbitrary<Step> = fc.record({
  cut: some,
  heal: some,
  seconds: fc.integer({ min: 1, max: 40 }),
  restart: fc.nat({ max: 9 }).map((n) => n === 0),
})

// verifies SE-36
t.test('whatever falls silent and comes back: nobody silent goes untold, and nothing is told twice', async (t) => {
  const seen = { groups: 0, singles: 0 }
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const fleet = north()
      const silent = new Set<string>()
      for (const { cut, heal, seconds, restart } of steps) {
        if (restart) {
          fleet.restart()
          for (const agent of AGENTS)
            if (silent.has(agent)) fleet.cut(agent)
            else fleet.heal(agent)
        }
        for (const agent of cut) silent.add(agent)
        for (const agent of heal) silent.delete(agent)
        fleet.cut(...silent)
        fleet.heal(...AGENTS.filter((agent) => !silent.has(agent)))
        const told = toldOf(fleet.run(seconds))
        seen.groups += told.filter((line) => line.startsWith('raised silent')).length
        seen.singles += told.filter((line) => /raised .:silent/.test(line)).length
        if (new Set(told).size !== told.length) return false
        const site = fleet.entry('silent')
        // Who is under the alarm of the site is named in it; and only while it is told are they not.
        for (const agent of AGENTS) {
          const { suppressedBy, level } = fleet.entry(`${agent}:silent`)
          if (suppressedBy === 'under:silent' && level !== null && site.level === null) return false
          if (fleet.alarms.group.members.includes(agent) && site.level === null && seconds > 1) return false
        }
      }
      // Past every window each agent that is silent is an alarm, by itself or under that of its site; each other one is none.
      fleet.run(15)
      for (const agent of AGENTS) {
        const { level } = fleet.entry(`${agent}:silent`)
        if ((level !== null) !== silent.has(agent)) return false
      }
      const isOver = silent.size > 0 || fleet.entry('silent').level === null
      return isOver
    }),
    { numRuns: Number(process.env['HB_PROPERTY_RUNS'] ?? 200), seed: 20_261_126 },
  )
  t.ok(seen.groups > 20 && seen.singles > 20, `${seen.groups} alarms of the site, ${seen.singles} of single agents`)
})
