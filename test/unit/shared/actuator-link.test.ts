import t from 'tap'
import {
  type ActuatorMessage,
  LINK_ERRORS,
  type LinkError,
  type LinkSide,
  SESSION_US_MAX,
} from '../../../shared/protocol/actuator.ts'
import { sealFrame } from '../../../shared/protocol/actuator-frame.ts'
import { createLinkSession, type LinkEnd, type LinkSession, takeFrame } from '../../../shared/protocol/actuator-link.ts'

const KEY = Uint8Array.from({ length: 32 }, (_, k) => k)
const SESSION = new Uint8Array(16).fill(1)
const OTHER_SESSION = new Uint8Array(16).fill(2)
const START = { zeroUs: 1_000_000, peerZeroUs: 1_000_000 }

const ENDS: Readonly<Record<LinkSide, LinkEnd>> = {
  agent: { side: 'agent', self: 'agent', peer: 'valve', key: KEY },
  actuator: { side: 'actuator', self: 'valve', peer: 'agent', key: KEY },
}
const SAYS: Readonly<Record<LinkSide, ActuatorMessage>> = {
  agent: { t: 'query', key: 'key-0001' },
  actuator: { t: 'ack', key: 'key-0001', stage: 'completed', detail: '' },
}
const NOW_US = 2_000_000
const GOOD_US = 100_000

/** Both ends of a session, and what was sent by one of them. */
type Line = Readonly<{ sender: LinkSession; receiver: LinkSession; says: ActuatorMessage; side: LinkSide }>

function line(side: LinkSide): Line {
  const other = side === 'agent' ? 'actuator' : 'agent'
  return {
    side,
    sender: createLinkSession(ENDS[side], { id: SESSION, ...START }),
    receiver: createLinkSession(ENDS[other], { id: SESSION, ...START }),
    says: SAYS[side],
  }
}

const seal = ({ sender, says }: Line, nowUs = NOW_US): Uint8Array => sender.seal(says, { nowUs, deadlineUs: GOOD_US })

/** What the receiver makes of frames that come one after the other; `lose` counts what it notices as missing. */
function outcomes({ receiver, side }: Line, frames: readonly Uint8Array[], nowUs = NOW_US): (LinkError | 'taken')[] {
  const end = ENDS[side === 'agent' ? 'actuator' : 'agent']
  return frames.flatMap((frame) => {
    const taken = takeFrame(end, [receiver], { frame, nowUs })
    if (!taken.ok) return [taken.kind]
    return [...Array.from({ length: taken.lost }, () => 'lose' as const), 'taken' as const]
  })
}

/** Each kind of error is made on the line, and has one named outcome. */
const INJECTED: Readonly<Record<LinkError, (line: Line) => (LinkError | 'taken')[]>> = {
  corrupt: (line) => {
    const frame = seal(line)
    frame[20] = frame[20]! ^ 0x40
    return outcomes(line, [frame])
  },
  repeat: (line) => {
    const frame = seal(line)
    return outcomes(line, [frame, seal(line), frame])
  },
  reorder: (line) => {
    const [first, second] = [seal(line), seal(line)]
    return outcomes(line, [second, first])
  },
  lose: (line) => {
    const [first, , third] = [seal(line), seal(line), seal(line)]
    return outcomes(line, [first, third])
  },
  delay: (line) => outcomes(line, [seal(line)], NOW_US + GOOD_US + 1),
  insert: (line) => {
    const other = createLinkSession(ENDS[line.side], { id: OTHER_SESSION, ...START })
    return outcomes(line, [other.seal(line.says, { nowUs: NOW_US, deadlineUs: GOOD_US })])
  },
  masquerade: (line) => {
    const stranger = { ...ENDS[line.side], key: new Uint8Array(32).fill(9) }
    const other = createLinkSession(stranger, { id: SESSION, ...START })
    return outcomes(line, [other.seal(line.says, { nowUs: NOW_US, deadlineUs: GOOD_US })])
  },
  misaddress: (line) => {
    const elsewhere = { ...ENDS[line.side], peer: 'pump' }
    const other = createLinkSession(elsewhere, { id: SESSION, ...START })
    return outcomes(line, [other.seal(line.says, { nowUs: NOW_US, deadlineUs: GOOD_US })])
  },
}
const EXPECTED: Readonly<Record<LinkError, readonly (LinkError | 'taken')[]>> = {
  corrupt: ['corrupt'],
  repeat: ['taken', 'taken', 'repeat'],
  // The first is missed when the second comes, and is not taken when it comes after all.
  reorder: ['lose', 'taken', 'reorder'],
  lose: ['taken', 'lose', 'taken'],
  delay: ['delay'],
  insert: ['insert'],
  masquerade: ['masquerade'],
  misaddress: ['misaddress'],
}

// verifies SE-41
t.test(
  'each of the eight kinds of error has its name, in both directions, and the line goes on after it',
  async (t) => {
    for (const side of ['agent', 'actuator'] as const) {
      t.same(outcomes(line(side), [seal(line(side))]), ['taken'], 'without an error it is taken')
      for (const kind of LINK_ERRORS) {
        const broken = line(side)
        t.same(INJECTED[kind](broken), EXPECTED[kind], `${kind}, from the ${side}`)
        const next = outcomes(broken, [seal(broken)])
        t.equal(next.at(-1), 'taken', `${kind}, from the ${side}: the next one is taken`)
      }
    }
    t.comment(`counted: kinds of link errors | ${LINK_ERRORS.length} | injected in both directions, each with its name`)
  },
)

// verifies SE-41
t.test(
  'who has the key of the link but another name is nobody we know, and an own message thrown back is not one',
  async (t) => {
    const here = line('agent')
    const posing = createLinkSession({ ...ENDS.agent, self: 'agent-2' }, { id: SESSION, ...START })
    const frame = posing.seal(SAYS.agent, { nowUs: NOW_US, deadlineUs: GOOD_US })
    t.same(outcomes(here, [frame]), ['masquerade'])
    const back = takeFrame(ENDS.agent, [here.sender], { frame: seal(here), nowUs: NOW_US })
    t.match(back, { ok: false, kind: 'insert' }, 'of the wrong direction')
  },
)

t.test('numbers: 200 messages, any of them again, are repeats however long ago they were', async (t) => {
  const here = line('agent')
  const frames = Array.from({ length: 200 }, () => seal(here))
  t.same(new Set(outcomes(here, frames)), new Set(['taken']))
  t.same(new Set(outcomes(here, frames)), new Set(['repeat']))
  t.equal(here.receiver.heard, 200)
})

t.test('a message without a number is none of a session', async (t) => {
  const here = line('agent')
  const head = { from: 'agent', to: 'valve', session: SESSION, seq: 0, sent_us: 1_000_000, deadline_us: GOOD_US }
  t.same(outcomes(here, [sealFrame(KEY, head, SAYS.agent)]), ['repeat'])
})

t.test('a message that is late has used its number: it is not taken when it is sent again', async (t) => {
  const here = line('agent')
  const frame = seal(here)
  t.same(outcomes(here, [frame], NOW_US + GOOD_US + 1), ['delay'])
  t.same(outcomes(here, [frame], NOW_US), ['repeat'])
})

t.test(
  'age is counted from the earliest moment the peer can have begun to count, so it is never told too low',
  async (t) => {
    const end = ENDS.actuator
    const frame = sealFrame(
      KEY,
      { from: 'agent', to: 'valve', session: SESSION, seq: 1, sent_us: 500_000, deadline_us: GOOD_US },
      SAYS.agent,
    )
    const at = (nowUs: number): string => {
      const session = createLinkSession(end, { id: SESSION, zeroUs: 0, peerZeroUs: 1_000_000 })
      const taken = takeFrame(end, [session], { frame, nowUs })
      return taken.ok ? 'taken' : taken.kind
    }
    t.equal(at(1_500_000), 'taken')
    t.equal(at(1_500_000 + GOOD_US), 'taken', 'at the bound')
    t.equal(at(1_500_001 + GOOD_US), 'delay')
    t.equal(at(Number.NaN), 'delay', 'an age that nobody knows is not good')
  },
)

t.test('a session that is too old to tell ages takes nothing', async (t) => {
  const here = line('agent')
  const nowUs = START.zeroUs + SESSION_US_MAX
  t.same(outcomes(here, [seal(here, nowUs)], nowUs), ['taken'])
  t.same(outcomes(here, [seal(here, nowUs + 1)], nowUs + 1), ['delay'])
})
