/**
 * Makes a fresh clone runnable: installs and builds when needed, then hands over to the command. The only hand-written
 * JavaScript of the project, because nothing else runs before the packages are there. Progress goes to stderr, so that
 * the stdout of a command is its own.
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { constants as os } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const BIN = join(ROOT, 'node_modules', '.bin')
const INSTALL_STAMP = join(ROOT, 'node_modules', '.hb-install')
const BUILD_STAMP = join(ROOT, 'dist', '.hb-build')
/** What a build is made of; a change in any of it makes the build stale. */
const SOURCES = ['agent', 'collector', 'shared', 'hil-testbed', 'scripts', 'package.json', 'package-lock.json']
/** Commands: script to run, arguments in front, and whether it needs the bundle. `hb` runs the bundle itself. */
const COMMANDS = {
  demo: { script: 'demo', args: [], bundle: true },
  test: { script: 'test', args: [], bundle: false },
  check: { script: 'test', args: ['--fast'], bundle: false },
  build: { script: 'build', args: [], bundle: false },
  'build:bin': { script: 'build-bin', args: [], bundle: false },
  docs: { script: 'docs', args: [], bundle: false },
  mutate: { script: 'mutate', args: [], bundle: false },
  bench: { script: 'bench', args: [], bundle: true },
  'eval:detect': { script: 'eval-detect', args: [], bundle: true },
  'hil:mutations': { script: 'hil-mutations', args: [], bundle: true },
  'hil:figures': { script: 'hil-figures', args: [], bundle: true },
  hb: { script: null, args: [], bundle: true },
}

function fail(message) {
  process.stderr.write(`bootstrap: ${message}\n`)
  process.exit(70)
}

const digest = (text) => createHash('sha256').update(text).digest('hex')
const readJson = (path) => (fs.existsSync(path) ? JSON.parse(fs.readFileSync(path, 'utf8')) : null)
const readText = (path) => (fs.existsSync(path) ? fs.readFileSync(path, 'utf8') : '')

/** Whether what a bare `npm ci` left behind is what the lock file asks for, native addon included. */
function matchesLock(lock) {
  const installed = readJson(join(ROOT, 'node_modules', '.package-lock.json'))
  if (installed === null || !fs.existsSync(join(ROOT, 'node_modules/sqlite3/build/Release/node_sqlite3.node')))
    return false
  return Object.entries(JSON.parse(lock).packages).every(([path, wanted]) => {
    if (path === '' || wanted.optional || wanted.devOptional || wanted.peer) return true
    return installed.packages[path]?.version === wanted.version
  })
}

/** A Node that does not live in the folder that `npm ci` is about to delete. */
function outsideNode() {
  if (!process.execPath.startsWith(join(ROOT, 'node_modules'))) return process.execPath
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const node = join(folder, 'node')
    if (folder.includes('node_modules')) continue
    try {
      fs.accessSync(node, fs.constants.X_OK)
      return node
    } catch {
      // Not in this folder; the next one is tried.
    }
  }
  return fail('packages must be installed anew, and no Node outside node_modules was found on PATH')
}

function installWhenNeeded() {
  const lock = fs.readFileSync(join(ROOT, 'package-lock.json'), 'utf8')
  if (readText(INSTALL_STAMP) === digest(lock)) return
  if (!matchesLock(lock)) {
    process.stderr.write('bootstrap: installing packages (a minute or two, only once)\n')
    const node = outsideNode()
    // One compiled addon then loads on every Node from 20 on; headers beside Node spare a download.
    const env = { ...process.env, npm_config_napi_build_version: '6' }
    const prefix = dirname(dirname(node))
    if (fs.existsSync(join(prefix, 'include', 'node', 'node.h'))) env.npm_config_nodedir = prefix
    const npm = process.env.npm_execpath?.endsWith('.js') ? [node, process.env.npm_execpath] : ['npm']
    const done = spawnSync(npm[0], [...npm.slice(1), 'ci', '--no-audit', '--no-fund'], {
      cwd: ROOT,
      env,
      stdio: [0, 2, 2],
    })
    if (done.status !== 0) fail(`npm ci failed (${done.status ?? done.signal ?? done.error?.message})`)
  }
  fs.writeFileSync(INSTALL_STAMP, digest(lock))
}

/** The pinned Node when its package fits this machine, otherwise the one that runs already. */
function findNode() {
  const pinned = join(BIN, 'node')
  if (fs.existsSync(pinned) && spawnSync(pinned, ['--version']).status === 0) return pinned
  if (Number(process.versions.node.split('.')[0]) < 20) fail(`Node 20 or newer is needed, this is ${process.version}`)
  return process.execPath
}

/** Arguments that run a script: as it is where Node strips types itself, else as a bundle of it. */
function scriptArguments(node, name) {
  const source = join(ROOT, 'scripts', `${name}.ts`)
  if (!fs.existsSync(source)) fail(`scripts/${name}.ts is not there`)
  if (spawnSync(node, ['-p', 'process.features.typescript']).stdout.toString().trim() === 'strip') return [source]
  // Beside the sources it would count as one; one folder below the root all its paths are as in the sources.
  const out = join(ROOT, 'dist', `.${name}.bundle.mjs`)
  const options = ['--bundle', '--platform=node', '--packages=external', '--format=esm', '--log-level=error']
  const built = spawnSync(join(BIN, 'esbuild'), [source, ...options, `--outfile=${out}`], { stdio: [0, 2, 2] })
  if (built.status !== 0) fail(`scripts/${name}.ts could not be bundled for ${process.version}`)
  return [out]
}

/** Names, sizes and times of all sources: cheap, and it notices a file that is gone. */
function sourceDigest(path, seen = []) {
  const stat = fs.statSync(join(ROOT, path), { throwIfNoEntry: false })
  if (stat?.isFile()) seen.push(`${path} ${stat.size} ${stat.mtimeMs}`)
  if (!stat?.isDirectory()) return seen
  for (const name of fs.readdirSync(join(ROOT, path)).sort()) sourceDigest(join(path, name), seen)
  return seen
}

function buildWhenStale(node) {
  const now = digest(SOURCES.flatMap((path) => sourceDigest(path)).join('\n'))
  if (fs.existsSync(join(ROOT, 'dist', 'hb.cjs')) && readText(BUILD_STAMP) === now) return
  process.stderr.write('bootstrap: building\n')
  const done = spawnSync(node, scriptArguments(node, 'build'), { cwd: ROOT, stdio: [0, 2, 2] })
  if (done.status !== 0) fail('the build failed')
  fs.mkdirSync(join(ROOT, 'dist'), { recursive: true })
  fs.writeFileSync(BUILD_STAMP, now)
}

/** Runs the command in the caller's folder; signals go on to it, and its end becomes ours. */
function handOver(node, args) {
  const path = `${BIN}${delimiter}${process.env.PATH ?? ''}`
  const child = spawn(node, args, { stdio: 'inherit', env: { ...process.env, PATH: path } })
  // At a terminal Ctrl-C reaches the whole group; sent on, it would arrive twice and look like impatience.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => fail(error.message))
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (os.signals[signal] ?? 0)))
}

const [name, ...rest] = process.argv.slice(2)
const command = Object.hasOwn(COMMANDS, name ?? '') ? COMMANDS[name] : null
if (command === null) fail(`say one of ${Object.keys(COMMANDS).join(', ')}`)
installWhenNeeded()
const node = findNode()
if (command.bundle) buildWhenStale(node)
const target = command.script === null ? [join(ROOT, 'dist', 'hb.cjs')] : scriptArguments(node, command.script)
handOver(node, [...target, ...command.args, ...rest])
