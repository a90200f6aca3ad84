/** Writes the generated reference; with `--check` it only compares, and fails when the code has moved on. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { REFERENCE_FOLDER, referencePages } from './reference-pages.ts'
import { ROOT } from './sources.ts'

const onlyCheck = process.argv.includes('--check')
for (const [name, text] of await referencePages()) {
  const path = join(ROOT, REFERENCE_FOLDER, name)
  if (existsSync(path) && readFileSync(path, 'utf8') === text) continue
  process.stdout.write(`${REFERENCE_FOLDER}/${name} ${onlyCheck ? 'is stale: run `npm run docs`' : 'written'}\n`)
  if (onlyCheck) {
    process.exitCode = 1
    continue
  }
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}
