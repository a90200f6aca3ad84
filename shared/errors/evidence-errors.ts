import type { ErrorEntry } from './entry.ts'

/** Errors of signed bytes: encoding, signatures, keys, batches, baselines. */
export const EVIDENCE_ERRORS = {
  CBOR_REFUSED: {
    exit: 65,
    retry: false,
    summary: 'Bytes are not the one permitted encoding of a value.',
    remedy: 'Keep the bytes. They were damaged, or made by a program that does not keep the profile `signed`.',
  },
  COSE_SHAPE: {
    exit: 65,
    retry: false,
    summary: 'A signed message does not have the shape of its type.',
    remedy:
      'Keep the message and find out which program made it; versions that do not know each other refuse each other.',
  },
  BATCH_SIGNATURE: {
    exit: 65,
    retry: false,
    summary: 'A signed message does not match its signature.',
    remedy: 'Keep the message. Compare the key on the agent with the key enrolled for it.',
  },
  INJECTED_DATA: {
    exit: 65,
    retry: false,
    summary: 'What a baseline was to be made of holds injected samples.',
    remedy:
      'Make it of data that were measured. Injected samples are marked: by frames of a bench, or by the column `hb_injected` of a recording; a row with anything but blank or 0 there is injected.',
  },
  REALM_MISMATCH: {
    exit: 77,
    retry: false,
    summary: 'What is of a testbed and what is of production do not believe each other.',
    remedy:
      'Use keys, certificates, a state folder and a collector of the realm that the configuration states. A key of a testbed is made by `hb keys create --testbed`; nothing is carried from one realm to the other.',
  },
  BATCH_SHAPE: {
    exit: 65,
    retry: false,
    summary: 'A decision batch does not have the shape its version says.',
    remedy: 'Keep the batch. Compare the versions of agent and collector.',
  },
  BATCH_ROOT: {
    exit: 65,
    retry: false,
    summary: 'The records beside a decision batch are not the ones that were signed.',
    remedy: 'Keep both. The agent still has the records; ask for the batch again.',
  },
  STICK_DAMAGED: {
    exit: 65,
    retry: false,
    summary: 'A file for a stick is damaged, cut, or not one of this kind.',
    remedy:
      'Write it again with `hb outbox export` or `hb collector import`; nothing was taken from it, and nothing is lost.',
  },
  RECEIPT_FOREIGN: {
    exit: 65,
    retry: false,
    summary: 'A receipt is not of a batch that is here.',
    remedy: 'Check that the file of receipts belongs to this agent and this state folder. Nothing was deleted.',
  },
  BASELINE_SHAPE: {
    exit: 65,
    retry: false,
    summary: 'A baseline file is not a baseline record.',
    remedy: 'Make it again with `hb baseline create`; a baseline is never repaired by hand.',
  },
  BASELINE_NOT_CERTIFIED: {
    exit: 65,
    retry: false,
    summary: 'A baseline lacks what makes it more than a draft.',
    remedy:
      'See what is missing with `hb baseline explain`; it takes a review and its approvals, by different keys, and a gate that was passed.',
  },
  BASELINE_BUNDLE: {
    exit: 65,
    retry: false,
    summary: 'A baseline and the statements that certify it do not belong together, or one of them was changed.',
    remedy: 'Keep the file, and write it again with `hb baseline export` from the book it comes from.',
  },
  BASELINE_GATE_DIFFERS: {
    exit: 65,
    retry: false,
    summary: 'The quality gate of a baseline does not come out as its record says.',
    remedy:
      'Compare the policy file with the one it was made under. If it is the same, the record was made or changed by another program: make it again with `hb baseline create`.',
  },
  BASELINE_CREEP: {
    exit: 65,
    retry: false,
    summary: 'A rolling baseline has crept away from the golden one.',
    remedy:
      'Look at the rig: a slow fault would become nominal. If it is right as it is, make a new golden baseline and get it approved.',
  },
  BASELINE_REFUSED: {
    exit: 77,
    retry: false,
    summary: 'The book does not take this statement about a baseline.',
    remedy: 'See the reason, and what is open with `hb baseline requests`. Nothing was written.',
  },
  BASELINE_UNKNOWN: {
    exit: 66,
    retry: false,
    summary: 'The book has no such baseline or request.',
    remedy: 'Check the digest or its beginning with `hb baseline list`.',
  },
  KEY_REFUSED: {
    exit: 78,
    retry: false,
    summary: 'A key is not an Ed25519 key that may be used.',
    remedy: 'Make a new key with `hb keys create`, and enrol its public half at the collector.',
  },
  KEY_FILE_OPEN: {
    exit: 78,
    retry: false,
    summary: 'A private key file can be read or written by others.',
    remedy: 'Run `chmod 600` on the file. If others could have read it, make a new key.',
  },
  KEY_FILE_MISSING: {
    exit: 66,
    retry: false,
    summary: 'A key file cannot be read.',
    remedy: 'Check the path in the configuration; it is relative to the configuration file.',
  },
} as const satisfies Record<string, ErrorEntry>
