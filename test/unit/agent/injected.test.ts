import t from 'tap'
import { balances } from '../../../agent/core/ledger.ts'
import { provenanceSince } from '../../../agent/core/origins.ts'
import { INJECTED_QUIET_US } from '../../../agent/core/safety/injected.ts'
import { totalCounts } from '../../../agent/core/totals.ts'
import { batchContext } from '../../../agent/pipeline/batch-context.ts'
import { createEvaluation } from '../../../agent/pipeline/evaluation.ts'
import { signMark, signSamplesMark } from '../../../shared/codec/injected-mark.ts'
import { encodeFrame } from '../../../shared/codec/telemetry.ts'
import { parseRuntimeFiles } from '../../../shared/config/load.ts'
import { toHex } from '../../../shared/crypto/digest.ts'
import { generateSigner } from '../../../shared/crypto/sign.ts'
import type { InjectedMark } from '../../../shared/model/telemetry.ts'
import { AlarmLoop, changesOf, LOOP, LOOP_T0, restarted } from '../../support/alarm-loop.ts'
import { bytesOf } from '../../support/config-texts.ts'
import { changed, LOOP_RUNTIME, loopFiles } from '../../support/policy-texts.ts'

const injector = generateSigner('testbed')
const other = generateSigner('testbed')
const CHANNELS = ['p_a', 'p_b', 'p_c', 'flow'] as const

const inTestbed = changed(
  changed(LOOP_RUNTIME, 'agent: bench-1\n', 'agent: bench-1\nrealm: testbed\ninjector_key_file: injector.pub\n'),
  '    sources:',
  '    testbed: true\n    sources:',
)

/** An agent of the loop in each realm. */
const testbed = (): AlarmLoop => {
  const loop = new AlarmLoop()
  const files = [...loopFiles({ runtime: inTestbed }), { name: 'injector.pub', bytes: bytesOf(injector.publicPem) }]
  loop.take({ kind: 'config', nowUs: loop.nowUs, files })
  return loop
}
const production = (): AlarmLoop => new AlarmLoop()

type Sent = Readonly<{ seq?: number; mark?: readonly string[]; signer?: typeof injector; signed?: InjectedMark }>

/** Lets a frame of every channel come in, with injected samples or without. @returns what was said */
function send(loop: AlarmLoop, { seq = loop.seq + 1, mark, signer = injector, signed }: Sent = {}) {
  loop.nowUs += 50_000
  loop.seq = Math.max(loop.seq, seq)
  const frame = {
    ...{ rig: LOOP, source: 'daq-1', epoch: 'e1', seq, channels: CHANNELS, cid: null },
    timeUs: Float64Array.from({ length: 10 }, (_, k) => loop.nowUs - 50_000 + k * 5_000),
    value: Float64Array.from({ length: 40 }, (_, k) => (k < 30 ? 5 : 12)),
  }
  const injected = signed ?? (mark === undefined ? undefined : signMark(frame, mark, signer.signer))
  const message = encodeFrame({ ...frame, ...(injected === undefined ? {} : { injected }) })
  const about = { rig: LOOP, origin: 'daq-1', encoding: 'cbor', provenance: 'live' } as const
  return loop.take({ kind: 'frame', nowUs: loop.nowUs, ...about, messages: [message] })
}

const refusedIn = ({ rig }: AlarmLoop, why: 'injected_refused' | 'taint_forged'): number =>
  rig.ledger.refusals.get(why)?.count ?? 0
const alarmsIn = (said: ReturnType<typeof send>) =>
  said.flatMap((one) =>
    one.kind === 'alarm' && ['injected_refused', 'taint_forged'].includes(one.id)
      ? [[one.id, one.severity, one.active]]
      : [],
  )
const metricOf = ({ rig }: AlarmLoop, name: string): number => rig.settings.metrics.findIndex((m) => m.metric === name)

// verifies SE-12
t.test('outside a testbed nothing of a marked frame is taken, whoever signed it, and an alarm says so', async (t) => {
  const loop = production()
  for (let k = 0; k < 20; k += 1) send(loop)
  const before = totalCounts(loop.rig)
  t.same(alarmsIn(send(loop, { mark: ['p_a'] })), [['injected_refused', 'CRITICAL', true]])
  t.same(alarmsIn(send(loop, { mark: ['p_a'], signer: other })), [], 'not once a frame')
  const after = totalCounts(loop.rig)
  t.equal(refusedIn(loop, 'injected_refused'), 2)
  t.equal(after.received - before.received, 80)
  t.equal(after.rejected - before.rejected, 80, 'channels that are not marked came in the same hands')
  t.ok(balances(after))
  t.match(loop.entry('safety:injected_refused'), { level: 'CRITICAL' })
})

t.test('what injected frames numbered away is still taken from the rig itself', async (t) => {
  const loop = production()
  for (let k = 0; k < 5; k += 1) send(loop)
  send(loop, { seq: 6, mark: ['p_a'] })
  const before = totalCounts(loop.rig)
  loop.nowUs -= 50_000
  send(loop, { seq: 6 })
  const after = totalCounts(loop.rig)
  t.equal(after.duplicate, before.duplicate)
  t.equal(after.rejected, before.rejected)
  t.equal(after.received - before.received, 40)
  t.ok(balances(after))
})

t.test('such an alarm ends by itself once it has been quiet, and a restart does not end it', async (t) => {
  const loop = production()
  for (let k = 0; k < 5; k += 1) send(loop)
  send(loop, { mark: ['p_a'] })
  loop.evaluation = restarted(loop.evaluation)
  const until = loop.nowUs + INJECTED_QUIET_US - 1_000_000
  const said: ReturnType<typeof send>[number][] = []
  while (loop.nowUs < until) said.push(...send(loop))
  t.same(alarmsIn(said), [], 'not before')
  for (let k = 0; k < 40; k += 1) said.push(...send(loop))
  t.same(alarmsIn(said), [['injected_refused', 'CRITICAL', false]])
})

// verifies SE-12
t.test(
  'in a testbed samples under the mark of the injector are injected, and those beside them what they were',
  async (t) => {
    const loop = testbed()
    for (let k = 0; k < 10; k += 1) send(loop)
    const before = totalCounts(loop.rig)
    t.same(alarmsIn(send(loop, { mark: ['p_a'] })), [])
    const after = totalCounts(loop.rig)
    t.equal(after.rejected, before.rejected)
    t.ok(balances(after))
    const origins = loop.rig.origins!
    t.equal(provenanceSince(origins, metricOf(loop, 'p_a'), LOOP_T0), 'injected')
    t.equal(provenanceSince(origins, metricOf(loop, 'p_b'), LOOP_T0), 'live')
    const files = [...loopFiles({ runtime: inTestbed }), { name: 'injector.pub', bytes: bytesOf(injector.publicPem) }]
    t.equal(batchContext(loop.evaluation, parseRuntimeFiles(files).config).flags.simulation, true)
  },
)

t.test('in a testbed a mark that is not that of the injector is refused and counted, with an alarm', async (t) => {
  const loop = testbed()
  for (let k = 0; k < 10; k += 1) send(loop)
  const frame = { rig: LOOP, source: 'daq-1', epoch: 'e1', seq: 11 }
  const before = totalCounts(loop.rig)
  t.same(alarmsIn(send(loop, { mark: ['p_a'], signer: other })), [['taint_forged', 'CRITICAL', true]], 'another key')
  send(loop, { seq: 12, signed: signMark({ ...frame, seq: 11 }, ['p_a'], injector.signer) })
  send(loop, { seq: 13, signed: { ...signMark({ ...frame, seq: 13 }, ['p_a'], injector.signer), channels: ['p_b'] } })
  send(loop, { seq: 14, signed: { channels: ['p_a'], signature: new Uint8Array(64) } })
  const after = totalCounts(loop.rig)
  t.equal(refusedIn(loop, 'taint_forged'), 4)
  t.equal(after.rejected - before.rejected, 160)
  t.ok(balances(after))
  t.equal(provenanceSince(loop.rig.origins!, metricOf(loop, 'p_a'), LOOP_T0), 'live')
  const without = new AlarmLoop()
  without.configure({ runtime: inTestbed.replace('injector_key_file: injector.pub\n', '') })
  send(without, { mark: ['p_a'] })
  t.equal(refusedIn(without, 'taint_forged'), 1, 'without a key of an injector nobody may mark')
})

t.test('what a source of the agent says of itself needs no signature, in a testbed', async (t) => {
  for (const [loop, refused] of [
    [testbed(), 0],
    [production(), 1],
  ] as const) {
    send(loop)
    loop.nowUs += 50_000
    const frame = { rig: LOOP, source: 'csv', epoch: 'e1', seq: 4, channels: ['flow'], cid: null }
    const injected = { channels: ['flow'], signature: new Uint8Array(64) }
    const message = encodeFrame({ ...frame, timeUs: Float64Array.of(loop.nowUs), value: Float64Array.of(12), injected })
    const about = { rig: LOOP, origin: 'csv', encoding: 'cbor', provenance: 'injected' } as const
    loop.take({ kind: 'frame', nowUs: loop.nowUs, ...about, messages: [message] })
    t.equal(refusedIn(loop, 'injected_refused'), refused)
    t.ok(balances(totalCounts(loop.rig)))
  }
})

/** Samples of one channel in JSON, as rigs without frames send them. @returns what was said */
function sendSamples(loop: AlarmLoop, samples: readonly Record<string, unknown>[]) {
  loop.nowUs += 50_000
  const messages = samples.map((one) => bytesOf(JSON.stringify({ channel: 'flow', value: 12, ...one })))
  const about = { rig: LOOP, origin: 'bus', encoding: 'json', provenance: 'live' } as const
  return loop.take({ kind: 'frame', nowUs: loop.nowUs, ...about, messages })
}

const sampleMark = (timeUs: number, signer = injector, rig = LOOP): string =>
  toHex(signSamplesMark({ rig, timesUs: [timeUs] }, ['flow'], signer.signer).signature)

// verifies SE-12
t.test('a sample in JSON under the mark of the injector is injected in a testbed, and not taken outside', async (t) => {
  for (const [loop, refused] of [
    [testbed(), 0],
    [production(), 1],
  ] as const) {
    for (let k = 0; k < 5; k += 1) send(loop)
    const before = totalCounts(loop.rig)
    const at = loop.nowUs
    const said = sendSamples(loop, [{ t_us: at, injected: sampleMark(at) }])
    const after = totalCounts(loop.rig)
    t.same(alarmsIn(said), refused === 0 ? [] : [['injected_refused', 'CRITICAL', true]])
    t.same([refusedIn(loop, 'injected_refused'), after.rejected - before.rejected], [refused, refused])
    t.equal(after.received - before.received, 1)
    t.ok(balances(after))
    const origin = provenanceSince(loop.rig.origins!, metricOf(loop, 'flow'), LOOP_T0)
    t.equal(origin, refused === 0 ? 'injected' : 'live')
  }
})

t.test(
  'a mark in JSON that the injector did not sign is forged in a testbed, and refused whoever signed it outside',
  async (t) => {
    for (const [loop, why] of [
      [testbed(), 'taint_forged'],
      [production(), 'injected_refused'],
    ] as const) {
      for (let k = 0; k < 5; k += 1) send(loop)
      const before = totalCounts(loop.rig)
      const at = loop.nowUs
      const said = sendSamples(loop, [
        { t_us: at, injected: sampleMark(at, other) },
        { t_us: at, injected: sampleMark(at - 1) },
        { t_us: at, injected: sampleMark(at, injector, 'another') },
      ])
      t.same(alarmsIn(said), [[why, 'CRITICAL', true]])
      t.equal(refusedIn(loop, why), 3)
      t.equal(totalCounts(loop.rig).rejected - before.rejected, 3)
      t.ok(balances(totalCounts(loop.rig)))
      t.equal(provenanceSince(loop.rig.origins!, metricOf(loop, 'flow'), LOOP_T0), 'live')
    }
  },
)

t.test('a mark in JSON that is no signature is forged in either realm', async (t) => {
  for (const loop of [testbed(), production()]) {
    send(loop)
    const said = sendSamples(loop, [
      { t_us: loop.nowUs, injected: true },
      { t_us: loop.nowUs, injected: false },
    ])
    t.equal(refusedIn(loop, 'taint_forged'), 1)
    t.same(alarmsIn(said), [['taint_forged', 'CRITICAL', true]])
  }
})

t.test('a frame without a mark is not verified', async (t) => {
  const loop = testbed()
  let asked = 0
  const { settings } = loop.rig
  loop.rig.settings = {
    ...settings,
    injected: {
      spki: settings.injected!.spki,
      isSigned: (frame, mark) => {
        asked += 1
        return settings.injected!.isSigned(frame, mark)
      },
    },
  }
  for (let k = 0; k < 10; k += 1) send(loop)
  t.equal(asked, 0)
  send(loop, { mark: ['p_a'] })
  t.equal(asked, 1)
})

t.test('a replay of the journal says the same of every frame, as far as a restart in between', async (t) => {
  const loop = testbed()
  for (let k = 0; k < 60; k += 1)
    if (k % 13 === 4)
      sendSamples(loop, [{ t_us: loop.nowUs, injected: sampleMark(loop.nowUs, k > 20 ? other : injector) }])
    else send(loop, k % 7 === 3 ? { mark: ['p_a', 'flow'] } : k % 11 === 5 ? { mark: ['p_b'], signer: other } : {})
  let evaluation = createEvaluation()
  loop.journal.forEach((body, k) => {
    const said = changesOf(evaluation, k + 1, body)
    t.same(said, loop.said[k])
    if (k % 10 === 9) evaluation = restarted(evaluation)
  })
  t.same(evaluation.state.chain, loop.evaluation.state.chain)
  t.same([...evaluation.state.rigs[0]!.ledger.refusals], [...loop.rig.ledger.refusals])
})
