import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { chromium } from 'playwright-core'
import t from 'tap'
import { writeHtml } from '../../hil-testbed/report/campaign-html.ts'
import { campaignOf, caseOf } from '../support/campaigns.ts'
import { RUN_LANES, writeRunFolder } from '../support/hil-report-folder.ts'

/** Debian's; `HB_CHROMIUM` names another. */
const CHROMIUM = process.env['HB_CHROMIUM'] ?? '/usr/bin/chromium'

/** Texts whose contrast with what is behind them is below what WCAG asks for (AA), run in the page. */
const FAINT = `(() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number)
  const light = (colour) => {
    const [r, g, b] = parts(colour).map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor
      if ((parts(colour)[3] ?? 1) === 1) return colour
    }
    return 'rgb(255, 255, 255)'
  }
  const found = []
  for (const element of document.querySelectorAll('body *')) {
    if (element.tagName === 'title') continue
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue
    const style = getComputedStyle(element)
    const ink = element instanceof SVGElement ? style.fill : style.color
    const bar = element.classList.contains('word') ? element.previousElementSibling : null
    // Beside a low bar a word stands on the paper.
    const word = bar && !bar.classList.contains('good') ? getComputedStyle(bar).fill : null
    const [high, low] = [light(ink), light(word ?? behind(element))].sort((a, b) => b - a)
    if ((high + 0.05) / (low + 0.05) < 4.5) found.push(element.outerHTML.slice(0, 120))
  }
  return found
})()`

t.test('a browser shows the report as it is meant, and loads and runs nothing', async (t) => {
  const folder = t.testdir({})
  writeRunFolder(folder, 'run')
  const failed = caseOf({ id: 'SCN-ACT-002', verdict: 'FAIL', folder: 'run', lanes: RUN_LANES })
  const file = join(folder, 'report.html')
  writeHtml(campaignOf([caseOf(), failed, caseOf({ verdict: 'MARGINAL', row: 1 })]), { folder, file })
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
  t.teardown(() => browser.close())
  const page = await browser.newPage({ viewport: { width: 1100, height: 900 } })
  const [violations, requests]: [string[], string[]] = [[], []]
  page.on('console', (message) => violations.push(message.text()))
  page.on('pageerror', (error) => violations.push(error.message))
  page.on('request', (request) => requests.push(request.url()))
  await page.goto(pathToFileURL(file).href)
  t.equal(await page.title(), 'HIL campaign: FAIL')
  const box = await page.locator('#case-2 path.truth').first().boundingBox()
  t.ok(box !== null && box.width > 500 && box.height > 30, 'the plant is drawn')
  t.notOk(await page.locator('#case-1 table').first().isVisible(), 'what is good is folded')
  await page.locator('#case-1 summary').first().click()
  t.ok(await page.locator('#case-1 table').first().isVisible())
  await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
  t.same(await page.evaluate(FAINT), [])
  const wide = await page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth')
  t.notOk(wide, 'nothing runs out of the page')
  t.same([violations, requests], [[], [pathToFileURL(file).href]])
  await page.reload()
  await page.emulateMedia({ media: 'print' })
  t.ok(await page.locator('#case-3 table').first().isVisible(), 'on paper nothing is folded')
})
