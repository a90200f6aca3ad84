import { spawnSync } from 'node:child_process'
import t from 'tap'
import {
  type BenchAgent,
  L64_CHANNELS,
  L64_LATE,
  L64_SAMPLES_PER_S,
  rssOf,
  runLoad,
  sleep,
  startBenchAgent,
} from '../../scripts/bench/agent.ts'
import { BUNDLE, killAll, startHb } from '../../scripts/demo/processes.ts'

t.setTimeout(0)

/** Twenty minutes, or as long as somebody wants to wait. */
const MINUTES = Number(process.env['HB_SOAK_MINUTES'] ?? 20)
const LOOK_EVERY_MS = 5_000
/**
 * So much more may the floor of the last quarter be than that of the second one: less than what one look differs from the next.
 * The floor, because what grows raises it too, and what is held for a while when other tests take the processor does not.
 */
const GROWTH_MAX = 1.05
/** Reached after a few minutes, so that most of the soak runs with segments being deleted. */
const JOURNAL_BYTES_MAX = 134_217_728
const SEGMENT_BYTES = 67_108_864
const RECEIPTED_WITHIN_MS = 20_000

type Look = Readonly<{ agentMb: number; collectorMb: number; journalBytes: number }>

// verifies REQ-CMP-006
t.test(`${MINUTES} minutes of 64 channels at 1 kHz leave memory as it is and lose nothing`, async (t) => {
  const agent = await startBenchAgent({ encoding: 'cbor', collector: true, journalBytesMax: JOURNAL_BYTES_MAX })
  t.teardown(async () => {
    killAll()
    await agent.remove()
  })
  const collector = startHb('collector', ['collector', '--config', 'collector.yaml'], { folder: agent.folder.path })
  await collector.event('collector_started')
  const load = runLoad({
    endpoint: agent.endpoint,
    rig: 'bench',
    channels: agent.channels,
    encoding: 'cbor',
    timesPerFrame: 1,
    channelsPerFrame: L64_CHANNELS,
    samplesPerS: L64_SAMPLES_PER_S,
    seconds: MINUTES * 60,
    firstSeq: 0,
    epoch: 'soak',
    ...L64_LATE,
  })
  const looks: Look[] = []
  const endMs = performance.now() + MINUTES * 60_000
  while (performance.now() < endMs) {
    await sleep(LOOK_EVERY_MS)
    looks.push({
      agentMb: agent.rssMb(),
      collectorMb: rssOf(collector.pid),
      journalBytes: (await agent.metrics()).get('hb_journal_bytes') ?? Number.NaN,
    })
  }
  const report = await load
  const ledger = await settled(agent)
  t.equal(ledger.received, report.samples, 'every sample that was sent was received')
  t.match(ledger, { missing: 0, shed: 0, duplicate: 0, rejected: 0, notJournaled: 0 })
  t.equal(ledger.evaluated + ledger.late, ledger.received, `and evaluated, but for ${ledger.late} that came too late`)
  t.ok(ledger.late <= ledger.received / 1000, `${ledger.late} late: the publisher holds none back that long`)
  t.ok(looks.every(({ journalBytes }) => journalBytes <= JOURNAL_BYTES_MAX + SEGMENT_BYTES))
  for (const [name, of] of [
    ['agent', (look: Look) => look.agentMb],
    ['collector', (look: Look) => look.collectorMb],
  ] as const) {
    const { early, late } = quarters(looks.map(of))
    t.ok(late <= early * GROWTH_MAX, `${name}: ${early.toFixed(1)} MB, then ${late.toFixed(1)} MB`)
    const driftPerHour = ((late - early) / early / (MINUTES / 2)) * 60 * 100
    t.comment(
      `counted: soak, ${name} | ${MINUTES} min | ${early.toFixed(1)} MB in its second quarter, ${late.toFixed(1)} MB in its last: ${driftPerHour.toFixed(1)} %/h`,
    )
  }
  await agent.stop()
  t.equal(await collector.stop(), 0)
  const hb = [...BUNDLE.before, 'collector', 'fsck', '--config', 'collector.yaml', '--json']
  const { stdout } = spawnSync(process.execPath, hb, { cwd: agent.folder.path, encoding: 'utf8' })
  t.match(JSON.parse(stdout), { ok: true, found: 0 })
  t.comment(`counted: soak, samples | ${ledger.received} | ${ledger.late} late, none lost; fsck finds nothing`)
})

type Ledger = Record<
  'received' | 'evaluated' | 'late' | 'duplicate' | 'rejected' | 'shed' | 'missing' | 'notJournaled',
  number
>

/** What became of everything, once the last slides are decided and the collector has the batches. */
async function settled(agent: BenchAgent): Promise<Ledger> {
  for (let waitedMs = 0; ; waitedMs += 500) {
    await sleep(500)
    const metrics = await agent.metrics()
    const of = (name: string): number => metrics.get(name) ?? Number.NaN
    const outcome = (name: string): number => of(`hb_samples_total{rig="bench",outcome="${name}"}`)
    const ledger: Ledger = {
      received: of('hb_samples_received_total{rig="bench"}'),
      evaluated: outcome('evaluated'),
      late: outcome('late'),
      duplicate: outcome('duplicate'),
      rejected: outcome('rejected'),
      shed: outcome('shed'),
      missing: of('hb_frames_missing{rig="bench"}'),
      notJournaled: of('hb_not_journaled_total'),
    }
    const isDecided = ledger.evaluated + ledger.late >= ledger.received
    if ((isDecided && of('hb_outbox_batches') <= 1) || waitedMs > RECEIPTED_WITHIN_MS) return ledger
  }
}

/** Floors of the second and of the last quarter: of ten looks at memory, one is lower. */
function quarters(values: readonly number[]): { early: number; late: number } {
  const quarter = Math.floor(values.length / 4)
  const floor = (part: readonly number[]): number => part.toSorted((a, b) => a - b)[Math.floor(part.length / 10)]!
  return { early: floor(values.slice(quarter, 2 * quarter)), late: floor(values.slice(3 * quarter)) }
}
