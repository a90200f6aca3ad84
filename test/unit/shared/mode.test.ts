import t from 'tap'
import { MODE_AUTHORITIES, modeChange } from '../../../shared/model/mode.ts'
import { MODES, type Mode } from '../../../shared/model/verdict.ts'

/** Least authority of every permitted change, written out by hand: a = agent, o = operator, p = approver, . = forbidden. */
const MATRIX: Readonly<Record<Mode, string>> = {
  // startup nominal degraded fallback maintenance test emergency
  startup: '. a a . o o a',
  nominal: '. . a a o o a',
  degraded: '. a . a o . a',
  fallback: '. . o . o . a',
  maintenance: 'o . . . . . a',
  test: 'o . . . . . a',
  emergency: '. . . . p . .',
}
const LETTERS = { a: 'agent', o: 'operator', p: 'approver' } as const

t.test('every pair of modes for every authority is as the table of modes says', async (t) => {
  for (const from of MODES)
    MODES.forEach((to, k) => {
      const letter = MATRIX[from].split(' ')[k]!
      const needs = letter === '.' ? null : LETTERS[letter as keyof typeof LETTERS]
      MODE_AUTHORITIES.forEach((authority, rank) => {
        const change = modeChange(from, to, authority)
        const isEnough = needs !== null && rank >= MODE_AUTHORITIES.indexOf(needs)
        t.equal(change.ok, isEnough, `${from} → ${to} by ${authority}`)
        if (!change.ok)
          t.same(
            [change.reason, change.needs],
            [from === to ? 'same' : needs === null ? 'forbidden' : 'authority', needs],
          )
      })
    })
})

t.test(
  'emergency is reached from every other mode by the agent, and nobody leaves it or maintenance without people',
  async (t) => {
    for (const from of MODES.filter((mode) => mode !== 'emergency'))
      t.ok(modeChange(from, 'emergency', 'agent').ok, from)
    for (const from of ['emergency', 'maintenance', 'test'] as const)
      for (const to of MODES.filter((mode) => mode !== 'emergency'))
        t.notOk(modeChange(from, to, 'agent').ok, `${from} → ${to} by the agent`)
    t.ok(modeChange('emergency', 'maintenance', 'approver').ok)
    t.notOk(modeChange('emergency', 'maintenance', 'operator').ok)
  },
)
