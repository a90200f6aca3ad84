import { openConfigBundle } from '../../shared/codec/config-bundle.ts'
import { openFleetBundle } from '../../shared/codec/fleet-bundle.ts'
import { openRolloutOrder, ROLLOUT_ORDER_TYP, signRolloutOrder } from '../../shared/codec/rollout-order.ts'
import { openCose, signCose } from '../../shared/crypto/cose.ts'
import { equalBytes } from '../../shared/crypto/digest.ts'
import { readPublicKey } from '../../shared/crypto/sign.ts'
import { DOWNLINK_TYP, openDownlink, signDownlink } from '../../shared/protocol/downlink.ts'
import { SIGNERS, TRUST } from './certified-baselines.ts'
import { cutOf, fleetBundle, MADE_US } from './config-bundles.ts'
import type { FuzzTarget } from './fuzz.ts'

/** Bundles of many agents, what is in them for one, and the orders that bring them out. */
export function fleetTargets(): FuzzTarget[] {
  const files = [{ name: 'runtime.yaml', bytes: new TextEncoder().encode('version: 1\n') }]
  const rigs = [{ rig: 'r', program: 'p' }]
  const whole = fleetBundle(['a', 'b'].map((agent) => ({ agent, rigs, files })))
  const part = cutOf(whole, 'b')
  const key = readPublicKey(SIGNERS.ada.spki)
  const order = signRolloutOrder(
    {
      ...{ kind: 'start', deployment: 'demo', rollout: '', digest: 'ab'.repeat(32), stages: '1,all', reason: 'r' },
      ...{ soakUs: 1, withinUs: 2, atUs: MADE_US },
    },
    SIGNERS.ada,
  )
  const { payload, issuer, subject } = openCose(order, { typ: ROLLOUT_ORDER_TYP, key })
  const signed = (changed: Uint8Array): Uint8Array =>
    signCose({ typ: ROLLOUT_ORDER_TYP, issuer, subject, payload: changed, signer: SIGNERS.ada })
  const asked = signDownlink(
    { kind: 'bundle_back', agent: 'a', id: 'r', rig: '', digest: 'ab'.repeat(32), reason: 'worse' },
    SIGNERS.ada,
  )
  const claims = openCose(asked, { typ: DOWNLINK_TYP, key })
  const askedAgain = (changed: Uint8Array): Uint8Array =>
    signCose({ ...claims, typ: DOWNLINK_TYP, payload: changed, signer: SIGNERS.ada })
  const only = (seed: Uint8Array, taken: (bytes: Uint8Array) => boolean) => (bytes: Uint8Array) =>
    taken(bytes) && !equalBytes(bytes, seed) ? 'taken although it is not what was signed' : taken(bytes)
  return [
    {
      name: 'bundle of a fleet',
      seeds: [whole],
      share: 30,
      run: only(whole, (bytes) => openFleetBundle(bytes, TRUST.operators).problems.length === 0),
    },
    {
      name: 'part of a bundle of a fleet',
      seeds: [part],
      share: 30,
      run: only(part, (bytes) => openConfigBundle(bytes, TRUST.operators).problems.length === 0),
    },
    {
      name: 'downlink about a bundle, signed again',
      seeds: [claims.payload],
      share: 10,
      run: (bytes) => openDownlink(askedAgain(bytes), { key, agent: 'a' }).agent === 'a',
    },
    {
      name: 'order about a rollout, signed again',
      seeds: [payload],
      share: 10,
      run: (bytes) => openRolloutOrder(signed(bytes), key).kind.length > 0,
    },
  ]
}
