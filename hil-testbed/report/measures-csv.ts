import { writeReport } from '../../shared/report/report-folder.ts'
import type { CampaignResult, CaseResult } from '../core/result.ts'
import { marginOf } from './case-name.ts'

type Cell = string | number | null

const COLUMNS: readonly (readonly [name: string, of: (one: CaseResult) => Cell])[] = [
  ['scenario', ({ id }) => id],
  ['file', ({ file }) => file],
  ['row', ({ row }) => row],
  ['rig', ({ rig }) => rig],
  ['seed', ({ seed }) => seed],
  ['verdict', ({ verdict }) => verdict],
  ['fdti_us', ({ measures }) => measures.fdti_us],
  ['frti_us', ({ measures }) => measures.frti_us],
  ['fhti_us', ({ measures }) => measures.fhti_us],
  ['ftti_us', ({ measures }) => measures.ftti_us],
  ['margin', (one) => marginOf(one)],
  ['faults', ({ faults }) => faults.length],
  ['faults_seen', ({ faults }) => faults.filter(({ seen }) => seen > 0).length],
  ['faults_detected', ({ faults }) => faults.filter(({ detected_us: at }) => at !== null).length],
  ['decisions', ({ measures }) => measures.decisions],
  ['alarms', ({ measures }) => measures.alarms],
  ['actions', ({ measures }) => measures.actions],
  ['simulated_us', (one) => one.simulated_us],
  ['host_ms', (one) => one.host_ms],
  ['digest', ({ measures }) => measures.digest],
]

/** Measures of every case, one a row; RFC 4180, empty where there is nothing to measure. */
export function measuresCsv({ cases }: CampaignResult): string {
  const rows = [COLUMNS.map(([name]) => name), ...cases.map((one) => COLUMNS.map(([, of]) => cell(of(one))))]
  return rows.map((row) => `${row.join(',')}\r\n`).join('')
}

/** @throws HbError REPORT_UNWRITABLE */
export function writeCsv(result: CampaignResult, file: string): void {
  writeReport(file, measuresCsv(result))
}

function cell(value: Cell): string {
  if (value === null) return ''
  if (typeof value === 'number') return String(value)
  // A spreadsheet takes these for the beginning of a formula.
  const plain = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain
}
