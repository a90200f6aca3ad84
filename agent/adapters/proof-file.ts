import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Proof, ProofStore } from '../pipeline/proofs.ts'
import { type Files, replaceFile } from './files.ts'

const PROOFS_FILE = 'proofs.json'
/** Targets of a policy, twice each: the last proof and the last good one. Of more the newest are kept. */
const PROOFS_MAX = 4096

const PROOFS = Type.Object(
  {
    version: Type.Literal(1),
    proofs: Type.Array(
      Type.Object(
        {
          target: Type.String({ minLength: 1, maxLength: 128 }),
          at_us: Type.Integer({ minimum: 0 }),
          ok: Type.Boolean(),
        },
        { additionalProperties: false },
      ),
      { maxItems: PROOFS_MAX },
    ),
  },
  { additionalProperties: false },
)

/** Proofs in a file of the state folder. One that is missing, damaged or of another version proves nothing. */
export function createProofFile({ files, folder }: Readonly<{ files: Files; folder: string }>): ProofStore {
  const path = `${folder}/${PROOFS_FILE}`
  return {
    read() {
      const value = files.existsSync(path) ? parsed(files.readFileSync(path, 'utf8')) : null
      return value === null ? [] : value.proofs.map(({ target, at_us: atUs, ok }) => ({ target, atUs, ok }))
    },
    write(proofs: readonly Proof[]) {
      const kept = proofs.slice(-PROOFS_MAX).map(({ target, atUs, ok }) => ({ target, at_us: atUs, ok }))
      const text = `${JSON.stringify({ version: 1, proofs: kept })}\n`
      replaceFile(files, folder, PROOFS_FILE, new TextEncoder().encode(text))
    },
  }
}

function parsed(text: string): Static<typeof PROOFS> | null {
  try {
    const value: unknown = JSON.parse(text)
    return Value.Check(PROOFS, value) ? value : null
  } catch {
    return null
  }
}
