import t from 'tap'
import { killAll, runHb, startHb } from '../../scripts/demo/processes.ts'
import { createBenchFolder, hostRig, runtimeYaml } from '../support/bench-folder.ts'
import { hbEnded } from '../support/hb-ended.ts'

type Json = Record<string, unknown>

// verifies SE-22
t.test('modes are ordered by keys, by the table, by two people out of emergency, and outlive the agent', async (t) => {
  const folder = await createBenchFolder()
  t.teardown(() => {
    killAll()
    folder.remove()
  })
  for (const name of ['ada', 'ben', 'eve']) await runHb(['keys', 'create', name], folder.path)
  const trusted = ['ada', 'ben'].map((name) => `  - { name: ${name}, public_key_file: ${name}.pub }\n`).join('')
  folder.write('runtime.yaml', runtimeYaml({ clock: 'system', rigs: hostRig(200), extra: `operators:\n${trusted}` }))
  const hb = async (...args: string[]): Promise<Json> => {
    const { stdout, stderr } = await hbEnded([...args, '--state', 'state', '--json'], folder.path)
    return JSON.parse(stdout === '' ? stderr.trim().split('\n').at(-1)! : stdout) as Json
  }
  const set = (mode: string, who: string, reason = 'as planned') =>
    hb('mode', 'set', mode, '--key', who, '--reason', reason)
  const start = async () => {
    const agent = startHb('agent', ['runtime', '--config', 'runtime.yaml', '--state', 'state'], { folder: folder.path })
    await agent.event('agent_started')
    return agent
  }
  const agent = await start()
  t.match(await hb('mode', 'show'), { rigs: [{ rig: 'this-host', mode: 'nominal' }] })
  const refusals: readonly [string, string, RegExp][] = [
    ['startup', 'ada', /MODE_REFUSED.*forbidden/s],
    ['nominal', 'ada', /MODE_REFUSED.*same/s],
    ['sleep', 'ada', /MODE_REFUSED.*startup, nominal/s],
    ['test', 'eve', /ORDER_REFUSED.*unknown_key/s],
  ]
  for (const [mode, who, expected] of refusals)
    t.match(JSON.stringify(await set(mode, who)), expected, `${mode} by ${who}`)
  t.match(await set('maintenance', 'ada', 'pump is changed'), { state: 'done', from: 'nominal', to: 'maintenance' })
  t.match(await agent.event('mode'), { rig: 'this-host', to: 'maintenance', by: 'ada', reason: 'pump is changed' })
  t.match(await set('emergency', 'ben'), { state: 'done', from: 'maintenance', to: 'emergency' })
  process.kill(agent.pid, 'SIGKILL')
  await agent.exited

  const next = await start()
  t.match(await hb('mode', 'show'), { rigs: [{ mode: 'emergency', may_go_to: ['maintenance (two people)'] }] })
  const waits = await set('maintenance', 'ada', 'looked at it')
  t.match(waits, { state: 'waits', by: ['ada'], note: 'keys distinct, persons unproven' })
  t.match(await hb('mode', 'show'), { rigs: [{ mode: 'emergency' }] }, 'one person is not enough')
  t.match(await hb('orders', 'list'), {
    waiting: [{ kind: 'mode', rig: 'this-host', value: 'maintenance', by: 'ada' }],
  })
  const confirm = (who: string) =>
    hb('orders', 'confirm', String(waits['order']).slice(0, 10), '--key', who, '--reason', 'seen')
  t.match(JSON.stringify(await confirm('ada')), /same_person/)
  t.match(await confirm('ben'), { state: 'done', by: ['ada', 'ben'], to: 'maintenance' })
  t.equal(await next.stop(), 0)
  t.match(await runHb(['replay', '--state', 'state'], folder.path), /^equal: /)
})
