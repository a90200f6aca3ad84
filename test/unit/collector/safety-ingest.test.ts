import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { checkStore } from '../../../collector/fsck.ts'
import { armsJson, safetyJson } from '../../../collector/http/safety-views.ts'
import { decisionDetailJson } from '../../../collector/http/views.ts'
import { createStandingFeed } from '../../../collector/standing-feed.ts'
import type { BatchDecision } from '../../../collector/store/batches.ts'
import { DATABASE_FILE, openStores } from '../../../collector/store/open.ts'
import { COLLECTOR_MIGRATIONS } from '../../../collector/store/schema.ts'
import { verifyBatch } from '../../../collector/verify/worker.ts'
import { createIngest, type OfferedMessage } from '../../../collector/ws/ingest.ts'
import { NOBODY } from '../../../shared/config/operators.ts'
import { generateSigner, readPublicKey } from '../../../shared/crypto/sign.ts'
import { createVirtualClock } from '../../../shared/lib/clock.ts'
import type { DecisionItem } from '../../../shared/model/decision.ts'
import { buildBatch, genesisPrev } from '../../../shared/protocol/batch.ts'
import { signReceipt } from '../../../shared/protocol/receipt.ts'
import { openDatabase, openToRead } from '../../../shared/sqlite/database.ts'
import { actingInputs } from '../../support/acting-inputs.ts'
import { plainHeader } from '../../support/agent-double.ts'
import { collected, feed, RIG, T0 } from '../../support/evaluator-rig.ts'

const clock = createVirtualClock(T0)
const bench = generateSigner().signer
const receipts = generateSigner().signer
const AGENT = { agent: 'bench-1', deployment: 'demo', spki: bench.spki, programs: ['demo'] }

async function collector(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'hb-safety-ingest-'))
  const stores = await openStores(folder, clock)
  await stores.agents.enrol([AGENT], T0)
  await stores.agents.declare('bench-1', { version: '0', bootId: 'b', rigs: [{ rig: RIG, program: 'demo' }], nowUs: 1 })
  const pool = {
    verify: async (task: Parameters<typeof verifyBatch>[0]) => verifyBatch(task),
    close: async () => undefined,
  }
  const told: BatchDecision[] = []
  const ingest = createIngest({
    ...{ stores, pool, clock, signReceipt: (facts) => signReceipt(facts, receipts), refused: async () => undefined },
    stored: (_, decisions) => void told.push(...decisions),
  })
  const findings = async (change = ''): Promise<string[]> => {
    const path = join(folder, DATABASE_FILE)
    if (change !== '') {
      const writer = await openDatabase({ path, migrations: COLLECTOR_MIGRATIONS, clock })
      await writer.write((tx) => tx.run(change, []))
      await writer.close()
    }
    const db = await openToRead(path)
    const options = { db, pool, key: readPublicKey(receipts.spki), trust: NOBODY, deployment: 'demo' }
    const checked = await checkStore({ ...options, progress: () => undefined })
    await db.close()
    return checked.findings.map(({ what }) => what)
  }
  t.teardown(async () => {
    await stores.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return { stores, findings, told, offer: (batch: OfferedMessage) => ingest.offer({ agent: AGENT, open: true }, batch) }
}

const lastOf = (item: DecisionItem): number => (item.kind === 'record' ? item.seq : item.last)

/** Everything the acting rig says, in signed batches of twenty items. */
function batchesOf(): OfferedMessage[] {
  const out = collected()
  for (const input of actingInputs()) feed(out, input)
  let prev = genesisPrev({ deployment: 'demo', agent: 'bench-1', epoch: 1, spki: bench.spki })
  let firstSeq = 1
  const batches: OfferedMessage[] = []
  for (let at = 0; at < out.items.length; at += 20) {
    const items = out.items.slice(at, at + 20)
    const count = lastOf(items.at(-1)!) - firstSeq + 1
    const batchSeq = batches.length + 1
    const place = { deployment: 'demo', agent: 'bench-1', epoch: 1, batchSeq, prev, firstSeq, count }
    const made = buildBatch({ header: plainHeader(place), items, seed: new Uint8Array(32).fill(7), signer: bench })
    batches.push({ epoch: 1, batchSeq, cose: made.cose, records: made.records })
    prev = made.identity
    firstSeq += count
  }
  return batches
}

t.test('what an agent signed about actions is receipted, stored, and proved anew', async (t) => {
  const { stores, offer, findings, told } = await collector(t)
  for (const batch of batchesOf()) t.match(await offer(batch), { result: 'receipt' })
  const actions = await stores.safety.actions({ limit: 10 })
  t.same(
    actions.map(({ newest }) => newest.state),
    ['GATE_DENIED', 'VERIFIED'],
  )
  t.ok(told.filter(({ kind }) => kind === 'safety').length > 20, 'and pages hear of it')
  const { newest } = actions[0]!
  const detail = decisionDetailJson((await stores.decisions.get('bench-1', newest.seq))!, newest.seq)
  t.match(detail, { kind: 'safety', verdict: null, limits_only: null, findings: null, rig: RIG, program: 'demo' })
  t.match(detail, { says: { kind: 'action', state: 'GATE_DENIED', reasons: ['INHIBITED:rule:over_pressure'] } })
  t.same(await findings(), [])
})

t.test('a row that says something else than what was signed is found', async (t) => {
  for (const change of [
    `UPDATE decisions SET body = replace(body, 'VERIFIED', 'REJECTED') WHERE kind = 'safety'`,
    `UPDATE decisions SET about = 'arm' WHERE kind = 'safety' AND about LIKE 'alarm:%'`,
    `UPDATE decisions SET kind = 'record' WHERE kind = 'safety'`,
    `DELETE FROM decisions WHERE kind = 'safety' AND about = 'arm'`,
    `UPDATE safety_state SET state = 'ARMED', stands = 1 WHERE about = 'arm'`,
  ]) {
    const { offer, findings } = await collector(t)
    for (const batch of batchesOf()) await offer(batch)
    t.ok((await findings(change)).length > 0, change)
  }
})

t.test('pages are told what stands once more while they listen', async (t) => {
  const { stores, offer } = await collector(t)
  for (const batch of batchesOf()) await offer(batch)
  const published: Record<string, unknown>[] = []
  let settle = (): void => {}
  const page = {
    clients: 1,
    publish(message: Readonly<Record<string, unknown>>): void {
      published.push(message)
      settle()
    },
  }
  const make = async () => ({ type: 'safety', safety: await safetyJson(stores, clock.nowUs()) })
  const tell = createStandingFeed({ feed: page, make, failed: (error) => t.fail(String(error)) })
  const next = (): Promise<void> => new Promise((resolve) => (settle = resolve))
  const first = next()
  tell()
  tell()
  await first
  await next()
  t.equal(published.length, 2, 'what came meanwhile is in the one after')
  t.match(published[1], { type: 'safety', safety: { ...(await armsJson(stores, T0)), actions: { length: 2 } } })
  page.clients = 0
  tell()
  t.equal(published.length, 2)
})
