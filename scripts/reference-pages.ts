import { configReferenceMarkdown } from '../shared/config/reference.ts'
import { ERRORS } from '../shared/errors/catalog.ts'
import { VERDICT_EXIT } from '../shared/model/verdict.ts'
import { createProgram } from './program.ts'
import { cliMarkdown, errorsMarkdown, exitCodesMarkdown } from './reference.ts'

/** Folder of the generated reference in the project. */
export const REFERENCE_FOLDER = 'docs/reference'

/** Every generated page by its file name. */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['errors.md', errorsMarkdown(ERRORS)],
    ['exit-codes.md', exitCodesMarkdown(ERRORS, VERDICT_EXIT)],
    ['cli.md', cliMarkdown(await createProgram())],
    ['config.md', configReferenceMarkdown()],
  ])
}
