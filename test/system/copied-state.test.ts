import { cpSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { killAll, runHb, startHb } from '../../scripts/demo/processes.ts'
import { createBenchFolder, recordedLoop, runtimeYaml } from '../support/bench-folder.ts'
import { makeRecording } from '../support/kill-run.ts'

t.test('two lives of one state folder are found out: the second history is refused and on record', async (t) => {
  const folder = await createBenchFolder()
  t.teardown(() => {
    killAll()
    folder.remove()
  })
  await makeRecording(folder)
  const write = (name: string, more: string, extra = ''): void =>
    folder.write(name, runtimeYaml({ clock: 'recording', rigs: recordedLoop({ more }), ports: folder.ports, extra }))
  write('half.yaml', ', rows_to: 4000')
  write('whole.yaml', '')
  // Other evidence for the same decisions: what an agent would sign whose past was changed.
  write('other.yaml', ', rows_to: 9000')
  const collector = startHb('collector', ['collector', '--config', 'collector.yaml'], { folder: folder.path })
  await collector.event('collector_started')
  const run = async (config: string, state: string): Promise<void> => {
    const agent = startHb(state, ['runtime', '--config', config, '--state', state, '--stay'], { folder: folder.path })
    await agent.event('source_ended')
    await new Promise((resolve) => setTimeout(resolve, 1500))
    t.equal(await agent.stop(), 0)
  }
  await run('half.yaml', 'first')
  cpSync(join(folder.path, 'first'), join(folder.path, 'copy'), { recursive: true })
  await run('whole.yaml', 'first')
  await run('other.yaml', 'copy')

  const api = `http://127.0.0.1:${folder.ports.operators}/api`
  const { refusals } = (await (await fetch(`${api}/refusals`)).json()) as {
    refusals: { code: string; agent: string }[]
  }
  t.same([...new Set(refusals.map((r) => `${r.agent} ${r.code}`))], ['bench-1 CHAIN_EQUIVOCATION'])
  const verified = JSON.parse(await runHb(['journal', 'verify', '--state', 'first', '--json'], folder.path)) as {
    batches: number
    receipted_through: number
  }
  t.equal(verified.receipted_through, verified.batches, 'the history that was there first stands')
  const copied = JSON.parse(await runHb(['journal', 'verify', '--state', 'copy', '--json'], folder.path)) as {
    batches: number
    receipted_through: number
  }
  t.ok(copied.receipted_through < copied.batches, 'and the other has no receipts')
  t.equal(await collector.stop(), 0)
})
