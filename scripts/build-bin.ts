/**
 * Builds `dist/hb-agent-linux-x64`: the whole program and its Node in one file. Equal sources and packages give equal
 * bytes, wherever and whenever it is built. The last line it prints is the digest of the file and its name.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { builtinModules, createRequire } from 'node:module'
import { basename, join, relative } from 'node:path'
import { build as bundle } from 'esbuild'
import { addonAsset, MQTT_ASSET, PAGE_PREFIX, WHOLE_ASSET, WORKER_ASSET } from './binary/asset-names.ts'
import { carry } from './binary/carry.ts'
import { EXECUTABLE, NODE } from './binary/executable.ts'
import { apart, programOptions, VERSION } from './bundle.ts'
import { buildFleetPage } from './fleet-page.ts'
import { fileDigest, listFiles, ROOT } from './sources.ts'

const FOLDER = join(ROOT, 'dist', '.binary')
const MODULES = join(ROOT, 'node_modules')
const ADDONS: Readonly<Record<string, string>> = {
  sqlite3: join(MODULES, 'sqlite3/build/Release/node_sqlite3.node'),
  zeromq: join(MODULES, 'zeromq/build/linux/x64/node/glibc-127-Release/addon.node'),
}
const MAIN = 'main.cjs'
const CONFIG = 'sea.json'
const BLOB = 'hb.blob'
/** Where Node looks whether something was put into it. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'

/** What is read out of the executable where it is asked for. */
const INSIDE = {
  whole: { path: join(ROOT, 'scripts/binary/hb-all.ts') },
  mqtt: { path: join(ROOT, 'scripts/binary/mqtt.ts') },
}

/** SIGUSR1 would open a debugger's port in a running agent. */
const FLAGS = ['--disable-sigusr1']

type Inject = (file: string, name: string, data: Buffer, options: { sentinelFuse: string }) => Promise<void>

/** Bundles the program and its worker, so that neither asks for a file beside it. */
async function bundleCode(): Promise<void> {
  const digests = Object.entries(ADDONS).map(([name, path]) => [name, fileDigest(path)])
  const options = programOptions()
  const { metafile } = await bundle({
    ...options,
    define: {
      ...options.define,
      HB_BUILT_IN_FLAGS: JSON.stringify(FLAGS),
      HB_ADDON_DIGESTS: JSON.stringify(Object.fromEntries(digests)),
    },
    entryPoints: [
      { in: 'scripts/hb.ts', out: MAIN.replace('.cjs', '') },
      { in: 'scripts/hb-all.ts', out: WHOLE_ASSET.replace('.cjs', '') },
      { in: 'shared/mqtt/package.ts', out: MQTT_ASSET.replace('.cjs', '') },
      { in: 'node_modules/piscina/dist/worker.js', out: WORKER_ASSET.replace('.cjs', '') },
    ],
    outdir: FOLDER,
    outExtension: { '.js': '.cjs' },
    target: 'node24',
    plugins: [apart(INSIDE), carry()],
    metafile: true,
    // A build folder reached by a link is still the folder that was asked for.
    preserveSymlinks: true,
  })
  const outside = Object.values(metafile.outputs)
    .flatMap(({ imports }) => imports.map(({ path }) => path))
    .filter((path) => !path.startsWith('node:') && !builtinModules.includes(path))
  if (outside.length > 0) throw new Error(`not in the executable: ${[...new Set(outside)].join(', ')}`)
}

/** Puts everything that is carried into the folder, and writes down what is to be made of it. */
async function gather(): Promise<void> {
  rmSync(FOLDER, { recursive: true, force: true })
  mkdirSync(FOLDER, { recursive: true })
  await Promise.all([buildFleetPage(relative(ROOT, join(FOLDER, PAGE_PREFIX))), bundleCode()])
  for (const [name, path] of Object.entries(ADDONS)) copyFileSync(path, join(FOLDER, addonAsset(name)))
  const assets = listFiles('.', FOLDER).filter((file) => file !== MAIN)
  // Relative paths and this order of keys: both end up in the bytes.
  const config = {
    main: MAIN,
    output: BLOB,
    disableExperimentalSEAWarning: true,
    useSnapshot: false,
    useCodeCache: false,
    execArgv: FLAGS,
    // Neither NODE_OPTIONS nor an argument adds a flag.
    execArgvExtension: 'none',
    assets: Object.fromEntries(assets.map((file) => [file, file])),
  }
  writeFileSync(join(FOLDER, CONFIG), JSON.stringify(config))
}

/** Makes the executable out of Node and what was gathered. */
async function assemble(): Promise<void> {
  run(NODE, ['--experimental-sea-config', CONFIG])
  const made = join(FOLDER, basename(EXECUTABLE))
  copyFileSync(NODE, made)
  chmodSync(made, 0o755)
  const { inject } = createRequire(import.meta.url)('postject') as { inject: Inject }
  await inject(made, 'NODE_SEA_BLOB', readFileSync(join(FOLDER, BLOB)), { sentinelFuse: FUSE })
  // A tool that failed halfway may leave a plain Node behind: it answers with another version.
  const says = run(made, ['--version']).trim()
  if (says !== VERSION) throw new Error(`${made} says it is ${says}, not ${VERSION}`)
  renameSync(made, EXECUTABLE)
  rmSync(FOLDER, { recursive: true })
}

function run(command: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: FOLDER,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] },
  })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr}`)
  return stdout
}

if (process.platform !== 'linux' || process.arch !== 'x64')
  throw new Error(`the executable is for linux-x64 and built there; this is ${process.platform}-${process.arch}`)
await gather()
await assemble()
const megabytes = (statSync(EXECUTABLE).size / 1_000_000).toFixed(1)
process.stdout.write(`${megabytes} MB\n${fileDigest(EXECUTABLE)}  ${relative(ROOT, EXECUTABLE)}\n`)
