import { dirname, relative, resolve } from 'node:path'
import { Value } from 'typebox/value'
import { readBytes } from '../../shared/config/files.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { jsonFile, writeReport } from '../../shared/report/report-folder.ts'
import type { CampaignResult, CaseResult } from '../core/result.ts'
import { CampaignSchema } from './campaign-schema.ts'

/** A campaign of a thousand cases with lanes has some ten million bytes. */
export const REPORT_BYTES_MAX = 256 * 1024 * 1024

/**
 * Writes the machine's truth: every other report is made from it. `runs` is where the folders of the runs are, which it names from
 * where it lies itself. @throws HbError REPORT_UNWRITABLE
 */
export function writeJson(result: CampaignResult, file: string, runs = dirname(file)): void {
  const from = dirname(resolve(file))
  const placed = ({ folder }: CaseResult): string => (folder === '' ? '' : relative(from, resolve(runs, folder)))
  const cases = result.cases.map((one) => ({ ...one, folder: placed(one) }))
  writeReport(file, jsonFile({ ...result, cases }))
}

/** Reads it again. @throws HbError HIL_REPORT_MISSING, HIL_REPORT_SHAPE */
export function readCampaign(path: string): CampaignResult {
  return campaignOf(readReport(path), path)
}

/** Any report as JSON. @throws HbError HIL_REPORT_MISSING, HIL_REPORT_SHAPE */
export function readReport(path: string): unknown {
  const bytes = readBytes(path, REPORT_BYTES_MAX)
  if (!(bytes instanceof Uint8Array)) throw new HbError('HIL_REPORT_MISSING', { path, reason: bytes.reason })
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new HbError('HIL_REPORT_SHAPE', { path, reason: 'it is not JSON in UTF-8' }, { cause })
  }
}

/** @throws HbError HIL_REPORT_SHAPE */
export function campaignOf(value: unknown, path: string): CampaignResult {
  if (Value.Check(CampaignSchema, value)) return value as CampaignResult
  const first = Value.Errors(CampaignSchema, value)[0]
  throw new HbError('HIL_REPORT_SHAPE', { path, at: first?.instancePath ?? '', reason: first?.message ?? '' })
}
