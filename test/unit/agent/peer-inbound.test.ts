import t from 'tap'
import { PEER_ACTIONS_MAX, PeerAcks } from '../../../agent/pipeline/peer-acks.ts'
import {
  PEER_POLICIES_KEPT_MAX,
  PEER_SEEN_MAX,
  PeerInbound,
  type PolicyNote,
} from '../../../agent/pipeline/peer-inbound.ts'
import { UPDATE_SPACING_US, UPDATES_PER_MINUTE_MAX, UpdateLimiter } from '../../../agent/pipeline/update-limiter.ts'
import type { ExecutorAck } from '../../../agent/ports.ts'
import type { JournalInput } from '../../../shared/codec/journal-input.ts'
import { createVirtualClock } from '../../../shared/lib/clock.ts'
import { modeChange } from '../../../shared/model/mode.ts'
import { MODES, type Mode } from '../../../shared/model/verdict.ts'
import { ACK_STAGES, ACK_WORDS } from '../../../shared/protocol/peer-contract.ts'

const S = 1_000_000
type Rigs = Readonly<Record<string, Mode>>

function peer({ rigs = { loop: 'nominal' }, journals = true }: { rigs?: Rigs; journals?: boolean } = {}) {
  const clock = createVirtualClock(1_767_225_600 * S)
  const acks = new PeerAcks()
  const modes: Record<string, Mode> = { ...rigs }
  const said: { inputs: JournalInput[]; acks: [string, ExecutorAck][]; notes: PolicyNote[]; refused: string[] } = {
    ...{ inputs: [], acks: [], notes: [], refused: [] },
  }
  let messages = 0
  const inbound = new PeerInbound({
    ...{
      identity: 'waveos',
      acks,
      nowUs: () => 5,
      wallUs: () => clock.nowUs(),
      monotonicUs: () => clock.monotonicUs(),
    },
    state: () => ({ rigs: Object.entries(modes).map(([rig, mode]) => ({ settings: { rig }, mode })) }) as never,
    take(input) {
      if (!journals) return false
      said.inputs.push(input)
      if (input.kind === 'mode') modes[input.rig] = input.mode
      return true
    },
    ack: (target, ack) => said.acks.push([target, ack]),
    modeChanged: () => undefined,
    policyApplied: (note) => said.notes.push(note),
    refused: (refusal) => said.refused.push(refusal),
  })
  /** What became of a message: its type, or the name of the refusal. */
  const send = (message: Readonly<Record<string, unknown>>): string => {
    messages += 1
    const whole = {
      ...{ contract_version: 1, system_id: 'waveos', message_id: `m-${messages}` },
      timestamp: new Date(clock.nowUs() / 1000).toISOString(),
      ...message,
    }
    const taken = inbound.take(new TextEncoder().encode(JSON.stringify(whole)))
    return taken.ok ? taken.type : taken.refusal
  }
  const mode = (from: Mode, to: Mode, more = {}) =>
    send({ type: 'MODE_CHANGED', from_mode: from, to_mode: to, reason: 'why', ...more })
  const policy = (version: string, more = {}) =>
    send({ type: 'POLICY_APPLIED', policy_id: 'p', version, digest: 'ab'.repeat(32), by: 'ada', reason: 'r', ...more })
  const ack = (key: string, stage?: string, more = {}) =>
    send({
      ...{ type: 'ACTION_ACK', action_id: key, status: stage === 'rejected' || stage === 'failed' ? 'nack' : 'ok' },
      ...(stage === undefined ? {} : { stage }),
      ...more,
    })
  return { clock, acks, said, inbound, send, mode, policy, ack }
}

t.test('a peer changes exactly the modes that the agent may change by itself, and from where the rig is', async (t) => {
  let changed = 0
  for (const is of MODES)
    for (const from of MODES)
      for (const to of MODES) {
        const { mode, said } = peer({ rigs: { loop: is } })
        const isPermitted = from === is && modeChange(from, to, 'agent').ok
        const what = `${is}: ${from} to ${to}`
        t.equal(mode(from, to), isPermitted ? 'MODE_CHANGED' : 'mode_refused', what)
        const input = {
          kind: 'mode',
          nowUs: 5,
          rig: 'loop',
          mode: to,
          reason: 'why',
          operator: 'peer waveos',
          source: 'peer',
        }
        t.same(said.inputs, isPermitted ? [input] : [], what)
        changed += said.inputs.length
      }
  t.equal(changed, 12, 'entries of the table that the agent may use')
})

t.test('a mode is of one rig that is there, and of none where several could be meant', async (t) => {
  const one = peer()
  t.equal(one.mode('nominal', 'degraded', { rig: 'pool' }), 'unknown_rig')
  t.equal(one.mode('nominal', 'degraded', { rig: 'loop' }), 'MODE_CHANGED')
  const two = peer({ rigs: { loop: 'nominal', pool: 'nominal' } })
  t.equal(two.mode('nominal', 'degraded'), 'unknown_rig')
  t.equal(two.mode('nominal', 'degraded', { rig: 'pool' }), 'MODE_CHANGED')
  t.same(two.inbound.taken, { ACTION_ACK: 0, MODE_CHANGED: 1, POLICY_APPLIED: 0 })
  t.same([...two.inbound.refusals], [['unknown_rig', 1]])
  const full = peer({ journals: false })
  t.equal(full.mode('nominal', 'degraded'), 'not_journaled')
})

t.test('modes that go to and fro are limited by rig; emergency never waits', async (t) => {
  const { mode, clock, said } = peer({ rigs: { loop: 'nominal', pool: 'nominal' } })
  const loop = { rig: 'loop' }
  t.equal(mode('nominal', 'degraded', loop), 'MODE_CHANGED')
  for (let k = 0; k < 100; k += 1) t.equal(mode('degraded', 'nominal', loop), 'rate_limited')
  t.equal(mode('nominal', 'degraded', { rig: 'pool' }), 'MODE_CHANGED', 'another rig has its own bound')
  await clock.advance(UPDATE_SPACING_US)
  t.equal(mode('degraded', 'nominal', loop), 'MODE_CHANGED')
  t.equal(mode('nominal', 'emergency', loop), 'MODE_CHANGED')
  t.equal(mode('emergency', 'nominal', loop), 'mode_refused', 'and no peer leads out of it')
  t.equal(said.inputs.length, 4)
})

t.test(
  'policies of the peer are noted with who, what and why, so many a minute, and counted when there are more',
  async (t) => {
    const { policy, clock, said, inbound } = peer()
    t.equal(policy('1', { by: 'ben', reason: 'nozzle' }), 'POLICY_APPLIED')
    t.match(said.notes, [
      { peer: 'waveos', policy: 'p', version: '1', digest: 'ab'.repeat(32), by: 'ben', reason: 'nozzle' },
    ])
    t.match(said.notes, [{ atUs: clock.nowUs() }])
    for (let k = 0; k < 500; k += 1) t.equal(policy(`storm ${k}`), 'rate_limited')
    t.equal(inbound.refusals.get('rate_limited'), 500)
    const provenance = { version: '1', digest: 'ab'.repeat(32), by: 'ben, at peer waveos', reason: 'nozzle' }
    const noted = { kind: 'policy_applied', nowUs: 5, source: 'peer', policy: 'p', ...provenance }
    t.same(said.inputs, [noted], 'it is in the journal, once, and what was refused is not')
    t.equal(peer({ journals: false }).policy('1'), 'not_journaled')
    for (let k = 0; k < 20; k += 1) {
      await clock.advance(7 * S)
      t.equal(policy(`later ${k}`), 'POLICY_APPLIED')
    }
    t.equal(inbound.policies.length, PEER_POLICIES_KEPT_MAX)
    t.equal(inbound.policies.at(-1)!.version, 'later 19')
  },
)

t.test(
  'a limiter: at least so far apart, so many a minute, and a denied call neither spends nor gives back',
  async (t) => {
    const limiter = new UpdateLimiter()
    t.ok(limiter.permit(0))
    t.notOk(limiter.permit(UPDATE_SPACING_US - 1))
    t.ok(limiter.permit(UPDATE_SPACING_US), 'a denied call does not begin the spacing anew')
    // The predecessor gave a token back with every denied call (D20): a storm got through.
    const stormed = new UpdateLimiter()
    const permitted: number[] = []
    for (let us = 0; us <= 180 * S; us += 10_000) if (stormed.permit(us)) permitted.push(us)
    for (const [k, us] of permitted.entries()) {
      if (k > 0) t.ok(us - permitted[k - 1]! >= UPDATE_SPACING_US)
      const inMinute = permitted.filter((other) => other <= us && us - other < 60 * S)
      t.ok(inMinute.length <= UPDATES_PER_MINUTE_MAX, `at ${us}`)
    }
    t.equal(permitted.length, 31, 'one every six seconds: what is permitted comes through in the storm')
    t.notOk(new UpdateLimiter().permit(Number.NaN), 'a time that is none')
  },
)

const RANK = { accepted: 1, started: 2, progress: 3, completed: 4, rejected: 4, failed: 4 }

// verifies SE-16
t.test(
  'acks of one action by the table: forward only, ends once, what comes after an end is told as late',
  async (t) => {
    for (const first of ACK_STAGES)
      for (const second of ACK_STAGES) {
        const { ack, acks, said } = peer()
        acks.asked('k', 'valve')
        t.equal(ack('k', first), 'ACTION_ACK')
        const isEnd = RANK[first] === 4
        const isNew = RANK[second] > RANK[first] || (second === 'progress' && first === 'progress')
        const isLate = isEnd && RANK[second] === 4 && second !== first
        const expected = !isEnd && isNew ? 'ACTION_ACK' : isLate ? 'ack_after_end' : 'repeated_ack'
        t.equal(ack('k', second), expected, `${first}, ${second}`)
        t.equal(said.acks.length, expected === 'repeated_ack' ? 1 : 2, `told: ${first}, ${second}`)
      }
  },
)

t.test('what an ack means without a stage, and one that contradicts itself', async (t) => {
  for (const status of ACK_WORDS)
    for (const stage of [undefined, ...ACK_STAGES]) {
      const { send, acks, said } = peer()
      acks.asked('k', 'valve')
      const isNo = stage === 'rejected' || stage === 'failed'
      const agrees = stage === undefined || isNo === (status === 'nack')
      const result = send({ type: 'ACTION_ACK', action_id: 'k', status, ...(stage === undefined ? {} : { stage }) })
      t.equal(result, agrees ? 'ACTION_ACK' : 'contradictory_ack', `${status} ${stage}`)
      const meant = stage ?? (status === 'ok' ? 'accepted' : 'rejected')
      const expected = [['valve', { key: 'k', status: meant, from: 'waveos', message: '' }]]
      t.same(said.acks, agrees ? expected : [], `${status} ${stage}`)
    }
})

// verifies SE-14, SE-41
t.test('acks of unknown actions, of others, and messages that come again', async (t) => {
  const { ack, acks, said, send } = peer()
  t.equal(ack('k', 'completed'), 'unknown_action')
  acks.asked('k', 'valve')
  t.equal(ack('k', 'completed', { system_id: 'waveos-2' }), 'wrong_identity')
  t.equal(ack('k', 'accepted', { message_id: 'same' }), 'ACTION_ACK')
  t.equal(ack('k', 'completed', { message_id: 'same' }), 'repeated_message')
  t.equal(said.acks.length, 1)
  acks.asked('k', 'valve')
  t.equal(ack('k', 'accepted'), 'ACTION_ACK', 'asked again, the first outcome is told again')
  t.match(acks.lastOf('k', 'valve'), { status: 'accepted' })
  t.equal(acks.lastOf('before the restart', 'valve'), null)
  t.equal(ack('before the restart', 'completed'), 'ACTION_ACK', 'an action that was asked after is known')
  t.equal(send({ type: 'ACTION_REQUEST' }), 'unknown_type')
})

t.test('at their bounds the tables forget the oldest action, and take no more but acks', async (t) => {
  const { ack, acks, policy, mode, clock } = peer()
  for (let k = 0; k <= PEER_ACTIONS_MAX; k += 1) acks.asked(`k${k}`, 'valve')
  t.equal(ack('k0', 'accepted'), 'unknown_action')
  t.equal(ack('k1', 'accepted'), 'ACTION_ACK')
  for (let k = 2; k < PEER_SEEN_MAX; k += 1) mode('test', 'test')
  t.equal(policy('1'), 'too_many')
  t.equal(ack('k2', 'accepted'), 'ACTION_ACK')
  await clock.advance(239 * S)
  t.equal(policy('1'), 'too_many', 'none is forgotten while it is fresh')
  await clock.advance(S)
  t.equal(policy('1'), 'POLICY_APPLIED')
})
