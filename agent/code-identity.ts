import { createHash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import type { BatchHeader } from '../shared/protocol/batch.ts'
import { EVALUATOR_VERSION } from './core/settings.ts'

/** The bundler puts the version here; run from the sources there is none. */
declare const HB_VERSION: string

export type CodeIdentity = BatchHeader['code']

/** What decides here: digest of the program's own file, versions, and whether anything changed how it runs. */
export async function readCode(): Promise<CodeIdentity> {
  const file = process.argv[1]
  const hash = createHash('sha256')
  if (file !== undefined && existsSync(file))
    for await (const chunk of createReadStream(file)) hash.update(chunk as Uint8Array)
  return {
    exe: new Uint8Array(hash.digest()),
    version: typeof HB_VERSION === 'string' ? HB_VERSION : '0.0.0-source',
    node: process.versions.node,
    evaluator: EVALUATOR_VERSION,
    execArgvEmpty: process.execArgv.length === 0 && (process.env['NODE_OPTIONS'] ?? '') === '',
  }
}
