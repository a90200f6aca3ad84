import t from 'tap'
import { gatesThatFail } from '../../../../agent/core/safety/self-test.ts'
import { type Tally, tally } from '../../../../agent/core/safety/vote.ts'

// verifies SE-37
t.test('gates are tried against a truth table, and every single wrong answer is found', async (t) => {
  t.same(gatesThatFail(), [])
  let asked = 0
  gatesThatFail((...args) => {
    asked += 1
    return tally(...args)
  })
  t.equal(asked, 2 * (25 + 125), 'two and three members in five values, falling each way')
  const flips: readonly ((said: Tally) => Tally)[] = [
    (said) => ({ ...said, demand: !said.demand }),
    (said) => ({ ...said, lost: !said.lost }),
  ]
  let missed = 0
  for (const flip of flips)
    for (let wrong = 0; wrong < asked; wrong += 1) {
      let k = 0
      const found = gatesThatFail((...args) => {
        k += 1
        return k === wrong + 1 ? flip(tally(...args)) : tally(...args)
      })
      if (found.length !== 1) missed += 1
    }
  t.equal(missed, 0, 'demand or loss turned round in any one of them')
})
