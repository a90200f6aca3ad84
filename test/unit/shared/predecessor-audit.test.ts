import { createHash, createHmac } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { AUDIT_FINDINGS_MAX, verifyAuditLog } from '../../../shared/codec/predecessor-audit.ts'
import { predecessorSignature, readManifest } from '../../../shared/codec/predecessor-manifest.ts'
import { PYTHON_JSON_DEPTH_MAX, parsePythonJson, writePythonJson } from '../../../shared/codec/python-json.ts'
import { predecessorVectors, VECTORS_ABSENT } from '../../support/predecessor-vectors.ts'

/** What Python would write for the text of one value. */
function written(text: string): string {
  const read = parsePythonJson(text)
  return 'value' in read ? writePythonJson(read.value) : `no JSON: ${read.problem}`
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Lines of a log as the predecessor wrote them; `bodies` are what Python hashes, without their last brace. */
function chained(bodies: readonly string[]): string[] {
  let previous = 'null'
  return bodies.map((body) => {
    const content = `${body},"prev_hash":${previous}}`
    const hash = sha256(content)
    previous = `"${hash}"`
    return `${content.slice(0, -1)},"entry_hash":"${hash}"}`
  })
}

const BODIES = ['{"action":"analyze","n":10.0', '{"action":"analyze","n":1e-07', '{"action":"analyze","n":3']
const problemsOf = (text: string) => verifyAuditLog(text).findings.map(({ line, problem }) => `${line} ${problem}`)

t.test('JSON is written as Python writes it', (t) => {
  t.equal(written('{"b": 10.0, "a": [1, 1e-07, -0.0, null, true]}'), '{"a":[1,1e-07,-0.0,null,true],"b":10.0}')
  t.equal(written('"café ≤ \u{1f600} \u007f"'), '"caf\\u00e9 \\u2264 \\ud83d\\ude00 \\u007f"')
  t.equal(written('"\\u00e9\\n\\t\\b\\f\\r\\"\\\\\\/\\u0001"'), '"\\u00e9\\n\\t\\b\\f\\r\\"\\\\/\\u0001"')
  t.equal(written('[NaN, Infinity, -Infinity]'), '[NaN,Infinity,-Infinity]', 'words that only Python writes')
  t.equal(written('{"\u{1f600}": 1, "\ue000": 2}'), '{"\\ue000":2,"\\ud83d\\ude00":1}', 'in the order of code points')
  t.equal(written('{"a": 1, "a": 2}'), '{"a":2}', 'the last of two equal keys')
  t.equal(written(' {} '), '{}')
  t.end()
})

t.test('what is no JSON is said with its place', (t) => {
  for (const text of ['', '{', '[1,]', '{"a" 1}', '01', '"\n"', '{"a":1}x', "{'a':1}", '{a:1}', '1.', '-'])
    t.match(written(text), /no JSON: column \d+/, JSON.stringify(text))
  const deep = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`
  t.equal(written(deep(PYTHON_JSON_DEPTH_MAX)), deep(PYTHON_JSON_DEPTH_MAX))
  t.match(written(deep(PYTHON_JSON_DEPTH_MAX + 2)), /no JSON/)
  t.match(written(deep(100_000)), /no JSON/)
  t.end()
})

t.test('what was written reads as what it was', (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      t.same(JSON.parse(written(JSON.stringify(value))), JSON.parse(JSON.stringify(value)))
    }),
    { numRuns: 300 },
  )
  t.end()
})

t.test('a whole log verifies, with numbers as Python writes them', (t) => {
  const lines = chained(BODIES)
  const report = verifyAuditLog(`${lines.join('\n')}\n`)
  t.match(report, { entries: 3, verified: 3, unhashed: 0, findings: [], findings_total: 0 })
  t.equal(report.head, /"entry_hash":"(\w+)"/.exec(lines[2]!)![1])
  t.same(verifyAuditLog(''), { entries: 0, verified: 0, unhashed: 0, findings: [], findings_total: 0, head: '' })
  t.end()
})

t.test('every edit, removal, reordering and cut between hashed entries is named', (t) => {
  const [a, b, c] = chained(BODIES) as [string, string, string]
  t.same(problemsOf(`${a}\n${b.replace('1e-07', '1e-08')}\n${c}\n`), ['2 hash_differs'])
  t.same(problemsOf(`${a}\n${b}\n${c.replace('"n":3', '"n":3.0')}\n`), ['3 hash_differs'], 'a number of other letters')
  t.same(problemsOf(`${a}\n${c}\n`), ['2 chain_break'])
  t.same(problemsOf(`${a}\n${c}\n${b}\n`), ['2 chain_break', '3 chain_break'])
  t.same(problemsOf(`${b}\n${c}\n`), ['1 beginning_missing'])
  t.same(problemsOf(`${a}\n${b}\n${c.slice(0, 40)}`), ['3 end_cut'])
  t.same(problemsOf(`${a}\n{"action":"analyze"}\n${b}\n`), ['2 unhashed'])
  t.same(problemsOf(`${a}\nnot json\n[1]\n${b}\n`), ['2 unreadable', '3 unreadable'])
  t.same(problemsOf(`${a}\n${b}\n`), [], 'a log that lost its end looks whole')
  t.end()
})

t.test('every flipped bit of a hashed entry is found', (t) => {
  const bytes = Buffer.from(`${chained(BODIES).join('\n')}\n`)
  let flips = 0
  for (let at = 0; at < bytes.length - 1; at += 1) {
    for (const bit of [1, 2, 4, 8, 16, 32, 64, 128]) {
      const flipped = Buffer.from(bytes)
      flipped[at]! ^= bit
      flips += 1
      if (verifyAuditLog(flipped.toString('latin1')).findings_total === 0) t.fail(`byte ${at}, bit ${bit}`)
    }
  }
  t.ok(flips > 1000)
  t.end()
})

t.test('so many findings are named, and all are counted', (t) => {
  const report = verifyAuditLog('{}\n'.repeat(AUDIT_FINDINGS_MAX + 5))
  t.equal(report.findings.length, AUDIT_FINDINGS_MAX)
  t.equal(report.findings_total, AUDIT_FINDINGS_MAX + 5)
  t.equal(report.unhashed, AUDIT_FINDINGS_MAX + 5)
  t.end()
})

t.test('a manifest is read, and what in it is no file is told', (t) => {
  const read = (value: unknown) => readManifest(Buffer.from(JSON.stringify(value)))
  const file = { path: '/srv/reports/r1/drift_report.json', sha256: 'AB'.repeat(32) }
  t.same(read([file, { config_hashes: {} }, { signing_key_version: 'v1' }, { size: 3 }, 7]), {
    artifacts: [{ ...file, sha256: 'ab'.repeat(32) }],
    unknown: ['{"size":3}', '7'],
  })
  t.equal(read({}), null)
  t.equal(readManifest(Buffer.from('[')), null)
  t.end()
})

t.test('a signature with a key longer than a block is that of RFC 2104', (t) => {
  const key = Buffer.alloc(200, 'k')
  t.equal(predecessorSignature(key, Buffer.from('x')), createHmac('sha256', key).update('x').digest('hex'))
  t.end()
})

t.test("the predecessor's audit chain, its HMAC, and what is not of this import", (t) => {
  const chain = predecessorVectors('audit_chain')
  const hmac = predecessorVectors('hmac_sha256') as readonly { payload_utf8: string; key_utf8: string; hex: string }[]
  if (chain === null) {
    t.comment(VECTORS_ABSENT)
    t.end()
    return
  }
  t.equal(chain.length, 2)
  const text = `${chain.map((entry) => JSON.stringify(entry)).join('\n')}\n`
  t.match(verifyAuditLog(text), { entries: 2, verified: 2, findings_total: 0 })
  t.same(problemsOf(text.replace('café', 'cafe')), ['2 hash_differs'])
  t.equal(hmac.length, 1)
  for (const { payload_utf8, key_utf8, hex } of hmac)
    t.equal(predecessorSignature(Buffer.from(key_utf8), Buffer.from(payload_utf8)), hex)
  t.equal(predecessorVectors('redaction')?.length, 1)
  t.comment('redaction is not part of the import: its vector is not compared here')
  t.end()
})
