import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import t from 'tap'
import { readActuatorBook } from '../../hil-testbed/actuator-book.ts'
import { killAll, type Program, runHb, startHb } from '../../scripts/demo/processes.ts'
import { type BenchFolder, createBenchFolder, freePort, runtimeYaml } from '../support/bench-folder.ts'
import { armTrip, hornArgs, TripTelemetry, tripRig } from '../support/trip-rig.ts'

const WITHIN_MS = 15_000

type Action = Readonly<{ key: string; state: string }>

async function startCollector({ path }: BenchFolder): Promise<Program> {
  const collector = startHb('collector', ['collector', '--config', 'collector.yaml'], { folder: path })
  await collector.event('collector_started')
  return collector
}

/** Looks until what is looked for is there. */
async function until<T>(what: string, look: () => Promise<T | null>): Promise<T> {
  for (let waitedMs = 0; waitedMs < WITHIN_MS; waitedMs += 100) {
    const found = await look()
    if (found !== null) return found
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`${what}: not within ${WITHIN_MS} ms`)
}

// verifies SE-35
t.test(
  'an armed agent that loses its collector acts on, and the collector learns what was done when it is back',
  async (t) => {
    const folder = await createBenchFolder()
    t.teardown(() => {
      killAll()
      folder.remove()
    })
    const ports = { telemetry: await freePort(), seen: await freePort(), link: await freePort() }
    const trip = tripRig(ports, `${randomBytes(32).toString('hex')}\n`)
    for (const [name, text] of Object.entries(trip.files)) folder.write(name, text as string)
    folder.write(
      'runtime.yaml',
      runtimeYaml({ clock: 'system', rigs: trip.rigs, ports: folder.ports, extra: trip.top }),
    )
    const hb = async (...args: string[]) =>
      JSON.parse(await runHb([...args, '--state', 'state', '--json'], folder.path)) as Record<string, unknown>
    const verified = async (): Promise<Action[]> => {
      const { actions } = (await hb('actions', 'list')) as { actions: Action[] }
      return actions.filter(({ state }) => state === 'VERIFIED')
    }
    const atCollector = async (): Promise<string[]> => {
      const answer = await fetch(`http://127.0.0.1:${folder.ports.operators}/api/actions`)
      const { actions } = (await answer.json()) as { actions: Action[] }
      return actions.filter(({ state }) => state === 'VERIFIED').map(({ key }) => key)
    }

    const first = await startCollector(folder)
    const horn = startHb('horn', hornArgs(ports.link), { folder: folder.path })
    await horn.event('listening')
    const agent = startHb('agent', ['runtime', '--config', 'runtime.yaml', '--state', 'state'], { folder: folder.path })
    await horn.event('session')
    await armTrip(folder.path)
    await until('the arming at the collector', async () => {
      const answer = await fetch(`http://127.0.0.1:${folder.ports.operators}/api/arms`)
      const { counts } = (await answer.json()) as { counts: { armed: number } }
      return counts.armed === 1 ? true : null
    })

    t.equal(await first.stop(), 0, 'the collector goes')
    const telemetry = new TripTelemetry(ports, join(folder.path, 'horn.state'))
    await telemetry.trips(3)
    const done = await until('an action without a collector', async () => {
      const list = await verified()
      return list.length > 0 ? list : null
    })
    const { rigs } = (await hb('arm', 'show')) as { rigs: { arm: { state: string } }[] }
    t.equal(rigs[0]?.arm.state, 'ARMED', 'and nothing was disarmed by it')
    const { effects } = [...readActuatorBook(join(folder.path, 'horn.state')).keys.entries()].find(
      ([key]) => key === done[0]!.key,
    )![1]
    t.equal(effects, 1)

    const second = await startCollector(folder)
    await until('what was done, at the collector', async () =>
      (await atCollector()).includes(done.at(-1)!.key) ? true : null,
    )
    telemetry.stop()
    t.equal(await agent.stop(), 0)
    t.equal(await second.stop(), 0)
    t.equal(await horn.stop(), 0)
  },
)
