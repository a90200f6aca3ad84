import type { Locator, Page } from 'playwright-core'
import type { Test } from 'tap'
import type { FakeCollector } from './fake-collector.ts'
import { safetyOf } from './safety-sample.ts'

type Tap = Pick<Test, 'equal' | 'match' | 'ok'>

const wordsOf = async (place: Locator): Promise<string> => (await place.innerText()).replaceAll(/\s+/g, ' ').trim()

/** Shape and name of each stage of an action. */
async function marksOf(page: Page, number: number): Promise<string> {
  const stages = page.locator(`.action[data-key$="${number}"] .stage`)
  const titles = await stages.evaluateAll((all) => all.map((one) => one.getAttribute('title') ?? ''))
  return titles.map((title) => title.split(': ')[1]).join(', ')
}

type Stage = Readonly<{ page: Page; fake: FakeCollector; picture(page: Page, name: string): Promise<void> }>

/** What the page says of armings, bypasses, alarms and actions, as {@link safetyOf} has them. */
export async function actionStage(t: Tap, { page, fake, picture }: Stage): Promise<void> {
  const tileOf = (rig: string): Locator => page.locator(`.tile[data-rig="${rig}"]`)
  t.match(await wordsOf(tileOf('water-loop').locator('.arm')), /^ARMED until \d\d:\d\d:\d\d$/)
  t.match(
    await tileOf('water-loop').locator('.arm').getAttribute('title'),
    'by ada, grace; keys distinct, persons unproven',
  )
  t.match(await wordsOf(tileOf('host').locator('.arm')), 'PASSIVE last known · 1 inhibited')
  t.match(await wordsOf(tileOf('skab-valve').locator('.arm')), /^ARMED\? until/, 'a time that is over is not trusted')
  t.equal(await tileOf('silent').locator('.arm').count(), 0, 'nothing is said of a rig that never said')
  const bar = page.getByLabel('bypasses and safety alarms')
  t.match(
    await wordsOf(bar.locator('[data-part=break-glass]')),
    /BREAK-GLASS 1 water-loop until .* by ada \(keys distinct, persons unproven\) night shift <img/,
  )
  t.match(
    await wordsOf(bar.locator('[data-part=inhibits]')),
    /INHIBITED 1 host rule:low_flow until .* by ada, kay \(keys distinct, persons unproven\) the valve is changed <img/,
  )
  t.match(
    await wordsOf(bar.locator('[data-part=alarms]')),
    /safety alarms 2 CRIT water-loop verify_failed:over_pressure .* WARN host/,
  )
  t.equal(await bar.locator('[data-part=alarms] .chip svg').first().getAttribute('data-glyph'), '▲')
  const reached = (count: number): string[] => Array.from({ length: count }, () => 'reached')
  const coming = (count: number): string[] => Array.from({ length: count }, () => 'to come')
  t.equal(await marksOf(page, 5), [...reached(6), 'waited for', 'to come'].join(', '))
  t.equal(await marksOf(page, 4), ['reached', 'waited for', ...coming(6)].join(', '))
  t.equal(await marksOf(page, 3), [...reached(7), 'ended here'].join(', '))
  t.equal(await marksOf(page, 2), reached(8).join(', '))
  t.equal(await marksOf(page, 1), ['reached', 'ended here', ...coming(6)].join(', '))
  t.match(await wordsOf(page.locator('.action[data-key$="3"]')), 'VERIFY FAILED TIMEOUT · p_c 7.9<8')
  t.match(await wordsOf(page.locator('.action[data-key$="1"]')), 'GATE DENIED NOT_INDEPENDENT:daq-2 · CONF<0.9 · <img')
  t.match(await wordsOf(page.locator('.action[data-key$="0"]')), 'CANCELLED a drill · by kay')
  await picture(page, 'actions')
  const now = safetyOf(Date.now() * 1000)
  fake.publish({ type: 'safety', safety: { ...now, rigs: now.rigs.slice(0, 1), actions: [] } })
  await bar.locator('[data-part=inhibits]').waitFor({ state: 'detached' })
  await tileOf('water-loop').click()
  t.match(
    await wordsOf(page.locator('.rig-head .arm')),
    /ARMED until .* by ada, grace \(keys distinct, persons unproven\)/,
  )
  t.ok(await bar.isVisible(), 'on every screen')
  fake.publish({ type: 'safety', safety: now })
  await page.locator('.rig .action').first().waitFor()
  await picture(page, 'actions-rig')
  await page.keyboard.press('Escape')
  await page.locator('.wall').waitFor()
}
