import type { Page } from 'playwright-core'

/** Points of the plot by colour, as they are on the canvas. */
export async function inkOf(page: Page): Promise<{ samples: number; limit: number; mark: number; band: number }> {
  const found = await page.evaluate(`(() => {
    const canvas = document.querySelector('.plot canvas')
    const ink = { samples: 0, limit: 0, mark: 0, band: 0 }
    if (canvas === null || canvas.width === 0) return ink
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
    const is = (at, r, g, b) => Math.abs(data[at] - r) + Math.abs(data[at + 1] - g) + Math.abs(data[at + 2] - b) < 24
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3] > 200 && is(at, 45, 204, 255)) ink.samples += 1
      if (data[at + 3] > 200 && is(at, 255, 157, 28)) ink.limit += 1
      if (data[at + 3] > 200 && is(at, 255, 77, 77)) ink.mark += 1
      if (data[at + 3] > 40 && data[at + 3] < 80 && is(at, 143, 154, 168)) ink.band += 1
    }
    return ink
  })()`)
  return found as { samples: number; limit: number; mark: number; band: number }
}
