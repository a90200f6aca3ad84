/**
 * A small plant in a process of its own: `stand-in-plant.ts ENDPOINT HOW`. `level` grows by `inflow` every 10 ms. HOW is
 * `well`, or what it does wrong at its third answer.
 */
import { appendFileSync } from 'node:fs'
import { Request } from 'zeromq'

const [endpoint = '', how = 'well', noteFile = ''] = process.argv.slice(2)
const STEP_US = 10_000
const WRONG_AT = 2

type Message = Record<string, unknown>

const HELLO: Message = {
  ...{ type: 'hello', v: how === 'v2' ? 2 : 1, model: 'stand-in', step_us: STEP_US },
  ...{ signals: { level: 'm', inflow: 'm' }, inputs: { inflow: 'm' } },
}

/** What each HOW makes of a good answer; a string goes out as it is. */
const WRONGS: Readonly<Record<string, (good: Message & { signals: Message }) => Message | string>> = {
  wrong_n: (good) => ({ ...good, n: 7 }),
  wrong_time: (good) => ({ ...good, at_us: 1 }),
  nan: (good) => JSON.stringify(good).replace(/"level":[^,]+/, '"level":NaN'),
  endless: (good) => JSON.stringify(good).replace(/"level":[^,]+/, '"level":1e999'),
  text: (good) => ({ ...good, signals: { ...good.signals, level: '1' } }),
  missing: (good) => ({ ...good, signals: { level: 1 } }),
  unknown: (good) => ({ ...good, signals: { ...good.signals, more: 1 } }),
  moody: (good) => ({ ...good, signals: { ...good.signals, level: process.pid } }),
  hello_again: () => HELLO,
  failed: () => ({ type: 'failed', reason: 'out of\nrange' }),
}

async function main(): Promise<number> {
  if (how === 'no_hello') {
    process.stderr.write('no licence\n')
    return 3
  }
  if (how === 'deaf') process.on('SIGTERM', () => undefined)
  const socket = new Request({ linger: 500 })
  socket.connect(endpoint)
  let say: Message | string = HELLO
  const inputs = { inflow: 0 }
  let [level, atUs] = [0, 0]
  while (true) {
    await socket.send(typeof say === 'string' ? say : JSON.stringify(say))
    const [part] = await socket.receive()
    const heard = JSON.parse(part!.toString()) as { type: string; n: number; until_us: number; inputs: object }
    if (heard.type === 'end') {
      if (noteFile !== '') appendFileSync(noteFile, `safe ${endpoint.slice(0, 3)}\n`)
      if (how === 'deaf') await new Promise((resolve) => setTimeout(resolve, 60_000))
      return 0
    }
    Object.assign(inputs, heard.inputs)
    for (; atUs + STEP_US <= heard.until_us; atUs += STEP_US) level += inputs.inflow
    const good = { type: 'advanced', n: heard.n, at_us: atUs, signals: { level, inflow: inputs.inflow } }
    if (heard.n === WRONG_AT && how === 'dies') return 5
    if (heard.n === WRONG_AT && (how === 'hangs' || how === 'deaf'))
      await new Promise((resolve) => setTimeout(resolve, 60_000))
    say = heard.n === WRONG_AT ? (WRONGS[how]?.(good) ?? good) : good
  }
}

process.exitCode = await main()
