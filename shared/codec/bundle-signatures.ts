import type { Operator } from '../config/operators.ts'
import { coseKeyId, cosePayload, coseRealm, openCose } from '../crypto/cose.ts'
import { equalBytes, toHex } from '../crypto/digest.ts'
import { HbError, isHbError } from '../errors/hb-error.ts'
import type { BundleProblemCode } from '../model/config-bundle.ts'

/** Takes down what is wrong with a bundle. */
export type Note = (code: BundleProblemCode, found: string, expected: string) => void
/** A payload that somebody who is trusted signed; `about` is the subject of the signature. */
export type Verified = Readonly<{ name: string; payload: Uint8Array; about: string }>

/** Who is believed, and signatures of which type. */
export type Trusted = Readonly<{ typ: string; operators: readonly Operator[]; note: Note }>

/** Signatures that verify with the key of somebody who is trusted, once a person, and over the same manifest. */
export function verifiedSignatures(signatures: readonly Uint8Array[], trusted: Trusted): Verified[] {
  const { note } = trusted
  const found: Verified[] = []
  for (const [k, signature] of signatures.entries()) {
    const which = `signature ${k + 1}`
    const one = verifiedOne(signature, which, trusted)
    if (one === null) continue
    const [first] = found
    if (found.some(({ name }) => name === one.name))
      note('repeated_key', `${which}: ${one.name} a second time`, 'every person once')
    else if (first !== undefined && !(equalBytes(first.payload, one.payload) && first.about === one.about))
      note('other_statement', `${which} of ${one.name} is of another bundle`, 'signatures of one manifest')
    else found.push(one)
  }
  return found
}

function verifiedOne(signature: Uint8Array, which: string, { typ, operators, note }: Trusted): Verified | null {
  const id = attempt(() => coseKeyId(signature))
  if ('refused' in id) {
    note('signature', `${which}: ${id.refused.found}`, 'a COSE_Sign1 message')
    return null
  }
  const operator = operators.find(({ key }) => equalBytes(key.keyId, id.value))
  if (operator === undefined) {
    note('unknown_key', `${which} by key ${toHex(id.value)}`, 'a key of `operators` that is trusted here')
    return null
  }
  const { name, key } = operator
  const realm = attempt(() => coseRealm(signature))
  if ('value' in realm && realm.value !== key.realm) {
    note('other_realm', `${which} of ${name} is of ${realm.value}`, `one of ${key.realm}`)
    return null
  }
  const message = attempt(() => openCose(signature, { typ, key }))
  if ('refused' in message) {
    note('signature', `${which} of ${name}: ${message.refused.found}`, 'a signature of the manifest')
    return null
  }
  const { issuer, subject, payload } = message.value
  if (issuer === `operator/${toHex(key.keyId)}`) return { name, payload, about: subject }
  note('signature', `${which} in the name of ${issuer}`, `that of ${name}`)
  return null
}

/** The payload that signatures are over before anybody is believed, and whose keys they name, in hex. @throws HbError COSE_SHAPE */
export function signedAs(
  signatures: readonly Uint8Array[],
  note: Note,
): Readonly<{ payload: Uint8Array; keyIds: string[] }> {
  const payloads = signatures.map(cosePayload)
  const payload = payloads[0]!
  if (!payloads.every((one) => equalBytes(one, payload)))
    note('other_statement', 'signatures of more than one bundle', 'signatures of one manifest')
  return { payload, keyIds: signatures.map((one) => toHex(coseKeyId(one))) }
}

/** What a person can be told of what went wrong; anything else is a bug. */
export function attempt<T>(
  work: () => T,
): Readonly<{ value: T }> | Readonly<{ refused: { found: string; expected: string } }> {
  try {
    return { value: work() }
  } catch (error) {
    if (!isHbError(error)) throw error
    const { found, expected, reason } = error.context
    const told = found ?? (reason === undefined ? error.code : `${error.code} ${String(reason)}`)
    return { refused: { found: String(told), expected: String(expected ?? 'a bundle of `hb bundle sign`') } }
  }
}

export function bundleShape(found: string, expected: string): HbError {
  return new HbError('BUNDLE_SHAPE', { found, expected })
}
