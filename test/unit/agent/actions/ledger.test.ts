import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { systemFiles } from '../../../../agent/adapters/files.ts'
import { LEDGER_FILE } from '../../../../agent/adapters/ledger-read.ts'
import { LEDGER_MIGRATIONS } from '../../../../agent/adapters/ledger-schema.ts'
import { TRANSITIONS_OF_ACTION_MAX } from '../../../../agent/adapters/ledger-write.ts'
import {
  LEDGER_WAITING_MAX,
  type LedgerBounds,
  type OpenedLedger,
  openLedger,
} from '../../../../agent/adapters/sqlite-ledger.ts'
import type { ActionChange } from '../../../../agent/core/safety/changes.ts'
import { type ActionLedger, recordReplayed } from '../../../../agent/pipeline/action-ledger.ts'
import { createVirtualClock } from '../../../../shared/lib/clock.ts'
import { ACTION_ENDS, ACTION_STAGES, hasEnded, UNKNOWN_OUTCOME } from '../../../../shared/model/action.ts'
import { openDatabase } from '../../../../shared/sqlite/database.ts'
import { actionChange, actionHistory, WHOLE_WAY } from '../../../support/action-changes.ts'

const clock = createVirtualClock(1_700_000_000_000_000)

function open(folder: string, bounds?: LedgerBounds): Promise<OpenedLedger> {
  return openLedger({ files: systemFiles, folder, clock, ...(bounds === undefined ? {} : { bounds }) })
}

/** Everything in a ledger, for comparing. */
async function contents(ledger: ActionLedger): Promise<unknown[]> {
  const actions = await ledger.list({ limit: 1_000 })
  return Promise.all(actions.map(({ key }) => ledger.byKey(key)))
}

/** A closed ledger in a folder of the test: one action done, one open, one denied. */
const CHANGES: readonly ActionChange[] = [
  ...actionHistory(WHOLE_WAY),
  ...actionHistory(['PROPOSED', 'GATE_PASSED', 'RELEASED', 'SENT'], { key: 'k2', nowUs: 2_000_000 }),
  ...actionHistory(['PROPOSED', 'GATE_DENIED'], { key: 'k3', nowUs: 3_000_000, reasons: ['STALE:p_a 812ms>500'] }),
]

async function written(t: Test, changes = CHANGES): Promise<string> {
  const folder = t.testdir({})
  const { ledger } = await open(folder)
  await ledger.record(changes)
  await ledger.close()
  return folder
}

async function damageOf(folder: string): Promise<OpenedLedger['damage']> {
  const { ledger, damage } = await open(folder)
  await ledger.close()
  return damage
}

async function edit(folder: string, sql: string): Promise<void> {
  const db = await openDatabase({ path: join(folder, LEDGER_FILE), migrations: LEDGER_MIGRATIONS, clock })
  await db.write((tx) => tx.run(sql))
  await db.close()
}

// verifies SE-13
t.test('what was recorded is there after the ledger was opened again, row by row in a chain', async (t) => {
  const folder = await written(t)
  const { ledger, isNew, damage } = await open(folder)
  t.same([isNew, damage], [false, null])
  const one = await ledger.byKey('k1')
  t.same(
    one?.transitions.map(({ n, state, from, nowUs }) => [n, state, from, nowUs]),
    WHOLE_WAY.map((state, k) => [k + 1, state, WHOLE_WAY[k - 1] ?? null, 1_000_000 + k * 1000]),
  )
  for (const [k, row] of one!.transitions.entries()) if (k > 0) t.same(row.prev, one!.transitions[k - 1]!.digest)
  t.match(one?.action, { state: 'VERIFIED', transitions: 8, params: { hold: true, level: 0.5 }, target: 'pump' })
  t.same(
    (await ledger.open()).map(({ key, state }) => [key, state]),
    [['k2', 'SENT']],
  )
  t.equal(await ledger.byKey('k9'), null)
  await ledger.close()
})

t.test('actions are listed newest first, by rig, state and time', async (t) => {
  const { ledger } = await open(t.testdir({}))
  await ledger.record([...CHANGES, ...actionHistory(['PROPOSED'], { key: 'k4', rig: 's', nowUs: 4_000_000 })])
  const keys = async (query: Partial<Parameters<ActionLedger['list']>[0]>): Promise<string[]> =>
    (await ledger.list({ limit: 10, ...query })).map(({ key }) => key)
  t.same(await keys({}), ['k4', 'k3', 'k2', 'k1'])
  t.same(await keys({ rig: 's' }), ['k4'])
  t.same(await keys({ rig: 'r', state: 'SENT' }), ['k2'])
  t.same(await keys({ state: 'VERIFIED' }), ['k1'])
  t.same(await keys({ sinceUs: 2_003_000 }), ['k4', 'k3', 'k2'])
  t.same(await keys({ limit: 1 }), ['k4'])
  t.same(await keys({ limit: -1 }), [])
  await ledger.close()
})

t.test('recording the same again changes nothing, and what was missing comes back', async (t) => {
  const folder = await written(t)
  const { ledger } = await open(folder)
  const before = await contents(ledger)
  const replayed = async function* (): AsyncGenerator<ActionChange> {
    yield* CHANGES
  }
  t.equal(await recordReplayed(ledger, replayed()), CHANGES.length)
  t.same(await contents(ledger), before)
  await ledger.close()
  const other = await open(join(t.testdir({ other: {} }), 'other'))
  await other.ledger.record(CHANGES.slice(0, 5))
  await recordReplayed(other.ledger, replayed())
  t.same(await contents(other.ledger), before, 'with the same digests')
  await other.ledger.close()
})

// verifies SE-16
t.test('an end stays the end whatever comes late, and what comes late is a row beside it', async (t) => {
  const { ledger } = await open(t.testdir({}))
  const states = [...ACTION_STAGES, UNKNOWN_OUTCOME, ...ACTION_ENDS] as const
  for (const end of ACTION_ENDS) {
    await ledger.record(actionHistory(['SENT', end], { key: end }))
    for (const [k, state] of states.entries())
      await ledger.record([actionChange({ key: end, state, from: end, note: 'late', nowUs: 5_000_000 + k })])
    const found = await ledger.byKey(end)
    t.equal(found?.action.state, end)
    t.equal(found?.transitions.length, 2 + states.length)
  }
  t.same(await ledger.open(), [])
  t.ok(states.every((state) => hasEnded(state) === (ACTION_ENDS as readonly string[]).includes(state)))
  await ledger.close()
})

// verifies SE-13
t.test('who records at the same time shares one transaction; nobody is told before it is committed', async (t) => {
  const folder = t.testdir({})
  const { ledger } = await open(folder)
  const beside = await openDatabase({ path: join(folder, LEDGER_FILE), migrations: LEDGER_MIGRATIONS, clock })
  let [told, early] = [0, 0]
  const all = Array.from({ length: 300 }, (_, k) =>
    ledger.record([actionChange({ key: `k${k}`, state: 'PROPOSED' })]).then(async () => {
      told += 1
      const atLeast = told
      const row = await beside.get('SELECT count(*) AS n FROM actions')
      if (!((row?.['n'] as number) >= atLeast)) early += 1
    }),
  )
  t.equal(ledger.counts().waiting, 300)
  await Promise.all(all)
  t.equal(early, 0)
  t.ok(ledger.counts().groups < 10, `${ledger.counts().groups} transactions for 300 records`)
  t.same(await beside.get('SELECT count(*) AS n FROM actions'), { n: 300 })
  t.match(ledger.counts(), { actions: 300, transitions: 300, waiting: 0 })
  await beside.close()
  await ledger.close()
  await t.rejects(ledger.record(CHANGES), { code: 'DATABASE_FAILED' }, 'what cannot be written is told to who waits')
})

t.test('more than may wait is refused, and what waited is recorded', async (t) => {
  const { ledger } = await open(t.testdir({}))
  const many = Array.from({ length: LEDGER_WAITING_MAX }, (_, k) => actionChange({ key: `k${k}`, state: 'PROPOSED' }))
  const taken = ledger.record(many)
  await t.rejects(ledger.record([actionChange({ key: 'x', state: 'PROPOSED' })]), { code: 'DATABASE_BUSY' })
  await taken
  await ledger.record([actionChange({ key: 'x', state: 'PROPOSED' })])
  t.equal(ledger.counts().actions, LEDGER_WAITING_MAX + 1)
  await ledger.close()
})

t.test('past the bounds the oldest that has ended is forgotten, and what is open never', async (t) => {
  const folder = t.testdir({})
  const bounds = { transitionsMax: 20, ageMaxUs: 1_000_000_000 }
  const { ledger } = await open(folder, bounds)
  await ledger.record(actionHistory(['PROPOSED', 'SENT'], { key: 'open', nowUs: 1 }))
  for (let k = 0; k < 20; k += 1)
    await ledger.record(actionHistory(['PROPOSED', 'GATE_DENIED'], { key: `k${k}`, nowUs: 1_000_000 * (k + 1) }))
  const keys = (await ledger.list({ limit: 100 })).map(({ key }) => key)
  t.same(keys, ['k19', 'k18', 'k17', 'k16', 'k15', 'k14', 'k13', 'k12', 'k11', 'open'])
  t.match(ledger.counts(), { actions: 10, transitions: 20 })
  await ledger.record(actionHistory(['PROPOSED', 'GATE_DENIED'], { key: 'late', nowUs: 1_015_000_000 }))
  const young = (await ledger.list({ limit: 100 })).map(({ key }) => key)
  t.same(young, ['late', 'k19', 'k18', 'k17', 'k16', 'k15', 'k14', 'open'], 'those that ended long ago have gone too')
  await ledger.close()
  t.equal(await damageOf(folder), null, 'and what is left is whole')
})

t.test('an action has so many rows: further notes are counted, changes of its state are written', async (t) => {
  const { ledger } = await open(t.testdir({}))
  const notes = Array.from({ length: TRANSITIONS_OF_ACTION_MAX + 5 }, (_, k) =>
    actionChange({ state: 'SENT', from: 'SENT', note: `ack ${k}`, nowUs: 1_000_000 + k }),
  )
  await ledger.record(notes)
  t.match(ledger.counts(), { transitions: TRANSITIONS_OF_ACTION_MAX, dropped: 5 })
  await ledger.record([actionChange({ state: 'ACCEPTED', from: 'SENT', nowUs: 9_000_000 })])
  t.equal((await ledger.byKey('k1'))?.action.state, 'ACCEPTED')
  await ledger.close()
})

t.test('texts of peers come back as they were', async (t) => {
  const folder = t.testdir({})
  const { ledger } = await open(folder)
  const note = 'a\u0000b "\\ \u{1f600} e\u0301 \u2028'
  await ledger.record([actionChange({ state: 'SENT', note, reasons: [note], params: { 'b"': note, a: -0.25 } })])
  await ledger.close()
  const again = await open(folder)
  t.equal(again.damage, null)
  const found = await again.ledger.byKey('k1')
  t.same([found?.transitions[0]?.note, found?.transitions[0]?.reasons], [note, [note]])
  t.same(found?.action.params, { 'b"': note, a: -0.25 })
  await again.ledger.close()
})

const EDITS: Readonly<Record<string, string>> = {
  'a row that says something else': "UPDATE transitions SET state = 'REJECTED' WHERE key = 'k1' AND n = 5",
  'a row at another time': "UPDATE transitions SET now_us = now_us + 1 WHERE key = 'k1' AND n = 8",
  'a row with another note': "UPDATE transitions SET note = '\"x\"' WHERE key = 'k1' AND n = 1",
  'a note that is no text': "UPDATE transitions SET note = 'x' WHERE key = 'k1' AND n = 1",
  'a row without its condition': "UPDATE transitions SET conditions = '[]' WHERE key = 'k1' AND n = 1",
  'the last row gone': "DELETE FROM transitions WHERE key = 'k1' AND n = 8",
  'a row in between gone': "DELETE FROM transitions WHERE key = 'k1' AND n = 3",
  'two rows in the place of each other':
    "UPDATE transitions SET n = CASE n WHEN 3 THEN 14 WHEN 4 THEN 13 END WHERE key = 'k1' AND n IN (3, 4)",
  'another target': "UPDATE actions SET target = 'valve' WHERE key = 'k1'",
  'another parameter': "UPDATE actions SET params = '[[\"hold\",false]]' WHERE key = 'k1'",
  'another newest state': "UPDATE actions SET state = 'COMPLETED', is_open = 1 WHERE key = 'k1'",
  'an open action that is hidden': "UPDATE actions SET is_open = 1 WHERE key = 'k1'",
  'another deadline': "UPDATE actions SET deadline_us = 0 WHERE key = 'k1'",
  'its action gone': "DELETE FROM actions WHERE key = 'k1'",
}

// verifies SE-13
t.test(
  'a row that was edited or is missing is found; the others are kept, and the journal brings it back',
  async (t) => {
    for (const [what, sql] of Object.entries(EDITS)) {
      const folder = await written(t)
      const before = await open(folder)
      const all = await contents(before.ledger)
      await before.ledger.close()
      await edit(folder, sql)
      const { ledger, damage } = await open(folder)
      t.ok(damage, what)
      t.equal(damage?.carried, 2, what)
      t.same(damage?.lost, what === 'its action gone' ? [] : ['k1'], what)
      t.equal(damage?.missing, what === 'its action gone' ? 1 : 0, what)
      t.ok(readdirSync(folder).includes(damage!.aside), what)
      t.same(
        (await ledger.open()).map(({ key }) => key),
        ['k2'],
        what,
      )
      await ledger.record(CHANGES)
      t.same(await contents(ledger), all, what)
      await ledger.close()
      t.equal(await damageOf(folder), null, what)
    }
  },
)

t.test('a whole action that is missing with all its rows is found', async (t) => {
  const folder = await written(t)
  await edit(folder, "DELETE FROM actions WHERE key = 'k3'")
  await edit(folder, "DELETE FROM transitions WHERE key = 'k3'")
  await edit(folder, 'UPDATE ledger SET actions = 2, transitions = 12')
  const { ledger, damage } = await open(folder)
  t.match(damage, { why: 'actions are missing', carried: 2 })
  await ledger.close()
})

t.test('a ledger of another program is put aside like a damaged one', async (t) => {
  const folder = await written(t)
  await edit(folder, "UPDATE hb_migrations SET digest = 'x'")
  const { ledger, damage } = await open(folder)
  t.equal(damage?.why, 'DATABASE_VERSION')
  await ledger.close()
})

t.test('three damaged files are kept', async (t) => {
  const folder = await written(t)
  for (let k = 0; k < 6; k += 1) {
    writeFileSync(join(folder, LEDGER_FILE), '')
    const { ledger, damage } = await open(folder)
    t.equal(damage?.why, 'empty')
    await ledger.close()
  }
  t.same(
    readdirSync(folder).filter((name) => name.includes('damaged')),
    ['actions.sqlite.damaged-4', 'actions.sqlite.damaged-5', 'actions.sqlite.damaged-6'],
  )
})

t.test('where no ledger can be made, it is said why', async (t) => {
  await t.rejects(open(join(t.testdir({}), 'nowhere')), { code: 'DATABASE_FAILED' })
})

// verifies SE-13
t.test(
  'whichever byte is flipped and wherever it is cut, it opens, and the journal makes it what it was',
  async (t) => {
    const many = Array.from({ length: 20 }, (_, k) =>
      actionHistory(WHOLE_WAY, { key: `many-${k}`, nowUs: 4_000_000 + k }),
    )
    const changes = [...CHANGES, ...many.flat()]
    const folder = await written(t, changes)
    const { ledger } = await open(folder)
    const all = await contents(ledger)
    await ledger.close()
    const whole = readFileSync(join(folder, LEDGER_FILE))
    const place = t.testdir({})
    const came = { unchanged: 0, found: 0 }

    async function openWith(what: string, bytes: Uint8Array): Promise<void> {
      const at = join(place, 'a')
      mkdirSync(at)
      writeFileSync(join(at, LEDGER_FILE), bytes)
      const opened = await open(at)
      if (opened.damage === null) {
        came.unchanged += 1
        t.same(await contents(opened.ledger), all, `${what}: not noticed, so nothing may be different`)
      } else came.found += 1
      await opened.ledger.record(changes)
      const after = await contents(opened.ledger)
      if (JSON.stringify(after) !== JSON.stringify(all)) t.same(after, all, what)
      await opened.ledger.close()
      rmSync(at, { recursive: true })
    }

    const positions = new Set<number>()
    for (let at = 0; at < 128; at += 4) positions.add(at)
    for (let at = 0; at < whole.length; at += 331) positions.add(at)
    for (const at of positions) {
      const bytes = new Uint8Array(whole)
      bytes[at] = bytes[at]! ^ (1 << (at % 8))
      await openWith(`byte ${at}`, bytes)
    }
    for (let length = 0; length < whole.length; length += 1_531)
      await openWith(`cut at ${length}`, whole.subarray(0, length))
    t.comment(
      `counted: ledger bytes flipped and cut | ${positions.size + Math.ceil(whole.length / 1_531)} | ${came.found} found, ${came.unchanged} without meaning`,
    )
    t.ok(came.found > 100)
  },
)

// verifies SE-13
t.test('a write-ahead log that is damaged or gone loses what is in it, and the journal brings that back', async (t) => {
  const folder = t.testdir({})
  const { ledger } = await open(folder)
  await ledger.record(CHANGES.slice(0, 6))
  await ledger.close()
  const second = await open(folder)
  await second.ledger.record(CHANGES)
  const all = await contents(second.ledger)
  const [main, wal] = ['', '-wal'].map((end) => readFileSync(join(folder, LEDGER_FILE + end)))
  await second.ledger.close()
  const outer = t.testdir({})
  for (let at = 0; at <= wal!.length; at += 1_019) {
    const place = join(outer, String(at))
    mkdirSync(place)
    writeFileSync(join(place, LEDGER_FILE), main!)
    const bytes = new Uint8Array(wal!)
    if (at < wal!.length) bytes[at] = bytes[at]! ^ 0x10
    writeFileSync(join(place, `${LEDGER_FILE}-wal`), at < wal!.length ? bytes : '')
    const opened = await open(place)
    await opened.ledger.record(CHANGES)
    t.same(await contents(opened.ledger), all, `byte ${at}`)
    await opened.ledger.close()
  }
})
