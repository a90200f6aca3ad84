import { render } from 'preact'
import 'uplot/dist/uPlot.min.css'
import './tokens.css'
import './style.css'
import './baselines.css'
import './safety.css'
import './alarms.css'
import './rollout.css'
import './lost.css'
import { App } from './app.tsx'
import { absorb } from './feed.ts'
import { openLink } from './link.ts'
import { createPageClock } from './page-clock.ts'
import { createPageModel } from './page-model.ts'

/** Values are drawn four times a second; what a person must see at once is drawn with the next frame. */
const DRAW_EVERY_MS = 250

const clock = createPageClock()
const root = document.getElementById('page')
// What stands there is for browsers that run none of this.
root?.replaceChildren()
const model = createPageModel()
let wanted = false

function draw(): void {
  wanted = false
  if (root !== null) render(<App model={model} clock={clock} link={link.state()} onChange={drawSoon} />, root)
}

function drawSoon(): void {
  if (wanted) return
  wanted = true
  clock.nextFrame(draw)
}

const url = new URL('live', document.baseURI)
url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
url.hash = ''
const link = openLink({
  url: url.href,
  clock,
  onMessage(message) {
    if (absorb(model, message, clock.monotonicMs())) drawSoon()
  },
  // The first change comes while the link is being made: it is drawn with the frame after.
  onChange: drawSoon,
})
clock.every(DRAW_EVERY_MS, drawSoon)
addEventListener('hashchange', drawSoon)
drawSoon()
