import fc from 'fast-check'
import t from 'tap'
import type { BaselineKind } from '../../../shared/model/baseline.ts'
import {
  applyStatement,
  type BookRules,
  type BookState,
  currentOf,
  emptyBook,
  isInForce,
  passOver,
  REQUEST_STATUSES,
  REQUEST_STEPS,
  type RecordFacts,
  slotOf,
  taggedAs,
} from '../../../shared/model/baseline-book.ts'
import {
  BREAK_GLASS_MAX_US,
  STATEMENT_KINDS,
  type Statement,
  type StatementKind,
} from '../../../shared/model/baseline-statement.ts'

const SUBJECT = { program: 'pumps', rig: 'water-loop', family: '', mode: 'nominal' } as const
const facts = (digest: string, gatePassed = true, kind: BaselineKind = 'golden'): RecordFacts => ({
  ...SUBJECT,
  digest,
  kind,
  gatePassed,
})
const RECORDS = new Map([
  ['d1', facts('d1')],
  ['d2', facts('d2')],
  ['bad', facts('bad', false)],
  ['roll', facts('roll', true, 'rolling')],
  ['draft', facts('draft', true, 'draft')],
])
const KEYS = ['ada', 'grace', 'kay', 'lin'] as const
const RULES: BookRules = { operators: new Set(KEYS), approvers: new Set(KEYS), approvalsRequired: 1 }
const GOLDEN = slotOf(SUBJECT, 'golden')
const HOUR_US = 3_600_000_000

/** A book one can talk to. `say` takes or refuses; ids are the numbers of statements. */
function createBook(rules: BookRules = RULES) {
  let state = emptyBook('b', 'genesis')
  const book = {
    state: (): BookState => state,
    statement: (by: string, kind: StatementKind, change: Partial<Statement> = {}): Statement => ({
      ...SUBJECT,
      ...{ id: `s${state.seq + 1}`, kind, book: 'b', seq: state.seq + 1, prev: state.prev, digest: 'd1', as: 'golden' },
      ...{ request: kind === 'propose' ? `s${state.seq + 1}` : 's1', tag: '', by, operator: '', reason: 'because' },
      ...{ atUs: (state.seq + 1) * 1000, untilUs: 0, factor: 1 },
      ...change,
    }),
    say(by: string, kind: StatementKind, change: Partial<Statement> = {}): string {
      const s = book.statement(by, kind, change)
      const applied = applyStatement(state, s, { rules, records: RECORDS })
      state = applied.ok ? applied.state : passOver(state, s)
      return applied.ok ? (state.requests.get(s.request)?.status ?? 'taken') : applied.reason
    },
    golden: (nowUs = state.atUs): string | null => currentOf(state, GOLDEN, nowUs)?.digest ?? null,
  }
  return book
}

/** A book with one approved record. */
function approved(digest = 'd1') {
  const book = createBook()
  for (const [by, kind] of [
    ['ada', 'propose'],
    ['grace', 'review'],
    ['kay', 'approve'],
  ] as const)
    book.say(by, kind, { digest })
  return book
}

t.test('the permitted steps of a request, the whole table', (t) => {
  const rows = REQUEST_STATUSES.map((from) => STATEMENT_KINDS.map((kind) => REQUEST_STEPS[from][kind] ?? '-').join(' '))
  t.same(STATEMENT_KINDS.join(' '), 'propose review approve reject withdraw expire break_glass tag rollback decay')
  t.same(rows, [
    '- reviewed - rejected withdrawn expired proposed - - -',
    '- - approved rejected withdrawn expired reviewed - - -',
    '- - - - - expired - - - -',
    '- - - - - - - - - -',
    '- - - - - - - - - -',
    '- - - - - - - - - -',
  ])
  t.end()
})

t.test('what the reducer does from every status is what the table says', (t) => {
  const ways: Readonly<Record<string, readonly (readonly [string, StatementKind])[]>> = {
    proposed: [],
    reviewed: [['grace', 'review']],
    approved: [
      ['grace', 'review'],
      ['kay', 'approve'],
    ],
    rejected: [['grace', 'reject']],
    withdrawn: [['ada', 'withdraw']],
    expired: [['grace', 'expire']],
  }
  for (const status of REQUEST_STATUSES) {
    for (const kind of ['review', 'approve', 'reject', 'withdraw', 'expire'] as const) {
      const book = createBook()
      book.say('ada', 'propose')
      for (const [by, said] of ways[status]!) book.say(by, said)
      t.equal(book.state().requests.get('s1')?.status, status)
      const heard = book.say(kind === 'withdraw' ? 'ada' : 'lin', kind)
      const to = REQUEST_STEPS[status][kind]
      if (to === undefined) t.match(heard, /^(not_reviewed|already_reviewed|request_closed)$/, `${status} ${kind}`)
      else t.equal(heard, to, `${status} ${kind}`)
    }
  }
  t.end()
})

// verifies REQ-BAS-006
t.test('proposer, reviewer and approver are three keys', (t) => {
  const book = createBook()
  t.equal(book.say('ada', 'propose'), 'proposed')
  t.equal(book.say('ada', 'review'), 'same_person')
  t.equal(book.say('kay', 'approve'), 'not_reviewed')
  t.equal(book.say('grace', 'review'), 'reviewed')
  t.equal(book.say('ada', 'approve'), 'same_person')
  t.equal(book.say('grace', 'approve'), 'same_person')
  t.equal(book.say('mallory', 'approve'), 'unknown_key')
  t.equal(book.golden(), null)
  t.equal(book.say('kay', 'approve'), 'approved')
  t.equal(book.golden(), 'd1')
  t.end()
})

t.test('as many approvers as governance asks for, and none but those it names', (t) => {
  const book = createBook({ ...RULES, approvers: new Set(['kay', 'lin']), approvalsRequired: 2 })
  book.say('ada', 'propose')
  book.say('kay', 'review')
  t.equal(book.say('grace', 'approve'), 'not_an_approver')
  t.equal(book.say('lin', 'approve'), 'reviewed', 'one of two')
  t.equal(book.say('lin', 'approve'), 'same_person')
  t.equal(book.golden(), null)
  t.end()
})

t.test('a golden baseline changes only by another proposal with all its approvals', (t) => {
  const book = approved()
  t.equal(book.say('ada', 'propose', { digest: 'd1' }), 'already_open')
  t.equal(book.say('lin', 'propose', { digest: 'd2' }), 'proposed')
  const second = { digest: 'd2', request: `s${book.state().seq}` }
  t.equal(book.golden(), 'd1')
  t.equal(book.say('ada', 'review', second), 'reviewed')
  t.equal(book.golden(), 'd1')
  t.equal(book.say('kay', 'approve', second), 'approved')
  t.equal(book.golden(), 'd2')
  t.end()
})

t.test('a closed request is never used again, and a request is for one digest', (t) => {
  const book = createBook()
  book.say('ada', 'propose')
  t.equal(book.say('grace', 'review', { digest: 'd2' }), 'digest_differs')
  t.equal(book.say('grace', 'review', { as: 'rolling' }), 'digest_differs')
  t.equal(book.say('grace', 'review', { rig: 'other' }), 'digest_differs')
  t.equal(book.say('grace', 'review', { request: 's9' }), 'request_unknown')
  t.equal(book.say('grace', 'withdraw'), 'not_the_proposer')
  t.equal(book.say('ada', 'withdraw'), 'withdrawn')
  t.equal(book.say('grace', 'review'), 'request_closed')
  t.equal(book.say('ada', 'propose'), 'proposed', 'the same record may be proposed anew')
  t.equal(book.say('kay', 'approve', { request: `s${book.state().seq}` }), 'not_reviewed', 'and begins from the start')
  t.end()
})

t.test('a record is proposed as what it is, and is there', (t) => {
  const book = createBook()
  t.equal(book.say('ada', 'propose', { digest: 'none' }), 'record_missing')
  t.equal(book.say('ada', 'propose', { digest: 'draft', as: 'draft' }), 'kind_draft')
  t.equal(book.say('ada', 'propose', { digest: 'roll' }), 'record_differs')
  t.equal(book.say('ada', 'propose', { mode: 'test' }), 'record_differs')
  t.end()
})

t.test('a failed gate is passed by nobody but a break-glass, and that ends by itself', (t) => {
  const book = createBook()
  book.say('ada', 'propose', { digest: 'bad' })
  book.say('grace', 'review', { digest: 'bad' })
  t.equal(book.say('kay', 'approve', { digest: 'bad' }), 'gate_not_passed')
  const now = book.state().atUs
  const glass = (untilUs: number) => book.say('lin', 'break_glass', { digest: 'bad', untilUs })
  t.equal(glass(now), 'break_glass_too_long', 'over before it begins')
  t.equal(glass(now + BREAK_GLASS_MAX_US + HOUR_US), 'break_glass_too_long')
  t.equal(glass(now + HOUR_US), 'reviewed')
  t.equal(book.say('grace', 'approve', { digest: 'bad' }), 'same_person', 'it takes the people all the same')
  t.equal(book.say('kay', 'approve', { digest: 'bad' }), 'approved')
  t.same([book.golden(now + HOUR_US - 1), book.golden(now + HOUR_US)], ['bad', null])
  t.equal(approved().say('lin', 'break_glass', { untilUs: HOUR_US }), 'request_closed')
  const sound = createBook()
  sound.say('ada', 'propose')
  t.equal(sound.say('lin', 'break_glass', { untilUs: HOUR_US }), 'gate_passed')
  t.end()
})

t.test('what was in force before a break-glass is in force again after it', (t) => {
  const book = approved('d1')
  book.say('ada', 'propose', { digest: 'bad' })
  const bad = { digest: 'bad', request: `s${book.state().seq}` }
  book.say('grace', 'review', bad)
  const untilUs = book.state().atUs + HOUR_US
  book.say('lin', 'break_glass', { ...bad, untilUs })
  book.say('kay', 'approve', bad)
  t.same([book.golden(untilUs - 1), book.golden(untilUs)], ['bad', 'd1'])
  t.end()
})

t.test('a way back is one statement, to something that was in force before and still may be', (t) => {
  const book = approved()
  book.say('lin', 'propose', { digest: 'd2' })
  const second = { digest: 'd2', request: `s${book.state().seq}` }
  t.equal(book.say('lin', 'rollback', { ...second, tag: 'golden' }), 'no_earlier_baseline', 'never was in force')
  book.say('ada', 'review', second)
  book.say('kay', 'approve', second)
  t.equal(book.say('lin', 'rollback', { ...second, tag: 'golden' }), 'no_earlier_baseline', 'is in force')
  t.equal(book.say('lin', 'rollback', { tag: 'golden' }), 'approved')
  t.equal(book.golden(), 'd1')
  t.equal(book.say('ada', 'expire'), 'expired')
  t.equal(book.golden(), 'd2', 'what expired gives way to the newest that counts')
  t.equal(book.say('lin', 'rollback', { tag: 'golden' }), 'not_approved')
  t.end()
})

t.test('tags belong to a programme and name what is in force', (t) => {
  const book = approved()
  t.equal(book.say('lin', 'tag', { tag: 'golden' }), 'tag_reserved')
  t.equal(book.say('lin', 'tag', { tag: 'v1', request: 's9' }), 'request_unknown')
  t.equal(book.say('lin', 'tag', { tag: 'v1', program: 'fans' }), 'digest_differs')
  t.equal(book.say('lin', 'tag', { tag: 'v1' }), 'approved')
  const tagged = (program: string) => taggedAs(book.state(), { program, tag: 'v1' }, book.state().atUs)?.digest ?? null
  t.same([tagged('pumps'), tagged('fans')], ['d1', null])
  book.say('ada', 'expire')
  t.equal(tagged('pumps'), null, 'a tag never names what does not count')
  t.equal(book.say('lin', 'tag', { tag: 'v2' }), 'not_approved')
  t.end()
})

t.test('statements out of order, of another book or from the past are refused', (t) => {
  const book = approved()
  t.equal(book.say('lin', 'tag', { tag: 'v1', seq: 9 }), 'out_of_order')
  const other = approved()
  t.equal(other.say('lin', 'tag', { tag: 'v1', prev: 's1' }), 'out_of_order')
  t.equal(other.say('lin', 'tag', { tag: 'v1', book: 'c' }), 'other_book')
  t.equal(other.say('lin', 'tag', { tag: 'v1', atUs: 1 }), 'time_goes_back')
  t.end()
})

t.test('decay is remembered by record, within 0 and 1', (t) => {
  const book = approved()
  t.equal(book.say('lin', 'decay', { factor: 1.5, request: '' }), 'factor_out_of_range')
  t.equal(book.say('lin', 'decay', { factor: Number.NaN, request: '' }), 'factor_out_of_range')
  t.equal(book.say('lin', 'decay', { factor: 0.25, request: '', reason: 'old' }), 'taken')
  t.match(book.state().decay.get('d1'), { factor: 0.25, reason: 'old', by: 'lin' })
  t.end()
})

type Move = Readonly<{ by: string; kind: StatementKind; digest: string; nth: number; untilUs: number; tag: string }>
const moves = fc.array(
  fc.record<Move>({
    by: fc.constantFrom(...KEYS, 'mallory'),
    kind: fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom('propose', 'review', 'approve', 'break_glass') },
      { weight: 1, arbitrary: fc.constantFrom(...STATEMENT_KINDS) },
    ),
    digest: fc.constantFrom('d1', 'd2', 'bad', 'bad', 'roll', 'draft', 'none'),
    nth: fc.constantFrom(0, 0, 0, 1, 2, 3),
    untilUs: fc.nat(90_000),
    tag: fc.constantFrom('', 'golden', 'v1'),
  }),
  { minLength: 10, maxLength: 60, size: 'max' },
)

/** What the rules promise of a request that is approved, from the statements that were taken alone. */
function isEarned(request: string, taken: readonly Statement[]): boolean {
  const of = (kind: StatementKind) => taken.filter((s) => s.request === request && s.kind === kind)
  const [proposed] = of('propose')
  const [reviewed] = of('review')
  const approvals = of('approve')
  if (proposed === undefined || reviewed === undefined || approvals.length === 0) return false
  const people = [proposed.by, reviewed.by, ...approvals.map((s) => s.by)]
  const isCovered =
    RECORDS.get(proposed.digest)?.gatePassed === true ||
    approvals.every((a) => of('break_glass').some((g) => g.seq < a.seq && a.atUs < g.untilUs))
  const isOneDigest = [reviewed, ...approvals].every((s) => s.digest === proposed.digest)
  return new Set(people).size === people.length && !people.includes('mallory') && isCovered && isOneDigest
}

t.test('no sequence of statements approves anything without distinct people and a gate or a break-glass', (t) => {
  let approvedOnce = 0
  let byGlass = 0
  fc.assert(
    fc.property(moves, (sequence) => {
      const book = createBook()
      const taken: Statement[] = []
      for (const { by, kind, digest, nth, untilUs, tag } of sequence) {
        const requests = [...book.state().requests.keys()]
        const request =
          kind === 'propose' ? `s${book.state().seq + 1}` : (requests[nth % Math.max(1, requests.length)] ?? 's1')
        const about = book.state().requests.get(request)
        const change = { request, tag, untilUs, digest: nth === 3 || about === undefined ? digest : about.digest }
        const as = RECORDS.get(change.digest)?.kind ?? 'golden'
        const said = book.statement(by, kind, { ...change, as })
        const heard = book.say(by, kind, { ...change, as })
        if (heard === 'taken' || (REQUEST_STATUSES as readonly string[]).includes(heard)) taken.push(said)
        for (const r of book.state().requests.values()) {
          if (r.status !== 'approved') continue
          approvedOnce += 1
          if (!r.gatePassed) byGlass += 1
          if (!isEarned(r.request, taken)) return false
          if (!r.gatePassed && isInForce(r, r.breakGlass?.untilUs ?? 0)) return false
        }
        for (const [slot] of book.state().slots) {
          const current = currentOf(book.state(), slot, book.state().atUs)
          if (current !== null && book.state().requests.get(current.request)?.status !== 'approved') return false
        }
      }
      return true
    }),
    { seed: 4, numRuns: 2000 },
  )
  t.ok(approvedOnce > 1000, `${approvedOnce} states with something approved were looked at`)
  t.ok(byGlass > 100, `${byGlass} of them by break-glass`)
  t.end()
})
