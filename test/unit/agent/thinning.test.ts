import t from 'tap'
import { ItemComparison, replay } from '../../../agent/pipeline/replay.ts'
import type { OutboxEntry } from '../../../agent/ports.ts'
import { viewStorage } from '../../../agent/storage.ts'
import { toHex } from '../../../shared/crypto/digest.ts'
import { createPrng } from '../../../shared/lib/prng.ts'
import type { Canonical, DecisionItem } from '../../../shared/model/decision.ts'
import { openBatch, openThinned } from '../../../shared/protocol/batch.ts'
import { BareAgent, key } from '../../support/bare-agent.ts'
import { ModelCollector } from '../../support/model-collector.ts'
import { ModelDisk } from '../../support/model-disk.ts'

/** Room for some forty batches of this rig in files of about ten. */
const BYTES_MAX = 64_000
const FRAMES = 600
/** Of the moments at which the power may fail, every so-many-th. */
const EVERY = 8

type Verdict = Readonly<{ kind: string; pass: boolean }>

function verdictsOf(items: readonly DecisionItem[]): Verdict[] {
  return items.map(({ kind, values: [core] }) => {
    const fields = core as unknown as ReadonlyMap<string, Canonical>
    const unchanged = (fields.get('unchanged') ?? []) as unknown as [string, number, string][]
    const pass = kind === 'record' ? fields.get('verdict') === 'PASS' : unchanged.every(([, , said]) => said === 'PASS')
    return { kind, pass }
  })
}

/** Everything that was signed, as it was when it was. */
function signedBy(agent: BareAgent): Map<string, OutboxEntry> {
  const signed = new Map<string, OutboxEntry>()
  const { outbox } = agent.storage
  const append = outbox.append.bind(outbox)
  outbox.append = async (entry) => {
    await append(entry)
    signed.set(`${entry.epoch}/${entry.batchSeq}`, entry)
  }
  return signed
}

async function replayed(disk: ModelDisk) {
  const view = viewStorage('/state', disk.files)
  const comparison = new ItemComparison(view.outbox.all(), () => key)
  for await (const { effects, lostThrough } of replay(view)) {
    if (lostThrough > 0) comparison.passOver(lostThrough)
    for (const effect of effects) if (effect.kind === 'item') comparison.take(effect.item)
  }
  return comparison.finish()
}

const told = (agent: BareAgent, event: string) => agent.logged.filter((line) => line.event === event)

t.test(
  'near the bound what only repeats PASS keeps its header, oldest first, and nothing else gives way',
  async (t) => {
    const disk = new ModelDisk()
    const agent = await BareAgent.open(disk, { bytes_max: BYTES_MAX })
    const signed = signedBy(agent)
    await agent.live(0, FRAMES)
    const { outbox, outboxWatch } = agent.storage
    const entries = await outbox.read(1, 1000)
    t.equal(entries.length, signed.size, 'every batch is there')
    const thinned = entries.filter(({ records }) => records === null)
    t.ok(thinned.length > 3, `${thinned.length} of ${entries.length} batches are thinned`)
    let whole = 0
    for (const entry of entries) {
      const before = signed.get(`${entry.epoch}/${entry.batchSeq}`)!
      t.same(entry.cose, before.cose, 'what is signed is what was signed')
      const { items } = openBatch({ cose: before.cose, records: before.records!, key })
      const isAllPass = verdictsOf(items).every(({ pass }) => pass)
      if (!isAllPass) whole += 1
      if (!isAllPass) t.ok(entry.records !== null, 'what is not PASS stays whole')
    }
    t.ok(whole > 3)
    t.ok(outbox.held < BYTES_MAX, 'it goes on below the bound')
    t.equal(outbox.thinnedWaiting, thinned.length)
    t.equal(outboxWatch.thinned, thinned.length, 'counted')
    t.equal(
      told(agent, 'detail_thinned').reduce((sum, line) => sum + Number(line['batches']), 0),
      thinned.length,
      'said in the log',
    )
    t.ok(
      outboxWatch.warnings().some(({ code }) => code === 'DETAIL_THINNED'),
      'and shown',
    )
    await agent.flush()
    const gaps = (await outbox.read(1, 1000)).flatMap(({ cose }) => openThinned(cose, key).header.gaps)
    const declared = gaps.filter(({ reason }) => reason === 'pass_detail_thinned')
    for (const { firstSeq, count } of thinned)
      t.ok(
        declared.some(({ from, to }) => from <= firstSeq && to >= firstSeq + count - 1) ||
          outbox.thinner.untold.length > 0,
        `${firstSeq}: declared in a signed header`,
      )
    t.ok(declared.length > 0)

    const collector = new ModelCollector(key)
    t.equal(await agent.send(collector), null, 'the collector takes all of it')
    t.equal(collector.thinned, thinned.length)
    t.equal(outbox.pending().batches, 0)
    t.equal(outbox.thinnedWaiting, 0)
    await agent.live(FRAMES, FRAMES + 60)
    t.notOk(
      outboxWatch.warnings().some(({ code }) => code === 'DETAIL_THINNED'),
      'with receipts there is room again, and nothing is said any more',
    )
    await agent.loop.stop()
    await agent.storage.close()
    const result = await replayed(disk)
    t.equal(result.difference, null)
    t.ok(result.compared > 0 && result.missing === 0 && result.unsigned === 0, JSON.stringify(result))
    t.comment(`counted: batches thinned near the bound | ${thinned.length} | header whole, declared, receipted, proved`)
  },
)

t.test('a replay proves thinned batches by their roots, and finds one that says something else', async (t) => {
  const disk = new ModelDisk()
  const agent = await BareAgent.open(disk, { bytes_max: BYTES_MAX })
  await agent.live(0, FRAMES)
  await agent.loop.stop()
  await agent.storage.close()
  const result = await replayed(disk)
  t.match(result, { difference: null, missing: 0, uncompared: 0, unsigned: 0 })
  t.ok(result.thinned > 0, `${result.thinned} decisions proved by the roots of their batches`)
  const view = viewStorage('/state', disk.files)
  const forged = [...view.outbox.all()].map((entry) =>
    entry.records === null ? { ...entry, seed: new Uint8Array(32) } : entry,
  )
  const comparison = new ItemComparison(forged, () => key)
  for await (const { effects } of replay(view))
    for (const effect of effects) if (effect.kind === 'item') comparison.take(effect.item)
  t.match(comparison.finish().difference, { where: 'root' })
})

t.test(
  'a power cut at any moment of thinning leaves every batch whole or thinned, and the thinned ones told',
  async (t) => {
    const disk = new ModelDisk()
    const agent = await BareAgent.open(disk, { bytes_max: BYTES_MAX })
    const signed = signedBy(agent)
    const points: { name: string; disk: ModelDisk; signed: Map<string, OutboxEntry> }[] = []
    disk.onChange = (call, path) => {
      // Also behind the rename, until a durable header has told it.
      const isOpen = /thin/.test(path) || agent.storage.outbox.thinner.untold.length > 0
      if (isOpen) points.push({ name: `${call} ${path}`, disk: disk.clone(), signed: new Map(signed) })
    }
    await agent.live(0, FRAMES)
    t.ok(points.length > 10, `${points.length} moments`)
    const prng = createPrng(11)
    let cuts = 0
    for (const point of points.filter((_, k) => k % EVERY === 0)) {
      for (const left of [point.disk, point.disk.crash(prng), point.disk.crash(prng)]) {
        const next = await BareAgent.open(left, { bytes_max: BYTES_MAX })
        const { outbox } = next.storage
        t.notOk(outbox.chainBroken, point.name)
        t.same(outbox.damage, [], point.name)
        const entries = await outbox.read(1, 1000)
        t.ok(entries.length >= point.signed.size, `${point.name}: every signed batch is there`)
        for (const entry of entries) {
          const before = point.signed.get(`${entry.epoch}/${entry.batchSeq}`)
          if (before !== undefined && toHex(before.cose) !== toHex(entry.cose)) t.fail(`${point.name}: another batch`)
          if (before !== undefined && entry.records !== null) t.same(entry.records, before.records)
        }
        await next.live(FRAMES, FRAMES + 20)
        const all = await outbox.read(1, 1000)
        const gaps = all.flatMap(({ cose }) => openThinned(cose, key).header.gaps)
        for (const { firstSeq, count, records } of entries)
          if (
            records === null &&
            !gaps.some((g) => g.reason === 'pass_detail_thinned' && g.from <= firstSeq && g.to >= firstSeq + count - 1)
          )
            t.fail(`${point.name}: ${firstSeq} was thinned and nobody told`)
        t.equal(await next.send(new ModelCollector(key)), null, 'and all of it can be sent')
        cuts += 1
      }
    }
    t.comment(`counted: power cuts while thinning | ${cuts} | every batch there, whole or thinned and told`)
  },
)

t.test('a disk that refuses leaves the file as it was, says so once, and it is tried again', async (t) => {
  const disk = new ModelDisk()
  const agent = await BareAgent.open(disk, { bytes_max: BYTES_MAX })
  const signed = signedBy(agent)
  disk.fault = (_call, path) => (path.endsWith('.thin') ? 'ENOSPC' : null)
  await agent.live(0, 500)
  const { outbox } = agent.storage
  t.equal(outbox.thinnedWaiting, 0)
  t.equal(told(agent, 'thinning_failed').length, 1, 'said once')
  t.equal((await outbox.read(1, 1000)).length, signed.size)
  t.notOk(disk.paths().some((path) => path.endsWith('.thin')))
  disk.fault = () => null
  await agent.live(500, FRAMES)
  t.ok(outbox.thinnedWaiting > 0, 'and then it goes')
})

t.test('after an epoch ended, thinned batches are signed anew over the same roots', async (t) => {
  for (const receipts of [true, false]) {
    const disk = new ModelDisk()
    const agent = await BareAgent.open(disk, { bytes_max: BYTES_MAX })
    await agent.live(0, FRAMES)
    const { outbox } = agent.storage
    const before = (await outbox.read(1, 1000)).filter(({ records }) => records === null)
    const rootOf = ({ cose }: OutboxEntry): string => toHex(openThinned(cose, key).root)
    const collector = new ModelCollector(key)
    if (!receipts) t.equal(await agent.send(collector, { receipts: false }), null, 'sent, and no receipt came back')
    t.equal(await agent.loop.renewChain('test', 0), true)
    const after = (await outbox.read(1, 1000)).filter(({ records }) => records === null)
    const spanOf = ({ firstSeq, count }: OutboxEntry): string => `${firstSeq}+${count}`
    const again = new Map(after.map((entry) => [spanOf(entry), rootOf(entry)]))
    t.ok(before.length > 3)
    for (const entry of before) t.equal(again.get(spanOf(entry)), rootOf(entry), 'the same decisions, by their root')
    t.ok(after.every(({ epoch }) => epoch === 2) && after.length > 3)
    t.equal(await agent.send(collector), null, 'taken, also by a collector that has them from before')
    t.equal(outbox.pending().batches, 0)
    await agent.live(FRAMES, FRAMES + 400)
    t.notOk(told(agent, 'batch_failed').length, 'what the epoch before left behind makes room')
    t.equal(await agent.send(collector), null)
    await agent.loop.stop()
    await agent.storage.close()
    t.match(await replayed(disk), { difference: null, missing: 0 })
  }
})

t.test('a start signs thinned batches anew too, when the outbox lost what was sent', async (t) => {
  const disk = new ModelDisk()
  const agent = await BareAgent.open(disk, { bytes_max: BYTES_MAX })
  await agent.live(0, FRAMES)
  const thinned = (await agent.storage.outbox.read(1, 1000)).filter(({ records }) => records === null)
  await agent.loop.stop()
  await agent.storage.close()
  const files = disk.paths().filter((path) => path.endsWith('.hbo'))
  const newest = files.at(-1)!
  const bytes = disk.content(newest).slice()
  bytes[40] = bytes[40]! ^ 1
  disk.damage(newest, bytes)
  const next = await BareAgent.open(disk, { bytes_max: BYTES_MAX * 4 })
  t.equal(next.storage.outbox.epoch, 2)
  await next.live(FRAMES, FRAMES + 20)
  const again = (await next.storage.outbox.read(1, 1000)).filter(({ records }) => records === null)
  t.same(
    again.map(({ firstSeq }) => firstSeq),
    thinned.map(({ firstSeq }) => firstSeq),
  )
  t.equal(await next.send(new ModelCollector(key)), null)
})

t.test(
  'an epoch that begins in a full outbox is told whole, in little more room, and then there is room',
  async (t) => {
    const disk = new ModelDisk()
    const agent = await BareAgent.open(disk, { bytes_max: BYTES_MAX })
    await agent.live(0, 1500)
    const { outbox } = agent.storage
    t.match(agent.loop.ready(), [{ code: 'OUTBOX_FULL' }])
    const through = outbox.lastDecisionSeq
    t.equal(await agent.loop.renewChain('test', 0), true)
    let most = 0
    const collector = new ModelCollector(key)
    for (let n = 0; n < 50 && outbox.chainedThrough < through; n += 1) {
      await agent.flush().catch(() => undefined)
      most = Math.max(most, outbox.bytes)
    }
    t.ok(outbox.chainedThrough >= through, 'all of it is signed anew, before any receipt')
    t.ok(most <= BYTES_MAX * (1 + 1 / 4 + 1 / 8), `${most} bytes at most`)
    for (let n = 0; n < 50 && agent.loop.batcher.waiting > 0; n += 1) {
      t.equal(await agent.send(collector), null)
      await agent.flush().catch(() => undefined)
    }
    t.equal(await agent.send(collector), null)
    t.equal(collector.head!.nextSeq, outbox.lastDecisionSeq + 1)
    t.equal(collector.skipped, 0, 'nothing was left out')
    t.ok(outbox.bytes <= BYTES_MAX)
  },
)

t.test(
  'at 100 % nothing is thinned before there is no room; what is not PASS fills the outbox, and receipts free it',
  async (t) => {
    const disk = new ModelDisk()
    const agent = await BareAgent.open(disk, { bytes_max: BYTES_MAX, thin_at_percent: 100 })
    await agent.live(0, 3000)
    const { outbox, outboxWatch } = agent.storage
    t.ok(outbox.thinnedWaiting > 0, 'what could be thinned was')
    const [filling] = told(agent, 'outbox_filling')
    t.match(filling, { level: 'warn', alarm: 80, code: 'OUTBOX_FILLING' })
    t.ok(told(agent, 'outbox_filling').some((line) => line['alarm'] === 95 && line.level === 'error'))
    t.match(agent.loop.ready(), [{ code: 'OUTBOX_FULL' }], 'and then it is full')
    t.ok(told(agent, 'batch_failed').length < 10, 'said when it begins, not at every try')
    t.equal(outboxWatch.fill().alarm, 95)
    const collector = new ModelCollector(key)
    const tries = async (): Promise<number> => {
      for (let n = 1; ; n += 1) {
        t.equal(await agent.send(collector), null)
        await agent.flush().catch(() => undefined)
        if (agent.loop.batcher.waiting === 0 || n > 50) return n
      }
    }
    t.ok((await tries()) < 50, 'what waited to be signed goes out piece by piece')
    t.equal(await agent.send(collector), null)
    t.same(agent.loop.ready(), [])
    await agent.live(3000, 3020)
    t.equal(await agent.send(collector), null)
    await agent.live(3020, 3040)
    t.equal(outboxWatch.fill().alarm, 0)
    t.ok(told(agent, 'outbox_eased').length > 0, 'said')
    await agent.loop.stop()
    t.equal(await agent.send(collector), null)
    t.equal(collector.head!.nextSeq, agent.loop.evaluation.state.decisionSeq + 1, 'every decision came')
    t.equal(collector.skipped, 0, 'none was left out')
    await agent.storage.close()
    t.match(await replayed(disk), { difference: null, missing: 0 }, 'and comes out again')
  },
)
