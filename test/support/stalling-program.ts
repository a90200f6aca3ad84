import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Hb } from '../../scripts/demo/processes.ts'
import { ROOT } from '../../scripts/sources.ts'
import { invariant } from '../../shared/lib/assert.ts'

/** Stages of the way of a token that can be made to stall, each while all others go on. */
export const STALLS = ['worker', 'gate', 'ledger', 'disk'] as const
export type Stall = (typeof STALLS)[number]

const stalls = (which: Stall): string => `require("node:fs").existsSync("stall.${which}")`

/** Where a stall is built in: the text of the program that it comes behind, and what it is. */
const BUILT_IN: readonly Readonly<{ file: string; behind: RegExp; text: string }>[] = [
  // The disk takes what is written and never says that it is down there.
  {
    file: 'hb.cjs',
    behind: /^(#!.*\n)?"use strict";/,
    text: `{const fs=require("node:fs"),was=fs.fdatasync;fs.fdatasync=(fd,done)=>${stalls('disk')}?undefined:was(fd,done)}`,
  },
  // No transaction of the ledger ends.
  {
    file: 'hb.cjs',
    behind: /^(#!.*\n)?"use strict";/,
    text: `{const {Database}=require("sqlite3"),was=Database.prototype.exec;Database.prototype.exec=function(sql,done){return ${stalls('ledger')}?this:was.call(this,sql,done)}}`,
  },
  // Windows close, and nothing is judged by the safety kernel.
  { file: 'hb.cjs', behind: /function safetyAtSlide\([^)]*\)\{/, text: `if(${stalls('gate')})return[];` },
  // The thread stands still.
  {
    file: 'agent-shard-worker.cjs',
    behind: /function takeRound\([^)]*\)\{/,
    text: `if(${stalls('worker')})Atomics.wait(new Int32Array(new SharedArrayBuffer(4)),0,0);`,
  },
]

/** A copy of the built program in which stages stall while `stall.NAME` is in the folder that it runs in. */
export function stallingProgram(): Readonly<{ hb: Hb; remove(): void }> {
  const dist = join(ROOT, 'dist')
  const folder = mkdtempSync(join(tmpdir(), 'hb-stalling-'))
  for (const name of new Set(BUILT_IN.map(({ file }) => file))) {
    let text = readFileSync(join(dist, name), 'utf8')
    for (const { file, behind, text: stall } of BUILT_IN) {
      if (file !== name) continue
      const before = text
      text = text.replace(behind, (found) => found + stall)
      invariant(text !== before, `${file} has nothing like ${String(behind)}`)
    }
    writeFileSync(join(folder, name), text)
  }
  const modules = join(ROOT, 'node_modules')
  invariant(existsSync(modules), 'packages are where they are resolved')
  // Packages are found from the folder of the program upwards, and here by name.
  const hb: Hb = { command: '/usr/bin/env', before: [`NODE_PATH=${modules}`, process.execPath, join(folder, 'hb.cjs')] }
  return { hb, remove: () => rmSync(folder, { recursive: true, force: true }) }
}
