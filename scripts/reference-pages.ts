import { buildApp, type OperatorsOptions } from '../collector/http/operators.ts'
import { plantSchemaFiles } from '../hil-testbed/bench/plant-protocol.ts'
import { FAULT_KINDS } from '../hil-testbed/core/faults/catalogue.ts'
import { acceptancePlan } from '../hil-testbed/report/acceptance-plan.ts'
import { CampaignSchema } from '../hil-testbed/report/campaign-schema.ts'

import { readTrace } from '../hil-testbed/report/trace-files.ts'

import { editorSchemas } from '../hil-testbed/scenario/editor-schema.ts'

import { configReferenceMarkdown } from '../shared/config/reference.ts'
import { ERRORS } from '../shared/errors/catalog.ts'
import { VERDICT_EXIT } from '../shared/model/verdict.ts'
import { peerSchemaFiles } from '../shared/protocol/peer-contract.ts'
import { jsonFile } from '../shared/report/report-folder.ts'
import { createProgram } from './program.ts'
import { cliMarkdown, errorsMarkdown, exitCodesMarkdown, faultsMarkdown } from './reference.ts'
import { ROOT } from './sources.ts'
import { allClaims, traceabilityMarkdown } from './traceability.ts'

/** Folder of the generated reference in the project. */
export const REFERENCE_FOLDER = 'docs/reference'

const LAST_DAY = '9999-12-31'
const SCHEMA_DRAFT = 'https://json-schema.org/draft/2020-12/schema'

/** Every generated page by its file name. */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['errors.md', errorsMarkdown(ERRORS)],
    ['exit-codes.md', exitCodesMarkdown(ERRORS, VERDICT_EXIT)],
    ['cli.md', cliMarkdown(await createProgram())],
    ['faults.md', faultsMarkdown(FAULT_KINDS)],
    ['config.md', configReferenceMarkdown()],
    ['traceability.md', traceabilityMarkdown(allClaims())],
    ['openapi.json', await openApiText()],
    // A page is the same on every day: that a verdict by hand is of a day to come is for `hb hil trace`.
    ['../acceptance-test-plan.md', acceptancePlan(readTrace(ROOT, { today: LAST_DAY }))],
    ['hil-report.schema.json', jsonFile({ $schema: SCHEMA_DRAFT, ...CampaignSchema })],
    ...[...editorSchemas()].map(([name, schema]) => [name, jsonFile({ $schema: SCHEMA_DRAFT, ...schema })] as const),
    ...schemaPages('peer', peerSchemaFiles()),
    ...schemaPages('plant', plantSchemaFiles()),
  ])
}

/** A JSON Schema for each message of a protocol, in a folder of its own. */
function schemaPages(folder: string, files: ReadonlyMap<string, unknown>): [string, string][] {
  return [...files].map(([name, schema]) => [`${folder}/${name}`, `${JSON.stringify(schema, null, 2)}\n`])
}

/** The interfaces of a collector, as it serves them itself at `/openapi.json`. Nothing is asked of its parts for that. */
async function openApiText(): Promise<string> {
  const app = await buildApp({
    context: {},
    metrics: [],
    listen: { host: '127.0.0.1', port: 0 },
  } as unknown as OperatorsOptions)
  const answer = await app.inject({ url: '/openapi.json', headers: { host: 'localhost' } })
  await app.close()
  return `${JSON.stringify(answer.json(), null, 2)}\n`
}
