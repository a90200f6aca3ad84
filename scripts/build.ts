/**
 * Builds `dist`: the programs as one file that Node 20 can run, the workers they start, and the fleet page. Equal
 * sources give equal bytes; `dist/build.json` says what was built from what.
 */
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build as bundle } from 'esbuild'
import { apart, BESIDE, EXTERNAL, programOptions, VERSION } from './bundle.ts'
import { buildFleetPage } from './fleet-page.ts'
import { evaluatorDigest, fileDigest, ROOT } from './sources.ts'

const DIST = join(ROOT, 'dist')
/** Names of bundles and where they start; threads need a file of their own. */
const ENTRIES = {
  hb: 'scripts/hb.ts',
  'agent-shard-worker': 'agent/adapters/shard-worker.ts',
  'hb-all': 'scripts/hb-all.ts',
  'hb-mqtt': 'shared/mqtt/package.ts',
  'collector-verify-worker': 'collector/verify/worker.ts',
}
async function buildPrograms(): Promise<string[]> {
  const entries = Object.entries(ENTRIES).filter(([, source]) => existsSync(join(ROOT, source)))
  await bundle({
    ...programOptions(),
    entryPoints: entries.map(([out, source]) => ({ in: source, out })),
    outdir: DIST,
    outExtension: { '.js': '.cjs' },
    target: 'node20',
    external: [...EXTERNAL],
    sourcemap: 'linked',
    plugins: [apart(BESIDE)],
  })
  chmodSync(join(DIST, 'hb.cjs'), 0o755)
  return entries.flatMap(([out]) => [`dist/${out}.cjs`, `dist/${out}.cjs.map`])
}

mkdirSync(DIST, { recursive: true })
const files = (await Promise.all([buildPrograms(), buildFleetPage()])).flat().sort()
const digests = Object.fromEntries(files.map((file) => [file, fileDigest(join(ROOT, file))]))
writeFileSync(
  join(DIST, 'build.json'),
  `${JSON.stringify({ version: VERSION, evaluator: evaluatorDigest(), files: digests }, null, 2)}\n`,
)
