import type { ErrorEntry } from './entry.ts'

/** Errors between agent and collector: connection, session, chain. */
export const SESSION_ERRORS = {
  COLLECTOR_UNREACHABLE: {
    exit: 69,
    retry: true,
    summary: 'The collector cannot be reached.',
    remedy:
      'Check the address, the network and that the collector runs. The agent goes on and sends what it kept afterwards.',
  },
  DATABASE_BUSY: {
    exit: 75,
    retry: true,
    summary: 'The database is in use by another program, or more is waiting to be written than it can take.',
    remedy:
      'Check that only one collector uses this data folder and that its disk keeps up. Agents send again by themselves.',
  },
  DATABASE_DAMAGED: {
    exit: 65,
    retry: false,
    summary: 'The database is damaged.',
    remedy:
      'Stop the collector, keep the file, and restore the data folder from a backup. Agents keep what has no receipt.',
  },
  DATABASE_FAILED: {
    exit: 69,
    retry: true,
    summary: 'The database cannot be read or written.',
    remedy: 'Check the data folder: that it exists, that this user owns it, and that its disk works.',
  },
  DATABASE_VERSION: {
    exit: 65,
    retry: false,
    summary: 'The database was written by another version of this program.',
    remedy: 'Start the version that wrote it, or a newer one. Nothing was changed.',
  },
  OPERATORS_NOT_LOOPBACK: {
    exit: 78,
    retry: false,
    summary: 'The page for operators may only listen on this machine.',
    remedy:
      'Set `operators_listen.host` to 127.0.0.1 or ::1 and reach it through a tunnel: there are no operator accounts yet.',
  },
  AGENT_CERTIFICATE: {
    exit: 77,
    retry: false,
    summary: 'A certificate names no agent of this deployment.',
    remedy: 'Issue a client certificate with the URI `spiffe://DEPLOYMENT/agent/AGENT` for this agent.',
  },
  AGENT_UNKNOWN: {
    exit: 77,
    retry: false,
    summary: 'An agent is not enrolled.',
    remedy: 'Add the agent with its public key to `agents` in collector.yaml and restart the collector.',
  },
  AGENT_WRONG_DEPLOYMENT: {
    exit: 78,
    retry: false,
    summary: 'An agent belongs to another deployment.',
    remedy: 'Compare `deployment` in runtime.yaml and collector.yaml.',
  },
  AGENT_WRONG_KEY: {
    exit: 77,
    retry: false,
    summary: 'An agent signs with a key that is not the enrolled one.',
    remedy:
      'Compare the key on the agent with `public_key_file`. If nobody changed it, treat the rig as tampered with.',
  },
  AGENT_WRONG_PROGRAM: {
    exit: 77,
    retry: false,
    summary: 'An agent speaks for a program or a rig that is not its own.',
    remedy: 'Add the program to this agent in collector.yaml, or correct `program` of the rig in runtime.yaml.',
  },
  CHAIN_EQUIVOCATION: {
    exit: 65,
    retry: false,
    summary: 'An agent signed two different batches with the same number.',
    remedy:
      'Keep both. Two agents share a key, or a state folder was restored from a copy: investigate before enrolling it anew.',
  },
  CHAIN_GAP: {
    exit: 65,
    retry: false,
    summary: 'Batches are missing between the last receipted one and the one offered.',
    remedy:
      'Look for the missing batches in the outbox of the agent. A collector that lost its data must get it back from a backup.',
  },
  CHAIN_WRONG_PREV: {
    exit: 65,
    retry: false,
    summary: 'A batch does not name the batch before it.',
    remedy: 'Keep the batch. The history on the agent is not the one the collector has.',
  },
  CHAIN_REPLAY: {
    exit: 65,
    retry: false,
    summary: 'An agent offers history that is already over.',
    remedy: 'Check whether a state folder was restored from a copy. What the collector has stands.',
  },
  CHAIN_SKIPPED: {
    exit: 65,
    retry: false,
    summary: 'An agent began a new epoch and decisions of the one before never came.',
    remedy: 'The batch was taken. Look for the old state folder: what it holds is missing here.',
  },
  CHAIN_RENEWED: {
    exit: 65,
    retry: false,
    summary: 'An agent began a new epoch with the key it has: its outbox was damaged or lost its end.',
    remedy:
      'What the collector had stands, and what was told again is the same. Look at the disk of the rig, and whether its state folder was copied.',
  },
  EVIDENCE_DAMAGED: {
    exit: 65,
    retry: false,
    summary: 'Something stored at the collector is not what was signed.',
    remedy:
      'Run `hb collector fsck` for all of it and look at the disk. Restore the data folder from a copy: agents send again what they still hold.',
  },
  EVIDENCE_LOST: {
    exit: 65,
    retry: false,
    summary: 'An agent declared, signed, that journal records or decisions of it cannot be had any more.',
    remedy: 'The batch was taken. Look at the disk of the rig; the ranges named have no raw evidence.',
  },
  DETAIL_THINNED: {
    exit: 65,
    retry: false,
    summary: 'An agent declared, signed, that batches which only repeated PASS keep no more than their headers.',
    remedy:
      'Its outbox was near its bound because the collector was away. `hb replay` on the rig still proves them while the journal reaches back; raise `outbox.bytes_max` when this must not happen.',
  },
  SESSION_PROTOCOL: {
    exit: 65,
    retry: false,
    summary: 'A message of a session is not what the protocol says.',
    remedy: 'Compare the versions of agent and collector.',
  },
  SESSION_TIMEOUT: {
    exit: 75,
    retry: true,
    summary: 'A connection did not become a session in time.',
    remedy:
      'Nothing when it was a scanner or a network that broke. When an agent is named, look at the network between it and the collector.',
  },
  HANDSHAKE_REFUSED: {
    exit: 77,
    retry: false,
    summary: 'A connection did not make a TLS 1.3 handshake.',
    remedy: 'Find out what connects: an agent of this version always does. The detail is what the TLS library says.',
  },
  SESSION_CREDIT: {
    exit: 65,
    retry: false,
    summary: 'An agent sent more batches than it was given credit for.',
    remedy: 'Compare the versions of agent and collector.',
  },
  SESSIONS_FULL: {
    exit: 75,
    retry: true,
    summary: 'The collector has as many sessions as it may have.',
    remedy: 'Wait for others to end, or run another collector.',
  },
  VERIFY_FAILED: {
    exit: 70,
    retry: true,
    summary: 'A batch could not be verified because the verifier itself failed.',
    remedy: 'The agent sends it again. If it stays, keep the batch and report it as a defect.',
  },
  BASELINE_NOT_ACTIVATED: {
    exit: 65,
    retry: true,
    summary: 'An agent did not take a baseline that the collector sent; the one before stays in force.',
    remedy:
      'See the reason. The agent believes the `operators` of its own runtime.yaml: compare their keys, program, rig and mode.',
  },
  DECISION_UNKNOWN: {
    exit: 66,
    retry: false,
    summary: 'There is no such decision here.',
    remedy:
      'Check the id: AGENT:NUMBER, or the number alone beside a state folder. A collector has a decision once its batch is receipted.',
  },
  BATCH_UNKNOWN: {
    exit: 66,
    retry: false,
    summary: 'There is no such batch here.',
    remedy: 'Check agent, epoch and number.',
  },
  SLICE_UNAVAILABLE: {
    exit: 66,
    retry: true,
    summary: 'The agent could not give the raw samples around a decision.',
    remedy: 'See the reason. Samples older than the journal on the agent are gone.',
  },
} as const satisfies Record<string, ErrorEntry>
