import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { killAll, type Program, runHb, startHb } from '../../scripts/demo/processes.ts'
import { type BenchFolder, createBenchFolder, recordedLoop, runtimeYaml } from '../support/bench-folder.ts'
import { AGENT, exported, imported, json } from '../support/stick-files.ts'

/** The least an outbox may have. */
const BYTES_MAX = 33_554_432
/** Every decision as a full record, so that a day's worth of evidence is there in half a minute. */
const DECISIONS = 'decisions: { batch_ms: 100, pass_record_every_ms: 50, not_pass_record_every_ms: 50 }'
const SECONDS = 5500
const FAULT_AFTER = 1000
const STARTS_MAX = 20

type Ready = Readonly<{
  ready: boolean
  reasons: { code: string }[]
  warnings: { code: string; detail: string }[]
  outbox: { batches: number; held_percent: number; days_left: number | null; thinned: number }
}>

async function fullFolder(): Promise<BenchFolder> {
  const folder = await createBenchFolder()
  const registry = join(folder.path, 'water-loop.registry.yaml')
  // Limits alone, so that there is a PASS before anybody has made a baseline.
  const text = readFileSync(registry, 'utf8').replaceAll(' }', ', baseline_required: false }')
  writeFileSync(registry, text)
  const args = ['--seconds', String(SECONDS), '--fault-after', String(FAULT_AFTER)]
  await runHb(['hil', 'water-loop', '--csv', 'loop.csv', ...args], folder.path)
  const extra = `outbox: { bytes_max: ${BYTES_MAX} }\n`
  const yaml = runtimeYaml({ clock: 'recording', rigs: recordedLoop(), ports: folder.ports, extra })
  folder.write('runtime.yaml', yaml.replace('decisions: { batch_ms: 100 }', DECISIONS))
  return folder
}

/** What an agent says of itself, until it ends or `until` says that it is enough. */
async function watched(agent: Program, folder: BenchFolder, until: (ready: Ready) => boolean): Promise<Ready[]> {
  const seen: Ready[] = []
  let ended = false
  void agent.exited.then(() => {
    ended = true
  })
  for (let enough = false; !ended && !enough; ) {
    const answer = await fetch(`http://127.0.0.1:${folder.ports.health}/ready`).catch(() => null)
    const ready = (await answer?.json().catch(() => null)) as Ready | null | undefined
    if (ready) seen.push(ready)
    enough = ready ? until(ready) : false
    await new Promise((done) => setTimeout(done, 250))
  }
  return seen
}

type Filled = Readonly<{ seen: readonly Ready[]; events: readonly Said[]; metrics: string }>
type Said = Readonly<Record<string, unknown>>

const isFull = ({ reasons }: Ready): boolean => reasons.some(({ code }) => code === 'OUTBOX_FULL')
const named = (events: readonly Said[], event: string): Said[] => events.filter((said) => said['event'] === event)

/** It said so in time, thinned, went on, and said that it waits. */
function checkFilling(t: Test, { seen, events, metrics }: Filled): void {
  const of = (event: string): Said[] => named(events, event)
  const early = seen.find(({ warnings }) => warnings.some(({ code }) => code === 'OUTBOX_FILLING'))
  t.match(early, { ready: true, warnings: [{ code: 'OUTBOX_FILLING', detail: / left$/ }] }, 'said while it is well')
  t.ok((early?.outbox.days_left ?? -1) >= 0, 'with what is left')
  t.ok(of('outbox_filling').some(({ alarm }) => alarm === 80))
  t.ok(of('outbox_filling').some(({ alarm }) => alarm === 95))
  const thinned = of('detail_thinned').reduce((sum, { batches }) => sum + Number(batches), 0)
  const freed = of('detail_thinned').reduce((sum, said) => sum + Number(said['freed']), 0)
  t.ok(thinned > 0 && freed > 1_000_000, `${thinned} batches thinned, ${freed} bytes`)
  t.match(metrics, new RegExp(`^hb_pass_detail_thinned_total ${thinned}$`, 'm'))
  t.match(metrics, /^hb_outbox_alarm_percent 95$/m)
  const full = seen.find(isFull)
  t.match(full, { ready: false }, 'and then it waits, and says so')
}

t.test(
  'a collector that is away until the outbox is full, and comes back: all of it drains, nothing is lost',
  async (t) => {
    const folder = await fullFolder()
    t.teardown(() => {
      killAll()
      folder.remove()
    })
    const events: Said[] = []
    const line = (said: Said): void => void events.push(said)
    const agent = startHb('agent', ['runtime', ...AGENT], { folder: folder.path, line })
    const seen = await watched(agent, folder, isFull)
    const metrics = await (await fetch(`http://127.0.0.1:${folder.ports.health}/metrics`)).text()
    const of = (event: string): Said[] => named(events, event)
    const worst = Math.max(...seen.map(({ outbox }) => outbox.held_percent))
    t.ok(worst <= 100, `${worst} % at most`)
    checkFilling(t, { seen, events, metrics })
    const onStick = await exported(folder, 'full.hbs')
    // As it is now: later receipted batches make room, and nothing is left to compare with.
    cpSync(join(folder.path, 'state'), join(folder.path, 'full'), {
      recursive: true,
      filter: (path) => !path.endsWith('.sock'),
    })

    const collector = startHb('collector', ['collector', '--config', 'collector.yaml'], { folder: folder.path })
    await collector.event('collector_started')
    t.equal(await agent.exited, 0)
    let waiting = Number((await exported(folder, 'left.hbs'))['batches'])
    for (let starts = 0; waiting !== 0 && starts < STARTS_MAX; starts += 1) {
      // Its recording is at its end, so that each life of it is a few seconds long.
      await startHb('agent', ['runtime', ...AGENT], { folder: folder.path, line }).exited
      waiting = Number((await exported(folder, `left-${starts}.hbs`))['batches'])
    }
    t.equal(waiting, 0, 'everything drains')
    t.same(of('chain_renewed').concat(of('loss_declared'), of('broken')), [])
    const atFull = await json(folder, 'replay', '--state', 'full')
    t.match(atFull, { equal: true, lost: 0, uncompared: 0 })
    t.ok(Number(atFull['thinned']) > 0, `${String(atFull['thinned'])} thinned decisions are proved by their roots`)
    const replayed = await json(folder, 'replay', '--state', 'state')
    t.match(replayed, { equal: true, lost: 0, uncompared: 0 })
    const api = async (path: string): Promise<Record<string, unknown>> =>
      (await (await fetch(`http://127.0.0.1:${folder.ports.operators}/api/${path}`)).json()) as Record<string, unknown>
    const { agents } = (await api('agents')) as { agents: { head: { next_seq: number } }[] }
    t.equal(agents[0]?.head.next_seq, Number(replayed['decisions']) + 1, 'the collector has every decision')
    const { refusals } = (await api('refusals?limit=100')) as { refusals: { code: string }[] }
    t.same([...new Set(refusals.map(({ code }) => code))], ['DETAIL_THINNED'], 'and was told of the detail')
    const [span] = of('detail_thinned')
    t.match(await api(`decisions/bench-1:${String(span?.['from'])}`), {
      kind: 'thinned',
      detail: 'not_kept',
      verdict: null,
    })
    t.match(await imported(folder, 'full.hbs'), { stored: 0, known: onStick['batches'] }, 'the stick says nothing new')
    t.equal(await collector.stop(), 0)
    t.match(await json(folder, 'collector', 'fsck', '--config', 'collector.yaml'), { ok: true, found: 0 })
    t.comment(`counted: decisions through a full outbox | ${String(replayed['decisions'])} | all there, replay equal`)
  },
)
