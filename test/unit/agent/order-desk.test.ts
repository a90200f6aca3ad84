import t from 'tap'
import { canonicalBytes } from '../../../shared/codec/canonical.ts'
import {
  ORDER_BYTES_MAX,
  ORDER_TYP,
  ORDER_VERSION,
  type OrderDraft,
  openOrder,
  signOrder,
} from '../../../shared/codec/order.ts'
import { signCose } from '../../../shared/crypto/cose.ts'
import { toHex } from '../../../shared/crypto/digest.ts'
import { generateSigner, readPublicKey } from '../../../shared/crypto/sign.ts'
import { HbError, isHbError } from '../../../shared/errors/hb-error.ts'
import { CONFIRM_WITHIN_US, ORDER_AGE_MAX_US, type Order, TWO_PERSON_ORDERS } from '../../../shared/model/order.ts'
import {
  ORDERS_SEEN_MAX,
  ORDERS_WAITING_MAX,
  ORDERS_WAITING_PERSON_MAX,
  OrderDesk,
} from '../../../shared/protocol/order-desk.ts'
import { SIGNERS, type TestPerson, TRUST } from '../../support/certified-baselines.ts'
import { flipped } from '../../support/flip.ts'

const NOW_US = 1_700_000_000_000_000
const PLACE = { deployment: 'lab', agent: 'bench-1', boot: 'boot-7', trust: TRUST }
const desk = (trust = TRUST, check: (order: Order) => void = () => undefined) =>
  new OrderDesk({ ...PLACE, trust }, { needsTwo: ({ kind }) => TWO_PERSON_ORDERS.includes(kind), check })

function draft(change: Partial<OrderDraft> = {}): OrderDraft {
  const { deployment, agent, boot } = PLACE
  return {
    ...{ kind: 'arm', deployment, agent, boot, rig: 'loop', subject: '', value: '', config: 'c0ffee' },
    ...{ reason: 'run 12', atUs: NOW_US, untilUs: NOW_US + 3_600_000_000 },
    ...change,
  }
}

const signed = (who: TestPerson, change: Partial<OrderDraft> = {}) => signOrder(draft(change), SIGNERS[who])
const confirmed = (who: TestPerson, first: Order, change: Partial<OrderDraft> = {}) =>
  signed(who, { kind: 'confirm', subject: first.id, ...change })

function reasonOf(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    if (isHbError(error)) return error.context['reason'] ?? error.code
    throw error
  }
  return null
}

t.test('an order says again what was signed, and nothing of it can be changed', async (t) => {
  const bytes = signed('ada')
  const order = openOrder(bytes, readPublicKey(SIGNERS.ada.spki))
  t.match(order, { ...draft() })
  for (let at = 0; at < bytes.length; at += 1)
    t.throws(() => openOrder(flipped(bytes, at), readPublicKey(SIGNERS.ada.spki)), `byte ${at}`)
})

// verifies SE-22
t.test('arming takes two keys: what one ordered waits until another one has confirmed the same', async (t) => {
  const at = desk()
  const waits = at.take(signed('ada'), NOW_US)
  t.match(waits, { state: 'waits', by: 'ada' })
  t.equal(at.pending(NOW_US).length, 1)
  const done = at.take(confirmed('grace', waits.order), NOW_US)
  t.match(done, { state: 'done', by: ['ada', 'grace'], order: { kind: 'arm', rig: 'loop' } })
  t.same(at.pending(NOW_US), [])
})

// verifies SE-22
t.test('nobody confirms their own order, another state of things, or what has run out', async (t) => {
  const table: readonly [string, (first: Order) => Uint8Array, number][] = [
    ['same_person', (first) => confirmed('ada', first), NOW_US],
    ['config_differs', (first) => confirmed('grace', first, { config: 'dead' }), NOW_US],
    ['no_such_order', () => signed('grace', { kind: 'confirm', subject: 'ab' }), NOW_US],
    ['unknown_key', (first) => confirmed('mallory', first), NOW_US],
    [
      'no_such_order',
      (first) => confirmed('grace', first, { atUs: NOW_US + CONFIRM_WITHIN_US }),
      NOW_US + CONFIRM_WITHIN_US,
    ],
  ]
  for (const [reason, confirm, nowUs] of table) {
    const at = desk()
    const { order } = at.take(signed('ada'), NOW_US)
    t.equal(
      reasonOf(() => at.take(confirm(order), nowUs)),
      reason,
      reason,
    )
  }
  const few = desk({ ...TRUST, approvers: ['kay'] })
  const { order } = few.take(signed('ada'), NOW_US)
  t.equal(
    reasonOf(() => few.take(confirmed('grace', order), NOW_US)),
    'not_an_approver',
  )
  t.equal(few.take(confirmed('kay', order), NOW_US).state, 'done')
})

t.test('an order counts for one start of one agent, while it is fresh, and once', async (t) => {
  const table: readonly [string, Partial<OrderDraft>, number][] = [
    ['other_agent', { agent: 'bench-2' }, NOW_US],
    ['other_agent', { deployment: 'plant' }, NOW_US],
    ['other_boot', { boot: 'boot-6' }, NOW_US],
    ['too_old', {}, NOW_US + ORDER_AGE_MAX_US + 1],
    ['too_old', { atUs: NOW_US + ORDER_AGE_MAX_US + 1 }, NOW_US],
  ]
  for (const [reason, change, nowUs] of table)
    t.equal(
      reasonOf(() => desk().take(signed('ada', { kind: 'disarm', ...change }), nowUs)),
      reason,
      reason,
    )
  const at = desk()
  const once = signed('ada', { kind: 'disarm' })
  t.match(at.take(once, NOW_US), { state: 'done', by: ['ada'] })
  t.equal(
    reasonOf(() => at.take(once, NOW_US + 1)),
    'repeated',
  )
})

// verifies SE-25
t.test('disarming is one act of one person', async (t) => {
  t.equal(desk().take(signed('kay', { kind: 'disarm' }), NOW_US).state, 'done')
})

/** An order as a program of somebody else would sign it. */
function signedAnyway(who: TestPerson, change: Partial<OrderDraft>): Uint8Array {
  const { atUs, untilUs, ...texts } = draft(change)
  const payload = canonicalBytes({ v: ORDER_VERSION, ...texts, at_us: atUs, until_us: untilUs })
  const issuer = `operator/${toHex(SIGNERS[who].keyId)}`
  return signCose({ typ: ORDER_TYP, issuer, subject: `agent/${texts.agent}`, payload, signer: SIGNERS[who] })
}

t.test('words that would not read as they are written are neither signed nor taken', async (t) => {
  t.equal(desk().take(signedAnyway('ada', { reason: 'Größe ≤ 3 µm 🛠' }), NOW_US).state, 'waits')
  const marks = [
    '\n',
    '\r',
    '\t',
    '\u0000',
    '\u001b[2J',
    '\u007f',
    '\u0085',
    '\u009b',
    '\u202e',
    '\u2066',
    '\u2028',
    '\u200f',
  ]
  const about = ['reason', 'rig', 'subject', 'value', 'config'] as const
  for (const mark of marks)
    for (const name of about) {
      const change = { [name]: `run${mark}12` }
      t.equal(
        reasonOf(() => signed('ada', change)),
        'not_plain_text',
        `signing ${name} U+${mark.codePointAt(0)!.toString(16)}`,
      )
      t.equal(
        reasonOf(() => desk().take(signedAnyway('ada', change), NOW_US)),
        'not_plain_text',
        `taking ${name} U+${mark.codePointAt(0)!.toString(16)}`,
      )
    }
})

t.test('an order that is longer than any is refused before it is read', async (t) => {
  t.equal(
    reasonOf(() => desk().take(new Uint8Array(ORDER_BYTES_MAX + 1), NOW_US)),
    'COSE_SHAPE',
  )
})

t.test('one person does not take the room of all others', async (t) => {
  const at = desk()
  for (let k = 0; k < ORDERS_WAITING_PERSON_MAX; k += 1) at.take(signed('ada', { reason: `arm ${k}` }), NOW_US)
  t.equal(
    reasonOf(() => at.take(signed('ada', { reason: 'one more' }), NOW_US)),
    'ORDERS_WAITING',
  )
  t.equal(at.take(signed('ada', { kind: 'disarm' }), NOW_US).state, 'done')
  const { order } = at.take(signed('grace'), NOW_US)
  t.equal(at.pending(NOW_US).length, ORDERS_WAITING_PERSON_MAX + 1)
  t.equal(at.take(confirmed('ada', order), NOW_US).state, 'done', 'and confirms those of others')
  const [first] = at.pending(NOW_US)
  at.take(confirmed('grace', first!.order), NOW_US)
  t.equal(at.take(signed('ada', { reason: 'one more' }), NOW_US).state, 'waits', 'with room again')
})

t.test('what would be refused at the end does not begin to wait', async (t) => {
  const at = desk(TRUST, ({ subject }) => {
    if (subject === 'nope') throw new HbError('ORDER_NOT_FOLLOWED', { reason: 'UNKNOWN_RULE' })
  })
  const bytes = signed('ada', { kind: 'inhibit', subject: 'nope' })
  for (const what of ['once', 'and again'])
    t.equal(
      reasonOf(() => at.take(bytes, NOW_US)),
      'UNKNOWN_RULE',
      what,
    )
  t.same(at.pending(NOW_US), [])
  t.equal(at.take(signed('ada', { kind: 'disarm', subject: 'nope' }), NOW_US).state, 'done', 'one act is not looked at')
})

t.test('at its bounds the desk takes no more, and has room again afterwards', async (t) => {
  const crowd = Array.from({ length: ORDERS_WAITING_MAX / ORDERS_WAITING_PERSON_MAX }, () => generateSigner().signer)
  const others = crowd.map((signer, k) => ({ name: `p${k}`, key: readPublicKey(signer.spki) }))
  const at = desk({ ...TRUST, operators: [...TRUST.operators, ...others] })
  for (const signer of crowd)
    for (let k = 0; k < ORDERS_WAITING_PERSON_MAX; k += 1)
      at.take(signOrder(draft({ reason: `arm ${k}` }), signer), NOW_US)
  t.equal(
    reasonOf(() => at.take(signed('ada', { reason: 'one more' }), NOW_US)),
    'ORDERS_WAITING',
  )
  t.equal(at.take(signed('ada', { kind: 'disarm' }), NOW_US).state, 'done', 'what makes safer is taken all the same')
  const laterUs = NOW_US + CONFIRM_WITHIN_US
  t.equal(at.take(signed('ada', { reason: 'later', atUs: laterUs }), laterUs).state, 'waits')
  const full = desk()
  for (let k = 0; k < ORDERS_SEEN_MAX; k += 1) full.take(signed('ada', { kind: 'disarm', reason: `${k}` }), NOW_US)
  t.equal(
    reasonOf(() => full.take(signed('ada', { kind: 'rearm' }), NOW_US)),
    'ORDERS_WAITING',
  )
})
