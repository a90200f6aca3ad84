import type { Locator, Page } from 'playwright-core'
import type { Test } from 'tap'
import type { FakeCollector } from './fake-collector.ts'
import { HOSTILE } from './fleet-sample.ts'

const [OLD, NEW] = ['0a1b2c3d4e5f'.padEnd(64, '0'), 'ffee00112233'.padEnd(64, '1')]
const FILES = 'abcdef012345'.padEnd(64, '2')

function configOf(agent: string, saidUs: number | null, change: object = {}) {
  return { agent, said_us: saidUs, config: FILES, bundle: null, ready: true, reasons: [], answer: null, ...change }
}

/** Agents under two bundles and the files of a disk, one that is away, and one that never said; a rollout that is taken back. */
export function rolloutOf(nowUs: number) {
  const bundle = (digest: string, number: number) => ({ bundle: { digest, number, at_us: nowUs } })
  const reasons = [`needs_restart: health.port: 9999; expected 9000 ${HOSTILE}`, 'expired: yesterday']
  const answer = { what: 'offer', digest: NEW, taken: false, reasons, at_us: nowUs }
  const agent = (name: string, phase: string) => ({ agent: name, phase, detail: '', well: phase === 'taken' })
  return {
    configs: [
      configOf('bench-1', nowUs, { ...bundle(OLD, 7), answer }),
      configOf('bench-2', nowUs, bundle(OLD, 7)),
      configOf('rack-1', nowUs - 90_000_000, bundle(NEW, 8)),
      configOf('rack-2', nowUs, { ready: false, reasons: ['DISK_FULL: the disk is full'] }),
      configOf('rack-3', null, { config: null, ready: null }),
    ],
    rollouts: [
      {
        ...{ id: '0123456789abcdef', digest: NEW, number: 8, by: 'ada', reason: 'new pump', stages: '1,all' },
        ...{ started_us: nowUs, ended_us: null, status: 'ROLLING_BACK', counts: [1, 5], stage: 2 },
        ...{ soak_us: 1, within_us: 2, reasons: ['bench-1 refused it: needs_restart'] },
        agents: [agent('bench-1', 'refused'), agent('rack-1', 'going_back'), agent('bench-2', 'back')],
        note: 'keys distinct, persons unproven',
      },
    ],
  }
}

type Tap = Pick<Test, 'equal' | 'match' | 'ok' | 'same'>
type Stage = Readonly<{ page: Page; fake: FakeCollector; picture(page: Page, name: string): Promise<void> }>
const wordsOf = async (place: Locator): Promise<string> => (await place.innerText()).replaceAll(/\s+/g, ' ').trim()

/** What the page says of configurations and rollouts, as {@link rolloutOf} has them. */
export async function rolloutStage(t: Tap, { page, fake, picture }: Stage): Promise<void> {
  const panel = page.getByLabel('configurations', { exact: true })
  const row = (agent: string): Locator => panel.locator(`[data-agent="${agent}"]`)
  t.same(
    await panel.locator('.config').evaluateAll((all) => all.map((one) => one.getAttribute('data-agent'))),
    ['rack-3', 'rack-1', 'rack-2', 'bench-1', 'bench-2'],
    'what is not known first, then what few others run',
  )
  t.match(await wordsOf(panel), '5 agents, 3 configurations, and some that are not known.')
  t.match(await wordsOf(row('bench-1')), /^bench-1 bundle 7 0a1b2c3d4e5f connected refused ffee00112233: needs_restart/)
  t.match(await wordsOf(row('bench-1')), '1 more')
  t.match(await row('bench-1').locator('.config-why .amber').getAttribute('title'), 'expired: yesterday', 'all reasons')
  t.match(await wordsOf(row('rack-1')), /^rack-1 bundle 8 ffee00112233 away, said 01:3\d ago/)
  t.equal(await row('rack-1').locator('svg').first().getAttribute('data-glyph'), '⏲', 'not by colour alone')
  t.match(await wordsOf(row('rack-2')), /files of its disk abcdef012345 .*not ready: DISK_FULL/)
  t.match(await wordsOf(row('rack-3')), 'unknown: it never said away')
  t.equal(
    await row('bench-2').locator('.config-runs').getAttribute('title'),
    `bundle 7, digest ${OLD}, configuration ${FILES}`,
  )
  const rollout = panel.locator('.rollout')
  t.match(
    await wordsOf(rollout),
    /ROLLING BACK rollout of bundle 8 ffee00112233 · stage 2 of 2 · 0 of 3 have it · by ada \(keys distinct, persons unproven\) new pump/,
  )
  t.match(await wordsOf(rollout), 'bench-1 refused it: needs_restart · still to go back: rack-1')
  t.equal(await panel.locator('button, input, form').count(), 0, 'nothing can be ordered here')
  await panel.scrollIntoViewIfNeeded()
  await picture(page, 'rollout')

  const { configs, rollouts } = rolloutOf(Date.now() * 1000)
  for (const { agent } of configs) fake.publish({ type: 'config', config: { ...configs[1]!, agent } })
  fake.publish({ type: 'rollouts', rollouts: [{ ...rollouts[0]!, status: 'COMPLETED', reasons: [] }] })
  await panel.getByText('All 5 agents say that they run the same.').waitFor()
  await panel.getByText('COMPLETED').waitFor()
  fake.publish({ type: 'config', config: { agent: 'bench-2' } })
  await row('bench-2').getByText('unknown: it never said').waitFor()
  t.ok(await panel.getByText('some that are not known').isVisible(), 'what does not say it is not taken for known')
}
