import t from 'tap'
import { AlarmNotices } from '../../../../agent/pipeline/alarm-notices.ts'
import type { Executor, ExecutorRequest } from '../../../../agent/ports.ts'
import { HbError } from '../../../../shared/errors/hb-error.ts'
import { AlarmLoop, alarmsOf, CALM, LOOP } from '../../../support/alarm-loop.ts'
import { changed, LOOP_ACTIONS } from '../../../support/policy-texts.ts'

const OVER = { p: 7.5, flow: 12 }

function noticesOf(loop: AlarmLoop, isWell = true) {
  const sent: ExecutorRequest[] = []
  const notTold: { notice: string; reason: string }[] = []
  const send = async (request: ExecutorRequest): Promise<void> => {
    if (!isWell) throw new HbError('EXECUTOR_UNREACHABLE', { target: 'control-room', reason: 'down' })
    sent.push(request)
  }
  const executor = { target: 'control-room', send } as unknown as Executor
  const executors = new Map([['control-room', executor]])
  const state = () => loop.evaluation.state
  return { sent, notTold, notices: new AlarmNotices({ executors, state, notTold: (facts) => notTold.push(facts) }) }
}

t.test('every CRITICAL alarm that is announced is told, with what to do; nothing less is', async (t) => {
  const loop = new AlarmLoop()
  const { sent, notices } = noticesOf(loop)
  notices.start()
  loop.run(3000, CALM)
  const from = loop.said.length
  loop.run(1500, OVER)
  const changes = alarmsOf(loop.said.slice(from).flat())
  for (const change of changes) notices.take(LOOP, change)
  const grave = changes.filter(({ announce, severity }) => announce && severity === 'CRITICAL')
  t.ok(grave.length > 0 && changes.some(({ announce, severity }) => announce && severity === 'WARNING'))
  t.equal(sent.length, grave.length)
  t.match(
    sent.find(({ params }) => params['alarm'] === 'pressure-high'),
    {
      action: 'notify',
      target: 'control-room',
      params: { seen: /^\d+\/CRITICAL$/, response: /open the outlet valve/ },
    },
  )
  t.equal(new Set(sent.map(({ key }) => key)).size, sent.length, 'each under a key of its own')
})

t.test('what nobody has acknowledged, and nothing hides, is told anew after a start', async (t) => {
  const loop = new AlarmLoop()
  loop.run(3000, CALM)
  loop.run(1500, OVER)
  const told = (): unknown[] => {
    const { sent, notices } = noticesOf(loop)
    for (const change of alarmsOf(loop.said.flat())) notices.take(LOOP, change)
    t.equal(sent.length, 0, 'what is said before the start waits for it')
    notices.start()
    return sent.map(({ params }) => params['alarm']).filter((alarm) => alarm === 'pressure-high')
  }
  t.same(told(), ['pressure-high'])
  const { occurrence, severity } = loop.entry('pressure-high')!
  loop.alarmOrder({ kind: 'alarm_ack', alarm: 'pressure-high', occurrence, severity })
  t.same(told(), [])
})

t.test('that nobody was told is said: refused, failed later, or nobody is named', async (t) => {
  const loop = new AlarmLoop()
  loop.run(3000, CALM)
  loop.run(1500, OVER)
  const down = noticesOf(loop, false)
  down.notices.start()
  await new Promise((done) => setImmediate(done))
  t.match(down.notTold[0], { target: 'control-room', reason: /down/ })
  const later = noticesOf(loop)
  const ack = { from: 'notify', message: 'mail is down' } as const
  t.equal(later.notices.ack({ key: 'ab'.repeat(32), status: 'failed', ...ack }), false, 'that is of an action')
  t.equal(later.notices.ack({ key: 'alarm:x:y:1', status: 'completed', ...ack }), true)
  t.equal(later.notices.ack({ key: 'alarm:x:y:1', status: 'failed', ...ack }), true)
  t.same(later.notTold, [{ notice: 'alarm:x:y:1', target: 'notify', reason: 'failed: mail is down' }])
  const nobody = new AlarmLoop({ actions: changed(LOOP_ACTIONS, 'alarms_notify: control-room\n', '') })
  nobody.run(3000, null)
  const { sent, notTold, notices } = noticesOf(nobody)
  notices.start()
  t.same([sent, notTold], [[], []], 'a policy need not name anybody')
})
