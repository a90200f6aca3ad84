import type { Migration } from '../../shared/sqlite/migrations.ts'

/**
 * The action ledger, step by step. `ledger` says how much there is and the sum of all heads: it finds a whole action that
 * is missing, which the chain of no other one would show.
 */
export const LEDGER_MIGRATIONS: readonly Migration[] = [
  {
    number: 1,
    name: 'actions and their transitions',
    sql: `
CREATE TABLE actions (
  key TEXT PRIMARY KEY, rig TEXT NOT NULL, rule TEXT NOT NULL, episode INTEGER NOT NULL, action TEXT NOT NULL,
  target TEXT NOT NULL, params TEXT NOT NULL, state TEXT NOT NULL, is_open INTEGER NOT NULL, end_us INTEGER NOT NULL,
  first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, deadline_us INTEGER NOT NULL, attempt INTEGER NOT NULL,
  transitions INTEGER NOT NULL, head BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX actions_by_time ON actions (is_open, last_us);

CREATE TABLE transitions (
  key TEXT NOT NULL, n INTEGER NOT NULL, state TEXT NOT NULL, from_state TEXT, now_us INTEGER NOT NULL,
  end_us INTEGER NOT NULL, deadline_us INTEGER NOT NULL, attempt INTEGER NOT NULL, reasons TEXT NOT NULL,
  note TEXT NOT NULL, conditions TEXT NOT NULL, content BLOB NOT NULL, prev BLOB NOT NULL, digest BLOB NOT NULL,
  PRIMARY KEY (key, n)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX transitions_by_content ON transitions (key, content);

CREATE TABLE ledger (
  id INTEGER PRIMARY KEY CHECK (id = 1), actions INTEGER NOT NULL, transitions INTEGER NOT NULL, heads BLOB NOT NULL
) STRICT;
INSERT INTO ledger VALUES (1, 0, 0, zeroblob(32));
`,
  },
]
