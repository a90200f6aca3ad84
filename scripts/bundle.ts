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

/** What an agent beside a rig does without: commands for people, and half a megabyte for rigs that publish to a broker. */
const APART = { whole: /\/hb-all\.ts$/, mqtt: /\/mqtt\/package\.ts$/ }

/** Where it is in a folder of bundles. */
export const BESIDE = {
  whole: { path: './hb-all.cjs', external: true },
  mqtt: { path: './hb-mqtt.cjs', external: true },
}

/**
 * Keeps what few need out of the agent's file, and says where it is found instead. The engine holds the text of all
 * that it reads, and the allocator room for the largest file it was ever asked for: 6 MB of an agent's 80.
 */
export function apart(where: Readonly<Record<keyof typeof APART, OnResolveResult>>): Plugin {
  return {
    name: 'apart',
    setup(build) {
      for (const part of ['whole', 'mqtt'] as const)
        build.onResolve({ filter: APART[part] }, ({ kind }) => (kind === 'dynamic-import' ? where[part] : null))
    },
  }
}
