import type { Locator, Page } from 'playwright-core'
import type { Test } from 'tap'
import { alarmsOf } from './alarm-sample.ts'
import type { FakeCollector } from './fake-collector.ts'

type Tap = Pick<Test, 'equal' | 'match' | 'notMatch' | 'ok'>
type Stage = Readonly<{ page: Page; fake: FakeCollector; picture(page: Page, name: string): Promise<void> }>

const wordsOf = async (place: Locator): Promise<string> => (await place.innerText()).replaceAll(/\s+/g, ' ').trim()

/** What the page says of open alarms and of agents that act unseen, as {@link alarmsOf} has them. */
export async function alarmStage(t: Tap, { page, fake, picture }: Stage): Promise<void> {
  const bar = page.getByLabel('agents on their own')
  t.match(
    await wordsOf(bar.locator('[data-agent="rack-1"]')),
    /^AUTONOMOUS rack-1 last contact 0?\d:\d\d ago, .* armed until \d\d:\d\d:\d\d · acts by itself on gone, silent$/,
  )
  t.match(await wordsOf(bar), /boss cannot be told of alarms, 2 wait .*no heartbeat goes out .* does not come through/)
  t.notMatch(await wordsOf(bar), /ops/)
  const panel = page.getByLabel('open alarms')
  const row = (id: string): Locator => panel.locator(`.alarm[data-alarm="${id}"]`)
  const texts = {
    'rack-1:silent':
      /^CRITICAL nothing is heard of rack-1 .* rack-1:silent #3 since \d\d:\d\d:\d\d acknowledged by ada$/,
    'bench-1:clock': /^WARNING the clock of bench-1 .*<img .* not acknowledged$/,
    'bench-1:backlog': /^WARNING .* over, not acknowledged$/,
    'bench-1:certificate': /^WARNING .* shelved by ada until \d\d:\d\d:\d\d: the new one is on its way$/,
    'bench-1:quorum': /^UNKNOWN /,
    'budget-exhausted': /^CRITICAL budget-exhausted no shutdown is left bench-1 water-loop since .* see the agent$/,
    'pressure-high':
      /^WARNING pressure-high chamber pressure .* bench-1 water-loop #2 since .* not acknowledged · last said, unsigned$/,
  }
  for (const [id, text] of Object.entries(texts)) t.match(await wordsOf(row(id)), text, id)
  t.equal(await row('bench-1:quorum').locator('.chip svg').getAttribute('data-glyph'), '⊘', 'a word nobody knows')
  const north = panel.locator('[data-site=north]')
  t.match(await wordsOf(north), /^north 6 agents CRITICAL agents of north fell silent together 3 of 6 agents/)
  t.match(await wordsOf(north.locator('summary')), /^3 under the alarm of the site.*: north-1, north-2, north-3$/)
  t.equal(await row('north-1:silent').isVisible(), false)
  await picture(page, 'alarms')
  await north.locator('summary').click()
  t.match(await wordsOf(row('north-1:silent')), /told with its site$/)
  const now = alarmsOf(Date.now() * 1000)
  fake.publish({
    type: 'alarms',
    alarms: { ...now, sites: [], of_agents: [], autonomous: [], targets: [], heartbeat: null },
  })
  await panel.getByText('None.').waitFor()
  t.equal(await bar.count(), 0)
  fake.publish({ type: 'alarms', alarms: now })
  await bar.waitFor()
}
