import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { HbError } from '../errors/hb-error.ts'

/**
 * Writes the files of a report into a folder, which is made where it is not there. A file of an earlier report is replaced
 * as a whole: whoever reads it meets the old one or the new one.
 *
 * @throws HbError REPORT_UNWRITABLE
 */
export function writeReports(folder: string, files: Readonly<Record<string, string>>): void {
  try {
    mkdirSync(folder, { recursive: true })
    for (const [name, text] of Object.entries(files)) {
      const path = join(folder, name)
      writeFileSync(`${path}.new`, text)
      renameSync(`${path}.new`, path)
    }
  } catch (cause) {
    const { code = 'unknown', path = folder } = cause as NodeJS.ErrnoException
    throw new HbError('REPORT_UNWRITABLE', { path, errno: code }, { cause })
  }
}

/** The same for one file. @throws HbError REPORT_UNWRITABLE */
export function writeReport(path: string, text: string): void {
  writeReports(dirname(path), { [basename(path)]: text })
}

/** A value as a file that people read too. */
export function jsonFile(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
