import t from 'tap'
import { checkSource, checkText } from '../../scripts/tidy-rules.ts'

/** Rules that a source at this place departs from. */
function rulesOf(file: string, text: string): string[] {
  return checkSource(file, text).map(({ rule }) => rule)
}

t.test('each place is held to what it may contain', (t) => {
  const table: [file: string, text: string, rules: string[]][] = [
    ['agent/core/a.ts', 'export const x = Math.sqrt(2) + Math.floor(1.5)', []],
    ['agent/core/a.ts', 'export const x = Math.exp(1)', ['pure']],
    ['agent/core/a.ts', 'const { exp } = Math', ['pure']],
    ['agent/core/a.ts', 'export const x = 2 ** 3', ['pure']],
    ['agent/core/a.ts', "import { join } from 'node:path'", ['pure']],
    ['collector/core/a.ts', 'export async function f() {}', ['pure']],
    ['shared/math/a.ts', 'export const x = Math.random()', ['pure']],
    ['shared/model/a.ts', "export const x = 'a'.localeCompare('b')", ['pure']],
    ['shared/model/a.ts', 'export const x = process.env', ['pure']],
    ['shared/model/a.ts', 'export const x = { process: 1 }.process', []],
    ['shared/units.ts', 'export const x = new Date()', ['clock', 'pure']],
    ['agent/pipeline/a.ts', "import { join } from 'node:path'; export const x = 2 ** Math.exp(1)", []],
    ['agent/pipeline/a.ts', 'export const x = Date.now()', ['clock']],
    ['agent/pipeline/a.ts', 'setTimeout(() => {}, 1)', ['clock']],
    ['agent/pipeline/a.ts', 'export const start = setInterval', ['clock']],
    ['agent/pipeline/a.ts', "import { setTimeout as wait } from 'node:timers/promises'", ['clock']],
    ['agent/pipeline/a.ts', 'export const x = new Date(0)', []],
    ['shared/lib/clock.ts', 'export const x = Date.now()', []],
    ['test/system/a.test.ts', 'setTimeout(() => {}, performance.now())', []],
  ]
  for (const [file, text, rules] of table) t.same(rulesOf(file, text), rules, `${file}: ${text}`)
  t.end()
})

t.test('exports have names', (t) => {
  t.same(rulesOf('agent/a.ts', "export * from './b.ts'"), ['export-star'])
  t.same(rulesOf('agent/a.ts', 'export default 1'), ['default-export'])
  t.same(rulesOf('agent/a.ts', 'export default function f() {}'), ['default-export'])
  t.same(rulesOf('collector/dashboard/vite.config.ts', 'export default 1'), [])
  t.same(rulesOf('agent/a.ts', "export { a } from './b.ts'"), [])
  t.end()
})

t.test('names of files are kebab-case and say what is inside', (t) => {
  t.same(rulesOf('agent/retry-schedule.ts', ''), [])
  t.same(rulesOf('agent/retrySchedule.ts', ''), ['name'])
  t.same(rulesOf('agent/utils/a.ts', ''), ['drawer'])
  t.same(rulesOf('agent/session-manager.ts', ''), ['drawer'])
  t.same(rulesOf('agent/manage.test.ts', ''), [])
  t.end()
})

t.test('files and functions have a largest size', (t) => {
  t.same(rulesOf('agent/a.ts', 'f()\n'.repeat(400)), [])
  t.same(rulesOf('agent/a.ts', 'f()\n'.repeat(401)), ['file-size'])
  t.same(rulesOf('scripts/bootstrap.mjs', 'f()\n'.repeat(151)), ['file-size'])
  const body = (lines: number): string => `const g = () => {\n${'f()\n'.repeat(lines - 2)}}\n`
  t.same(rulesOf('agent/a.ts', body(60)), [])
  t.same(rulesOf('agent/a.ts', body(61)), ['function-size'])
  t.end()
})

t.test('a test that never runs is found, one skipped for a reason found at run time is not', (t) => {
  const skips = [
    "t.skip('a', f)",
    "t.test('a', { skip: true }, f)",
    "t.test('a', { skip: 'later' }, f)",
    "t.only('a', f)",
  ]
  for (const text of skips) t.same(rulesOf('test/unit/a.test.ts', text), ['skipped-test'], text)
  t.same(rulesOf('test/unit/a.test.ts', "t.test('a', { skip: missing && 'no data' }, f)"), [])
  t.same(rulesOf('test/unit/a.test.ts', 'evaluate({ skip: true })'), [])
  t.end()
})

t.test('leftovers and addresses of one machine are found in any text', (t) => {
  const rules = (text: string): string[] => checkText('README.md', text).map(({ rule }) => rule)
  t.same(rules(`a TO${'DO'} is left`), ['leftover'])
  t.same(rules(`see /ho${'me'}/somebody/x`), ['machine-path'])
  t.same(rules(`https://registry.npm${'js'}.org/x`), ['registry'])
  t.same(rules('https://example.org/worked/x and ../shared/data, /proc/stat'), [])
  t.end()
})
