import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateSigner } from '../../shared/crypto/sign.ts'
import type { Realm } from '../../shared/model/realm.ts'

/** People of the demo: who proposes is not who reviews, and neither approves. */
export const OPERATORS = ['ada', 'ben', 'cora'] as const
/** Folder of the book of baselines, and the quality policy of the demo. */
export const BOOK = 'book'
export const POLICY = 'demo.quality.yaml'

/** Keys of three operators, and the file that says whom the book trusts. Names of their keys for an agent's configuration. */
export function writeOperators(path: string, realm: Realm): string {
  mkdirSync(join(path, BOOK))
  const lines = OPERATORS.map((name) => {
    const { privatePem, publicPem } = generateSigner(realm)
    writeFileSync(join(path, `${name}.pem`), privatePem, { mode: 0o600 })
    writeFileSync(join(path, `${name}.pub.pem`), publicPem)
    writeFileSync(join(path, BOOK, `${name}.pub.pem`), publicPem)
    return `  - { name: ${name}, public_key_file: ${name}.pub.pem }`
  })
  const trusted = `operators:\n${lines.join('\n')}\ngovernance: { quality_policy_file: ${POLICY} }\n`
  writeFileSync(join(path, BOOK, 'operators.yaml'), `version: 1\nrealm: ${realm}\n${trusted}`)
  // Half an hour of a simulated loop takes a second to make; a real rig is watched for an hour at least. Who relies on the
  // baseline has to say that so little is enough: a laxer policy that only its proposer names does not count.
  for (const folder of [path, join(path, BOOK)])
    writeFileSync(join(folder, POLICY), 'version: 1\nacceptance_criteria: { min_time_in_state_s: 1800 }\n')
  return trusted
}

/** What is only not there now: tokens of the dead-man, which a busy machine delays as well, and windows that are full. */
const NOT_YET = /DEAD_MAN:|PROTECTION_LOST/
const ARM_TRIES = 100
const ARM_AGAIN_MS = 100

/** Has people arm a rig as soon as nothing stands against it that passes by itself. @throws what they are told of anything else */
export async function onceArmable(arm: () => Promise<unknown>): Promise<void> {
  for (let k = 1; ; k += 1) {
    try {
      await arm()
      return
    } catch (error) {
      if (k === ARM_TRIES || !NOT_YET.test((error as Error).message)) throw error
      await new Promise((resolve) => setTimeout(resolve, ARM_AGAIN_MS))
    }
  }
}
