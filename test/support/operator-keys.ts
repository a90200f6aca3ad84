import { pemOfRealm, readPublicKey } from '../../shared/crypto/sign.ts'
import type { Realm } from '../../shared/model/realm.ts'
import { SIGNERS, type TestPerson } from './certified-baselines.ts'

/** Public keys of the people of tests as the files that a configuration names. */
export function publicPem(person: TestPerson, realm: Realm = 'production'): string {
  const base64 = Buffer.from(readPublicKey(SIGNERS[person].spki).spki).toString('base64')
  return pemOfRealm(`-----BEGIN PUBLIC KEY-----\n${base64}\n-----END PUBLIC KEY-----\n`, realm)
}

export const PEOPLE: readonly TestPerson[] = ['ada', 'grace', 'kay']

/** Lines of runtime.yaml or collector.yaml that trust {@link PEOPLE}. */
export const OPERATOR_LINES = `operators:
${PEOPLE.map((name) => `  - { name: ${name}, public_key_file: ${name}.pub }`).join('\n')}
`
