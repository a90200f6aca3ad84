import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadCollectorConfig, loadRuntimeConfig, parseRuntimeFiles } from '../../../shared/config/load.ts'
import { OPERATORS_MAX } from '../../../shared/config/operator-schema.ts'
import { NOBODY } from '../../../shared/config/operators.ts'
import { toHex } from '../../../shared/crypto/digest.ts'
import { generateSigner } from '../../../shared/crypto/sign.ts'
import { COLLECTOR, problemsOf, REGISTRY, RUNTIME } from '../../support/config-texts.ts'

const ADA = generateSigner()
const GRACE = generateSigner()
const files = {
  'loop.registry.yaml': REGISTRY,
  'sign.pem': ADA.privatePem,
  'ada.pub': ADA.publicPem,
  'ada-again.pub': ADA.publicPem,
  'grace.pub': GRACE.publicPem,
}
const operators = (...pairs: readonly (readonly [string, string])[]): string =>
  `operators:\n${pairs.map(([name, file]) => `  - { name: ${name}, public_key_file: ${file} }\n`).join('')}`
const TWO = operators(['ada', 'ada.pub'], ['grace', 'grace.pub'])

t.test('operators are read with their keys, which the journal holds with the other files', (t) => {
  const folder = t.testdir(files)
  const path = join(folder, 'runtime.yaml')
  writeFileSync(path, `${RUNTIME}${TWO}governance: { approvals_required: 2, approvers: [grace] }\n`)
  const loaded = loadRuntimeConfig(path)
  const said = ({ trust }: Pick<typeof loaded, 'trust'>) => ({
    keys: trust.operators.map(({ name, key }) => [name, toHex(key.keyId)]),
    approvalsRequired: trust.approvalsRequired,
    approvers: trust.approvers,
  })
  t.same(said(loaded), {
    keys: [
      ['ada', toHex(ADA.signer.keyId)],
      ['grace', toHex(GRACE.signer.keyId)],
    ],
    approvalsRequired: 2,
    approvers: ['grace'],
  })
  t.same(
    loaded.files.map(({ name }) => name),
    ['runtime.yaml', 'ada.pub', 'grace.pub', 'loop.registry.yaml'],
  )
  t.same(said(parseRuntimeFiles(loaded.files)), said(loaded), 'the same from the journal')
  writeFileSync(path, RUNTIME)
  t.same(loadRuntimeConfig(path).trust, NOBODY, 'nobody unless told')
  t.end()
})

t.test('what a gate must have asked for is read with whom to trust, and lies in the journal with it', (t) => {
  const folder = t.testdir({
    ...files,
    'quality.yaml': 'version: 1\nacceptance_criteria: { min_time_in_state_s: 60 }\n',
  })
  const path = join(folder, 'runtime.yaml')
  writeFileSync(path, `${RUNTIME}${TWO}governance: { quality_policy_file: quality.yaml }\n`)
  const loaded = loadRuntimeConfig(path)
  t.equal(loaded.trust.qualityPolicy.minTimeInStateS, 60)
  t.ok(loaded.files.some(({ name }) => name === 'quality.yaml'))
  t.equal(parseRuntimeFiles(loaded.files).trust.qualityPolicy.minTimeInStateS, 60, 'the same from the journal')
  writeFileSync(join(folder, 'quality.yaml'), 'version: 1\nacceptance_criteria: { min_time: 60 }\n')
  t.match(
    problemsOf(() => loadRuntimeConfig(path)),
    [{ key: 'acceptance_criteria.min_time' }],
  )
  writeFileSync(path, `${RUNTIME}${TWO}governance: { quality_policy_file: gone.yaml }\n`)
  t.match(
    problemsOf(() => loadRuntimeConfig(path)),
    [{ key: 'governance.quality_policy_file' }],
  )
  t.end()
})

t.test('one person under two names, and everything else that is wrong, is told at once', (t) => {
  const folder = t.testdir(files)
  const wrong = [
    operators(
      ['ada', 'ada.pub'],
      ['eve', 'ada-again.pub'],
      ['ada', 'grace.pub'],
      ['kay', 'sign.pem'],
      ['lin', 'gone.pub'],
      ['tom', 'loop.registry.yaml'],
    ),
    'governance: { require_approval: false, approvers: [ada, graze, lin] }\n',
  ].join('')
  for (const [file, text, load] of [
    ['runtime.yaml', RUNTIME, loadRuntimeConfig],
    ['collector.yaml', COLLECTOR, loadCollectorConfig],
  ] as const) {
    const path = join(folder, file)
    writeFileSync(path, `${text}${wrong}`)
    t.match(
      problemsOf(() => load(path)).map(({ key, found }) => [key, found]),
      [
        ['operators[1].public_key_file', 'the key of `ada` again'],
        ['operators[2].name', '`ada` a second time'],
        ['operators[3].public_key_file', '"sign.pem": a private key'],
        ['operators[4].public_key_file', '"gone.pub": there is no such file'],
        ['operators[5].public_key_file', '"loop.registry.yaml": not a public key'],
        ['governance.require_approval', 'false'],
        ['governance.approvers[1]', '`graze`'],
      ],
      file,
    )
  }
  t.end()
})

t.test('nobody is called as the agent is, in whatever case', (t) => {
  const folder = t.testdir(files)
  for (const [file, text, load] of [
    ['runtime.yaml', RUNTIME, loadRuntimeConfig],
    ['collector.yaml', COLLECTOR, loadCollectorConfig],
  ] as const) {
    const path = join(folder, file)
    for (const [name, expected] of [
      ['agent', /^the name of a person$/],
      ['Agent', /^an id/],
      ['AGENT', /^an id/],
    ] as const) {
      writeFileSync(path, `${text}${operators(['ada', 'ada.pub'], [name, 'grace.pub'])}`)
      const problems = problemsOf(() => load(path))
      t.match(problems, [{ key: 'operators[1].name', found: new RegExp(name), expected }], `${file} ${name}`)
      if (name === 'agent') t.match(problems, [{ line: Number, hint: /call this person something else/ }])
    }
    writeFileSync(path, `${text}${operators(['ada', 'ada.pub'], ['agent-7', 'grace.pub'])}`)
    t.same(
      load(path).trust.operators.map(({ name }) => name),
      ['ada', 'agent-7'],
    )
  }
  t.end()
})

t.test('there is a bound to operators, and to what is read as a key', (t) => {
  const folder = t.testdir({ ...files, 'large.pub': `${ADA.publicPem}${'#'.repeat(16_385)}` })
  const path = join(folder, 'runtime.yaml')
  const many = Array.from({ length: OPERATORS_MAX + 1 }, (_, k) => [`p-${k}`, 'gone.pub'] as const)
  writeFileSync(path, `${RUNTIME}${operators(...many)}`)
  t.match(problemsOf(() => loadRuntimeConfig(path))[0], { key: 'operators', found: `${OPERATORS_MAX + 1} items` })
  writeFileSync(path, `${RUNTIME}${operators(['ada', 'large.pub'])}`)
  t.match(
    problemsOf(() => loadRuntimeConfig(path)),
    [{ key: 'operators[0].public_key_file', found: /bytes, at most 16384/ }],
  )
  t.end()
})
