/** Holds the tree to what no linter knows of our style: places, sizes, names. Layers are dependency-cruiser's part. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CODE_FOLDERS, listFiles, ROOT } from './sources.ts'
import { checkSource, checkText } from './tidy-rules.ts'

/** Text that people wrote; the rest is vectors, pictures and what tools made. */
const TEXT = /\.(ts|tsx|mjs|css|html|md|json|yaml|yml)$|^\.ci\/|(^|\/)\.[a-z]+(rc|ignore)$/
const NOT_OURS = /^package-lock\.json$|^test\/vectors\//

const isCode = (file: string): boolean =>
  CODE_FOLDERS.some((folder) => file.startsWith(`${folder}/`)) && /\.(ts|tsx|mjs|css|html)$/.test(file)

const files = listFiles('.').filter((file) => TEXT.test(file) && !NOT_OURS.test(file))
const found = files.flatMap((file) => {
  const text = readFileSync(join(ROOT, file), 'utf8')
  return isCode(file) ? [...checkText(file, text), ...checkSource(file, text)] : checkText(file, text)
})
for (const { file, line, rule, message } of found) process.stdout.write(`${file}:${line} ${rule}: ${message}\n`)
process.stdout.write(`${files.length} files, ${found.length} departures\n`)
if (found.length > 0) process.exitCode = 1
