import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command, Option } from 'commander'
import t from 'tap'
import { createProgram } from '../../scripts/program.ts'
import { cliMarkdown, commandNames, errorsMarkdown, exitCodesMarkdown } from '../../scripts/reference.ts'
import { REFERENCE_FOLDER, referencePages } from '../../scripts/reference-pages.ts'
import { CODE_FOLDERS, listFiles, ROOT } from '../../scripts/sources.ts'
import { ERRORS } from '../../shared/errors/catalog.ts'
import type { ErrorEntry } from '../../shared/errors/entry.ts'

const CATALOGUE: Readonly<Record<string, ErrorEntry>> = ERRORS

/** Commands written as `hb …` in a text: the words before the first option or PLACEHOLDER. */
function commandsIn(text: string): string[] {
  return [...text.matchAll(/`hb ([^`]+)`/g)].map(([, words]) => {
    const path = (words ?? '').split(' ')
    const end = path.findIndex((word) => !/^[a-z][a-z-]*(\|[a-z-]+)*$/.test(word))
    return ['hb', ...(end < 0 ? path : path.slice(0, end))].join(' ')
  })
}

/** Sources of the programs without the catalogue itself. */
function productText(): string {
  const files = CODE_FOLDERS.filter((folder) => folder !== 'test').flatMap((folder) => listFiles(folder))
  const sources = files.filter((file) => /\.tsx?$/.test(file) && !file.startsWith('shared/errors/'))
  return sources.map((file) => readFileSync(join(ROOT, file), 'utf8')).join('\n')
}

t.test('the generated reference is what the code says', async (t) => {
  for (const [name, text] of await referencePages()) {
    const path = join(ROOT, REFERENCE_FOLDER, name)
    t.equal(existsSync(path) ? readFileSync(path, 'utf8') : 'missing', text, `${name}; otherwise: npm run docs`)
  }
})

t.test('every error code is one that the programs can give', (t) => {
  const text = productText()
  const unused = Object.keys(CATALOGUE).filter((code) => !new RegExp(`\\b${code}\\b`).test(text))
  t.same(unused, [])
  t.end()
})

t.test('every command that a remedy names exists', async (t) => {
  const known = commandNames(await createProgram())
  const isKnown = (command: string): boolean => known.some((name) => name === command || name.startsWith(`${command} `))
  const named = Object.entries(CATALOGUE).flatMap(([code, { remedy }]) =>
    commandsIn(remedy).map((command) => ({ code, command })),
  )
  t.ok(named.length > 0, 'some remedy names a command')
  t.same(
    named.filter(({ command }) => !isKnown(command)),
    [],
  )
})

t.test('an error says something, in a sentence, and what to do', (t) => {
  for (const [code, { summary, remedy }] of Object.entries(CATALOGUE)) {
    t.match(code, /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/, code)
    t.match(summary, /^[A-Z`].*\.$/s, `summary of ${code}`)
    t.match(remedy, /^[A-Z`].*\.$/s, `remedy of ${code}`)
  }
  t.end()
})

t.test('the page of a command tree shows every leaf with its options', (t) => {
  const program = new Command('hb').description('watches')
  const list = program.command('things').command('list').description('list things').argument('<id>', 'which')
  list.addOption(new Option('--kind <kind>', 'of a|b').choices(['a', 'b']).default('a'))
  list.requiredOption('--state <dir>', 'state folder')
  const text = cliMarkdown(program)
  t.match(text, '## hb things list\n\nlist things\n\n`hb things list [options] <id>`')
  t.match(text, '| `--kind <kind>` | of a\\|b (a, b) | "a" |')
  t.match(text, '| `--state <dir>` | state folder | required |')
  t.match(text, '| `id` | which |')
  t.same(commandNames(program), ['hb things list'])
  t.end()
})

t.test('the page of errors is sorted by code, and exit codes join verdicts and errors', (t) => {
  const entry: ErrorEntry = { exit: 65, retry: false, summary: 'It is so.', remedy: 'Do so.' }
  const errors = { B_CODE: entry, A_CODE: { ...entry, retry: true } }
  const text = errorsMarkdown(errors)
  t.ok(text.indexOf('## A_CODE') < text.indexOf('## B_CODE'))
  t.match(text, 'Doing the same again may help.')
  const exits = exitCodesMarkdown(errors, { PASS: 0, FAIL: 20, NO_TEST: 30, NO_BASELINE: 30 })
  t.match(exits, '| 30 | verdict NO_TEST, NO_BASELINE |  |')
  t.match(exits, /\| 65 \| [^|]+ \| \[A_CODE\]\(errors\.md#a_code\), \[B_CODE\]\(errors\.md#b_code\) \|/)
  t.end()
})
