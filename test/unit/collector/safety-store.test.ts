import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Check, Errors } from 'typebox/schema'
import type { SafetyChange } from '../../../agent/core/safety/changes.ts'
import { safetyValues } from '../../../agent/core/safety-record.ts'
import { decisionRow } from '../../../collector/core/decision-view.ts'
import { SAFETY_ANSWERS, Safety } from '../../../collector/http/safety-answers.ts'
import { actionJson, armsJson, safetyJson } from '../../../collector/http/safety-views.ts'
import { checkSafety } from '../../../collector/safety-check.ts'
import { DATABASE_FILE, openStores, type Stores } from '../../../collector/store/open.ts'
import { STEPS_MAX } from '../../../collector/store/safety.ts'
import { COLLECTOR_MIGRATIONS } from '../../../collector/store/schema.ts'
import { canonicalBytes } from '../../../shared/codec/canonical.ts'
import { decodeSigned } from '../../../shared/codec/signed-cbor.ts'
import { createVirtualClock } from '../../../shared/lib/clock.ts'
import { ACTION_ENDS, ACTION_STAGES, type ActionState, UNKNOWN_OUTCOME } from '../../../shared/model/action.ts'
import type { Canonical, DecisionItem } from '../../../shared/model/decision.ts'
import { openDatabase } from '../../../shared/sqlite/database.ts'
import { actingInputs } from '../../support/acting-inputs.ts'
import { collected, feed, T0 } from '../../support/evaluator-rig.ts'

const clock = createVirtualClock(T0)
const folder = mkdtempSync(join(tmpdir(), 'hb-safety-store-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

const bytes = (n: number): Uint8Array => new Uint8Array(32).fill(n)

function batchOf(batchSeq: number, items: readonly DecisionItem[]) {
  const decisions = items.map((item) => ({ ...decisionRow(item)!, program: 'demo' }))
  const firstSeq = decisions[0]!.seq
  const count = decisions.at(-1)!.lastSeq - firstSeq + 1
  const place = { agent: 'bench-1', epoch: 1, batchSeq, identity: bytes(batchSeq), prev: bytes(0), firstSeq, count }
  const kept = { run: '', header: '{}', recvUs: T0, cose: bytes(1), records: bytes(2), receipt: bytes(3) }
  return { batch: { ...place, ...kept }, decisions }
}

/** A record as it comes out of a batch: its values were encoded and read again. */
function said(seq: number, change: SafetyChange): DecisionItem {
  const values = safetyValues({ seq, rig: 'loop', nowUs: T0 + seq, mode: 'nominal', config: bytes(1) }, change)
  return sent({ kind: 'record', seq, values, chain: bytes(seq % 250) })
}
const sent = (item: DecisionItem): DecisionItem => ({
  ...item,
  values: decodeSigned(canonicalBytes(item.values as unknown as Canonical)) as unknown as DecisionItem['values'],
})

function action(state: ActionState, from: ActionState | null, key = 'ab'.repeat(32)): SafetyChange {
  const named = { key, rig: 'loop', rule: 'r', episode: 1, action: 'shutdown', target: 'pump', params: {} } as const
  const times = { endUs: T0, nowUs: T0, deadlineUs: T0 + 9, attempt: 1 }
  return { kind: 'action', ...named, state, from, ...times, reasons: ['X'], note: '', conditions: [] }
}
const arm = (state: 'ARMED' | 'PASSIVE', untilUs = T0 + 60_000_000): SafetyChange => ({
  ...{ kind: 'arm', state, reason: 'ordered', untilUs, by: ['ada', 'bob'] },
})

const glassOf = (active: boolean): SafetyChange => ({
  ...{ kind: 'break_glass', active, untilUs: T0 + 9, by: ['ada'], reason: 'night shift' },
  ...{ why: active ? '' : 'CLOSED', count: 1 },
})

async function withStores(name: string): Promise<Stores> {
  const stores = await openStores(join(folder, name), clock)
  await stores.agents.enrol([{ agent: 'bench-1', deployment: 'demo', spki: bytes(1), programs: ['demo'] }], T0)
  return stores
}

async function problemsIn(name: string, change = ''): Promise<string[]> {
  const db = await openDatabase({
    ...{ path: join(folder, name, DATABASE_FILE), migrations: COLLECTOR_MIGRATIONS, clock },
  })
  if (change !== '') await db.write((tx) => tx.run(change, []))
  const found = await checkSafety(db)
  await db.close()
  return found
}

// verifies SE-26
t.test('a break-glass stands at its rig until its agent says that it is over', async (t) => {
  const stores = await withStores('glass')
  await stores.batches.append([batchOf(1, [said(1, glassOf(true))])])
  const arms = await armsJson(stores, T0)
  t.match(arms, { counts: { break_glass: 1 } })
  t.match(arms['rigs'], [
    { break_glass: { until_us: T0 + 9, over: false, count: 1, persons: ['ada'], reason: 'night shift' } },
  ])
  t.match((await armsJson(stores, T0 + 9))['rigs'], [{ break_glass: { over: true } }], 'it is not hidden before')
  t.ok(Check(SAFETY_ANSWERS.arms[200], JSON.parse(JSON.stringify(arms))))
  await stores.batches.append([batchOf(2, [said(2, glassOf(false))])])
  t.match(await armsJson(stores, T0), { counts: { break_glass: 0 } })
  await stores.close()
  t.same(await problemsIn('glass'), [])
})

t.test('what an agent did is stored, shown with its steps, and proved anew by fsck', async (t) => {
  const stores = await withStores('acted')
  const out = collected()
  for (const input of actingInputs()) feed(out, input)
  const items = out.items.map(sent)
  await stores.batches.append([batchOf(1, items.slice(0, 40)), batchOf(2, items.slice(40))])
  const actions = (await stores.safety.actions({ limit: 10 })).map(actionJson)
  t.match(actions, [
    { state: 'GATE_DENIED', open: false, action: 'shutdown', target: 'pump', params: { ramp_s: 2 } },
    { state: 'VERIFIED', open: false, rule: 'over_pressure' },
  ])
  t.same(
    (actions[1]!['steps'] as { state: string }[]).map(({ state }) => state),
    ['PROPOSED', 'GATE_PASSED', 'RELEASED', 'SENT', 'ACCEPTED', 'STARTED', 'COMPLETED', 'VERIFIED'],
  )
  t.match((actions[0]!['steps'] as object[]).at(-1), { reasons: ['INHIBITED:rule:over_pressure'] })
  t.equal((await stores.safety.actions({ state: 'VERIFIED', limit: 10 })).length, 1)
  t.equal((await stores.safety.actions({ rig: 'another', limit: 10 })).length, 0)
  t.equal((await stores.safety.actions({ agent: 'bench-1', open: true, limit: 10 })).length, 0)
  t.equal((await stores.safety.actions({ limit: 1 })).length, 1)
  const arms = await armsJson(stores, T0)
  t.match(arms, {
    counts: { armed: 0, passive: 1, break_glass: 0, inhibits: 0, alarms: 1 },
    note: 'keys distinct, persons unproven',
  })
  t.match(arms['rigs'], [{ rig: 'rig-a', arm: { state: 'PASSIVE', persons: ['zoe'], reason: 'the shift ends' } }])
  t.match(arms['rigs'], [{ alarms: [{ alarm: 'inhibit_expired:rule:over_pressure', severity: 'WARNING' }] }])
  for (const [schema, answer] of [
    [Safety, await safetyJson(stores, T0)],
    [SAFETY_ANSWERS.arms[200], arms],
    [SAFETY_ANSWERS.actions[200], { actions }],
  ] as const)
    t.ok(Check(schema, JSON.parse(JSON.stringify(answer))), JSON.stringify(Errors(schema, answer)).slice(0, 400))
  t.ok(
    (await stores.decisions.list({ limit: 500 })).every(({ kind }) => kind === 'record'),
    'none is a decision',
  )
  await stores.close()
  t.same(await problemsIn('acted'), [])
})

t.test('fsck finds whatever is not remembered as it was signed', async (t) => {
  const make = async (name: string): Promise<void> => {
    const stores = await withStores(name)
    await stores.batches.append([batchOf(1, [said(1, arm('ARMED')), said(2, action('SENT', 'RELEASED'))])])
    await stores.close()
  }
  const changes = {
    state: `UPDATE safety_state SET state = 'VERIFIED' WHERE about <> 'arm'`,
    stands: 'UPDATE safety_state SET stands = 1 - stands',
    seq: `UPDATE safety_state SET seq = 1 WHERE about <> 'arm'`,
    time: 'UPDATE safety_state SET time_us = 1',
    gone: `DELETE FROM safety_state WHERE about = 'arm'`,
    more: `INSERT INTO safety_state VALUES ('bench-1', 'loop', 'alarm:x', 1, 'CRITICAL', 1, 1)`,
  }
  for (const [name, change] of Object.entries(changes)) {
    await make(name)
    t.same(await problemsIn(name), [], name)
    t.ok((await problemsIn(name, change)).length > 0, name)
  }
})

t.test('the newest word counts, whatever came in which order', async (t) => {
  const stores = await withStores('order')
  t.teardown(() => stores.close())
  const key = 'cd'.repeat(32)
  await stores.batches.append([
    batchOf(1, [said(10, action('VERIFIED', 'COMPLETED', key)), said(11, arm('PASSIVE', 0))]),
  ])
  // Numbers below those that are here: of a batch that came whole later.
  await stores.batches.append([batchOf(2, [said(3, action('SENT', 'RELEASED', key)), said(4, arm('ARMED'))])])
  t.match((await stores.safety.actions({ limit: 9 })).map(actionJson), [{ state: 'VERIFIED', steps: { length: 2 } }])
  t.match(await armsJson(stores, T0), { counts: { armed: 0, passive: 1 } })
})

t.test('an arming whose time is over counts for nothing, though nobody said that it ended', async (t) => {
  const stores = await withStores('over')
  t.teardown(() => stores.close())
  await stores.batches.append([batchOf(1, [said(1, arm('ARMED', T0 + 5))])])
  t.match(await armsJson(stores, T0 + 4), { counts: { armed: 1, passive: 0 }, rigs: [{ arm: { over: false } }] })
  t.match(await armsJson(stores, T0 + 5), { counts: { armed: 0, passive: 1 }, rigs: [{ arm: { over: true } }] })
})

t.test('of an action with very many steps the newest are given, and how many came before', async (t) => {
  const stores = await withStores('many')
  t.teardown(() => stores.close())
  const items = Array.from({ length: STEPS_MAX + 6 }, (_, k) => said(k + 1, action('STARTED', 'STARTED')))
  await stores.batches.append([batchOf(1, items)])
  const [one] = (await stores.safety.actions({ limit: 1 })).map(actionJson)
  t.match(one, { steps_before: 6, steps: { length: STEPS_MAX } })
  t.match((one!['steps'] as object[]).at(-1), { id: `bench-1:${STEPS_MAX + 6}` })
})

t.test('which states stand: all but ends', async (t) => {
  const open = (state: ActionState): boolean => decisionRow(said(1, action(state, null)))!.safety!.stands
  for (const state of [...ACTION_STAGES, UNKNOWN_OUTCOME] as const) t.ok(open(state), state)
  for (const state of ACTION_ENDS) t.notOk(open(state), state)
})

t.test('a core of version 5 that says nothing known makes no row, and so its batch is refused', async (t) => {
  const refused = (item: DecisionItem, change: Readonly<Record<string, Canonical>>): boolean => {
    const core = new Map([...(item.values[0] as Map<string, Canonical>), ...Object.entries(change)])
    return decisionRow({ ...item, values: [core, ...item.values.slice(1)] as never }) === null
  }
  const acted = said(7, action('SENT', null))
  t.notOk(refused(acted, {}))
  for (const change of [
    { kind: 'else' },
    { kind: 5 },
    { state: 'DONE' },
    { key: 'AB' },
    { key: null },
    { target: null },
    { rig: null },
    { t_us: 'now' },
    { seq: 8 },
    { v: 6 },
  ])
    t.ok(refused(acted, change), JSON.stringify(change))
  const armed = said(7, arm('ARMED'))
  for (const change of [{ state: 'PERM_OFF' }, { until_us: null }]) t.ok(refused(armed, change), JSON.stringify(change))
  const alarm = said(7, { kind: 'alarm', id: 'x', severity: 'WARNING', active: true, text: '' })
  for (const change of [{ id: 1 }, { severity: 'INFO' }, { active: 1 }])
    t.ok(refused(alarm, change), JSON.stringify(change))
  const inhibit = said(7, { kind: 'inhibit', subject: 's', active: true, untilUs: 1, by: [], reason: '', count: 1 })
  for (const change of [{ subject: null }, { active: null }, { until_us: '1' }])
    t.ok(refused(inhibit, change), JSON.stringify(change))
  const glass = said(7, glassOf(true))
  for (const change of [{ why: null }, { active: null }, { until_us: '1' }])
    t.ok(refused(glass, change), JSON.stringify(change))
})
