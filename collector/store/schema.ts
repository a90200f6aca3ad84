import type { Migration } from '../../shared/sqlite/migrations.ts'

/** The collector's database, step by step. A step that was released is never changed: its digest is checked at every start. */
export const COLLECTOR_MIGRATIONS: readonly Migration[] = [
  {
    number: 1,
    name: 'first light',
    sql: `
CREATE TABLE agents (
  agent TEXT PRIMARY KEY, deployment TEXT NOT NULL, spki BLOB NOT NULL, programs TEXT NOT NULL, enrolled_us INTEGER NOT NULL,
  version TEXT NOT NULL DEFAULT '', boot_id TEXT NOT NULL DEFAULT '', seen_us INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE rigs (
  agent TEXT NOT NULL REFERENCES agents(agent), rig TEXT NOT NULL, program TEXT NOT NULL, PRIMARY KEY (agent, rig)
) STRICT, WITHOUT ROWID;

CREATE TABLE batches (
  agent TEXT NOT NULL REFERENCES agents(agent), epoch INTEGER NOT NULL, batch_seq INTEGER NOT NULL,
  identity BLOB NOT NULL, prev BLOB NOT NULL, first_seq INTEGER NOT NULL, count INTEGER NOT NULL, bytes INTEGER NOT NULL,
  run TEXT NOT NULL, header TEXT NOT NULL, recv_us INTEGER NOT NULL,
  cose BLOB NOT NULL, records BLOB NOT NULL, receipt BLOB NOT NULL,
  PRIMARY KEY (agent, epoch, batch_seq)
) STRICT;
CREATE INDEX batches_by_identity ON batches (identity);

CREATE TABLE decisions (
  agent TEXT NOT NULL REFERENCES agents(agent), seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, kind TEXT NOT NULL,
  rig TEXT, program TEXT, run TEXT, verdict TEXT, time_us INTEGER NOT NULL, body TEXT NOT NULL,
  epoch INTEGER NOT NULL, batch_seq INTEGER NOT NULL,
  PRIMARY KEY (agent, seq),
  FOREIGN KEY (agent, epoch, batch_seq) REFERENCES batches(agent, epoch, batch_seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX decisions_by_time ON decisions (time_us DESC, agent, seq) WHERE kind = 'record';
CREATE INDEX decisions_by_rig ON decisions (rig, time_us DESC) WHERE kind = 'record';
CREATE INDEX decisions_by_run ON decisions (run, time_us DESC) WHERE kind = 'record' AND run IS NOT NULL;
CREATE INDEX decisions_by_verdict ON decisions (verdict, time_us DESC) WHERE kind = 'record';

CREATE TABLE refusals (
  id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT NOT NULL, agent TEXT NOT NULL, detail TEXT NOT NULL,
  epoch INTEGER, batch_seq INTEGER, first_us INTEGER NOT NULL, time_us INTEGER NOT NULL, count INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX refusals_of_a_kind ON refusals (agent, code, detail, coalesce(epoch, -1), coalesce(batch_seq, -1));
CREATE INDEX refusals_by_time ON refusals (time_us DESC);

CREATE TABLE slices (
  agent TEXT NOT NULL, seq INTEGER NOT NULL, rig TEXT NOT NULL, from_us INTEGER NOT NULL, to_us INTEGER NOT NULL,
  state TEXT NOT NULL, reason TEXT, body TEXT, asked_us INTEGER NOT NULL, answered_us INTEGER,
  PRIMARY KEY (agent, seq)
) STRICT;
CREATE INDEX slices_by_state ON slices (agent, state);
`,
  },
  {
    number: 2,
    name: 'revisions',
    sql: `
ALTER TABLE decisions ADD COLUMN revises INTEGER;
CREATE INDEX revisions_by_revised ON decisions (agent, revises) WHERE kind = 'revision';
CREATE INDEX revisions_by_time ON decisions (time_us DESC, agent, seq) WHERE kind = 'revision';
`,
  },
  {
    number: 3,
    name: 'baselines',
    sql: `
CREATE TABLE baseline_book (
  one INTEGER PRIMARY KEY CHECK (one = 1), book TEXT NOT NULL, trust TEXT NOT NULL, made_us INTEGER NOT NULL
) STRICT;

CREATE TABLE baseline_policies (digest TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;

CREATE TABLE baseline_records (
  digest TEXT PRIMARY KEY, policy TEXT NOT NULL REFERENCES baseline_policies(digest), stored_us INTEGER NOT NULL, bytes BLOB NOT NULL
) STRICT;

CREATE TABLE baseline_statements (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, digest TEXT NOT NULL REFERENCES baseline_records(digest),
  recv_us INTEGER NOT NULL, bytes BLOB NOT NULL
) STRICT;
CREATE INDEX baseline_statements_about ON baseline_statements (digest, seq);

CREATE TABLE baseline_state (
  kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE baseline_decay (
  digest TEXT PRIMARY KEY REFERENCES baseline_records(digest), checked_us INTEGER NOT NULL, body TEXT NOT NULL
) STRICT;

CREATE TABLE baseline_downlinks (
  agent TEXT PRIMARY KEY REFERENCES agents(agent), number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`,
  },
  {
    number: 4,
    name: 'actions',
    sql: `
ALTER TABLE decisions ADD COLUMN about TEXT;
CREATE INDEX safety_by_about ON decisions (agent, about, seq) WHERE kind = 'safety' AND about IS NOT NULL;

CREATE TABLE safety_state (
  agent TEXT NOT NULL REFERENCES agents(agent), rig TEXT NOT NULL, about TEXT NOT NULL, seq INTEGER NOT NULL,
  state TEXT NOT NULL, stands INTEGER NOT NULL, time_us INTEGER NOT NULL,
  PRIMARY KEY (agent, rig, about)
) STRICT, WITHOUT ROWID;
CREATE INDEX safety_standing ON safety_state (stands, time_us DESC);
CREATE INDEX safety_by_time ON safety_state (time_us DESC);
CREATE INDEX safety_by_state ON safety_state (state, time_us DESC);
`,
  },
  {
    number: 5,
    name: 'alarms of the collector',
    sql: `
CREATE TABLE collector_sites (
  site TEXT PRIMARY KEY, forgotten INTEGER NOT NULL, members TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE collector_alarms (
  site TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, acked_by TEXT, PRIMARY KEY (site, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE collector_notices (
  key TEXT PRIMARY KEY, site TEXT NOT NULL, id TEXT NOT NULL, told_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX collector_notices_of ON collector_notices (site, id);

CREATE TABLE collector_alarm_log (
  number INTEGER PRIMARY KEY AUTOINCREMENT, time_us INTEGER NOT NULL, site TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL,
  occurrence INTEGER NOT NULL, severity TEXT, text TEXT NOT NULL, statement BLOB
) STRICT;

CREATE TABLE agent_alarms (
  agent TEXT NOT NULL, rig TEXT NOT NULL, body TEXT NOT NULL, said_us INTEGER NOT NULL, PRIMARY KEY (agent, rig)
) STRICT, WITHOUT ROWID;

CREATE TABLE collector_pulse (one INTEGER PRIMARY KEY CHECK (one = 1), written_us INTEGER NOT NULL) STRICT;
`,
  },
  {
    number: 6,
    name: 'rollouts',
    sql: `
CREATE TABLE rollout_bundles (digest TEXT PRIMARY KEY, bytes BLOB NOT NULL, stored_us INTEGER NOT NULL) STRICT;

CREATE TABLE rollouts (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, digest TEXT NOT NULL, number INTEGER NOT NULL,
  signed_order BLOB NOT NULL, by_whom TEXT NOT NULL, reason TEXT NOT NULL, stages TEXT NOT NULL,
  started_us INTEGER NOT NULL, ended_us INTEGER, status TEXT NOT NULL, live INTEGER NOT NULL, body TEXT NOT NULL
) STRICT;
CREATE INDEX rollouts_live ON rollouts (live, seq);

CREATE TABLE rollout_notes (
  rollout TEXT NOT NULL, seq INTEGER NOT NULL, time_us INTEGER NOT NULL, agent TEXT NOT NULL, what TEXT NOT NULL,
  detail TEXT NOT NULL, PRIMARY KEY (rollout, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE agent_configs (
  agent TEXT PRIMARY KEY REFERENCES agents(agent), said_us INTEGER, said TEXT, answer TEXT
) STRICT, WITHOUT ROWID;
`,
  },
]
