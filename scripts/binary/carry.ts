import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Plugin } from 'esbuild'
import { ROOT } from '../sources.ts'
import { WORKER_ASSET } from './asset-names.ts'

/** Optional parts of packages: each is asked for inside a `try`, and what asks goes on without. */
const LEFT_OUT = /^(cbor-extract|bufferutil|utf-8-validate|@napi-rs\/nice)$/

/** Whole modules that look for files beside themselves, and what stands in their place. */
const REPLACED: readonly Readonly<{ file: RegExp; by: string }>[] = [
  { file: /\/zeromq\/lib\/load-addon\.js$/, by: addonModule('zeromq') },
  { file: /\/sqlite3\/lib\/sqlite3-binding\.js$/, by: addonModule('sqlite3') },
  { file: /\/collector\/http\/page\.ts$/, by: `export * from ${quoted('scripts/binary/page.ts')}` },
]

/** Single expressions in packages that name a file of code. The build fails when one is not there exactly once. */
const PATCHED: readonly Readonly<{ file: RegExp; from: string; to: string }>[] = [
  {
    file: /\/piscina\/dist\/worker_pool\/index\.js$/,
    from: 'new node_worker_threads_1.Worker(filename, workerOpts)',
    to: `new node_worker_threads_1.Worker(require('node:sea').getAsset('${WORKER_ASSET}', 'utf8'), { ...workerOpts, eval: true })`,
  },
  {
    file: /\/piscina\/dist\/worker\.js$/,
    from: '__importStar(require(s))',
    // The name of the file that a pool asks for says which of the two workers it means.
    to: `__importStar(/agent-shard-worker/.test(s) ? require(${quoted('agent/adapters/shard-worker.ts')}) : require(${quoted('collector/verify/worker.ts')}))`,
  },
]

/** Makes a bundle that needs no file beside it: what packages look for on disk comes out of the executable. */
export function carry(): Plugin {
  return {
    name: 'carry',
    setup(build) {
      build.onResolve({ filter: LEFT_OUT }, ({ path }) => ({ path, namespace: 'left-out' }))
      build.onLoad({ filter: /./, namespace: 'left-out' }, ({ path }) => ({
        contents: `throw new Error(${JSON.stringify(`${path} is not carried`)})`,
      }))
      for (const { file, by } of REPLACED)
        build.onLoad({ filter: file }, () => ({ contents: by, resolveDir: ROOT, loader: 'js' }))
      for (const { file, from, to } of PATCHED) {
        build.onLoad({ filter: file }, async ({ path }) => {
          const parts = (await readFile(path, 'utf8')).split(from)
          if (parts.length !== 2) throw new Error(`${path} has changed: \`${from}\` is there ${parts.length - 1} times`)
          return { contents: parts.join(to), resolveDir: join(path, '..'), loader: 'js' }
        })
      }
    },
  }
}

function addonModule(name: string): string {
  return `module.exports = require(${quoted('scripts/binary/addon.ts')}).loadAddon(${JSON.stringify(name)})`
}

/** A file of ours as the text of an import. */
function quoted(file: string): string {
  return JSON.stringify(join(ROOT, file))
}
