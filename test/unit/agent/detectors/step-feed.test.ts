import t from 'tap'
import { clearSteps, createStepFeed, feedSteps } from '../../../../agent/core/detectors/step-feed.ts'
import { MOMENTS_FIELDS } from '../../../../shared/math/moments.ts'

const STEP_US = 1_000_000
const SLIDE_US = 250_000

/** Panes of one slide: per channel a list of samples, empty for none. */
function panes(...channels: readonly (readonly number[])[]): Float64Array {
  const rows = new Float64Array(channels.length * MOMENTS_FIELDS)
  channels.forEach((samples, c) => {
    if (samples.length === 0) return
    const mean = samples.reduce((a, b) => a + b, 0) / samples.length
    rows.set(
      [samples.length, mean, 0, Math.min(...samples), Math.max(...samples), samples[0]!, samples.at(-1)!, 0],
      c * MOMENTS_FIELDS,
    )
  })
  return rows
}

t.test('a fast channel makes one step when its time is over, of all samples in it', async (t) => {
  const feed = createStepFeed({ stepUs: STEP_US, ratesHz: [100] })
  t.notOk(feedSteps(feed, panes([1, 2]), SLIDE_US))
  t.notOk(feedSteps(feed, panes([]), 2 * SLIDE_US))
  t.notOk(feedSteps(feed, panes([9]), 3 * SLIDE_US))
  t.ok(feedSteps(feed, panes([4, 4]), STEP_US))
  t.same([feed.row.mean[0], feed.row.min[0], feed.row.max[0], feed.row.first[0], feed.row.last[0]], [4, 1, 9, 1, 4])
  t.notOk(feedSteps(feed, panes([5]), STEP_US + SLIDE_US))
  t.ok(Number.isNaN(feed.row.mean[0]), 'nothing new in the row after it')
})

t.test('a channel with no more than one sample a step makes one at once, and does not wait for a clock', async (t) => {
  const feed = createStepFeed({ stepUs: STEP_US, ratesHz: [1, 100] })
  t.ok(feedSteps(feed, panes([7], [1, 2, 3]), SLIDE_US))
  t.equal(feed.row.mean[0], 7)
  t.ok(Number.isNaN(feed.row.mean[1]), 'the fast one goes on gathering')
  t.ok(feedSteps(feed, panes([], [6]), STEP_US))
  t.ok(Number.isNaN(feed.row.mean[0]))
  t.equal(feed.row.mean[1], 3)
})

t.test('a step without a sample is no step, and what was gathered before a gap belongs to none', async (t) => {
  const feed = createStepFeed({ stepUs: STEP_US, ratesHz: [100] })
  t.notOk(feedSteps(feed, panes([]), STEP_US))
  feedSteps(feed, panes([100]), STEP_US + SLIDE_US)
  clearSteps(feed)
  t.notOk(feedSteps(feed, panes([]), 2 * STEP_US))
  t.ok(feedSteps(feed, panes([3]), 3 * STEP_US))
  t.equal(feed.row.mean[0], 3)
})
