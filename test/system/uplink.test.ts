import { rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'
import type { FileOutbox } from '../../agent/adapters/file-outbox.ts'
import { createUplink, type Uplink, type UplinkOptions } from '../../agent/adapters/ws-uplink.ts'
import { type Collector, createCollector } from '../../collector/compose.ts'
import { createDevCa } from '../../shared/crypto/certificates.ts'
import { generateSigner, readPublicKey } from '../../shared/crypto/sign.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { createLogger } from '../../shared/log/logger.ts'
import { noBaseline, noBundles } from '../support/agent-double.ts'
import { freePort } from '../support/bench-folder.ts'
import { createCollectorFolder } from '../support/collector-folder.ts'
import { filledOutbox } from '../support/filled-outbox.ts'

const clock = systemClock()
const { folder, bench, receipts, config, certificateOf } = createCollectorFolder()
const logger = createLogger({ name: 'collector', level: 'fatal' })
const options = { logger, workerFile: resolve('collector', 'verify', 'worker.ts'), page: join(folder, 'page') }
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

async function startCollector(name: string, port: number): Promise<Collector> {
  const collector = createCollector(
    { config: { ...config, data_dir: name, agents_listen: { host: '127.0.0.1', port } }, folder },
    clock,
    options,
  )
  await collector.start()
  return collector
}

/** `strange`: requests that another key signed. */
type Heard = {
  connected: number
  lost: string[]
  refused: string[]
  bad: string[]
  receipted: number[]
  strange: number
}

type OpenOrder = { batches: number; key?: string; spki?: Uint8Array; trusted?: string }

/** An outbox with `batches` signed batches in it, and an uplink to a port. */
async function open(
  name: string,
  port: number,
  { batches, key = receipts.publicPem, spki = bench.signer.spki, trusted }: OpenOrder,
): Promise<{ uplink: Uplink; outbox: FileOutbox; heard: Heard; add(): Promise<void> }> {
  const { outbox, add } = await filledOutbox(join(folder, name), { agent: 'bench-1', signer: bench.signer, batches })
  const heard: Heard = { connected: 0, lost: [], refused: [], bad: [], receipted: [], strange: 0 }
  const { ca, cert, key: tlsKey } = certificateOf('bench-1') as { ca: string; cert: string; key: string }
  const uplinkOptions: UplinkOptions = {
    url: `wss://127.0.0.1:${port}/agent`,
    ...{ tls: { ca: trusted ?? ca, cert, key: tlsKey }, realm: 'production' },
    collectorKey: readPublicKey(key),
    hello: () => ({
      t: 'hello',
      v: 1,
      agent: 'bench-1',
      deployment: 'demo',
      epoch: 1,
      spki,
      boot_id: 'b',
      version: '0',
      programs: ['demo'],
      rigs: [{ rig: 'water-loop', program: 'demo' }],
    }),
    renewChain: async () => false,
    outbox,
    clock,
    random: Math.random,
    ...noBundles,
    baseline: noBaseline,
    slice: async ({ id, rig }) => ({ t: 'slice', id, ok: false, rig, channels: [], reason: 'none' }),
    events: {
      connected: () => {
        heard.connected += 1
      },
      lost: (reason) => void heard.lost.push(reason),
      refused: ({ code }) => void heard.refused.push(code),
      badReceipt: (_seq, reason) => void heard.bad.push(reason),
      receipted: (seq) => void heard.receipted.push(seq),
      downlinkRefused: ({ code }) => {
        if (code === 'BATCH_SIGNATURE') heard.strange += 1
      },
      failed: (error) => {
        throw error
      },
    },
  }
  return { uplink: createUplink(uplinkOptions), outbox, heard, add }
}

async function until(holds: () => boolean): Promise<boolean> {
  for (let tries = 0; tries < 200 && !holds(); tries += 1) await clock.sleep(50)
  return holds()
}

t.test('what waits is sent in order and receipted, past the credit; a new batch goes out at once', async (t) => {
  const port = await freePort()
  const collector = await startCollector('a', port)
  const { uplink, outbox, heard, add } = await open('outbox-a', port, { batches: 150 })
  uplink.start()
  t.ok(await until(() => outbox.pending().batches === 0), 'all receipted')
  t.same(
    heard.receipted,
    Array.from({ length: 150 }, (_, k) => k + 1),
  )
  await add()
  uplink.notify()
  t.ok(await until(() => outbox.pending().batches === 0))
  await uplink.stop()
  await outbox.close()
  await collector.stop()
})

t.test('without a collector nothing is lost, and it drains when one comes', async (t) => {
  const port = await freePort()
  const { uplink, outbox, heard } = await open('outbox-b', port, { batches: 3 })
  uplink.start()
  t.ok(await until(() => heard.lost.length >= 2), 'it tries again')
  t.equal(outbox.pending().batches, 3)
  const collector = await startCollector('b', port)
  t.ok(await until(() => outbox.pending().batches === 0))
  await uplink.stop()
  await outbox.close()
  await collector.stop()
})

t.test('a receipt of another key does not count, and the batch is kept', async (t) => {
  const port = await freePort()
  const collector = await startCollector('c', port)
  const { uplink, outbox, heard } = await open('outbox-c', port, { batches: 1, key: generateSigner().publicPem })
  uplink.start()
  t.ok(await until(() => heard.bad.length > 0))
  t.ok(heard.strange > 0, 'nor does what it asks for')
  t.equal(outbox.pending().batches, 1)
  t.same(heard.receipted, [])
  await uplink.stop()
  await outbox.close()
  await collector.stop()
})

t.test('a collector with a certificate of somebody else gets nothing, whatever the environment says', async (t) => {
  const port = await freePort()
  const collector = await startCollector('e', port)
  const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED']
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
  t.teardown(() => {
    if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']
    else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before
  })
  const { uplink, outbox, heard } = await open('outbox-e', port, { batches: 1, trusted: createDevCa().certPem })
  uplink.start()
  t.ok(await until(() => heard.lost.length > 0))
  t.match(heard.lost[0], /certificate/)
  t.equal(heard.connected, 0)
  t.equal(outbox.pending().batches, 1)
  await uplink.stop()
  await outbox.close()
  await collector.stop()
})

t.test('a refusal is told with its code, and nothing more is sent', async (t) => {
  const port = await freePort()
  const collector = await startCollector('d', port)
  const { uplink, outbox, heard } = await open('outbox-d', port, { batches: 1, spki: generateSigner().signer.spki })
  uplink.start()
  t.ok(await until(() => heard.refused.length > 0))
  t.same(heard.refused, ['AGENT_WRONG_KEY'])
  t.equal(outbox.pending().batches, 1)
  await uplink.stop()
  await outbox.close()
  await collector.stop()
})
