import { once } from 'node:events'
import { createReadStream, createWriteStream, statSync } from 'node:fs'
import { HbError } from '../../shared/errors/hb-error.ts'
import { type Layout, layoutOf } from './layout.ts'
import { type RowChanges, type RowFaultOptions, RowFaults } from './row-faults.ts'

/** Longest row; the agent reads over the rest of a longer one, and here it would be cut without a word. */
export const LINE_BYTES_MAX = 1024 * 1024

/** Layout of a file from its first line. @throws HbError CSV_HEADER, INJECT_INPUT */
export async function readLayout(path: string, timeColumn: string | undefined): Promise<Layout> {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true)
    throw new HbError('INJECT_INPUT', { path, found: 'no file' })
  for await (const { line } of linesOf(path)) return layoutOf(line, { path, timeColumn })
  throw new HbError('CSV_HEADER', { path, found: 'an empty file' })
}

/** Writes a file anew with faults, row by row. `to` must not exist. @throws HbError INJECT_INPUT, DISK_… */
export async function injectFile(from: string, to: string, options: RowFaultOptions): Promise<RowChanges> {
  const faults = new RowFaults(options)
  const out = createWriteStream(to, { flags: 'wx' })
  const failed = new Promise<never>((_, reject) => out.once('error', (cause) => reject(writeError(cause, to))))
  failed.catch(() => undefined)
  const put = async (rows: readonly Uint8Array[]): Promise<void> => {
    for (const row of rows) if (!out.write(row)) await Promise.race([once(out, 'drain'), failed])
  }
  try {
    let isHeader = true
    for await (const { line, end } of linesOf(from)) {
      if (isHeader) await put([Buffer.from(`${faults.header(line)}${end}`)])
      // An empty line is no row.
      else if (line !== '') await put(faults.take(line, end))
      isHeader = false
    }
    await put(faults.end())
  } finally {
    out.end()
    await Promise.race([once(out, 'close'), failed])
  }
  return faults.changes()
}

function writeError(cause: NodeJS.ErrnoException, path: string): HbError {
  if (cause.code === 'EEXIST' || cause.code === 'ENOENT' || cause.code === 'EISDIR')
    return new HbError('USAGE', { option: '--output', found: path, expected: 'a new file in a folder that is there' })
  return new HbError(cause.code === 'ENOSPC' ? 'DISK_FULL' : 'DISK_FAILED', { path, errno: cause.code ?? 'unknown' })
}

/** Lines with what ended them, without holding more than one. @throws HbError INJECT_INPUT */
async function* linesOf(path: string): AsyncGenerator<Readonly<{ line: string; end: string }>> {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  let rest = ''
  for await (const chunk of createReadStream(path)) {
    const lines = `${rest}${decoder.decode(chunk as Uint8Array, { stream: true })}`.split('\n')
    rest = lines.pop()!
    for (const line of lines) yield split(line)
    if (rest.length > LINE_BYTES_MAX)
      throw new HbError('INJECT_INPUT', { path, found: `a line of more than ${LINE_BYTES_MAX} characters` })
  }
  rest += decoder.decode()
  if (rest !== '') yield split(rest)
}

function split(line: string): { line: string; end: string } {
  return line.endsWith('\r') ? { line: line.slice(0, -1), end: '\r\n' } : { line, end: '\n' }
}
