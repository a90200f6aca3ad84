import { rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'
import { WebSocket } from 'ws'
import { createCollector } from '../../collector/compose.ts'
import { SESSIONS_MAX, SESSIONS_OF_AGENT_MAX } from '../../collector/ws/agents.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { createLogger } from '../../shared/log/logger.ts'
import { createCollectorFolder } from '../support/collector-folder.ts'

const TRY_LATER = 1013
/** Handshakes on their way at once: the door has a bound of its own. */
const AT_ONCE = 32
const SURPLUS = 5

t.setTimeout(170_000)

t.test('more sessions than may be are turned away and counted, and there is room when others go', async (t) => {
  const { folder, config, certificateOf } = createCollectorFolder()
  const clock = systemClock()
  // Sessions without a hello end after ten seconds, and a machine may take longer for five hundred handshakes.
  const patient = { ...clock, after: (ms: number, run: () => void) => clock.after(ms * 20, run) }
  const collector = createCollector({ config, folder }, patient, {
    logger: createLogger({ name: 'collector', level: 'fatal' }),
    workerFile: resolve('collector', 'verify', 'worker.ts'),
    page: join(folder, 'page'),
  })
  await collector.start()
  const all: WebSocket[] = []
  t.teardown(async () => {
    for (const socket of all) socket.terminate()
    await collector.stop()
    rmSync(folder, { recursive: true, force: true })
  })
  const agents = Math.ceil((SESSIONS_MAX + SURPLUS) / SESSIONS_OF_AGENT_MAX)
  const certificates = Array.from({ length: agents }, (_, k) => certificateOf(`agent-${k}`))
  /** @returns the code it was closed with at once; null for a session */
  const open = (k: number): Promise<number | null> =>
    new Promise((done) => {
      const tls = certificates[Math.floor(k / SESSIONS_OF_AGENT_MAX) % agents]!
      const socket = new WebSocket(`wss://127.0.0.1:${collector.agentsPort}/agent`, {
        ...tls,
        perMessageDeflate: false,
      })
      all.push(socket)
      socket.on('error', () => undefined)
      socket.once('close', (code) => done(code))
      socket.once('open', () => setTimeout(() => done(null), 200))
    })
  const opened: (number | null)[] = []
  for (let from = 0; from < SESSIONS_MAX; from += AT_ONCE)
    opened.push(...(await Promise.all(Array.from({ length: AT_ONCE }, (_, k) => open(from + k)))))
  const inside = opened.filter((code) => code === null).length
  t.equal(inside, SESSIONS_MAX)
  const surplus = await Promise.all(Array.from({ length: SURPLUS }, (_, k) => open(SESSIONS_MAX + k)))
  t.same(surplus, Array(SURPLUS).fill(TRY_LATER))
  const metrics = await (await fetch(`http://127.0.0.1:${collector.operatorsPort}/metrics`)).text()
  const counted = metrics
    .split('\n')
    .filter((line) => line.includes('SESSIONS_FULL') && line.includes(String(SESSIONS_MAX)))
  t.match(counted[0], new RegExp(` ${SURPLUS}$`), 'counted')
  for (const socket of all.slice(0, 3)) socket.terminate()
  await new Promise((done) => setTimeout(done, 500))
  t.equal(await open(SESSIONS_MAX), null, 'there is room again')
})
