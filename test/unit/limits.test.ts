import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ROOT } from '../../scripts/sources.ts'

const ROW =
  /^\| (?<what>[^|]+) \| `(?<name>[A-Z_]+)` = (?<value>[^|]+) \| (?<file>[^|]+) \| (?<behaviour>[^|]+) \| (?<driven>[^|]+) \|$/

t.test('every limit that is written down is in the code as it is written, with the test that drives it', (t) => {
  const text = readFileSync(join(ROOT, 'docs', 'internals', 'limits.md'), 'utf8')
  const rows = text.split('\n').filter((line) => line.startsWith('| ') && line.includes('`'))
  let driven = 0
  for (const line of rows) {
    const row = ROW.exec(line)?.groups
    if (row === undefined) {
      t.fail(`not a row: ${line}`)
      continue
    }
    const code = readFileSync(join(ROOT, row['file']!), 'utf8')
    const found = new RegExp(`const ${row['name']}(?:: \\w+)? = ([^\\n]+)`).exec(code)?.[1]
    t.equal(found, row['value'], `${row['name']} in ${row['file']}`)
    t.ok(existsSync(join(ROOT, row['driven']!)), `${row['name']} is driven by ${row['driven']}`)
    driven += 1
  }
  t.ok(rows.length > 60)
  t.comment(`counted: named limits | ${rows.length} | as in the code; ${driven} of them driven by a test`)
  t.end()
})
