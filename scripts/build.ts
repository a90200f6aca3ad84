/**
 * Builds `dist`: the programs as one file that Node 20 can run, the workers they start, and the fleet page. Equal
 * sources give equal bytes; `dist/build.json` says what was built from what.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build as bundle } from 'esbuild'
import { build as buildPage } from 'vite'
import { evaluatorDigest, fileDigest, listFiles, ROOT } from './sources.ts'

const DIST = join(ROOT, 'dist')
const PAGE = join(ROOT, 'collector', 'dashboard')
const PAGE_FILES = ['index.html', 'main.tsx']
/** Names of bundles and where they start; threads need a file of their own. */
const ENTRIES = { hb: 'scripts/hb.ts', 'collector-verify-worker': 'collector/verify/worker.ts' }
/** Addons cannot be bundled, piscina looks for its worker beside itself, and the rest are optional parts of packages. */
const EXTERNAL = ['zeromq', 'sqlite3', 'piscina', 'cbor-extract', 'bufferutil', 'utf-8-validate']

async function buildPrograms(version: string): Promise<string[]> {
  const entries = Object.entries(ENTRIES).filter(([, source]) => existsSync(join(ROOT, source)))
  await bundle({
    absWorkingDir: ROOT,
    entryPoints: entries.map(([out, source]) => ({ in: source, out })),
    outdir: DIST,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    external: EXTERNAL,
    define: {
      HB_VERSION: JSON.stringify(version),
      HB_EVALUATOR_SOURCES: JSON.stringify(evaluatorDigest()),
      // cbor-x reads it, in a branch that a bundle never takes.
      'import.meta.url': 'undefined',
    },
    // Names stay for stack traces; without the white space an agent starts sooner and keeps less of its own text.
    minifyWhitespace: true,
    minifySyntax: true,
    sourcemap: 'linked',
    legalComments: 'none',
    // In a bundle it is empty: what reads it would work from the sources only.
    logOverride: { 'empty-import-meta': 'error' },
    logLevel: 'warning',
  })
  chmodSync(join(DIST, 'hb.cjs'), 0o755)
  return entries.flatMap(([out]) => [`dist/${out}.cjs`, `dist/${out}.cjs.map`])
}

async function buildFleetPage(): Promise<string[]> {
  if (!PAGE_FILES.every((file) => existsSync(join(PAGE, file)))) {
    process.stderr.write('build: the fleet page has no main.tsx yet and is left out\n')
    return []
  }
  await buildPage({ root: PAGE, configFile: join(PAGE, 'vite.config.ts') })
  return listFiles('dist/dashboard')
}

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
mkdirSync(DIST, { recursive: true })
const files = (await Promise.all([buildPrograms(version), buildFleetPage()])).flat().sort()
const digests = Object.fromEntries(files.map((file) => [file, fileDigest(join(ROOT, file))]))
writeFileSync(
  join(DIST, 'build.json'),
  `${JSON.stringify({ version, evaluator: evaluatorDigest(), files: digests }, null, 2)}\n`,
)
