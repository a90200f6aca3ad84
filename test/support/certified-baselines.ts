import { encodeBundle } from '../../shared/codec/baseline-bundle.ts'
import { encodeBaseline } from '../../shared/codec/baseline-record.ts'
import { bookGenesis, NO_REQUEST, openStatement, signStatement } from '../../shared/codec/baseline-statement.ts'
import type { Trust } from '../../shared/config/operators.ts'
import { defaultQualityPolicy, type LoadedPolicy } from '../../shared/config/quality-policy.ts'
import { DOMAIN, digestOf, toHex } from '../../shared/crypto/digest.ts'
import { pemOfRealm, readPublicKey, type Signer, signerFromPem } from '../../shared/crypto/sign.ts'
import {
  type BaselineContext,
  type BaselineMetric,
  type BaselineRecord,
  type BaselineSegment,
  QUANTILE_RATIOS,
} from '../../shared/model/baseline.ts'
import { checkQuality } from '../../shared/model/baseline-gate.ts'
import type { Statement } from '../../shared/model/baseline-statement.ts'
import type { Realm } from '../../shared/model/realm.ts'
import type { Micros } from '../../shared/units.ts'

const HOUR_US = 3_600_000_000
/** Keys for tests only; signatures of Ed25519 are the same every time. */
const PEMS = [
  '9d61b19deffd5a60ba844af492ec2cc4',
  '4ccd089b28ff96da9db6c346ec114e0f',
  'c5aa8df43f9f837bedb7442f31dcb7b1',
]
const NAMES = ['ada', 'grace', 'kay', 'mallory'] as const
export type TestPerson = (typeof NAMES)[number]

/** Private key of a person, made from 16 bytes said twice. */
export function privatePem(name: TestPerson, realm: Realm = 'production'): string {
  const hex = PEMS[NAMES.indexOf(name)] ?? '00112233445566778899aabbccddeeff'
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.from(hex + hex, 'hex')])
  return pemOfRealm(`-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----\n`, realm)
}

const signersOf = (realm: Realm): Readonly<Record<TestPerson, Signer>> =>
  Object.fromEntries(NAMES.map((name) => [name, signerFromPem(privatePem(name, realm))])) as Record<TestPerson, Signer>

export const SIGNERS = signersOf('production')
/** The same people, who say of their keys that they are of a testbed. */
export const TESTBED_SIGNERS = signersOf('testbed')

/** Everybody but mallory is trusted. */
export const TRUST: Trust = {
  operators: NAMES.filter((name) => name !== 'mallory').map((name) => ({
    name,
    key: readPublicKey(SIGNERS[name].spki),
  })),
  approvalsRequired: 1,
  approvers: [],
  qualityPolicy: defaultQualityPolicy().policy,
}

export const CONTEXT: BaselineContext = {
  scenario_id: 'warm-up',
  operating_mode: 'nominal',
  environment: 'lab',
  environment_fingerprint: 'f1',
  sensor_config_id: 's1',
  input_data_version: '1',
}

/** A sound metric: normal around 32 with a spread of 0.25. */
export function baselineMetric(change: Partial<BaselineMetric> = {}): BaselineMetric {
  const z = [-4, -2.326, -1.645, -1.282, -0.674, 0, 0.674, 1.282, 1.645, 2.326, 4]
  return {
    metric: 'flow',
    unit: 'l/min',
    count: 36_000,
    effectiveCount: 4000,
    mean: 32,
    sd: 0.25,
    min: 31,
    max: 33,
    quantiles: QUANTILE_RATIOS.map((_, k) => 32 + 0.25 * z[k]!),
    noise: 0.0625,
    wander: 1e-7,
    stepStatistic: 4,
    detectableShift: 0.5,
    tolerance: 1,
    windows: [],
    detectors: [],
    conversions: [],
    calibration: null,
    ...change,
  }
}

export function baselineSegment(change: Partial<BaselineSegment> = {}): BaselineSegment {
  return {
    ...{ source: 'run-1', fromUs: 0, toUs: HOUR_US, steps: 3600, used: true, reason: '', gapUs: 200_000, alerts: 0 },
    ...change,
  }
}

/** Twenty hours of nominal data that end an hour before a record is made of them: old enough for nobody. */
export function dataUntil(madeUs: Micros): Pick<BaselineRecord, 'madeUs' | 'fromUs' | 'toUs' | 'segments'> {
  const [fromUs, toUs] = [madeUs - 21 * HOUR_US, madeUs - HOUR_US]
  const segments = Array.from({ length: 20 }, (_, k) =>
    baselineSegment({ source: `run-${k}`, fromUs: fromUs + k * HOUR_US, toUs: fromUs + (k + 1) * HOUR_US }),
  )
  return { madeUs, fromUs, toUs, segments }
}

/** A record whose gate is that of its data. */
export function baselineRecord(
  change: Partial<BaselineRecord> = {},
  { policy, digest }: LoadedPolicy = defaultQualityPolicy(),
): BaselineRecord {
  const data = dataUntil(21 * HOUR_US)
  const without = {
    kind: 'golden',
    program: 'pumps',
    rig: 'water-loop',
    family: '',
    mode: 'nominal',
    evaluator: 1,
    ...data,
    stepUs: 1_000_000,
    context: CONTEXT,
    registry: new Uint8Array(32).fill(7),
    metrics: [baselineMetric(), baselineMetric({ metric: 'pressure', unit: 'bar' })],
    rigDetectors: [],
    rigMaxima: data.segments.map((_, k) => 0.4 + k / 100),
    ...change,
  } as const
  return { ...without, gate: change.gate ?? checkQuality(without, { policy, digest, environment: 1 }) }
}

export const digestHex = (record: BaselineRecord): string => toHex(digestOf(DOMAIN.baseline, encodeBaseline(record)))

/** Writes statements one behind the other, each by the key of a person. */
export function createStatementMaker(record: BaselineRecord, book = '0b'.repeat(16), signers = SIGNERS) {
  const said: Uint8Array[] = []
  let prev = bookGenesis(book)
  let request = NO_REQUEST
  let atUs = record.madeUs
  const digest = digestHex(record)
  const { program, rig, family, mode, kind } = record
  return {
    said,
    say(person: TestPerson, what: Statement['kind'], change: Partial<Statement> = {}): Statement {
      atUs += 1_000_000
      const seq = said.length + 1
      const bytes = signStatement(
        {
          ...{ kind: what, book, seq, prev, digest, as: kind, request, program, rig, family, mode, tag: '' },
          ...{ operator: person, reason: 'looks right', atUs, untilUs: 0, factor: 1 },
          ...change,
        },
        signers[person],
      )
      const statement = openStatement(bytes, readPublicKey(signers[person].spki, signers[person].realm))
      if (what === 'propose') request = statement.id
      said.push(bytes)
      prev = statement.id
      return statement
    },
  }
}

/** Proposed by ada, reviewed by grace, approved by kay. */
export function certifiedBundle(
  record = baselineRecord(),
  policy = defaultQualityPolicy(),
  signers = SIGNERS,
): Uint8Array {
  const maker = createStatementMaker(record, undefined, signers)
  maker.say('ada', 'propose')
  maker.say('grace', 'review')
  maker.say('kay', 'approve')
  return encodeBundle({ record: encodeBaseline(record), policy: policy.bytes, statements: maker.said })
}
