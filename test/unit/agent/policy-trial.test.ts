import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Trial, tryPolicy } from '../../../agent/pipeline/policy-trial.ts'
import type { ReplaySource } from '../../../agent/pipeline/replay.ts'
import { viewStorage } from '../../../agent/storage.ts'
import { loadRuntimeConfig } from '../../../shared/config/load.ts'
import { LOOP_ACTIONS } from '../../support/policy-texts.ts'
import { type LoopRecording, recordLoop, writeLoop } from '../../support/recorded-loop.ts'

/** `tried`: a folder for another configuration. */
type Recorded = Readonly<{ source: ReplaySource; savedAt: number; tried: string }>

async function recorded(t: Test, recording: LoopRecording): Promise<Recorded> {
  const folder = t.testdir({ tried: {} })
  const savedAt = await recordLoop(writeLoop(folder), join(folder, 'state'), recording)
  return { source: viewStorage(join(folder, 'state')), savedAt, tried: join(folder, 'tried') }
}

/** Files of a configuration with another policy. */
function filesWith(tried: string, ...change: [from: string, to: string][]) {
  const text = change.reduce((whole, [from, to]) => whole.replaceAll(from, to), LOOP_ACTIONS)
  if (text === LOOP_ACTIONS) throw new Error('nothing was changed')
  return loadRuntimeConfig(writeLoop(tried, text)).files
}

const brief = ({ proposals }: Trial): string[] =>
  proposals.list.map(({ rule, state, reasons }) => [rule, state, ...reasons].join(' '))
const scores = ({ rules }: Trial) => rules.map(({ would, denied, did, broken }) => ({ would, denied, did, broken }))

t.test(
  'what two people armed and the agent did is tried as if nobody had armed it, and stands beside what was done',
  async (t) => {
    const { source } = await recorded(t, { seconds: 8, faultS: 3, armed: true })
    const trial = await tryPolicy(source, { files: null })
    t.same(brief(trial), ['over-pressure WOULD_HAVE_DONE', 'high-pressure WOULD_HAVE_DONE'])
    t.same(trial.proposals.list[0]?.conditions, [
      { id: 'a', value: 'TRUE' },
      { id: 'b', value: 'TRUE' },
      { id: 'c', value: 'TRUE' },
    ])
    t.same(
      trial.done.list.map(({ rule, state }) => [rule, state]),
      [
        ['over-pressure', 'VERIFIED'],
        ['high-pressure', 'VERIFIED'],
      ],
    )
    t.same(scores(trial), [
      { would: 1, denied: 0, did: 1, broken: false },
      { would: 1, denied: 0, did: 1, broken: false },
    ])
    const [rig] = trial.rigs
    t.match(rig, { slides: 159, failSlides: 0, missed: 0 })
    t.equal(rig?.hours, (159 * 50_000) / 3_600_000_000)
    t.equal(trial.rules[0]?.perHour, 1 / rig!.hours)
  },
)

t.test('a rule that its gates deny says why, and its episode answers the FAIL', async (t) => {
  const { source } = await recorded(t, { seconds: 7, faultS: 3, armed: true, patched: true })
  const trial = await tryPolicy(source, { files: null })
  t.same(brief(trial), ['over-pressure GATE_DENIED NOT_INDEPENDENT:publisher:daq-1', 'high-pressure WOULD_HAVE_DONE'])
  t.same(scores(trial)[0], { would: 0, denied: 1, did: 0, broken: false })
  t.ok(trial.rigs[0]!.failSlides > 0)
  t.equal(trial.rigs[0]!.missed, 0)
})

t.test(
  'a FAIL that no rule of the policy on trial asks anything about is a miss, from its first slide to its last',
  async (t) => {
    const { source, tried } = await recorded(t, { seconds: 7, faultS: 3, armed: true, patched: true })
    const blind = filesWith(tried, ['value: 7', 'value: 90'], ['value: 6', 'value: 90'])
    const trial = await tryPolicy(source, { files: blind })
    t.same(trial.proposals.list, [])
    t.same(
      scores(trial).map(({ would, denied }) => would + denied),
      [0, 0],
    )
    const [miss, ...others] = trial.misses.list
    t.same(others, [])
    t.equal(miss?.slides, trial.rigs[0]!.failSlides)
    t.equal(miss!.toUs - miss!.fromUs, (miss!.slides - 1) * 50_000)
    t.equal(trial.rigs[0]!.missed, 1)
    t.same(scores(trial)[1]?.did, 1, 'what was done by the recorded policy is still said')
  },
)

t.test('an expectation: one occurrence refutes no rate but that of never', async (t) => {
  const { source, tried } = await recorded(t, { seconds: 7, faultS: 3, armed: false })
  for (const [expected, allowed, broken] of [
    ['0.1', 1, false],
    ['0', 0, true],
    ['100000', 193, false],
  ] as const) {
    const files = filesWith(tried, ['expected_per_hour: 0.1', `expected_per_hour: ${expected} # `])
    const [rule, without] = (await tryPolicy(source, { files })).rules
    t.match(rule, { would: 1, allowed, broken }, expected)
    t.match(without, { expectedPerHour: null, allowed: null, broken: false })
  }
})

t.test(
  'a journal whose beginning is gone is tried from the oldest saved state, and what was armed then is not',
  async (t) => {
    const { source, savedAt, tried } = await recorded(t, { seconds: 7, faultS: 3, armed: true, savedS: 3 })
    const { journal, checkpoints } = source
    const cut = {
      ...{ firstSeq: savedAt + 1, lastSeq: journal.lastSeq, cuts: [] },
      read: (from: number, to?: number) => journal.read(from, to),
    } as unknown as ReplaySource['journal']
    for (const files of [null, filesWith(tried, ['ramp_ms: 0', 'ramp_ms: 5'])]) {
      const trial = await tryPolicy({ journal: cut, checkpoints }, { files })
      t.same(brief(trial), ['over-pressure WOULD_HAVE_DONE', 'high-pressure WOULD_HAVE_DONE'])
      t.equal(trial.rigs[0]?.slides, 80 - 1)
      t.same(scores(trial)[0], { would: 1, denied: 0, did: 1, broken: false })
    }
  },
)

t.test('records that cannot be read are named, and the trial goes on behind them', async (t) => {
  const { source, savedAt } = await recorded(t, { seconds: 7, faultS: 3, armed: true, savedS: 3 })
  const { journal, checkpoints } = source
  const damaged = {
    ...{ firstSeq: 1, lastSeq: journal.lastSeq, cuts: [] },
    async *read(from: number, to?: number) {
      for await (const record of journal.read(from, to)) {
        const isLost = 'seq' in record && record.seq === savedAt - 5
        yield isLost ? { kind: 'damage', fromSeq: record.seq, toSeq: record.seq, reason: 'checksum' } : record
      }
    },
  } as unknown as ReplaySource['journal']
  const trial = await tryPolicy({ journal: damaged, checkpoints }, { files: null })
  t.match(trial.unreadable, [{ fromSeq: savedAt - 5, toSeq: savedAt - 5, reason: 'checksum' }])
  t.same(brief(trial), ['over-pressure WOULD_HAVE_DONE', 'high-pressure WOULD_HAVE_DONE'])
})

t.test('at the bound of what is listed the rest is counted', async (t) => {
  const { source } = await recorded(t, { seconds: 8, faultS: 3, armed: true })
  const { proposals, done, rules } = await tryPolicy(source, { files: null, listedMax: 1 })
  t.same([proposals.list.length, proposals.more], [1, 1])
  t.same([done.list.length, done.more], [1, 1])
  t.same(
    done.list.map(({ state }) => state),
    ['VERIFIED'],
    'what is listed is followed to its end',
  )
  t.same(
    rules.map(({ would, did }) => [would, did]),
    [
      [1, 1],
      [1, 1],
    ],
  )
})
