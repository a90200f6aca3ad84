import t from 'tap'
import { killAll, runHb, startHb } from '../../scripts/demo/processes.ts'
import { type BenchFolder, createBenchFolder, hostRig, recordedLoop, runtimeYaml } from '../support/bench-folder.ts'
import { AGENT, exported, failure, imported, json } from '../support/stick-files.ts'

const OFFLINE = 'receipts_key_file: receipts.pub.pem\n'

async function offlineBench(t: { teardown(fn: () => void): unknown }): Promise<BenchFolder> {
  const folder = await createBenchFolder()
  t.teardown(() => {
    killAll()
    folder.remove()
  })
  return folder
}

t.test(
  'batches go to the collector on a stick, and receipts come back: nothing is lost, nothing is there twice',
  async (t) => {
    const folder = await offlineBench(t)
    await runHb(['hil', 'water-loop', '--csv', 'loop.csv', '--seconds', '20', '--fault-after', '10'], folder.path)
    folder.write('runtime.yaml', runtimeYaml({ clock: 'recording', rigs: recordedLoop(), extra: OFFLINE }))
    await runHb(['runtime', ...AGENT], folder.path)
    const digest = await json(folder, 'decisions', 'digest', '--state', 'state')

    const out = await exported(folder, 'one.hbs')
    t.match(out, { first: 1, left: 0 })
    t.match(await failure(folder, 'outbox', 'export', 'one.hbs', ...AGENT), { code: 'USAGE' }, 'no file is overwritten')
    const taken = await imported(folder, 'one.hbs')
    t.match(taken, { agent: 'bench-1', batches: out['batches'], stored: out['batches'], known: 0 })
    t.match(await imported(folder, 'one.hbs'), { batches: out['batches'], stored: 0, known: out['batches'] }, 'again')
    const fsck = await json(folder, 'collector', 'fsck', '--config', 'collector.yaml')
    t.match(fsck, { ok: true, batches: out['batches'] })

    const before = await exported(folder, 'two.hbs')
    t.equal(before['batches'], out['batches'], 'without receipts everything is exported again')
    const receipts = await json(folder, 'outbox', 'receipts', 'one.hbs.receipts', ...AGENT)
    t.match(receipts, { receipts: out['batches'], taken: out['batches'], waiting: 0 })
    t.match(await json(folder, 'outbox', 'receipts', 'one.hbs.receipts', ...AGENT), { taken: 0, known: out['batches'] })
    t.match(await exported(folder, 'three.hbs'), { batches: 0 })
    t.match(await exported(folder, 'four.hbs', '--from', '2'), { first: 2 }, 'for a collector that was set back')
    t.match(await json(folder, 'decisions', 'digest', '--state', 'state'), digest)
    t.match(await json(folder, 'replay', '--state', 'state'), { equal: true })

    const collector = startHb('collector', ['collector', '--config', 'collector.yaml'], { folder: folder.path })
    await collector.event('collector_started')
    const answer = await fetch(`http://127.0.0.1:${folder.ports.operators}/api/decisions?verdict=FAIL`)
    const { decisions } = (await answer.json()) as { decisions: { rig: string }[] }
    t.ok(decisions.length > 0 && decisions.every((d) => d.rig === 'water-loop'), 'the fault is there to be seen')
    t.match(await imported(folder, 'two.hbs'), { stored: 0, known: out['batches'] }, 'beside a collector that runs')
    t.equal(await collector.stop(), 0)
    t.comment(`counted: stick batches | ${String(out['batches'])} | there and back, each receipted once`)
  },
)

t.test('an agent and a collector that run are served the same, and the link may come back in between', async (t) => {
  const folder = await offlineBench(t)
  folder.write('runtime.yaml', runtimeYaml({ clock: 'system', rigs: hostRig(100), ports: folder.ports }))
  const agent = startHb('agent', ['runtime', ...AGENT], { folder: folder.path })
  await agent.event('verdict')
  await new Promise((done) => setTimeout(done, 1500))
  const first = await exported(folder, 'a.hbs')
  t.ok(Number(first['batches']) > 0)
  const collector = startHb('collector', ['collector', '--config', 'collector.yaml'], { folder: folder.path })
  await collector.event('collector_started')
  // The same batches come by the link and on the stick at the same time.
  const taken = await imported(folder, 'a.hbs')
  t.equal(taken['batches'], first['batches'])
  const back = await json(folder, 'outbox', 'receipts', 'a.hbs.receipts', ...AGENT)
  t.equal(Number(back['taken']) + Number(back['known']), first['batches'])
  await agent.event('uplink_connected')
  await new Promise((done) => setTimeout(done, 1000))
  t.equal(await agent.stop(), 0)
  t.match(await exported(folder, 'b.hbs'), { batches: 0 }, 'all of it was receipted, by one way or the other')
  t.equal(await collector.stop(), 0)
  t.match(await json(folder, 'collector', 'fsck', '--config', 'collector.yaml'), { ok: true, found: 0 })
})
