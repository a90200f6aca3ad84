import t from 'tap'
import { AlarmRig, definitionsFrom, lineOf, playStep, readVectors } from '../../../support/alarm-rig.ts'

const { gap_s: gapS, vectors } = readVectors()

// verifies G1, G2, G3, G4, G5, G6, G7, G8, G9, G10, AL-2, AL-3, REQ-QUA-005
t.test('the golden vectors give the changes they ask for, in their order', (t) => {
  for (const { id, what, alarm, steps, expect, after = {} } of vectors) {
    const rig = new AlarmRig(definitionsFrom({ p: alarm }, gapS))
    for (const step of steps) playStep(rig, step)
    t.strictSame(rig.changes.map(lineOf), expect, `${id}: ${what}`)
    for (const [name, wanted] of Object.entries(after)) t.match(rig.entry(name), wanted, `${id}: ${name} afterwards`)
  }
  t.end()
})

t.test('there is a vector for each of G1 to G10', (t) => {
  const ids = new Set(vectors.map(({ id }) => id))
  for (let k = 1; k <= 10; k += 1) t.ok(ids.has(`G${k}`), `G${k}`)
  t.end()
})

// verifies AL-1
t.test('a state that goes through JSON after any step ends where the whole run ends', (t) => {
  for (const { id, what, alarm, steps } of vectors) {
    const definitions = definitionsFrom({ p: alarm }, gapS)
    const whole = new AlarmRig(definitions)
    for (const step of steps) playStep(whole, step)
    for (let cut = 0; cut <= steps.length; cut += 1) {
      const rig = new AlarmRig(definitions)
      steps.forEach((step, k) => {
        if (k === cut) rig.state = JSON.parse(JSON.stringify(rig.state))
        playStep(rig, step)
      })
      t.strictSame(rig.changes, whole.changes, `${id}: ${what}; cut before ${cut}`)
      t.strictSame(JSON.parse(JSON.stringify(rig.state)), JSON.parse(JSON.stringify(whole.state)))
    }
  }
  t.end()
})
