import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import t from 'tap'
import { Compile } from 'typebox/schema'
import { parse } from 'yaml'
import { checkRigs, checkScenarios } from '../../../hil-testbed/scenario/load.ts'
import { listFiles, ROOT } from '../../../scripts/sources.ts'
import { SOUND } from '../../support/scenario-folder.ts'

const REFERENCE = join(ROOT, 'docs/reference')
const schemaOf = (name: string) => Compile(JSON.parse(readFileSync(join(REFERENCE, name), 'utf8')) as object)
const OF = [
  { what: /\.scenario\.yaml$/, name: 'hil-scenario.schema.json', schema: schemaOf('hil-scenario.schema.json') },
  { what: /\/rig\.yaml$/, name: 'hil-rig.schema.json', schema: schemaOf('hil-rig.schema.json') },
]

t.test('nothing is wrong with the scenarios and rigs of the project', (t) => {
  const folders = ['scenarios', 'rigs'].map((name) => join(ROOT, 'hil-testbed', name))
  t.same(checkRigs(folders).problems, [])
  t.same(checkScenarios(folders).problems, [])
  t.end()
})

t.test('each names the schema for editors in its first line, and is what that says', (t) => {
  for (const { what, name, schema } of OF) {
    const files = listFiles('hil-testbed').filter((file) => what.test(file))
    t.ok(files.length > 0, name)
    for (const file of files) {
      const text = readFileSync(join(ROOT, file), 'utf8')
      const [, path] = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text) ?? []
      t.equal(path === undefined ? '' : resolve(dirname(join(ROOT, file)), path), join(REFERENCE, name), file)
      t.ok(schema.Check(parse(text)), `${file} fits`)
    }
  }
  t.end()
})

t.test('an editor takes references to parameters for any value, and marks what is wrong', (t) => {
  const { schema } = OF[0]!
  const fits = (text: string): boolean => schema.Check(parse(text))
  t.ok(fits(SOUND))
  t.ok(fits(SOUND.replace('seed: 7', `seed: "\${n}"`).replace('at: 8s', `at: "\${onset}"`)))
  for (const [from, to] of [
    ['seed: 7', 'sede: 7'],
    ['seed: 7', 'seed: seven'],
    ['at: 8s', 'at: 8'],
    ['reaches: VERIFIED', 'reaches: VERFIED'],
    ['hil: 1', 'hil: 2'],
    ['rig: vessel\n', ''],
  ] as const)
    t.notOk(fits(SOUND.replace(from, to)), to)
  t.end()
})
