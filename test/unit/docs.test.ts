import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command, Option } from 'commander'
import t from 'tap'
import { createProgram } from '../../scripts/program.ts'
import { cliMarkdown, commandNames, errorsMarkdown, exitCodesMarkdown } from '../../scripts/reference.ts'
import { REFERENCE_FOLDER, referencePages } from '../../scripts/reference-pages.ts'
import { CODE_FOLDERS, listFiles, ROOT } from '../../scripts/sources.ts'
import { allClaims, claimsIn, GAPS, openIds, REQUIREMENTS, traceabilityMarkdown } from '../../scripts/traceability.ts'
import { ERRORS } from '../../shared/errors/catalog.ts'
import type { ErrorEntry } from '../../shared/errors/entry.ts'
import { shellWords, wordProblems } from '../support/command-words.ts'

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

/** Lines `hb …` of the blocks of a page, without what `#` says about them. */
function blockCommands(text: string): string[] {
  const blocks = [...text.matchAll(/^```\w*\n([\s\S]*?)^```$/gm)].map(([, block]) => block!)
  return blocks.flatMap((block) =>
    block
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line.startsWith('hb ')),
  )
}

const PAGES = [
  'README.md',
  ...['actions', 'hil', 'hil-scenarios', 'hil-reports', 'hil-plants'].map((name) => `docs/operating/${name}.md`),
]

t.test('every command in a block exists, with every option it is given', async (t) => {
  const program = await createProgram()
  let lines = 0
  for (const page of PAGES)
    for (const line of blockCommands(readFileSync(join(ROOT, page), 'utf8'))) {
      t.same(wordProblems(program, shellWords(line.replace(/ #.*$/, ''))), [], `${page}: ${line}`)
      lines += 1
    }
  t.ok(lines > 25, `${lines} lines`)
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

t.test('every claim of a test is about a requirement there is, and stands above its test', (t) => {
  const claims = allClaims()
  t.same(claims.problems, [])
  t.ok(claims.verified.length > 100, `${claims.verified.length} tests say what they verify`)
  t.same(
    openIds(claims).filter((id) => GAPS[id] === undefined),
    [],
    'what nothing verifies has its reason in scripts/traceability.ts',
  )
  t.same(
    Object.keys(GAPS).filter((id) => !Object.hasOwn(REQUIREMENTS, id)),
    [],
  )
  t.end()
})

t.test('a claim that is misplaced or about nothing is found, and what nobody claims is open', (t) => {
  // The mark is put together here: this file is looked at as well.
  const mark = `// ${'verifies'}`
  const known = { 'SE-01': 'one', 'SE-02': 'two' }
  const text = [
    `${mark} SE-01, SE-02`,
    "t.test('it\\'s both', (t) => {})",
    `  ${mark} SE-01`,
    '  tap.test(',
    "    'on the next line',",
    `${mark} SE-99`,
    "t.test('of nothing', () => {})",
    `${mark} SE-02`,
    '',
    "t.test('too far away', () => {})",
    `${mark} SE-02`,
    'const x = 1',
    `${mark} SE-01 and more`,
    "t.test('with words', () => {})",
  ].join('\n')
  const { verified, problems } = claimsIn('a.test.ts', text, known)
  t.same(
    verified.map(({ line, ids, test }) => [line, ids.join(' '), test]),
    [
      [1, 'SE-01 SE-02', "it's both"],
      [3, 'SE-01', 'on the next line'],
      [6, 'SE-99', 'of nothing'],
      [13, 'SE-01 and more', 'with words'],
    ],
  )
  t.same(
    problems.map(({ line, problem }) => `${line} ${problem}`),
    [
      '6 unknown requirement SE-99',
      '8 not directly above a test',
      '11 not directly above a test',
      '13 unknown requirement SE-01 and more',
    ],
  )
  const page = traceabilityMarkdown({ verified: verified.slice(0, 1), problems: [] })
  t.match(
    page,
    "| SE-01 | an action that nobody weighed (hazards, FTTI, safe state, verify) is refused at load | `a.test.ts` it's both |",
  )
  for (const [id, why] of Object.entries(GAPS)) t.match(page, `| ${id} | ${REQUIREMENTS[id]} | ${why} |`)
  t.match(page, /^\| G12 \| .* \| OPEN \|$/m)
  t.end()
})
