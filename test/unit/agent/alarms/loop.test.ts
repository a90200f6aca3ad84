import t from 'tap'
import { alarmsView } from '../../../../agent/pipeline/alarm-view.ts'
import { checkpointBody, createEvaluation } from '../../../../agent/pipeline/evaluation.ts'
import { toHex } from '../../../../shared/crypto/digest.ts'
import { AlarmLoop, alarmsOf, CALM, changesOf, linesOf, restarted } from '../../../support/alarm-loop.ts'
import { changed, LOOP_ACTIONS } from '../../../support/policy-texts.ts'

/** The alarms of the policy of the pressure loop, through the journal and the evaluator. */
const HIGH = { p: 6.5, flow: 12 }
const OVER = { p: 7.5, flow: 12 }
const about = (id: string, said: readonly string[]): string[] => said.filter((line) => line.includes(` ${id} `))

// verifies AL-2, AL-3, AL-4, AL-5
t.test('an alarm of the policy is raised, rises, is acknowledged as it was seen, and clears', async (t) => {
  const loop = new AlarmLoop()
  t.same(about('pressure-high', linesOf(loop.run(3000, CALM))), [])
  t.match(about('pressure-high', linesOf(loop.run(1500, HIGH))), [/^pending/, 'raised pressure-high #1 WARNING !'])
  t.same(about('pressure-high', linesOf(loop.run(1500, OVER))), ['severity_rise pressure-high #2 CRITICAL !'])
  const ack = { kind: 'alarm_ack', alarm: 'pressure-high' } as const
  t.match(loop.alarmOrder({ ...ack, occurrence: 1, severity: 'WARNING' }), [{ refused: 'occurrence_moved_on' }])
  t.match(loop.alarmOrder({ ...ack, occurrence: 2, severity: 'WARNING' }), [{ refused: 'severity_moved_on' }])
  t.equal(loop.entry('pressure-high')!.acked, false)
  t.match(loop.alarmOrder({ ...ack, occurrence: 2, severity: 'CRITICAL' }), [{ kind: 'acked', to: 'ACKED' }])
  // Below the limit but inside the deadband: not over.
  t.same(about('pressure-high', linesOf(loop.run(3000, { p: 5.9, flow: 12 }))), [
    'severity_fall pressure-high #2 WARNING',
  ])
  t.same(about('pressure-high', linesOf(loop.run(4000, CALM))), ['returned pressure-high #2 WARNING'])
})

/** What the kernel said of a run with an over-pressure, and what the alarms did. */
function overPressure(prepare: (loop: AlarmLoop) => void) {
  const loop = new AlarmLoop()
  loop.run(3000, CALM)
  loop.arm()
  loop.run(200, CALM)
  prepare(loop)
  const from = loop.said.length
  loop.run(2000, OVER)
  const said = loop.said.slice(from).flat()
  return { loop, kernel: said.filter(({ kind }) => kind !== 'alarm_state'), alarms: linesOf(said) }
}

// verifies SE-27, AL-1
t.test('neither a shelf nor an alarm out of service changes a word of what the kernel says', async (t) => {
  const plain = overPressure(() => {})
  const hidden = overPressure((loop) => {
    const [shelved] = loop.alarmOrder({ kind: 'alarm_shelve', alarm: 'pressure-high', forUs: 60_000_000 })
    t.match(shelved, { kind: 'shelved', to: 'SHELVED' })
    for (const alarm of ['rig-fail', 'rig-no-test', 'rig-no-baseline', 'flow-lost'])
      t.match(loop.alarmOrder({ kind: 'alarm_out', alarm, by: ['Ada', 'Bob'] })[0], { to: 'OUT_OF_SERVICE' })
  })
  t.ok(
    plain.kernel.some(({ kind }) => kind === 'action'),
    'something was proposed',
  )
  t.same(hidden.kernel, plain.kernel)
  t.match(about('rig-fail', hidden.alarms).join(), /^$|raised rig-fail #\d+ CRITICAL$/, 'nobody is told')
  t.equal(hidden.loop.entry('flow-lost')!.outOfService, 'seen')
})

// verifies AL-6
t.test('arming the rig ends every shelf at once; a shelf is broken by what is worse than what was seen', async (t) => {
  const loop = new AlarmLoop()
  loop.run(3000, CALM)
  loop.run(1500, HIGH)
  const seen = { alarm: 'pressure-high', occurrence: 1, severity: 'WARNING' } as const
  const shelf = { kind: 'alarm_shelve', ...seen, forUs: 60_000_000 } as const
  t.match(loop.alarmOrder({ ...shelf, forUs: 9 * 3_600_000_000 }), [{ refused: 'shelf_too_long' }])
  t.match(loop.alarmOrder({ ...shelf, reason: ' ' }), [{ refused: 'reason_missing' }])
  t.match(loop.alarmOrder(shelf), [{ kind: 'shelved' }])
  t.match(about('pressure-high', linesOf(loop.arm())), [/^unshelved/, 're_alarmed pressure-high #2 WARNING !'])
  loop.alarmOrder({ ...shelf, occurrence: 2 })
  t.match(about('pressure-high', linesOf(loop.run(1500, OVER))), [
    /^unshelved/,
    'severity_rise pressure-high #3 CRITICAL !',
  ])
})

// verifies SE-36, AL-11
t.test('silence clears nothing, and is itself an alarm as severe as what it hides', async (t) => {
  const loop = new AlarmLoop()
  loop.run(3000, CALM)
  loop.run(1500, OVER)
  const said = linesOf(loop.run(15_000, null))
  // The kernel ends its own: with the demand its denial is over too.
  const ofTheRig = said.filter((line) => !line.includes(' safety:'))
  t.same(about('pressure-high', ofTheRig), [])
  t.notOk(ofTheRig.some((line) => line.startsWith('returned')))
  t.same(about('pressure-high:unknown', said), ['raised pressure-high:unknown #1 CRITICAL !'])
  t.same(about('rig-no-test', said), ['raised rig-no-test #1 CRITICAL !'])
  t.equal(loop.entry('pressure-high')!.level, 'CRITICAL')
})

// verifies SE-36
t.test('a rig that begins has a moment to fill its windows, and no more than that', async (t) => {
  const loop = new AlarmLoop()
  const calm = linesOf(loop.run(3000, CALM)).filter((line) => !line.includes(' safety:'))
  t.same(calm, [], 'its verdict calls nobody')
  const silent = new AlarmLoop()
  t.same(about('rig-no-test', linesOf(silent.run(1000, null))), [])
  t.same(about('rig-no-test', linesOf(silent.run(3000, null))), ['raised rig-no-test #1 CRITICAL !'])
})

// verifies SE-07
t.test('what the kernel raises is an alarm that stands until it says that it is over', async (t) => {
  const loop = new AlarmLoop()
  loop.run(3000, CALM)
  const kernel = loop.run(2000, OVER).flatMap((one) => (one.kind === 'alarm' && one.active ? [one] : []))
  t.ok(kernel.length > 0, 'a denied must-work action is an alarm')
  for (const { id, severity } of kernel) t.match(loop.entry(`safety:${id}`), { level: severity, acked: false }, id)
})

// verifies AL-7
t.test('an alarm that is not meant for a mode is not told in it', async (t) => {
  const loop = new AlarmLoop()
  loop.run(3000, CALM)
  const { nowUs } = loop
  loop.take({ kind: 'mode', nowUs, rig: 'pressure-loop', mode: 'startup', reason: 'r', operator: 'o', source: 'cli' })
  const said = linesOf(loop.run(3000, { p: 5, flow: 0 }))
  t.equal(loop.entry('flow-lost')!.level, 'WARNING', 'it is judged all the same')
  t.same(
    about('flow-lost', said).filter((line) => line.endsWith('!')),
    [],
  )
})

/** One of everything: raised, hidden, ordered, silent and back. */
function eventful(): AlarmLoop {
  const loop = new AlarmLoop()
  loop.run(1500, CALM)
  loop.run(800, HIGH)
  loop.alarmOrder({
    kind: 'alarm_shelve',
    alarm: 'pressure-high',
    occurrence: 1,
    severity: 'WARNING',
    forUs: 1_000_000,
  })
  loop.run(600, OVER)
  loop.arm()
  loop.run(300, { p: 5, flow: 0 })
  loop.run(3000, null)
  loop.alarmOrder({ kind: 'alarm_ack', alarm: 'pressure-high', occurrence: 3, severity: 'CRITICAL' })
  loop.run(1000, CALM)
  return loop
}

// verifies SE-09
t.test('cut by a restart at any input, everything said of alarms is the same to the last byte', async (t) => {
  const whole = eventful()
  const end = toHex(checkpointBody(whole.evaluation))
  t.ok(alarmsOf(whole.said.flat()).length > 10)
  const again = createEvaluation()
  t.same(
    whole.journal.map((body, k) => changesOf(again, k + 1, body)),
    whole.said,
    'a replay',
  )
  t.equal(toHex(checkpointBody(again)), end)
  let at = createEvaluation()
  const cut = whole.journal.map((body, k) => {
    if (k > 0) at = restarted(at)
    return changesOf(at, k + 1, body)
  })
  t.same(cut, whole.said, 'a restart before every input')
  t.equal(toHex(checkpointBody(at)), end)
})

// verifies SE-39
t.test('another configuration keeps what is known of an alarm, and withdraws what is gone', async (t) => {
  const loop = new AlarmLoop()
  loop.run(3000, CALM)
  loop.run(1500, HIGH)
  const title = changed(LOOP_ACTIONS, 'title: the pressure of the loop is high', 'title: the pressure is too high')
  t.same(about('pressure-high', linesOf(loop.configure({ actions: title }))), [])
  t.match(loop.entry('pressure-high'), { occurrence: 1, level: 'WARNING', acked: false })
  const renamed = changed(title, 'id: pressure-high', 'id: pressure-too-high')
  t.same(about('pressure-high', linesOf(loop.configure({ actions: renamed }))), [
    'withdrawn pressure-high #1 WARNING !',
  ])
  t.equal(loop.entry('pressure-high'), undefined)
})

// verifies AL-8, AL-9
t.test('people are shown what to do, what they have to name, and how much they are asked', async (t) => {
  const loop = new AlarmLoop()
  loop.run(3000, CALM)
  loop.run(1500, HIGH)
  const shown = alarmsView(loop.rig, loop.nowUs)!
  t.match(
    shown.alarms.find(({ id }) => id === 'pressure-high'),
    {
      state: 'UNACK',
      seen: '1/WARNING',
      response: /open the outlet valve/,
      consequence: /relief valve/,
      guidance: /actions/,
    },
  )
  const announced = alarmsOf(loop.said.flat()).filter(({ announce, id }) => announce && id !== '')
  t.equal(shown.kpis.per_ten_minutes.now, announced.length)
  t.equal(shown.kpis.per_hour.now, announced.length)
  t.equal(shown.flood, null)
})
