import { accessSync, constants, mkdirSync, mkdtempSync, readdirSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { HbError } from '../../shared/errors/hb-error.ts'
import { SCENARIO_SUFFIX } from '../scenario/load.ts'

export type RunOutputs = Readonly<{
  /** Files that reports are wanted in. */
  reports: readonly string[]
  /** Folder for the evidence of every run; undefined for none. */
  evidence: string | undefined
}>

/**
 * Makes the folders that a campaign writes to: nobody is to learn after an hour that its report cannot be written.
 *
 * @returns the folder of the runs
 * @throws HbError REPORT_UNWRITABLE with every path that cannot be written; USAGE for a folder of evidence that holds something, as that of two campaigns is not mixed, and for a file of two reports
 */
export function openOutputs({ reports, evidence }: RunOutputs): string {
  const twice = reports.find((file, k) => reports.slice(0, k).some((before) => resolve(before) === resolve(file)))
  if (twice !== undefined)
    throw new HbError('USAGE', { option: twice, found: 'the file of two reports', expected: 'one of its own for each' })
  const files = reports.map((file) => [file, fileProblem(file)] as const)
  const all = evidence === undefined ? files : [...files, [evidence, folderProblem(evidence)] as const]
  const bad = all.filter(([, problem]) => problem !== null)
  if (bad.length > 0)
    throw new HbError('REPORT_UNWRITABLE', {
      paths: bad.map(([path, problem]) => `${path} (${problem})`).join(', '),
    })
  if (evidence === undefined) return mkdtempSync(join(tmpdir(), 'hb-hil-'))
  const folder = resolve(evidence)
  const [first] = readdirSync(folder)
  if (first !== undefined)
    throw new HbError('USAGE', {
      option: '--evidence',
      found: `${evidence} holds ${first}`,
      expected: 'a new or an empty folder',
    })
  return folder
}

/** Whether a folder is there; a path that nobody can look at has none. */
export function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}

/** Why a file cannot be written there; null when it can. */
function fileProblem(file: string): string | null {
  if (isFolder(file)) return 'is a folder'
  if (file.endsWith(SCENARIO_SUFFIX)) return 'is a scenario'
  return folderProblem(dirname(resolve(file)))
}

function folderProblem(folder: string): string | null {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o755 })
    accessSync(folder, constants.W_OK | constants.X_OK)
    return null
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    return code === 'EEXIST' ? 'ENOTDIR' : code
  }
}
