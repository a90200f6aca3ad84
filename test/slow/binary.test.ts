import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import t from 'tap'
import { viewStorage } from '../../agent/storage.ts'
import { EXECUTABLE, NODE } from '../../scripts/binary/executable.ts'
import { VERSION } from '../../scripts/bundle.ts'
import { BUNDLE, type Hb, killAll, runHb, startHb } from '../../scripts/demo/processes.ts'
import { fileDigest, ROOT } from '../../scripts/sources.ts'
import { decodeBaseline } from '../../shared/codec/baseline-record.ts'
import { readPublicKey } from '../../shared/crypto/sign.ts'
import { openThinned } from '../../shared/protocol/batch.ts'
import { createBenchFolder, runtimeYaml } from '../support/bench-folder.ts'
import { makeRecording } from '../support/kill-run.ts'

const BINARY: Hb = { command: EXECUTABLE, before: [] }
const NOBODY = 65534
const STARTS = 15
/** Everything that a build reads, without the packages. */
const SOURCES = ['agent', 'collector', 'hil-testbed', 'scripts', 'shared', 'package.json', 'tsconfig.json']
/** Tests that start programs: written for the bundle, and run here on the executable. */
const TESTS_OF_THE_BUNDLE = ['threads', 'commands', 'copied-state', 'collector-kill', 'kill', 'openapi']

/** Addon → a command that loads it, and does nothing. */
const NEEDS: Readonly<Record<string, readonly string[]>> = {
  sqlite3: ['collector', '--help'],
  zeromq: ['hil', '--help'],
}

type Ended = Readonly<{ status: number | null; out: string; err: string }>

/** The executable alone in a folder, as a field engineer copies it, with a runtime folder beside it. */
type Copy = Readonly<{
  folder: string
  file: string
  runtime: string
  run(env: NodeJS.ProcessEnv, ...args: string[]): Ended
}>

function copyExecutable(test: { teardown(run: () => void): unknown }): Copy {
  const folder = mkdtempSync(join(tmpdir(), 'hb-executable-'))
  test.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'agent')
  copyFileSync(EXECUTABLE, file)
  const runtime = join(folder, 'runtime')
  const run = (env: NodeJS.ProcessEnv, ...args: string[]): Ended => {
    // An empty environment: no Node on a path, no packages.
    const done = spawnSync(file, args, { cwd: folder, encoding: 'utf8', env: { HB_RUNTIME_DIR: runtime, ...env } })
    return { status: done.status, out: done.stdout, err: done.stderr }
  }
  return { folder, file, runtime, run }
}

/** Runs a script or test of the project to its end, without holding up this one. */
function runScript(args: readonly string[], { cwd = ROOT, env = {} } = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(NODE, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    let [out, err] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text
    })
    child.on('close', (status) => resolve({ status, out, err }))
  })
}

t.test('built twice, in two folders, it has the same bytes', async (t) => {
  const other = join(ROOT, 'dist', '.elsewhere', 'deeper')
  rmSync(join(other, '..'), { recursive: true, force: true })
  t.teardown(() => rmSync(join(other, '..'), { recursive: true, force: true }))
  mkdirSync(other, { recursive: true })
  // Links to files, not to folders: every package has another path there.
  const copied = spawnSync('cp', ['-al', ...SOURCES, 'node_modules', other], { cwd: ROOT, encoding: 'utf8' })
  t.equal(copied.stderr, '')
  const here = await runScript(['scripts/build-bin.ts'])
  t.equal(here.status, 0, here.err)
  const there = await runScript(['scripts/build-bin.ts'], {
    cwd: other,
    env: { TZ: 'Pacific/Chatham', LC_ALL: 'C', TMPDIR: other },
  })
  t.equal(there.status, 0, there.err)
  const digest = fileDigest(EXECUTABLE)
  t.equal(fileDigest(join(other, 'dist', basename(EXECUTABLE))), digest)
  t.match(here.out, digest, 'the build says it')
  t.comment(`counted: builds of the executable | 2 | in two folders and time zones, both ${digest.slice(0, 16)}…`)
  t.comment(`counted: size of the executable, MB | ${(lstatSync(EXECUTABLE).size / 1e6).toFixed(1)} | Node included`)
})

t.test('it says our version, and needs nothing but itself', (t) => {
  const { run, runtime, folder } = copyExecutable(t)
  t.same(run({}, '--version'), { status: 0, out: `${VERSION}\n`, err: '' })
  t.notOk(existsSync(runtime), 'nothing was written for that')
  const listed = run({}, '--help')
  t.equal(listed.status, 0, listed.err)
  t.match(listed.out, /runtime.*replay.*journal.*doctor/s)
  t.same(readdirSync(folder).sort(), ['agent', 'runtime'])
  t.match(run({}, 'no-such-command'), { status: 64, err: /USAGE/ })
  t.end()
})

t.test('NODE_OPTIONS and arguments of Node change nothing', (t) => {
  const { run, folder } = copyExecutable(t)
  const mark = join(folder, 'loaded')
  const hook = join(folder, 'hook.cjs')
  writeFileSync(hook, `require('node:fs').writeFileSync(${JSON.stringify(mark)}, '')`)
  const options = [`--require ${hook}`, `--import ${hook}`, '--inspect-brk', '--v8-options', '--no-such-flag']
  for (const NODE_OPTIONS of options) {
    t.same(run({ NODE_OPTIONS }, '--version'), { status: 0, out: `${VERSION}\n`, err: '' }, NODE_OPTIONS)
    t.notOk(existsSync(mark), NODE_OPTIONS)
  }
  t.match(run({}, '--require', hook), { status: 64, err: /USAGE/ }, 'an argument is one of ours or none')
  t.same(run({}, '--inspect', '--version'), { status: 0, out: `${VERSION}\n`, err: '' })
  t.notOk(existsSync(mark))
  spawnSync(NODE, ['-e', '0'], { env: { NODE_OPTIONS: options[0]! } })
  t.ok(existsSync(mark), 'Node itself would have loaded it')
  t.comment(`counted: hostile NODE_OPTIONS | ${options.length} | no effect on the executable`)
  t.end()
})

t.test('an addon that was tampered with is never loaded', (t) => {
  const { run, runtime } = copyExecutable(t)
  t.equal(run({}, '--help').status, 0)
  const names = readdirSync(runtime).sort()
  t.equal(names.length, 2, 'zeromq and sqlite3')
  let tampered = 0
  const lay = (name: string, bytes: Buffer, what: string): void => {
    const path = join(runtime, name)
    const whole = readFileSync(path)
    rmSync(path)
    writeFileSync(path, bytes, { mode: 0o500 })
    t.equal(run({}, ...NEEDS[name.split('-')[0]!]!).status, 0, `${name}: ${what}`)
    t.ok(readFileSync(path).equals(whole), `${name}: ${what}: the right one is there again`)
    tampered += 1
  }
  for (const [index, name] of names.entries()) {
    const whole = readFileSync(join(runtime, name))
    for (const share of [0, 0.1, 0.25, 0.5, 0.75, 1]) {
      const flipped = Buffer.from(whole)
      const at = Math.floor(share * (whole.length - 1))
      flipped[at]! ^= 1
      lay(name, flipped, `byte ${at} flipped`)
    }
    lay(name, whole.subarray(0, -1), 'a byte short')
    lay(name, readFileSync(join(runtime, names[1 - index]!)), 'the other addon, which would load')
  }
  t.comment(`counted: addons tampered with | ${tampered} | each replaced before it was loaded`)
  t.end()
})

t.test('a runtime folder that others could change is refused with a remedy', (t) => {
  const { run, runtime, folder } = copyExecutable(t)
  const refused = { status: 77, out: '', err: /RUNTIME_FOLDER_REFUSED.*remedy: Set HB_RUNTIME_DIR/s }
  mkdirSync(runtime)
  const refuses = (): void => {
    for (const command of Object.values(NEEDS)) t.match(run({}, ...command), refused)
    t.same(readdirSync(runtime), [])
  }
  chmodSync(runtime, 0o777)
  refuses()
  t.equal(run({}, 'config', '--help').status, 0, 'a command that needs no addon goes on')
  t.match(run({}, '--help'), { status: 0, out: /journal .*collector +cannot run here: RUNTIME_FOLDER_REFUSED/s })
  chmodSync(runtime, 0o700)
  if (process.getuid!() === 0) {
    chownSync(runtime, NOBODY, NOBODY)
    refuses()
    chownSync(runtime, 0, 0)
  } else t.comment('not root: the folder of another user was not tried here')
  t.equal(run({}, ...NEEDS['zeromq']!).status, 0)
  t.equal(run({ HB_RUNTIME_DIR: '', XDG_RUNTIME_DIR: folder }, ...NEEDS['zeromq']!).status, 0)
  t.equal(readdirSync(join(folder, 'hb-agent')).length, 1)
  t.end()
})

t.test('a runtime folder from which nothing may be run is told of', (t) => {
  const { file, runtime } = copyExecutable(t)
  mkdirSync(runtime, { mode: 0o700 })
  const mounted = 'mount -t tmpfs -o noexec,mode=700 tmpfs "$HB_RUNTIME_DIR" && exec "$0" hil --help'
  const done = spawnSync('unshare', ['-m', 'sh', '-c', mounted, file], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HB_RUNTIME_DIR: runtime },
  })
  // Only who may mount can show it.
  if (process.getuid!() !== 0) t.comment('not root: nothing was mounted here')
  else t.match(done, { status: 69, stdout: '', stderr: /ADDON_NOT_LOADED.*failed to map.*remedy: .*noexec/s })
  t.end()
})

t.test('an executable with a damaged addon inside refuses it', (t) => {
  const { run, runtime, file } = copyExecutable(t)
  t.equal(run({}, ...NEEDS['zeromq']!).status, 0)
  const bytes = readFileSync(file)
  const at = bytes.indexOf(readFileSync(join(runtime, readdirSync(runtime)[0]!)))
  t.ok(at > 0)
  bytes[at + 1_000_000]! ^= 1
  writeFileSync(file, bytes)
  rmSync(runtime, { recursive: true })
  t.match(run({}, ...NEEDS['zeromq']!), {
    status: 65,
    out: '',
    err: /ADDON_DAMAGED.*remedy: Copy the executable again/s,
  })
  t.same(readdirSync(runtime), [])
  t.end()
})

/** Commands that only look: they say nothing of when and where they were run. */
const LOOKS = [
  'decisions digest --json',
  'decisions list --limit 1000 --json',
  'decisions show 1 --json',
  'replay --json',
  'journal verify --json',
  'journal export --from 1 --to 50',
  'runs list --json',
]

t.test('what the executable decides is what the bundle decides', async (t) => {
  const folder = await createBenchFolder()
  t.teardown(() => folder.remove())
  await makeRecording(folder)
  await runHb(
    ['hil', 'water-loop', '--csv', 'again.csv', '--seconds', '120', '--fault-after', '60'],
    folder.path,
    BINARY,
  )
  t.equal(
    fileDigest(join(folder.path, 'again.csv')),
    fileDigest(join(folder.path, 'loop.csv')),
    'the same simulated rig',
  )
  for (const [state, hb] of [
    ['by-bundle', BUNDLE],
    ['by-binary', BINARY],
  ] as const)
    await runHb(['runtime', '--config', 'runtime.yaml', '--state', state], folder.path, hb)
  const look = (command: string, state: string, hb: Hb): Promise<string> =>
    runHb([...command.split(' '), '--state', state], folder.path, hb)
  const reference = JSON.parse(await look(LOOKS[0]!, 'by-bundle', BUNDLE)) as { digest: string; decisions: number }
  t.ok(reference.decisions > 2000)
  t.same(JSON.parse(await look(LOOKS[0]!, 'by-binary', BUNDLE)), reference, 'decided by the executable')
  for (const state of ['by-bundle', 'by-binary'])
    for (const command of LOOKS)
      t.equal(await look(command, state, BINARY), await look(command, state, BUNDLE), `${command} of ${state}`)
  for (const [index, hb] of [BUNDLE, BINARY].entries())
    await runHb(
      ['baseline', 'create', '--from', 'by-bundle', '--rig', 'water-loop', '--out', `${index}.hbb`],
      folder.path,
      hb,
    )
  const fitted = (name: string) => decodeBaseline(readFileSync(join(folder.path, name)))
  t.same({ ...fitted('1.hbb'), madeUs: 0 }, { ...fitted('0.hbb'), madeUs: 0 }, 'the same baseline')
  t.comment(
    `counted: decisions of executable and bundle | ${reference.decisions} | digest ${reference.digest.slice(0, 16)}… by both`,
  )
})

t.test('a batch names the file that made it, and is not taken in by the environment', async (t) => {
  const folder = await createBenchFolder()
  t.teardown(() => folder.remove())
  await makeRecording(folder)
  const codeOf = async (state: string, hb: Hb): Promise<{ exe: string; flags: boolean; version: string }[]> => {
    await runHb(['runtime', '--config', 'runtime.yaml', '--state', state], folder.path, hb)
    const key = readPublicKey(readFileSync(join(folder.path, 'sign.pub.pem'), 'utf8'))
    const entries = await viewStorage(join(folder.path, state)).outbox.read(1, 10_000)
    return entries.map(({ cose }) => {
      const { exe, execArgvEmpty, version } = openThinned(cose, key).header.code
      return { exe: Buffer.from(exe).toString('hex'), flags: execArgvEmpty, version }
    })
  }
  const ofBinary = await codeOf('binary', BINARY)
  t.ok(ofBinary.length > 1)
  for (const code of ofBinary) t.same(code, { exe: fileDigest(EXECUTABLE), flags: true, version: VERSION })
  const ofBundle = await codeOf('bundle', BUNDLE)
  t.same(ofBundle[0], { exe: fileDigest(BUNDLE.before[0]!), flags: true, version: VERSION })
  const hooked: Hb = { command: '/usr/bin/env', before: ['NODE_OPTIONS=--no-deprecation', EXECUTABLE] }
  t.same((await codeOf('hooked', hooked))[0], ofBinary[0])
  const bundleHooked: Hb = {
    command: '/usr/bin/env',
    before: ['NODE_OPTIONS=--no-deprecation', NODE, ...BUNDLE.before],
  }
  t.match((await codeOf('bundle-hooked', bundleHooked))[0], { flags: false }, 'where it has an effect it is told')
})

t.test('a signal opens no debugger in a running agent', async (t) => {
  const folder = await createBenchFolder()
  t.teardown(() => {
    killAll()
    folder.remove()
  })
  const endpoint = `tcp://127.0.0.1:${folder.ports.operators}`
  const rigs = `  - { rig: water-loop, program: demo, registry_file: water-loop.registry.yaml, sources: [{ name: daq, type: zmq, endpoint: "${endpoint}" }] }\n`
  folder.write('runtime.yaml', runtimeYaml({ clock: 'system', rigs }))
  const readyMs = async (name: string, hb: Hb): Promise<number> => {
    const startMs = performance.now()
    const agent = startHb(name, ['runtime', '--config', 'runtime.yaml', '--state', name], { folder: folder.path, hb })
    await agent.event('agent_started')
    const ms = performance.now() - startMs
    process.kill(agent.pid, 'SIGUSR1')
    await new Promise((resolve) => setTimeout(resolve, 200))
    t.equal(await agent.stop(), 0, name)
    return ms
  }
  const ms: Record<'binary' | 'bundle', number[]> = { binary: [], bundle: [] }
  for (let k = 0; k < STARTS; k += 1) {
    ms.bundle.push(await readyMs(`bundle-${k}`, BUNDLE))
    ms.binary.push(await readyMs(`binary-${k}`, BINARY))
  }
  const logs = (what: string): string[] =>
    readdirSync(folder.path)
      .filter((name) => name.startsWith(what) && name.endsWith('.log'))
      .map((name) => readFileSync(join(folder.path, name), 'utf8'))
  const opens = (text: string): boolean => /debugger|inspector/i.test(text)
  t.same(logs('binary').filter(opens), [])
  t.ok(logs('bundle').some(opens), 'Node itself tries to')
  const median = (values: number[]): string => values.sort((a, b) => a - b)[STARTS >> 1]!.toFixed(0)
  t.comment(
    `counted: starts of the executable | ${STARTS} | ready after ${median(ms.binary)} ms, the bundle after ${median(ms.bundle)} ms (medians)`,
  )
})

t.test('the tests of the bundle pass on the executable', async (t) => {
  let passed = 0
  for (const name of TESTS_OF_THE_BUNDLE) {
    const done = await runScript([`test/system/${name}.test.ts`], { env: { HB_EXECUTABLE: EXECUTABLE } })
    t.equal(done.status, 0, `${name}\n${done.status === 0 ? '' : done.out}`)
    passed += Number(/# \{ total: \d+, pass: (\d+)/.exec(done.out)?.[1] ?? 0)
  }
  t.ok(passed > 50)
  t.comment(
    `counted: assertions of system tests on the executable | ${passed} | kills of agent and collector among them`,
  )
})

t.test('the demo checks itself with every program being the executable', async (t) => {
  const done = await runScript(['scripts/demo.ts', '--exit', '--bin'])
  t.equal(done.status, 0, done.out + done.err)
  const checks = /demo: (\d+) checks passed/.exec(done.out)?.[1]
  t.ok(Number(checks) >= 10)
  t.comment(`counted: checks of the demo on the executable | ${checks} | collector and its workers inside`)
})
