import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runHb } from '../../scripts/demo/processes.ts'
import { readPublicKey, type Signer, signerFromPem } from '../../shared/crypto/sign.ts'
import { signReceipt } from '../../shared/protocol/receipt.ts'
import { openManifest, readStick, type StickReceipt } from '../../shared/protocol/stick.ts'
import { createBatchMaker, type MadeBatch } from '../support/agent-double.ts'
import { type BenchFolder, createBenchFolder, recordedLoop, runtimeYaml } from '../support/bench-folder.ts'
import { AGENT, createFileMaker, exported, type FileMaker, failure, imported, json } from '../support/stick-files.ts'

type Keys = Readonly<{ agent: Signer; collector: Signer; stranger: Signer }>
/** What is wrong with a file, the file, and the codes it is refused with. */
type Case = readonly [name: string, file: string, codes: readonly string[]]
const ALL = 1_000_000

async function bench(t: { teardown(fn: () => void): unknown }): Promise<{ folder: BenchFolder; keys: Keys }> {
  const folder = await createBenchFolder()
  t.teardown(() => folder.remove())
  await runHb(['keys', 'create', 'other.pem'], folder.path)
  const signer = (name: string): Signer => signerFromPem(readFileSync(join(folder.path, name), 'utf8'))
  return {
    folder,
    keys: { agent: signer('sign.pem'), collector: signer('receipts.pem'), stranger: signer('other.pem') },
  }
}

function batchCases(files: FileMaker, { agent, stranger }: Keys, good: readonly MadeBatch[]): Case[] {
  const forged = (signer: Signer, change: Partial<{ deployment: string; agent: string }> = {}): MadeBatch =>
    createBatchMaker({ signer, deployment: 'demo', agent: 'bench-1', ...change })()
  const [first, second] = good as [MadeBatch, MadeBatch]
  return [
    // First: what an agent declared once, it has declared, as with a session.
    ['with a rig it does not declare', files.batches('k.hbs', good, { rigs: [] }), ['AGENT_WRONG_PROGRAM']],
    ['damaged', files.flipped('damaged.hbs', 'good.hbs', 700), ['STICK_DAMAGED']],
    ['cut in its last record', files.cut('cut.hbs', 'good.hbs', 10), ['STICK_DAMAGED', 'STICK_DAMAGED']],
    ['empty', files.cut('empty.hbs', 'good.hbs', ALL), ['STICK_DAMAGED']],
    ['of an agent nobody enrolled', files.batches('a.hbs', good, { agent: 'bench-9' }), ['AGENT_UNKNOWN']],
    ['signed by another key', files.batches('b.hbs', good, {}, stranger), ['BATCH_SIGNATURE']],
    ['of another deployment', files.batches('c.hbs', good, { deployment: 'other' }), ['AGENT_WRONG_DEPLOYMENT']],
    [
      'of a program of somebody else',
      files.batches('d.hbs', good, { rigs: [{ rig: 'x', program: 'secret' }] }),
      ['AGENT_WRONG_PROGRAM'],
    ],
    [
      'with batches of other keys, all listed',
      files.batches('e.hbs', [first, forged(stranger), forged(stranger)]),
      ['BATCH_SIGNATURE', 'BATCH_SIGNATURE'],
    ],
    [
      'with a batch of another deployment',
      files.batches('f.hbs', [forged(agent, { deployment: 'other' })]),
      ['CHAIN_REPLAY'],
    ],
    ['with a batch of another agent', files.batches('g.hbs', [forged(agent, { agent: 'rack-2' })]), ['CHAIN_REPLAY']],
    ['with other records', files.batches('h.hbs', [{ ...first, records: second.records }]), ['BATCH_ROOT']],
    ['with a hole before it', files.batches('i.hbs', good.slice(1)), ['CHAIN_GAP']],
    ['with another number than inside', files.batches('j.hbs', [{ ...first, batchSeq: 7 }]), ['SESSION_PROTOCOL']],
    ['with receipts', files.receipts('l.hbs', []), ['STICK_DAMAGED']],
  ]
}

t.test('hostile batches on a stick are refused with their codes, and nothing of them is stored', async (t) => {
  const { folder, keys } = await bench(t)
  const files = createFileMaker(folder, keys)
  const make = createBatchMaker({ signer: keys.agent, deployment: 'demo', agent: 'bench-1' })
  const good = [make(), make(), make()]
  files.batches('good.hbs', good)
  const take = (file: string) => failure(folder, 'collector', 'import', file, '--config', 'collector.yaml')
  const cases = batchCases(files, keys, good)
  for (const [name, file, codes] of cases) {
    const said = await take(file)
    t.same(
      said.problems?.slice(0, codes.length).map(({ code }) => code),
      codes,
      name,
    )
    t.equal(said.code, codes[0], name)
    t.ok([65, 77, 78].includes(said.exit), `${name}: exit ${said.exit}`)
  }
  const fsck = () => json(folder, 'collector', 'fsck', '--config', 'collector.yaml')
  t.match(await fsck(), { ok: true, batches: 0 })
  t.match(await imported(folder, 'good.hbs'), { stored: 3 }, 'after all of them the good one is taken')
  t.match(await imported(folder, 'good.hbs'), { stored: 0, known: 3 }, 'and once only')
  const fork = createBatchMaker({ signer: keys.agent, deployment: 'demo', agent: 'bench-1' })
  t.equal((await take(files.batches('fork.hbs', [fork({ verdict: 'FAIL' })]))).code, 'CHAIN_EQUIVOCATION')
  const next = make()
  const partly = files.batches('partly.hbs', [next, { ...make(), cose: next.cose, records: next.records }])
  t.equal((await take(partly)).code, 'SESSION_PROTOCOL')
  t.match(await fsck(), { ok: true, batches: 4 }, 'what came before the place that does not fit is stored')
  const kept = receiptsIn(folder, 'partly.hbs.receipts')
  t.equal(kept.receipts.length, 1, 'and receipted')
  t.match(openManifest(kept, 'receipts', readPublicKey(keys.collector.spki)), { agent: 'bench-1', deployment: 'demo' })
  t.comment(`counted: hostile batch files | ${cases.length + 2} | each refused with its code`)
})

function receiptsIn(folder: BenchFolder, file: string) {
  return readStick(file, new Uint8Array(readFileSync(join(folder.path, file))), 'receipts')
}

function receiptCases(files: FileMaker, { collector, stranger }: Keys, mine: readonly StickReceipt[]): Case[] {
  const list = mine.map(({ receipt }) => receipt)
  const facts = { agent: 'bench-1', epoch: 1, batchSeq: 1, identity: new Uint8Array(32), recvUs: 1 }
  const by = (signer: Signer, change: Partial<typeof facts> = {}): Uint8Array =>
    signReceipt({ ...facts, ...change }, signer)
  return [
    ['cut', files.cut('cut.rec', 'mine.hbs.receipts', 5), ['STICK_DAMAGED', 'STICK_DAMAGED']],
    ['batches instead of receipts', 'mine.hbs', ['STICK_DAMAGED']],
    ['signed by another collector', files.receipts('a.rec', list, {}, stranger), ['BATCH_SIGNATURE']],
    ['of another deployment', files.receipts('b.rec', list, { deployment: 'other' }), ['AGENT_WRONG_DEPLOYMENT']],
    ['of another agent', files.receipts('c.rec', list, { agent: 'rack-2' }), ['RECEIPT_FOREIGN']],
    [
      'forged, all listed',
      files.receipts('d.rec', [by(stranger), list[0]!, by(stranger)]),
      ['BATCH_SIGNATURE', 'BATCH_SIGNATURE'],
    ],
    ['of other bytes under a number', files.receipts('e.rec', [by(collector)]), ['RECEIPT_FOREIGN']],
    ['of a batch that is not here', files.receipts('f.rec', [by(collector, { batchSeq: 9999 })]), ['RECEIPT_FOREIGN']],
    ['of an epoch to come', files.receipts('g.rec', [by(collector, { epoch: 9 })]), ['RECEIPT_FOREIGN']],
    ['of somebody else inside', files.receipts('h.rec', [by(collector, { agent: 'rack-2' })]), ['RECEIPT_FOREIGN']],
  ]
}

t.test('hostile receipts on a stick are refused with their codes, and every batch waits as before', async (t) => {
  const { folder, keys } = await bench(t)
  await runHb(['hil', 'water-loop', '--csv', 'loop.csv', '--seconds', '5'], folder.path)
  const extra = 'receipts_key_file: receipts.pub.pem\n'
  folder.write('runtime.yaml', runtimeYaml({ clock: 'recording', rigs: recordedLoop(), extra }))
  await runHb(['runtime', ...AGENT], folder.path)
  const out = await exported(folder, 'mine.hbs')
  await imported(folder, 'mine.hbs')
  const cases = receiptCases(createFileMaker(folder, keys), keys, receiptsIn(folder, 'mine.hbs.receipts').receipts)
  for (const [name, file, codes] of cases) {
    const said = await failure(folder, 'outbox', 'receipts', file, ...AGENT)
    t.equal(said.code, codes[0], name)
    if (said.problems !== undefined)
      t.same(
        said.problems.slice(0, codes.length).map(({ code }) => code),
        codes,
        name,
      )
  }
  t.equal((await exported(folder, 'again.hbs'))['batches'], out['batches'], 'after all of them every batch waits')
  t.match(await json(folder, 'outbox', 'receipts', 'mine.hbs.receipts', ...AGENT), { waiting: 0 })
  t.comment(`counted: hostile receipt files | ${cases.length} | each refused, nothing given away for them`)
})
