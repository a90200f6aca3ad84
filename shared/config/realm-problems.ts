import { X509Certificate } from 'node:crypto'
import { realmOfPem } from '../crypto/sign.ts'
import { areNamesOf, REALMS, type Realm } from '../model/realm.ts'
import { type CheckedFile, type Path, valueAt } from './document.ts'
import type { NoFile } from './files.ts'
import type { Problem } from './problems.ts'
import type { Loose } from './rig-problems.ts'
import type { RuntimeConfig } from './types.ts'

/** A key or certificate in PEM, with what stands around it. */
const PEM_BYTES_MAX = 1024 * 1024

/** Realm that a configuration states; production where that is wrong by itself. */
export function realmOf(file: CheckedFile): Realm {
  const { realm } = (file.value ?? {}) as Readonly<{ realm?: Realm }>
  return realm ?? 'production'
}

/** What of `runtime.yaml` belongs to the other realm, as far as the file itself tells. */
export function runtimeRealmProblems(file: CheckedFile): Problem[] {
  const problems: Problem[] = []
  const config = (file.value ?? {}) as Loose<RuntimeConfig>
  const realm = realmOf(file)
  const add = (path: Path, found: string, expected: string, hint: string): void => {
    problems.push({ ...file.at(path), found, expected, hint })
  }
  if (realm === 'production' && file.has(['injector_key_file']))
    add(
      ['injector_key_file'],
      'a key of an injector',
      '`realm: testbed`',
      'outside a testbed no injected sample counts',
    )
  config.rigs?.forEach((rig, k) => {
    if (rig === undefined) return
    if (rig.testbed === true && realm === 'production')
      add(['rigs', k, 'testbed'], 'a rig of a testbed', '`realm: testbed` at the top', 'an agent is of one realm')
    if (rig.testbed === false && realm === 'testbed')
      add(['rigs', k, 'testbed'], 'a rig that is no testbed', '`testbed: true`', 'an agent is of one realm')
    rig.sources?.forEach((source, s) => {
      if (realm === 'testbed' || (source as { provenance?: string } | undefined)?.provenance !== 'injected') return
      const path = ['rigs', k, 'sources', s, 'provenance']
      add(path, '`injected`', '`realm: testbed` at the top', 'outside a testbed no injected sample counts')
    })
  })
  return problems
}

export type RealmFiles = Readonly<{
  keys: readonly Path[]
  certificates: readonly Path[]
  /** The file that the configuration names; it is only looked at. */
  read(name: string, bytesMax: number): Uint8Array | NoFile
}>

/**
 * Keys and certificates that say that they are of the other realm. What cannot be read is for others to tell. A certificate
 * without a SPIFFE name is of production: a testbed asks for its own.
 */
export function realmFileProblems(file: CheckedFile, { keys, certificates, read }: RealmFiles): Problem[] {
  const realm = realmOf(file)
  const look = (path: Path, realmIn: (text: string) => Realm, remedy: string): Problem[] => {
    const name = valueAt(file.value, path)
    if (typeof name !== 'string' || !file.isSound(path)) return []
    const bytes = read(name, PEM_BYTES_MAX)
    if (!(bytes instanceof Uint8Array)) return []
    const found = told(() => realmIn(new TextDecoder().decode(bytes)))
    if (found === null || found === realm) return []
    return [
      {
        ...file.at(path),
        found: `${JSON.stringify(name)}, which is of ${found}`,
        expected: `one of ${realm}`,
        hint: remedy,
      },
    ]
  }
  return [
    ...keys.flatMap((path) => look(path, realmOfPem, KEY_REMEDY)),
    ...certificates.flatMap((path) => look(path, (pem) => realmOfCertificate(pem, realm), CERTIFICATE_REMEDY)),
  ]
}

export const KEY_REMEDY =
  '`hb keys create --testbed` makes keys of a testbed, without the option they are of production'
const CERTIFICATE_REMEDY = 'a testbed has the SPIFFE trust domain `testbed.DEPLOYMENT`, production has `DEPLOYMENT`'

/** The other realm for a certificate that cannot be used in this one. */
function realmOfCertificate(pem: string, realm: Realm): Realm {
  const names = new X509Certificate(pem).subjectAltName ?? ''
  return areNamesOf(names, realm) ? realm : REALMS.find((other) => other !== realm)!
}

/** null for what is no key or certificate at all. */
function told(realm: () => Realm): Realm | null {
  try {
    return realm()
  } catch {
    // Whoever uses it says what is wrong with it.
    return null
  }
}
