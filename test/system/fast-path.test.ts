import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { readActuatorBook } from '../../hil-testbed/actuator-book.ts'
import { killAll, runHb, startHb } from '../../scripts/demo/processes.ts'
import { createBenchFolder, freePort, runtimeYaml } from '../support/bench-folder.ts'
import { hbEnded } from '../support/hb-ended.ts'
import { armTrip, hornArgs, TripTelemetry, tripRig } from '../support/trip-rig.ts'

type Step = { state: string; at_us: number; t_us: number; reasons: string[]; note: string }

const LATENESS_MS = 2_000

/** A second rig, so that the one that acts is evaluated on a thread. */
const OTHER = `  - rig: other
    program: demo
    registry_file: trip.registry.yaml
    sources: [{ name: daq, type: zmq, encoding: json, endpoint: "tcp://127.0.0.1:PORT" }]
`

/** What is ordered of a rig on a thread is shown, and told when it is not followed. */
async function toldOnThreads(t: Test, folder: string): Promise<void> {
  const ended = await hbEnded(['arm', 'show', '--state', 'state', '--json'], folder)
  const { rigs } = JSON.parse(ended.stdout) as { rigs: { rig: string; arm: { state: string } | null }[] }
  t.equal(rigs.find(({ rig }) => rig === 'trip')?.arm?.state, 'ARMED')
  const order = ['--state', 'state', '--key', 'ada.pem', '--reason', 'test', '--rig', 'trip', '--json']
  const refused = await hbEnded(['rearm', 'nobody', ...order], folder)
  t.equal(refused.code, 77)
  t.match(JSON.parse(refused.stderr), { error: { code: 'ORDER_NOT_FOLLOWED' } })
}

// verifies SE-29
t.test(
  'a rule on the fast path has its actuator asked before its slide can close, and a replay comes to the same',
  async (t) => {
    const folder = await createBenchFolder()
    t.teardown(() => {
      killAll()
      folder.remove()
    })
    const ports = { telemetry: await freePort(), seen: await freePort(), link: await freePort() }
    const key = `${randomBytes(32).toString('hex')}\n`
    const trip = tripRig(ports, key, { latenessMs: LATENESS_MS, fastPath: true })
    for (const [name, text] of Object.entries(trip.files)) folder.write(name, text as string)
    const rigs = `${trip.rigs}${OTHER.replace('PORT', String(await freePort()))}`
    folder.write(
      'runtime.yaml',
      runtimeYaml({ clock: 'system', rigs, extra: `evaluation: { threads: 2 }\n${trip.top}` }),
    )
    const hb = (...args: string[]) => runHb([...args, '--state', 'state', '--json'], folder.path)

    const asked: number[] = []
    const horn = startHb('horn', hornArgs(ports.link), {
      folder: folder.path,
      line: (line) => {
        if (line['event'] === 'request') asked.push(Number(line['t_us']))
      },
    })
    await horn.event('listening')
    const agent = startHb('agent', ['runtime', '--config', 'runtime.yaml', '--state', 'state'], { folder: folder.path })
    await horn.event('session')
    await armTrip(folder.path)
    await toldOnThreads(t, folder.path)
    const telemetry = new TripTelemetry(ports, join(folder.path, 'horn.state'))
    const spoken = telemetry.trips(4)
    const firstSteps = async (): Promise<Step[]> => {
      const { actions } = JSON.parse(await hb('actions', 'list')) as { actions: { key: string }[] }
      const shown = JSON.parse(await hb('actions', 'show', actions.at(-1)!.key)) as { transitions: Step[] }
      return shown.transitions
    }
    await spoken
    telemetry.stop()
    t.equal(await agent.stop(), 0)
    t.equal(await horn.stop(), 0)
    const told = await firstSteps()

    const at = (state: string): Step => told.find((step) => step.state === state)!
    t.match(at('PROPOSED').reasons, [/^PROVISIONAL:trip\//])
    const closesUs = at('PROPOSED').t_us + LATENESS_MS * 1000
    t.ok(at('ACCEPTED').at_us < closesUs, 'its slide could not have closed')
    t.ok(asked[0]! < closesUs, 'by the clock of the actuator too')
    const afterMs = (asked[0]! - at('PROPOSED').t_us) / 1000
    t.comment(`counted: the actuator is asked, ms behind the end of the slide | ${afterMs} | lateness ${LATENESS_MS}`)
    t.ok(
      told.some(({ reasons }) => reasons[0] === 'CLOSED:agrees'),
      'which said the same when it had',
    )
    const effects = [...readActuatorBook(join(folder.path, 'horn.state')).keys.values()].map(({ effects }) => effects)
    t.ok(effects.length > 0 && effects.every((count) => count === 1), 'one effect an action')
    const replayed = JSON.parse(await hb('replay')) as Record<string, unknown>
    t.match(replayed, { equal: true, unsigned: 0 })
  },
)

t.test('hb policy says what the fast path is, and refuses what it cannot judge', async (t) => {
  const folder = await createBenchFolder()
  t.teardown(() => folder.remove())
  const trip = tripRig({ telemetry: 1, seen: 2, link: 3 }, 'k', { latenessMs: LATENESS_MS, fastPath: true })
  for (const [name, text] of Object.entries(trip.files)) folder.write(name, text as string)
  folder.write('runtime.yaml', runtimeYaml({ clock: 'system', rigs: trip.rigs, extra: trip.top }))
  const policy = (...args: string[]) => hbEnded(['policy', ...args, '--config', 'runtime.yaml'], folder.path)
  t.match(
    (await policy('explain', 'trip')).stdout,
    /judged on samples as they arrive and again when their slide has closed/,
  )
  t.match((await policy('lint')).stdout, /lateness +0/)
  folder.write('trip.actions.yaml', String(trip.files['trip.actions.yaml']).replace('of: max', 'of: mean'))
  const refused = await policy('lint')
  t.equal(refused.code, 65)
  t.match(refused.stderr + refused.stdout, /rules\[0\]\.conditions\[0\].*mean.*later samples can change/s)
})
