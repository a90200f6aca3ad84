import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BuildOptions, OnResolveResult, Plugin } from 'esbuild'
import { evaluatorDigest, ROOT } from './sources.ts'

/** Version of the project. */
export const { version: VERSION } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }

/** Addons cannot be bundled, piscina looks for its worker beside itself, and the rest are optional parts of packages. */
export const EXTERNAL: readonly string[] = [
  'zeromq',
  'sqlite3',
  'piscina',
  'cbor-extract',
  'bufferutil',
  'utf-8-validate',
]

/** How our programs become one CommonJS file, for Node as for the single executable. */
export function programOptions(): BuildOptions {
  return {
    absWorkingDir: ROOT,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    define: {
      HB_VERSION: JSON.stringify(VERSION),
      HB_EVALUATOR_SOURCES: JSON.stringify(evaluatorDigest()),
      // cbor-x reads it, in a branch that a bundle never takes.
      'import.meta.url': 'undefined',
    },
    // Names stay for stack traces; without the white space an agent starts sooner and keeps less of its own text.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    // In a bundle it is empty: what reads it would work from the sources only.
    logOverride: { 'empty-import-meta': 'error' },
    logLevel: 'warning',
  }
}

/**
 * Keeps the whole program out of the agent's file, and says where it is found instead. The engine holds the text of all
 * that it reads, and the allocator room for the largest file it was ever asked for: 6 MB of an agent's 80.
 */
export function apart(where: OnResolveResult): Plugin {
  return {
    name: 'apart',
    setup(build) {
      build.onResolve({ filter: /\/hb-all\.ts$/ }, ({ kind }) => (kind === 'dynamic-import' ? where : null))
    },
  }
}
