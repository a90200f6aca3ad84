import { createHash } from 'node:crypto'
import { HbError } from '../errors/hb-error.ts'
import type { Micros } from '../units.ts'

/** One step of a schema. Numbered from 1 without holes, and never changed once released: its text is checked by digest. */
export type Migration = Readonly<{ number: number; name: string; sql: string }>

export type AppliedMigration = Readonly<{ number: number; digest: string }>

export const MIGRATIONS_TABLE =
  'CREATE TABLE IF NOT EXISTS hb_migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL, applied_us INTEGER NOT NULL) STRICT'

/** SHA-256 of the text of a migration, hex. */
export function migrationDigest(migration: Migration): string {
  return createHash('sha256').update(migration.sql).digest('hex')
}

/**
 * The steps that are still to be taken. Throws `DATABASE_VERSION` when the database has a step this program does not
 * know, or one with another text: a newer program wrote it, or somebody changed history, and guessing would damage it.
 */
export function pendingMigrations(
  known: readonly Migration[],
  applied: readonly AppliedMigration[],
  path: string,
): readonly Migration[] {
  for (const [index, step] of applied.entries()) {
    const mine = known[index]
    const same = mine !== undefined && mine.number === step.number && migrationDigest(mine) === step.digest
    if (!same) throw new HbError('DATABASE_VERSION', { path, migration: step.number, known: known.length })
  }
  return known.slice(applied.length)
}

/** What is written beside a step in the same transaction. */
export function migrationRow(migration: Migration, nowUs: Micros): readonly (string | number)[] {
  return [migration.number, migration.name, migrationDigest(migration), nowUs]
}
