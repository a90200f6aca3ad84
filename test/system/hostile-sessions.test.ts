import { rmSync } from 'node:fs'
import { resolve } from 'node:path'
import { Writable } from 'node:stream'
import t from 'tap'
import { createCollector } from '../../collector/compose.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { createLogger } from '../../shared/log/logger.ts'
import { writeMessage } from '../../shared/protocol/messages.ts'
import { connectAgent } from '../support/agent-double.ts'
import { createCollectorFolder } from '../support/collector-folder.ts'
import {
  type Attacker,
  batchCases,
  doorCases,
  first,
  helloOf,
  messageCases,
  type SessionCase,
} from '../support/hostile-sessions.ts'

/** An answer is there within this; what takes longer is tried again, because the machine may have been busy. */
const ANSWER_MS = 50
const TRIES = 4
/** Limits of ten seconds pass in this, so that nobody has to wait for them. */
const LIMIT_MS = 10_000
const HASTENED_MS = 150
const SAID_WITHIN_MS = 3_000

const made = createCollectorFolder()
const refused: string[] = []
const destination = new Writable({
  write: (chunk, _encoding, done) => {
    const line = JSON.parse(String(chunk)) as { event?: string; code?: string }
    if (line.event === 'refused') refused.push(line.code!)
    if (line.event === 'broken') throw new Error(String(chunk))
    done()
  },
})
const clock = systemClock()
const hastened = {
  ...clock,
  after: (ms: number, run: () => void) => clock.after(ms === LIMIT_MS ? HASTENED_MS : ms, run),
}
const collector = createCollector({ config: made.config, folder: made.folder }, hastened, {
  logger: createLogger({ name: 'collector', level: 'info', destination }),
  workerFile: resolve('collector', 'verify', 'worker.ts'),
})
await collector.start()
const at: Attacker = { ...made, port: collector.agentsPort }
t.teardown(async () => {
  await collector.stop()
  rmSync(made.folder, { recursive: true, force: true })
})

/** A good agent sends the batch that is there already and gets its receipt. */
async function served(): Promise<boolean> {
  const agent = await connectAgent(collector.agentsPort, made.certificateOf('bench-1'))
  agent.sendBytes(helloOf(at))
  await agent.next('resume')
  const { epoch, batchSeq, cose, records } = first(at)
  agent.send({ t: 'batch', epoch, batch_seq: batchSeq, cose, records })
  const receipt = await agent.next('receipt')
  agent.close()
  await agent.closed
  return receipt.batch_seq === batchSeq
}

/** The same on a busy machine: a handshake that takes longer than the hastened limit is cut, and tried again. */
async function servedSoon(): Promise<boolean> {
  for (let tries = 1; tries < TRIES; tries += 1) {
    const one = await served().catch(() => null)
    if (one !== null) return one
  }
  return served()
}

async function answered({ run, expect, waits = false }: SessionCase): Promise<{ ms: number; said: boolean }> {
  let ms = Number.POSITIVE_INFINITY
  let said = false
  for (let tries = 0; tries < TRIES && (ms > ANSWER_MS || !said); tries += 1) {
    const before = refused.length
    ms = Math.min(ms, await run(at))
    for (let waitedMs = 0; waitedMs < SAID_WITHIN_MS && !said; waitedMs += 10) {
      said = refused.slice(before).includes(expect)
      if (!said) await clock.sleep(10)
    }
    if (waits) break
  }
  return { ms, said }
}

t.test('whoever does what, the collector says why not, and serves the others', async (t) => {
  t.ok(await served(), 'a good agent is served before')
  let worstMs = 0
  let count = 0
  for (const attack of [...doorCases(), ...messageCases(), ...batchCases()]) {
    const { ms, said } = await answered(attack)
    const inTime = attack.waits === true || ms <= ANSWER_MS || attack.name.includes('17 MiB')
    t.ok(
      said && inTime,
      `${attack.name}: ${attack.expect}, after ${ms.toFixed(1)} ms${said ? '' : `; said: ${refused.slice(-3)}`}`,
    )
    if (attack.waits !== true) worstMs = Math.max(worstMs, ms)
    count += 1
    if (count % 10 === 0) t.ok(await served(), 'a good agent is served meanwhile')
  }
  t.ok(count >= 60, `${count} cases`)
  t.ok(await served(), 'a good agent is served after all of it')
  t.comment(`counted: hostile sessions | ${count} | each with its reason, slowest ${worstMs.toFixed(1)} ms`)
})

t.test('a flood of pings, connections and vitals costs nobody else anything', async (t) => {
  const agent = await connectAgent(collector.agentsPort, made.certificateOf('rack-2'))
  agent.sendBytes(
    helloOf(at, { agent: 'rack-2', spki: made.rack.signer.spki, rigs: [{ rig: 'rack-loop', program: 'demo' }] }),
  )
  await agent.next('resume')
  for (let k = 0; k < 5_000; k += 1) agent.sendBytes(writeMessage({ t: 'vitals', vitals: '{"rig":"nobody"}' }))
  t.ok(await servedSoon(), 'while vitals pour in')
  agent.close()
  await agent.closed
  const before = refused.length
  const many = await Promise.allSettled(
    Array.from({ length: 40 }, () => connectAgent(collector.agentsPort, made.certificateOf('rack-2'))),
  )
  for (let waitedMs = 0; waitedMs < SAID_WITHIN_MS && !refused.slice(before).includes('SESSIONS_FULL'); waitedMs += 10)
    await clock.sleep(10)
  t.ok(refused.slice(before).includes('SESSIONS_FULL'), 'more sessions of one agent than it may have are turned away')
  t.ok(await servedSoon(), 'and another agent is served')
  for (const one of many) {
    if (one.status !== 'fulfilled') continue
    one.value.close()
    await one.value.closed
  }
})
