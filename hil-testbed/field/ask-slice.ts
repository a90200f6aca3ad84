import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { ERRORS, type ErrorCode } from '../../shared/errors/catalog.ts'
import { type ErrorContext, HbError } from '../../shared/errors/hb-error.ts'
import type { Hb } from '../bench/agent-process.ts'

/** What is asked of the state folder of an agent. */
export type Asked = Readonly<{ id: string; state: string; before: string; after: string; out: string }>

/**
 * Takes a decision and what it was made from out of a state folder: by the command of the same program, for a bench has no
 * part of an agent in it.
 *
 * @throws HbError what that command says, with its code
 */
export async function askSlice({ id, state, before, after, out }: Asked, hb: Hb): Promise<void> {
  const args = [
    'decisions',
    'slice',
    id,
    '--state',
    state,
    '--before',
    before,
    '--after',
    after,
    '--out',
    out,
    '--json',
  ]
  const child = spawn(hb.command, [...hb.before, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw errorIn(said, code)
}

/** Facts of an error as its program shows them, one `name = value` a line. */
function contextOf(lines: readonly string[]): ErrorContext {
  const facts = lines.map((line) => /^(\w+) = (.*)$/.exec(line) ?? [line, 'found', JSON.stringify(line)])
  return Object.fromEntries(facts.map(([, name, value]) => [name!, JSON.parse(value!) as string | number]))
}

function errorIn(said: string, code: number | null): HbError {
  try {
    const { error } = JSON.parse(said.trim().split('\n').at(-1)!) as { error: { code: string; found: string[] } }
    if (Object.hasOwn(ERRORS, error.code)) return new HbError(error.code as ErrorCode, contextOf(error.found))
  } catch {
    // It ended without saying why as it should: its own words follow.
  }
  return new HbError('PROGRAM_FAILED', {
    program: 'hb decisions slice',
    found: `exit ${code}`,
    reason: said.slice(-2000),
  })
}
