import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Browser, chromium, type Locator, type Page } from 'playwright-core'
import t from 'tap'
import { actionStage } from '../dashboard/action-stage.ts'
import { alarmsOf } from '../dashboard/alarm-sample.ts'
import { alarmStage } from '../dashboard/alarm-stage.ts'
import { type FakeCollector, startFakeCollector } from '../dashboard/fake-collector.ts'
import {
  AGENTS,
  batchOf,
  bookOf,
  decisionOf,
  FLOW_FINDING,
  fleetVitals,
  GOLDEN_DIGEST,
  HOSTILE,
  HOSTILE_RIG,
  ROLLING_DIGEST,
  refusalOf,
  sliceOf,
  vitalsOf,
} from '../dashboard/fleet-sample.ts'
import { picture } from '../dashboard/picture.ts'
import { inkOf } from '../dashboard/plot-ink.ts'
import { rolloutOf, rolloutStage } from '../dashboard/rollout-stage.ts'
import { safetyOf } from '../dashboard/safety-sample.ts'

const PAGE = resolve('dist', 'dashboard')
const PAGE_BYTES_MAX = 300_000
/** Debian's; `HB_CHROMIUM` names another. */
const CHROMIUM = process.env['HB_CHROMIUM'] ?? '/usr/bin/chromium'
const WAIT_MS = 8_000
const FAILED_AT_US = Date.now() * 1000 - 5_000_000
const FAILED = decisionOf(31, FAILED_AT_US, { verdict: 'FAIL', findings: [FLOW_FINDING] })
const REFUSED = decisionOf(25, FAILED_AT_US - 60_000_000, {
  verdict: 'FAIL',
  findings: [{ ...FLOW_FINDING, mean: 25.5 }],
})
/** Late samples made PASS of the failure; of another decision they make FAIL while the page is looked at. */
const REVISION = decisionOf(40, FAILED_AT_US, { verdict: 'PASS', revises: FAILED.id })
const NOW_MISSING = 'DECISION_UNKNOWN: it is older than the journal'
const nowUs = (): number => Date.now() * 1000

const fakeOptions = {
  page: PAGE,
  fleet: () => ({
    type: 'fleet',
    label: 'bench <i>north</i>',
    agents: AGENTS,
    vitals: fleetVitals(nowUs()),
    decisions: [FAILED, decisionOf(30, FAILED_AT_US - 30_000_000), REFUSED, decisionOf(24, FAILED_AT_US - 90_000_000)],
    revisions: [REVISION],
    batches: [batchOf(4, FAILED_AT_US, FAILED_AT_US + 200_000), batchOf(3, FAILED_AT_US - 10_000_000, FAILED_AT_US)],
    refusals: [refusalOf('BATCH_GAP', `expected 9, got 11 ${HOSTILE}`, FAILED_AT_US)],
    baselines: bookOf(nowUs()),
    safety: safetyOf(nowUs()),
    alarms: alarmsOf(nowUs()),
    ...rolloutOf(nowUs()),
  }),
  pulse: () =>
    fleetVitals(nowUs())
      .filter(({ rig }) => rig !== 'gone')
      .map((vitals) => ({ type: 'vitals', vitals })),
  slice(decision: string, asked: number) {
    if (decision !== FAILED.id) return { status: 404, body: { code: 'DECISION_UNKNOWN', message: NOW_MISSING } }
    if (asked < 3) return { status: 202, body: { decision, state: 'asked', connected: true } }
    return { status: 200, body: sliceOf(decision, FAILED_AT_US) }
  },
}

/** What a page did that it must not: broke its policy, threw, asked somebody else for something. */
type Watched = Readonly<{ page: Page; violations: string[]; errors: string[]; elsewhere: string[] }>

async function openPage(browser: Browser, url: string): Promise<Watched> {
  const page = await browser.newPage({ viewport: { width: 1600, height: 1000 } })
  page.setDefaultTimeout(WAIT_MS)
  const watched: Watched = { page, violations: [], errors: [], elsewhere: [] }
  await page.exposeFunction('tellViolation', (what: string) => watched.violations.push(what))
  await page.addInitScript(
    "addEventListener('securitypolicyviolation', (e) => tellViolation(e.effectiveDirective + ' ' + e.blockedURI))",
  )
  page.on('pageerror', (error) => watched.errors.push(error.message))
  page.on('request', (request) => {
    if (!request.url().startsWith(`${url}/`)) watched.elsewhere.push(request.url())
  })
  await page.goto(`${url}/`)
  await page.locator('.tile').first().waitFor()
  return watched
}

const tileOf = (page: Page, rig: string): Locator => page.locator(`.tile[data-rig="${rig}"]`)

/** The shape and the word of a chip: the state must not hang on its colour. */
async function chipOf(place: Locator): Promise<string> {
  const chip = place.locator('.chip').first()
  return `${await chip.locator('svg').getAttribute('data-glyph')} ${(await chip.innerText()).trim()}`
}

t.test('the built page is small and refers to nothing outside', (t) => {
  if (!existsSync(join(PAGE, 'index.html'))) {
    t.fail('dist/dashboard is missing: run npm run build first')
    t.end()
    return
  }
  const html = readFileSync(join(PAGE, 'index.html'), 'utf8')
  const assets = readdirSync(join(PAGE, 'assets')).map((name) => join(PAGE, 'assets', name))
  t.notMatch(html, /<style|<script(?![^>]*\ssrc=)|\sstyle=|\son[a-z]+=/i, 'nothing inline')
  for (const [, reference] of html.matchAll(/(?:src|href)="([^"]*)"/g))
    t.match(reference, /^\.\//, `${reference} is ours`)
  for (const css of assets.filter((name) => name.endsWith('.css')))
    t.notMatch(readFileSync(css, 'utf8'), /url\(\s*["']?(?:https?:|\/\/)|@import/i, 'styles load nothing')
  const bytes = assets.reduce((sum, name) => sum + statSync(name).size, 0)
  t.ok(bytes > 10_000 && bytes < PAGE_BYTES_MAX, `${bytes} bytes, at most ${PAGE_BYTES_MAX}`)
  t.end()
})

async function fleetStage(t: Tap, page: Page, fake: FakeCollector): Promise<void> {
  t.equal(await page.locator('.tile').count(), 7, 'a tile a rig')
  const states = {
    'water-loop': '▲ FAIL',
    'skab-valve': '■ DRIFT',
    silent: '⊘ NO TEST',
    fresh: '⊘ NO BASELINE',
    host: '✓ PASS',
  }
  for (const [rig, look] of Object.entries(states)) t.equal(await chipOf(tileOf(page, rig)), look, rig)
  t.match(await chipOf(tileOf(page, 'gone')), /^⧖ LOST 01:\d\d$/, 'a rig that went silent is lost, not well')
  t.equal(await page.locator('.tile').first().getAttribute('data-rig'), 'water-loop', 'the worst comes first')
  t.ok(await tileOf(page, 'water-loop').getByText('FAIL', { exact: true }).isVisible(), 'FAIL is visible')
  const failing = await tileOf(page, 'water-loop').innerText()
  for (const word of ['TESTBED', 'run-7 · SN-0042', 'test', 'flow · 24.13', '−12.4σ']) t.match(failing, word)
  t.match(await tileOf(page, 'host').innerText(), 'LIMITS ONLY')
  t.match(await tileOf(page, 'skab-valve').innerText(), 'REPLAY')
  t.match(await page.locator('.source').innerText(), 'LIVE + REPLAY + TESTBED')
  const red = "getComputedStyle([...document.querySelectorAll('.count')].find((c) => /FAIL/.test(c.innerText))).color"
  t.equal(await page.evaluate(red), 'rgb(255, 77, 77)', 'a count has the colour of its state')
  t.match(await page.locator('.banner').innerText(), /agents\s+1\/2/)
  const batches = page.getByLabel('batches and receipts')
  t.match(
    (await batches.locator('li').first().innerText()).replaceAll(/\s+/g, ' '),
    'bench-1 batch 4 of 31–40 receipted',
    'the newest first',
  )
  fake.publish({ type: 'batch', batch: batchOf(5, nowUs(), null) })
  await batches.getByText('verifying').waitFor()
  fake.publish({ type: 'receipt', receipt: batchOf(5, nowUs(), nowUs()) })
  await batches.getByText('verifying').waitFor({ state: 'detached' })
  t.match((await batches.locator('li').first().innerText()).replaceAll(/\s+/g, ' '), 'batch 5 of 41–50 receipted')
  fake.publish({ type: 'refusal', refusal: refusalOf('BATCH_EQUIVOCATION', 'two batches 4', nowUs()) })
  await page.getByLabel('refused', { exact: true }).getByText('BATCH_EQUIVOCATION').waitFor()
  await picture(page, 'fleet')
}

async function rigStage(t: Tap, page: Page, fake: FakeCollector): Promise<void> {
  await tileOf(page, 'water-loop').click()
  await page.locator('table.channels').waitFor()
  t.equal(await page.locator('h1').innerText(), 'water-loop')
  const channels = page.locator('table.channels tbody tr')
  t.equal(await channels.count(), 6)
  t.equal(await channels.first().getAttribute('data-metric'), 'flow', 'the worst channel comes first')
  const flow = (await channels.first().innerText()).replaceAll(/\s+/g, ' ')
  for (const word of ['Volume Flow RateRMS', 'FAIL', '23.90', 'L/min', '0.1 s', 'n/a', 'filling', 'σ'])
    t.match(flow, word)
  const bar = await channels.first().locator('.limit-bar').getAttribute('aria-label')
  t.equal(
    bar,
    'limits 26.00 to 40.00; golden 30.10 to 34.10 (draft); rolling 28.60 to 33.80 (rolling); expected now 29.40, 27.90 to 30.90 (level)',
  )
  t.equal(await channels.first().locator('.bar-limit').count(), 2)
  t.equal(await channels.first().locator('.bar-band').count(), 1)
  t.equal(await chipOf(page.locator('[data-metric=voltage]')), '⧖ STALE')
  const why = await page.getByLabel('why', { exact: true }).locator('.why').first().innerText()
  const plain = why.replaceAll('\u00a0', ' ')
  t.match(plain, 'flow (channel Volume Flow RateRMS) has a mean of 24.13 L/min over 10 s (480 samples)')
  t.match(plain, '1.870 L/min below its lower limit of 26.00 L/min, 3.10 times what is allowed.')
  const revised = await page.getByLabel('why', { exact: true }).locator('.amber').first().innerText()
  t.equal(revised, `Late samples revised this by decision ${REVISION.id}: PASS. What was done stays done.`)
  t.match(await page.getByLabel('revisions of this rig').innerText(), `${REVISION.id} revises ${FAILED.id}`)
  t.equal(await chipOf(page.locator('.rig-head')), '▲ FAIL', 'a revision is never what a rig is')
  await page.getByText('Raw samples: asked for from the agent').waitFor()
  t.same(await inkOf(page), { samples: 0, limit: 0, mark: 0, band: 0 }, 'nothing is drawn before the samples are there')
  await page.locator('.plot canvas').waitFor()
  t.equal(fake.asked(FAILED.id), 3, 'asked again while the agent was answering')
  t.equal(await page.locator('.plot').getAttribute('data-samples'), '1200')
  const ink = await inkOf(page)
  for (const [what, least] of [
    ['samples', 500],
    ['limit', 300],
    ['mark', 50],
    ['band', 5_000],
  ] as const)
    t.ok(ink[what] > least, `${what}: ${ink[what]} points`)
  await picture(page, 'rig')
  await page.setViewportSize({ width: 900, height: 1000 })
  await page.locator('.plot .uplot').waitFor()
  const widths = 'document.querySelector(".plot .uplot").clientWidth <= document.querySelector(".plot").clientWidth'
  await until(() => page.evaluate(widths), 'the plot follows the window')
  await picture(page, 'rig-narrow')
  await page.setViewportSize({ width: 1600, height: 1000 })
  await page.goto(`${fake.url}/#/rig/demo/water-loop/${encodeURIComponent(REFUSED.id)}`)
  await page.getByText(`No raw samples: ${NOW_MISSING}.`).waitFor()
  const heard = decisionOf(41, REFUSED.time_us, { verdict: 'NO_TEST', revises: REFUSED.id })
  fake.publish({ type: 'revision', revision: heard })
  await page.getByText(`Late samples revised this by decision ${heard.id}: NO_TEST.`).waitFor()
  t.equal(fake.asked(REFUSED.id), 1, 'what is refused is not asked for again')
  await page.keyboard.press('Escape')
  await page.locator('.wall').waitFor()
}

async function baselineStage(t: Tap, page: Page, fake: FakeCollector): Promise<void> {
  await page.goto(`${fake.url}/#/rig/demo/water-loop`)
  await page.locator('table.channels').waitFor()
  const flow = page.locator('[data-metric=flow]')
  for (const form of ['bar-band', 'bar-rolling', 'bar-level'])
    t.equal(await flow.locator(`.${form}`).count(), 1, `${form}: told apart by form, not by colour`)
  t.match(await page.locator('.bands').innerText(), /golden\s+rolling\s+expected now/)
  const golden = page.locator('.baseline-badge[data-role=golden]')
  t.match(await golden.innerText(), /GOLDEN confidence 0\.8570\s+2\.4 d/)
  const rolling = page.locator('.baseline-badge[data-role=rolling]')
  t.match(await rolling.innerText(), /DRAFT as rolling confidence 0\.71\d*\s+5\.9 d · 42 % left/, 'the decay is said')
  t.match(await golden.locator('summary').getAttribute('title'), 'environment_match: 0.9', 'and the inputs on hover')
  await golden.locator('summary').focus()
  await page.keyboard.press('Enter')
  await golden.locator('table.inputs').waitFor()
  t.match((await golden.locator('table.inputs').innerText()).replaceAll(/\s+/g, ' '), /segments 20\.00 5\.000 × 0\.952/)
  t.match(
    (await page.locator('.event').innerText()).replaceAll(/\s+/g, ' '),
    /ALARM score 3\.42\d? limit 1 · level of Volume/,
  )
  const panel = page.getByLabel('baselines', { exact: true })
  t.equal(await panel.locator('.baseline').count(), 2, 'of this rig only')
  const first = panel.locator(`[data-digest="${GOLDEN_DIGEST}"]`)
  for (const word of [
    'GOLDEN',
    'flight-7',
    'ada proposed it',
    'grace reviewed it',
    'kay approved it',
    'is compared with it',
  ])
    t.match(await first.innerText(), word)
  const second = panel.locator(`[data-digest="${ROLLING_DIGEST}"]`)
  for (const word of ['proposed as rolling', '1 of 1 approvals are missing', 'quality gate NOT passed', HOSTILE])
    t.match(await second.innerText(), word)
  await second.locator('.gate > summary').click()
  await second.getByText('baseline too loose to protect flow').waitFor()
  t.match(await panel.innerText(), 'keys distinct, persons unproven')
  t.equal(await panel.locator('button, input, form').count(), 0, 'nothing can be approved here')
  await page.evaluate('scrollTo(0, 0)')
  await picture(page, 'baselines')
  await page.setViewportSize({ width: 900, height: 1000 })
  const spills = 'document.documentElement.scrollWidth <= document.documentElement.clientWidth'
  t.equal(await page.evaluate(spills), true, 'nothing spills out of a narrow window')
  await picture(page, 'baselines-narrow')
  await page.setViewportSize({ width: 1600, height: 1000 })
  fake.publish({ type: 'baselines', baselines: { ...bookOf(nowUs()), damage: 'statement 3', baselines: [] } })
  await panel.getByText('The book of baselines is damaged: statement 3').waitFor()
  await page.keyboard.press('Escape')
  await page.locator('.wall').waitFor()
}

async function hostileStage(t: Tap, page: Page, fake: FakeCollector): Promise<void> {
  const tile = page.locator('.tile', { hasText: HOSTILE_RIG })
  t.equal(await tile.locator('.tile-name').innerText(), HOSTILE_RIG, 'a name of a rig is text')
  t.ok((await tile.locator('.tile-name').boundingBox())!.width > 90, 'a long mode leaves room for the name')
  const spilled = "[...document.querySelectorAll('.tile')].filter((tile) => tile.scrollWidth > tile.clientWidth).length"
  t.equal(await page.evaluate(spilled), 0, 'and nothing spills into the next tile')
  await page.getByText('bench <i>north</i>').waitFor()
  await tile.click()
  await page.locator('table.channels').waitFor()
  t.equal(await page.locator('h1').innerText(), HOSTILE_RIG)
  t.equal(await page.locator('table.channels tbody th').innerText(), HOSTILE)
  t.equal(
    await page.locator('.channels tbody .chip').getAttribute('class'),
    'chip tone-unknown',
    'an unheard-of state is unknown',
  )
  t.equal(await page.locator('img, main script, main b[onmouseover], .banner i').count(), 0, 'no text became markup')
  for (const text of [
    '{',
    '[]',
    'null',
    '{"type":"vitals","vitals":{"rig":7}}',
    '{"type":"news"}',
    '{"type":"vitals","rig":"x","channels":[1,{"windows":[{}]}]}',
  ])
    fake.publishText(text)
  await page.getByText('not understood').waitFor()
  const broken = { rig: 'no-verdict', v: 1, type: 'vitals' }
  fake.publish({ type: 'vitals', vitals: broken })
  await page.keyboard.press('Escape')
  await tileOf(page, 'no-verdict').waitFor()
  t.equal(await chipOf(tileOf(page, 'no-verdict')), '⊘ NO TEST', 'what does not say that it is well is not well')
  const putBack = nowUs() - 86_400_000_000
  fake.publish({ type: 'vitals', vitals: vitalsOf('clock', nowUs()) })
  fake.publish({ type: 'vitals', vitals: vitalsOf('clock', putBack, { verdict: 'FAIL' }) })
  await tileOf(page, 'clock').getByText('FAIL', { exact: true }).waitFor()
  t.equal(await page.evaluate('window.pwned'), undefined, 'nothing of it ran')
}

async function lostStage(t: Tap, page: Page, fake: FakeCollector): Promise<FakeCollector> {
  const lost = page.locator('.lost-bar')
  t.equal(await lost.count(), 0, 'no banner while the link lives')
  fake.silent(true)
  await lost.waitFor()
  t.match(await lost.innerText(), /^DISCONNECTED — data age \d+\.\d s/, 'silence on an open socket is loud')
  t.equal(await lost.getAttribute('role'), 'alert')
  fake.silent(false)
  await lost.waitFor({ state: 'detached' })
  const { port } = new URL(fake.url)
  await fake.stop()
  await lost.waitFor()
  t.equal(await chipOf(tileOf(page, 'water-loop')), '▲ FAIL', 'a rig that failed when it was lost still fails')
  await tileOf(page, 'host').locator('[data-glyph="⧖"]').waitFor()
  t.match(
    await chipOf(tileOf(page, 'host')),
    /^⧖ LOST /,
    'a rig that was well when it was lost is not known to be well',
  )
  t.equal(await page.locator('.source').innerText(), 'NOT LIVE', 'nothing says LIVE any more')
  t.match(await page.evaluate("getComputedStyle(document.querySelector('main')).filter"), 'grayscale(1)')
  await picture(page, 'lost')
  const again = await startFakeCollector(fakeOptions, Number(port))
  await lost.waitFor({ state: 'detached' })
  await tileOf(page, 'host').locator('[data-glyph="✓"]').waitFor()
  t.pass('the page comes back by itself')
  return again
}

type Tap = Pick<typeof t, 'equal' | 'match' | 'same' | 'ok' | 'pass'>

/** Waits until something holds in the page; its policy forbids the page to be polled by a script of ours. */
async function until(holds: () => Promise<unknown>, what: string): Promise<void> {
  const last = Date.now() + WAIT_MS
  while ((await holds()) !== true) {
    if (Date.now() > last) throw new Error(`not in time: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

t.test('the page in a browser', async (t) => {
  if (!existsSync(CHROMIUM)) {
    t.comment(`NOT TESTED IN A BROWSER: there is no ${CHROMIUM}. apt-get install chromium, or name one in HB_CHROMIUM.`)
    t.not(process.env['HB_BROWSER_TESTS'], 'required', 'a browser is there where one is required')
    return
  }
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: [...sandbox, '--disable-gpu'] })
  t.teardown(() => browser.close())
  let fake = await startFakeCollector(fakeOptions)
  t.teardown(() => fake.stop())
  const { page, violations, errors, elsewhere } = await openPage(browser, fake.url)

  await t.test('every rig has a tile with its state as shape and word, and custody has its line', (t) =>
    fleetStage(t, page, fake),
  )
  await t.test('a click leads to channels, to why, and to the raw samples', (t) => rigStage(t, page, fake))
  await t.test('what a rig is compared with, how far that is to be believed, and who said so', (t) =>
    baselineStage(t, page, fake),
  )
  await t.test('who may act, and how far each action has come', (t) => actionStage(t, { page, fake, picture }))
  await t.test('which alarms stand, at which site, and who acts unseen', (t) => alarmStage(t, { page, fake, picture }))
  await t.test('under which configuration every agent runs', (t) => rolloutStage(t, { page, fake, picture }))
  await t.test('what comes from outside is text and unknown is never good', (t) => hostileStage(t, page, fake))
  await t.test('a lost connection is loud and ends by itself', async (t) => {
    fake = await lostStage(t, page, fake)
  })
  await t.test('the page kept to its policy, and a breach would have been seen', async (t) => {
    t.same(violations, [])
    t.same(errors, [])
    t.same(
      elsewhere.filter((url) => !url.startsWith('ws:')),
      [],
    )
    await page.evaluate("document.body.setAttribute('style', 'color: red')")
    await until(async () => violations.length > 0, 'a breach is told')
    t.match(violations, [/^style-src-attr inline/])
  })
})
