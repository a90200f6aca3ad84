import t from 'tap'
import { Heartbeat } from '../../../../collector/heartbeat.ts'
import { systemClock } from '../../../../shared/lib/clock.ts'
import { startNoticeServer } from '../../../support/notice-server.ts'

t.test('a beat goes out only after a proof, and everything else is counted', async (t) => {
  const server = await startNoticeServer()
  t.teardown(() => server.close())
  const said: string[] = []
  let reason: string | null | Error = null
  const clock = systemClock()
  let tick = (): void => {}
  const heartbeat = new Heartbeat({
    ...{
      url: server.url('/beat'),
      method: 'GET',
      ca: null,
      everyMs: 1000,
      timeoutMs: 2000,
      deployment: 'd',
      boot: 'b',
    },
    clock: {
      ...clock,
      every: (_ms, fn) => {
        tick = fn
        return () => undefined
      },
    },
    prove: async () => {
      if (reason instanceof Error) throw reason
      return reason
    },
    changed: ({ outcome, problem }) => said.push(`${outcome} ${problem}`),
  })
  const beat = async (outcome: 'sent' | 'failed' | 'withheld', count: number): Promise<void> => {
    if (outcome !== 'sent' || count > 1) tick()
    for (let tries = 0; tries < 200 && heartbeat.counts[outcome] < count; tries += 1) await clock.sleep(10)
    t.equal(heartbeat.counts[outcome], count, `${outcome} ${count}`)
  }
  heartbeat.start()
  await beat('sent', 1)
  await beat('sent', 2)
  t.match(server.came, [{ method: 'GET', body: null }, {}])
  t.same(said, [], 'all is well, and nothing is said')
  reason = 'no round of the alarms was through lately'
  await beat('withheld', 1)
  reason = new Error('DISK_FULL')
  await beat('withheld', 2)
  t.equal(server.came.length, 2)
  t.equal(heartbeat.problem, 'DISK_FULL')
  reason = null
  server.state.status = 500
  await beat('failed', 1)
  server.state.status = 204
  await beat('sent', 3)
  t.same(said, ['withheld no round of the alarms was through lately', 'failed status 500', 'sent '])
  heartbeat.stop()
})
