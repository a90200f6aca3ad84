import t from 'tap'
import { killAll, runHb, startHb } from '../../scripts/demo/processes.ts'
import { createBenchFolder, runtimeYaml } from '../support/bench-folder.ts'

const T0 = 1_700_000_000_000_000
const API_WAIT_MS = 10_000
const folder = await createBenchFolder()
t.teardown(() => {
  killAll()
  folder.remove()
})

/** Six seconds at 50 Hz; one flow of 99 bar is a second late, and one of 98 comes when nobody looks any more. */
function recording(): string {
  const rows = ['t_us,flow,pressure']
  for (let k = 0; k < 300; k += 1) {
    const timeUs = T0 + k * 20_000
    rows.push(k === 100 || k === 50 ? `${timeUs},,1` : `${timeUs},5,1`)
    if (k === 150) rows.push(`${T0 + 100 * 20_000},99,`)
    if (k === 250) rows.push(`${T0 + 50 * 20_000},98,`)
  }
  return `${rows.join('\n')}\n`
}

const rigs = (policy: string): string => `  - rig: loop
    program: demo
    registry_file: loop.registry.yaml
    windows_ms: [250, 1000]
    ${policy}
    sources:
      - { name: file, type: csv, file: late.csv, time_column: t_us, speed: max }
`
folder.write('late.csv', recording())
folder.write(
  'loop.registry.yaml',
  `version: "1.0"
metrics:
  flow: { unit: bar, nominal_rate_hz: 50, invariant_max: 10, baseline_required: false }
  pressure: { unit: bar, nominal_rate_hz: 50, invariant_max: 10, baseline_required: false }
`,
)
const { ports } = folder
const REVISE = 'late_policy: revise\n    revise_within_ms: 2000'
folder.write('revise.yaml', runtimeYaml({ clock: 'recording', rigs: rigs(REVISE), ports }))
folder.write('side.yaml', runtimeYaml({ clock: 'recording', rigs: rigs('late_policy: side_output') }))
folder.write('drop.yaml', runtimeYaml({ clock: 'recording', rigs: rigs('late_policy: drop') }))

const hb = async <T>(...args: string[]): Promise<T> => JSON.parse(await runHb([...args, '--json'], folder.path)) as T
const api = async <T>(path: string): Promise<T> =>
  (await (await fetch(`http://127.0.0.1:${ports.operators}/api/${path}`)).json()) as T

type Listed = { seq: number; verdict: string; revises?: number; was?: string; time_us: number }
type List = { revisions: number; decisions: Listed[] }
type Late = {
  found: number
  rigs: Record<string, { late: number; policy: string }>
  samples: Record<string, unknown>[]
}
type Stored = {
  id: string
  kind: string
  verdict: string | null
  revises: string | null
  revised_by: { id: string; verdict: string } | null
}

const metricsText = async (): Promise<string> => (await fetch(`http://127.0.0.1:${ports.health}/metrics`)).text()

/** Waits until everything that was revised is stored there. */
async function stored(): Promise<Stored[]> {
  for (let waitedMs = 0; waitedMs < API_WAIT_MS; waitedMs += 100) {
    const made = /hb_slides_revised_total\{rig="loop",outcome="revised"\} (\d+)/.exec(await metricsText())?.[1]
    const { decisions } = await api<{ decisions: Stored[] }>('decisions?rig=loop&revisions=true')
    if (decisions.length > 0 && decisions.length === Number(made)) return decisions
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error('the revisions do not arrive')
}

t.test('a FAIL that only late rows show is a revision, here, in the replay and at the collector', async (t) => {
  const collector = startHb('collector', ['collector', '--config', 'collector.yaml'], { folder: folder.path })
  await collector.event('collector_started')
  const args = ['runtime', '--config', 'revise.yaml', '--state', 'revise', '--stay']
  const agent = startHb('agent', args, { folder: folder.path })
  t.match(await agent.event('revised'), { rig: 'loop', verdict: 'FAIL', was: 'PASS' })
  await agent.event('source_ended')
  const revisions = await stored()
  const metrics = await metricsText()
  t.match(metrics, /hb_samples_revised_total\{rig="loop"\} 1/)
  t.match(metrics, /hb_samples_total\{rig="loop",outcome="late"\} 2/)

  const { decisions } = await api<{ decisions: Stored[] }>('decisions?rig=loop')
  t.ok(decisions.length > 0)
  t.notOk(
    decisions.some((d) => d.verdict === 'FAIL'),
    'what was decided at the time stays PASS',
  )
  t.ok(revisions.length >= 4)
  for (const { id, revises, verdict } of revisions) {
    t.equal(verdict, 'FAIL')
    t.match(await api<Stored>(`decisions/${id}`), { kind: 'revision', revises })
    t.match(await api<Stored>(`decisions/${revises}`), { revised_by: { id, verdict: 'FAIL' } })
  }
  t.equal(await agent.stop(), 0)
  t.equal(await collector.stop(), 0)
  t.match(await hb('collector', 'fsck', '--config', 'collector.yaml'), { ok: true })

  const list = await hb<List>('decisions', 'list', '--state', 'revise', '--limit', '1000')
  t.equal(list.revisions, revisions.length)
  const revision = list.decisions.find((d) => d.revises !== undefined)!
  t.match(revision, { verdict: 'FAIL', was: 'PASS' })
  t.match(await hb('decisions', 'show', String(revision.revises), '--state', 'revise'), {
    verdict: 'PASS',
    revised_by: { seq: revision.seq, verdict: 'FAIL' },
  })
  t.match(await hb('decisions', 'show', String(revision.seq), '--state', 'revise'), { revises: revision.revises })
  const shown = await runHb(['decisions', 'show', String(revision.revises), '--state', 'revise'], folder.path)
  t.match(shown, new RegExp(`revised {2}by decision ${revision.seq}: FAIL`))
  t.match(
    await runHb(['decisions', 'list', '--state', 'revise'], folder.path),
    new RegExp(`FAIL +revises ${revision.revises} \\(was [A-Z_]+\\): flow reached 99 bar`),
  )
  t.match(await hb('replay', '--state', 'revise'), { equal: true, unsigned: 0 })
})

t.test('late rows are listed with where they would have belonged', async (t) => {
  const { found, samples } = await hb<Late>('journal', 'late', '--state', 'revise')
  t.equal(found, 2)
  t.match(samples, [
    { channel: 'flow', value: 99, time_us: T0 + 2_000_000, slide_end_us: T0 + 2_050_000, revisable: true },
    { channel: 'flow', value: 98, time_us: T0 + 1_000_000, revisable: false },
  ])
  await runHb(['runtime', '--config', 'side.yaml', '--state', 'side'], folder.path)
  const side = await hb<Late>('journal', 'late', '--state', 'side', '--since', String(T0 + 1_500_000))
  t.match(side, { found: 1, rigs: { loop: { late: 2, policy: 'side_output' } } })
  const none = await hb<Late>('journal', 'late', '--state', 'side', '--rig', 'loop', '--until', '2023-11-14T00:00:00')
  t.equal(none.found, 0)
  await t.rejects(runHb(['journal', 'late', '--state', 'side', '--rig', 'other'], folder.path), /RIG_UNKNOWN/)
  await t.rejects(runHb(['journal', 'late', '--state', 'side', '--since', 'noon'], folder.path), /USAGE/)
})

t.test('drop counts them and lists none; its decisions are those of side_output', async (t) => {
  await runHb(['runtime', '--config', 'drop.yaml', '--state', 'drop'], folder.path)
  t.match(await hb<Late>('journal', 'late', '--state', 'drop'), {
    found: 0,
    rigs: { loop: { late: 2, policy: 'drop' } },
  })
  t.match(await runHb(['journal', 'late', '--state', 'drop'], folder.path), /counted, not listed/)
  const of = async (state: string): Promise<unknown[]> =>
    (await hb<List>('decisions', 'list', '--state', state)).decisions
  t.same(await of('drop'), await of('side'))
})
