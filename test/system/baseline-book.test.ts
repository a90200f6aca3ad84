import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { runHb } from '../../scripts/demo/processes.ts'
import { encodeBaseline } from '../../shared/codec/baseline-record.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import type { BaselineRecord } from '../../shared/model/baseline.ts'
import { baselineMetric, baselineRecord, baselineSegment, digestHex } from '../support/certified-baselines.ts'

const DAY_US = 86_400_000_000
const NOW_US = systemClock().nowUs()
const PEOPLE = ['ada', 'grace', 'kay'] as const

type Json = Record<string, unknown>

/** A folder with a book that trusts three people, and commands that are run in it. */
async function bookFolder(t: Test) {
  const path = t.testdir({ book: {} })
  const hb = async (...args: string[]): Promise<Json> => JSON.parse(await runHb([...args, '--json'], path)) as Json
  for (const name of PEOPLE) {
    await hb('keys', 'create', `${name}.key`)
    copyFileSync(join(path, `${name}.key.pub`), join(path, 'book', `${name}.pub`))
  }
  const lines = PEOPLE.map((name) => `  - { name: ${name}, public_key_file: ${name}.pub }\n`)
  writeFileSync(join(path, 'book', 'operators.yaml'), `version: 1\noperators:\n${lines.join('')}`)
  const say = (person: string, command: string, ...args: string[]): Promise<Json> =>
    hb('baseline', command, ...args, '--book', 'book', '--key', `${person}.key`, '--reason', 'a test')
  const look = (command: string, ...args: string[]): Promise<Json> => hb('baseline', command, ...args, '--book', 'book')
  const refusal = async (asked: Promise<Json>): Promise<string> => {
    try {
      await asked
      return ''
    } catch (error) {
      return (error as Error).message
    }
  }
  return {
    ...{ path, hb, say, look, refusal },
    write(name: string, record: BaselineRecord): string {
      writeFileSync(join(path, name), encodeBaseline(record))
      return digestHex(record)
    },
    async certify(file: string, digest: string): Promise<Json> {
      await say('ada', 'propose', file)
      await say('grace', 'review', digest)
      return say('kay', 'approve', digest)
    },
  }
}

/** A record of data that ended `days` ago, its flow `level` spreads from golden. */
function recordAt(level: number, days: number, change: Partial<BaselineRecord> = {}): BaselineRecord {
  const toUs = NOW_US - days * DAY_US
  const metrics = [
    baselineMetric({ mean: 32 + 0.25 * level, wander: 0 }),
    baselineMetric({ metric: 'pressure', wander: 0 }),
  ]
  return baselineRecord({ toUs, madeUs: toUs + 1, metrics, ...change })
}

t.test('a golden baseline goes through its gate, three people, a tag, a way back and out to an agent', async (t) => {
  const book = await bookFolder(t)
  t.match(await book.refusal(book.look('list')), /BOOK_MISSING/)
  const first = book.write('first.hbb', recordAt(0, 2))
  t.match(await book.say('ada', 'propose', 'first.hbb'), { status: 'proposed', by: 'ada', gate: { passed: true } })
  t.match(await book.refusal(book.say('ada', 'review', first)), /BASELINE_REFUSED[\s\S]*same_person/)
  t.match(await book.refusal(book.say('kay', 'approve', first)), /not_reviewed/)
  t.match(await book.look('requests'), { requests: [{ digest: first, status: 'proposed', proposer: 'ada' }] })
  await book.say('grace', 'review', first.slice(0, 8))
  const approved = await book.say('kay', 'approve', first)
  t.match(approved, { status: 'approved', in_force: true, note: 'keys distinct, persons unproven' })
  t.match(await book.look('requests'), { requests: [] })

  await book.say('kay', 'promote', '--version', first, '--tag', 'v1')
  const second = book.write('second.hbb', recordAt(0.1, 1))
  await book.certify('second.hbb', second)
  const inForce = async (): Promise<readonly unknown[]> =>
    ((await book.look('list'))['baselines'] as Json[]).filter((b) => b['in_force']).map((b) => b['digest'])
  t.same(await inForce(), [second])
  t.match(await book.say('ada', 'rollback'), { statement: 'rollback', digest: first })
  t.same(await inForce(), [first])

  await book.look('export', first, '--out', 'out.hbb')
  const told = await book.hb('baseline', 'explain', 'out.hbb', '--operators', 'book/operators.yaml')
  t.match(told, {
    counts_as: 'golden',
    may_arm: true,
    sentences: [/kay approved it/, /0\.952/, /^It may arm a shutdown/],
  })
  t.match(await book.hb('baseline', 'explain', 'first.hbb', '--operators', 'book/operators.yaml'), {
    counts_as: 'draft',
    may_arm: false,
  })
  t.match(await book.look('explain', first, '--action', 'abort'), { may_arm: true, action: 'abort' })
  t.match(await book.look('show', first), {
    gate: { passed: true },
    statements: [
      { kind: 'propose' },
      { kind: 'review' },
      { kind: 'approve' },
      { kind: 'tag', tag: 'v1' },
      { kind: 'rollback' },
    ],
  })
  writeFileSync(
    join(book.path, 'run.json'),
    JSON.stringify({ run_id: 'r', program: 'pumps', operating_mode: 'nominal' }),
  )
  writeFileSync(join(book.path, 'policy.yaml'), 'baseline_policy: { strategy: golden }\n')
  t.match(await book.look('select', '--policy', 'policy.yaml', '--run', 'run.json'), {
    baseline_run_id: first,
    reason: 'tag',
    usable: true,
  })
})

t.test('a too short baseline is in force by break-glass alone, with a reason and for a while', async (t) => {
  const book = await bookFolder(t)
  const short = book.write('short.hbb', recordAt(0, 1, { segments: [baselineSegment({ toUs: 60_000_000 })] }))
  t.match(await book.say('ada', 'propose', 'short.hbb'), {
    gate: { passed: false, reasons: ['time_span_sec 60 < 3600'] },
  })
  await book.say('grace', 'review', short)
  t.match(await book.refusal(book.say('kay', 'approve', short)), /gate_not_passed/)
  t.match(await book.refusal(book.say('kay', 'approve', short, '--break-glass')), /override-reason/)
  const glass = ['--break-glass', '--override-reason', 'the rig leaves', '--override-operator-id', 'kay']
  const tooLong = book.say('kay', 'approve', short, ...glass, '--override-expires-in', '8d')
  t.match(await book.refusal(tooLong), /break_glass_too_long/)
  const done = await book.say('kay', 'approve', short, ...glass, '--override-expires-in', '2h')
  t.match(done, { status: 'approved', in_force: true })
  const untilUs = Number(done['break_glass_until_us'])
  t.ok(untilUs > NOW_US + 7_000_000_000 && untilUs < NOW_US + 7_800_000_000)
  t.match(await book.look('explain', short), {
    may_arm: false,
    reason: 'baseline_break_glass',
    may_arm_on_two_streams: false,
  })
})

t.test('age lowers confidence and is signed, and a rolling baseline that creeps is not approved', async (t) => {
  const book = await bookFolder(t)
  const golden = book.write('golden.hbb', recordAt(0, 5))
  await book.certify('golden.hbb', golden)
  let crept = ''
  let approved = 0
  for (let run = 1; run <= 7 && crept === ''; run += 1) {
    const file = `rolling-${run}.hbb`
    const digest = book.write(file, recordAt(0.2 * run, 1 - run / 100, { kind: 'rolling' }))
    crept = await book.refusal(book.certify(file, digest))
    if (crept === '') approved = run
  }
  t.match(crept, /BASELINE_CREEP[\s\S]*creep: flow is/)
  t.ok(approved >= 1 && 0.2 * (approved + 1) < 1.5, `caught at ${0.2 * (approved + 1)} spreads in total`)
  const decayed = await book.hb('baseline', 'decay', '--book', 'book', '--key', 'ada.key')
  const [left] = (decayed['baselines'] as Json[]).filter((b) => b['digest'] === golden)
  t.match(left, { kind: 'golden', reasons: [/^age_sec/] })
  t.ok(Number(left?.['factor']) > 0.5 && Number(left?.['factor']) < 0.6)
  t.match(await book.look('explain', golden), {
    decay: left?.['factor'] as number,
    sentences: [/./, /decay leaves 0\.57/, /./],
  })
})

t.test('a flipped byte of the book is told with its file before anything is written', async (t) => {
  const book = await bookFolder(t)
  const digest = book.write('golden.hbb', recordAt(0, 1))
  await book.say('ada', 'propose', 'golden.hbb')
  const file = join(book.path, 'book', 'statements.log')
  const bytes = readFileSync(file)
  bytes[100] = bytes[100]! ^ 1
  writeFileSync(file, bytes)
  const before = readdirSync(join(book.path, 'book'), { recursive: true })
  t.match(await book.refusal(book.look('list')), /BOOK_DAMAGED[\s\S]*statements\.log/)
  t.match(await book.refusal(book.say('grace', 'review', digest)), /BOOK_DAMAGED/)
  t.same(readdirSync(join(book.path, 'book'), { recursive: true }), before)
  mkdirSync(join(book.path, 'other'))
  t.match(await book.refusal(book.hb('baseline', 'list', '--book', 'other')), /CONFIG_MISSING[\s\S]*operators\.yaml/)
})
