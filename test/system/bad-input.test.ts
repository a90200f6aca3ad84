import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { Push } from 'zeromq'
import { type Files, systemFiles } from '../../agent/adapters/files.ts'
import { createAgent } from '../../agent/compose.ts'
import { ROOT } from '../../scripts/sources.ts'
import { encodeFrame } from '../../shared/codec/telemetry.ts'
import { loadRuntimeConfig } from '../../shared/config/load.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { type Clock, systemClock } from '../../shared/lib/clock.ts'
import { createLogger } from '../../shared/log/logger.ts'
import { type BenchFolder, createBenchFolder, freePort, runtimeYaml } from '../support/bench-folder.ts'

const HB = join(ROOT, 'dist', 'hb.cjs')

type Ended = { status: number | null; stdout: string; stderr: string }
const hb = (folder: BenchFolder, ...args: string[]): Ended =>
  spawnSync(process.execPath, [HB, ...args], { cwd: folder.path, encoding: 'utf8', timeout: 30_000 })

const liveRig = (port: number, encoding = 'cbor'): string => `  - rig: water-loop
    program: demo
    registry_file: water-loop.registry.yaml
    sources:
      - { name: daq, type: zmq, endpoint: "tcp://127.0.0.1:${port}", encoding: ${encoding} }
`

t.test('every mistake of a configuration is listed at once with its place, and nothing is started', async (t) => {
  const folder = await createBenchFolder()
  t.teardown(() => folder.remove())
  folder.write(
    'bad.yaml',
    'version: 1\ndeployment: demo\nagent: Bench 1\nslide_sec: 1\nsigning_key_file: sign.pem\nhealth: { port: 99999 }\nrigs:\n  - rig: water-loop\n    program: demo\n    registry_file: missing.yaml\n    slide_ms: 7.5\n    sources:\n      - { name: daq, type: zqm, endpoint: "tcp://127.0.0.1:5555" }\n',
  )
  const ended = hb(folder, 'runtime', '--config', 'bad.yaml', '--state', 'state', '--json')
  t.equal(ended.status, 78)
  const { error } = JSON.parse(ended.stderr) as {
    error: { code: string; problems: { file: string; line: number; key: string; hint?: string }[] }
  }
  t.equal(error.code, 'CONFIG_INVALID')
  const lines = error.problems.map((p) => p.line)
  for (const line of [3, 4, 6, 11, 13]) t.ok(lines.includes(line), `line ${line} is named`)
  t.ok(
    error.problems.some((p) => p.hint?.includes('zmq')),
    'with what was probably meant',
  )
  t.notOk(existsSync(join(folder.path, 'state')), 'no state folder was made')
})

t.test(
  'a key that others can read, a port that is taken and a folder in use end the start with code and remedy',
  async (t) => {
    const folder = await createBenchFolder()
    t.teardown(() => folder.remove())
    const port = await freePort()
    folder.write('runtime.yaml', runtimeYaml({ clock: 'system', rigs: liveRig(port), ports: folder.ports }))
    const refusal = (state: string): { code: string; remedy: string; exit: number } => {
      const ended = hb(folder, 'runtime', '--config', 'runtime.yaml', '--state', state, '--json')
      const last = ended.stderr.trim().split('\n').at(-1) ?? ''
      return (JSON.parse(last) as { error: { code: string; remedy: string; exit: number } }).error
    }
    chmodSync(join(folder.path, 'sign.pem'), 0o644)
    t.match(refusal('a'), { code: 'KEY_FILE_OPEN', exit: 78, remedy: /chmod 600/ })
    chmodSync(join(folder.path, 'sign.pem'), 0o600)

    const blocker = createServer()
    await new Promise<void>((done) => blocker.listen(folder.ports.health, '127.0.0.1', done))
    t.match(refusal('b'), { code: 'PORT_TAKEN', exit: 69 })
    await new Promise((done) => blocker.close(done))
    const other = createServer()
    await new Promise<void>((done) => other.listen(port, '127.0.0.1', done))
    t.match(refusal('c'), { code: 'PORT_TAKEN', exit: 69 }, 'a source that cannot listen')
    await new Promise((done) => other.close(done))

    const agent = agentIn(folder, { statePath: join(folder.path, 'd') })
    await agent.start()
    t.match(refusal('d'), { code: 'STATE_LOCKED', exit: 75 })
    await agent.stop('test')
  },
)

t.test('a clock that is years off refuses the start', async (t) => {
  const folder = await createBenchFolder()
  t.teardown(() => folder.remove())
  folder.write('runtime.yaml', runtimeYaml({ clock: 'system', rigs: liveRig(await freePort()) }))
  const clock: Clock = { ...systemClock(), nowUs: () => 86_400_000_000 }
  const agent = agentIn(folder, { clock })
  await t.rejects(agent.start(), { code: 'CLOCK_OFF' })
  t.notOk(existsSync(join(folder.path, 'state')), 'nothing was written')
})

t.test('hostile telemetry is counted by reason with its first example, and the rig is watched on', async (t) => {
  const folder = await createBenchFolder()
  const port = await freePort()
  folder.write('runtime.yaml', runtimeYaml({ clock: 'system', rigs: liveRig(port), ports: folder.ports }))
  const agent = agentIn(folder)
  await agent.start()
  const push = new Push({ linger: 0 })
  push.connect(`tcp://127.0.0.1:${port}`)
  t.teardown(async () => {
    push.close()
    await agent.stop('test')
    folder.remove()
  })
  for (const message of hostileMessages(systemClock().nowUs())) await push.send(message)
  const refused = await waitFor(async () => {
    const rigs = (await ready(folder)).rigs as { refused: { reason: string; count: number; example: string }[] }[]
    const found = rigs[0]?.refused ?? []
    return found.length >= 7 ? found : null
  })
  const byReason = new Map(refused.map((r) => [r.reason, r]))
  for (const reason of [
    'malformed_cbor',
    'duplicate_frame',
    'future',
    'suspect_ms',
    'not_a_number',
    'unknown_channel',
    'wrong_rig',
  ]) {
    t.ok(byReason.has(reason), reason)
    t.ok((byReason.get(reason)?.example.length ?? 0) > 0, `${reason} keeps its first example`)
  }
  t.equal(byReason.get('malformed_cbor')?.count, 2)
  const at = `http://127.0.0.1:${folder.ports.health}`
  t.equal((await fetch(`${at}/live`)).status, 200)
  const metrics = await (await fetch(`${at}/metrics`)).text()
  t.match(metrics, /^hb_refused_total\{rig="water-loop",reason="malformed_cbor"\} 2$/m)
  t.match(metrics, /^hb_samples_total\{rig="water-loop",outcome="rejected"\} [1-9]/m)
})

t.test(
  'a full disk: health says so, nothing is decided from what was not journaled, and it goes on by itself',
  async (t) => {
    const folder = await createBenchFolder()
    folder.write('runtime.yaml', runtimeYaml({ clock: 'system', rigs: liveRig(await freePort()), ports: folder.ports }))
    let full = false
    const files: Files = {
      ...systemFiles,
      writeSync: ((fd: number, ...rest: unknown[]) => {
        if (full) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
        return (systemFiles.writeSync as (fd: number, ...rest: unknown[]) => number)(fd, ...rest)
      }) as Files['writeSync'],
    }
    const log: string[] = []
    const agent = agentIn(folder, { files, log })
    await agent.start()
    t.teardown(() => folder.remove())
    await waitFor(async () => ((await ready(folder)).ready === true ? true : null))
    full = true
    const unready = await waitFor(async () => {
      const status = await ready(folder)
      return status.ready === false ? status : null
    })
    t.match(unready.reasons, [{ code: 'DISK_FULL' }])
    const decidedWhileFull = unready.decision_seq
    await systemClock().sleep(300)
    t.equal((await ready(folder)).decision_seq, decidedWhileFull, 'no decision without a journaled input')
    full = false
    await waitFor(async () => ((await ready(folder)).decision_seq > decidedWhileFull ? true : null))
    await agent.stop('test')
    t.ok(log.some((line) => line.includes('"not_journaled"') && line.includes('DISK_FULL')))
    t.ok(log.some((line) => line.includes('journaled_again')))
    const replayed = hb(folder, 'replay', '--state', 'state', '--json')
    t.equal(replayed.status, 0, replayed.stderr)
    t.match(JSON.parse(replayed.stdout), { equal: true, unsigned: 0 })
  },
)

t.test('a baseline that is none, and a state folder that is not there, are named', async (t) => {
  const folder = await createBenchFolder()
  t.teardown(() => folder.remove())
  folder.write('half.hbb', 'not a baseline')
  folder.write(
    'runtime.yaml',
    runtimeYaml({
      clock: 'system',
      rigs: liveRig(5555).replace('    sources', '    baseline_file: half.hbb\n    sources'),
    }),
  )
  const checked = hb(folder, 'config', 'check', 'runtime.yaml', '--json')
  t.equal(checked.status, 65)
  t.match(checked.stderr, /CBOR_REFUSED|BASELINE_SHAPE/)
  t.match(hb(folder, 'replay', '--state', 'nowhere', '--json').stderr, /STATE_MISSING/)
})

/** One message of every kind that must not be evaluated, and a good one twice. */
function hostileMessages(nowUs: number): Uint8Array[] {
  const frame = (seq: number, timeUs: number, value: number, channel = 'Current'): Uint8Array =>
    encodeFrame({
      rig: 'water-loop',
      source: 'daq',
      epoch: 'e1',
      seq,
      channels: [channel],
      cid: null,
      timeUs: Float64Array.of(timeUs),
      value: Float64Array.of(value),
    })
  const good = frame(1, nowUs, 1)
  return [
    new TextEncoder().encode('rubbish'),
    good,
    good,
    frame(2, nowUs + 86_400_000_000, 1),
    frame(3, nowUs / 1000, 1),
    frame(4, nowUs + 1000, Number.NaN),
    frame(5, nowUs + 2000, 1, 'No Such Channel'),
    good.subarray(0, 20),
    encodeFrame({
      rig: 'other',
      source: 'daq',
      epoch: 'e1',
      seq: 6,
      channels: ['Current'],
      cid: null,
      timeUs: Float64Array.of(nowUs),
      value: Float64Array.of(1),
    }),
  ]
}

type Status = Record<string, unknown> & { ready: boolean; decision_seq: number; reasons: unknown; rigs: unknown }

async function ready(folder: BenchFolder): Promise<Status> {
  return (await (await fetch(`http://127.0.0.1:${folder.ports.health}/ready`)).json()) as Status
}

function agentIn(
  folder: BenchFolder,
  { clock = systemClock(), files = systemFiles, statePath = join(folder.path, 'state'), log = [] as string[] } = {},
): ReturnType<typeof createAgent> {
  const logger = createLogger({
    name: 'agent',
    level: 'info',
    destination: { write: (line: string) => void log.push(line) },
  })
  return createAgent({ loaded: loadRuntimeConfig(join(folder.path, 'runtime.yaml')), statePath, clock, files, logger })
}

/** Asks until there is an answer, at most ten seconds. */
async function waitFor<T>(ask: () => Promise<T | null>): Promise<T> {
  for (let tries = 0; tries < 200; tries += 1) {
    const answer = await ask()
    if (answer !== null) return answer
    await systemClock().sleep(50)
  }
  throw new HbError('DISK_FAILED', { reason: 'it never came' })
}
