import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Command } from 'commander'
import { type LoadedRuntime, loadRuntimeConfig } from '../../shared/config/load.ts'
import { equalBytes } from '../../shared/crypto/digest.ts'
import { loadSigner } from '../../shared/crypto/key-file.ts'
import type { Signer, VerifyKey } from '../../shared/crypto/sign.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { numberOption, printResult } from '../../shared/lib/command-output.ts'
import {
  createStickWriter,
  openManifest,
  readStick,
  STICK_BYTES_MAX,
  STICK_THINNED_VERSION,
  STICK_VERSION,
  type StickContent,
  StickError,
  type StickProblem,
} from '../../shared/protocol/stick.ts'
import { stickBytes } from '../../shared/protocol/stick-bytes.ts'
import type { Bytes } from '../../shared/units.ts'
import { askAgent, RECEIPTS_AT_ONCE_MAX } from '../adapters/control-server.ts'
import { diskError, syncFolder, systemFiles } from '../adapters/files.ts'
import { lockHolder } from '../adapters/state-folder.ts'
import { readCode } from '../code-identity.ts'
import { checkReceipts, type ReceiptProblem, takeReceipts } from '../pipeline/receipts.ts'
import { loadReceiptKey } from '../receipt-key.ts'
import { openStorage, type StorageView, viewStorage } from '../storage.ts'

type StickOptions = Readonly<{ config: string; state: string; from?: string; json?: boolean }>

/** Batches read at once. */
const BATCHES_AT_ONCE = 64
/** Room kept for the manifest. */
const MANIFEST_BYTES: Bytes = 64 * 1024

/** Adds `hb outbox export|receipts`. */
export function outboxCommands(program: Command): void {
  const outbox = program.command('outbox').description('signed batches of a rig whose only link is a stick')
  outbox
    .command('export')
    .description('write every batch without a receipt into a file for `hb collector import`; nothing is deleted')
    .argument('<file>', 'new file')
    .requiredOption('--config <file>', 'runtime.yaml of the agent')
    .requiredOption('--state <dir>', 'state folder of the agent, running or not')
    .option('--from <batch>', 'first batch, also one that has a receipt; the first without one otherwise')
    .option('--json', 'one JSON object')
    .action(exportBatches)
  outbox
    .command('receipts')
    .description('take the receipts that a collector wrote for such a file; only what they cover may then make room')
    .argument('<file>', 'file of receipts')
    .requiredOption('--config <file>', 'runtime.yaml of the agent')
    .requiredOption('--state <dir>', 'state folder of the agent, running or not')
    .option('--json', 'one JSON object')
    .action(receipts)
}

/** @throws HbError STATE_MISSING, AGENT_WRONG_KEY, OUTBOX_DAMAGED, USAGE, DISK_… */
async function exportBatches(file: string, options: StickOptions): Promise<void> {
  const loaded = loadRuntimeConfig(options.config)
  const signer = loadSigner(resolve(loaded.folder, loaded.config.signing_key_file))
  const view = viewOf(options.state, loaded, signer)
  const from =
    options.from === undefined
      ? view.outbox.receiptedThrough + 1
      : numberOption(options.from, '--from', { min: 1, max: 2 ** 48 })
  makeDurable(options.state)
  const fd = openNew(file)
  try {
    const writing = { view, loaded, signer, from, thinned: view.outbox.hasThinned }
    // A running agent may thin its outbox meanwhile: then once more, as a file that says so.
    const written = (await writeBatches(fd, writing)) ?? (await writeBatches(fd, { ...writing, thinned: true }))!
    fsyncSync(fd)
    closeSync(fd)
    syncFolder(systemFiles, dirname(resolve(file)))
    const { first, last, batches, bytes, left } = written
    printResult(options.json, { file, epoch: view.outbox.epoch, first, last, batches, bytes, left }, [
      batches === 0 ? `${file}: no batch waits for a receipt` : `${file}: batches ${first} to ${last}, ${bytes} bytes`,
      ...(left === 0 ? [] : [`${left} batches more: export again into another file with --from ${last + 1}`]),
      'nothing was deleted here; that is for the receipts to do',
    ])
  } catch (cause) {
    unlinkSync(file)
    throw diskError(cause, file)
  }
}

function viewOf(state: string, { config }: LoadedRuntime, signer: Signer): StorageView {
  const view = viewStorage(state)
  const { agent, spki } = view.identity
  if (agent !== config.agent)
    throw new HbError('STATE_FOLDER_SHAPE', {
      path: state,
      found: `the state of agent ${agent}`,
      expected: config.agent,
    })
  if (!equalBytes(spki, signer.spki))
    throw new HbError('AGENT_WRONG_KEY', { path: state, found: 'batches that were signed with another key' })
  // A start begins a new epoch and signs anew what is left.
  if (view.outbox.chainBroken) throw new HbError('OUTBOX_DAMAGED', { path: state, damaged: view.outbox.damage.length })
  return view
}

/** Nothing leaves a rig before it would survive a power cut there, also what a running agent has just written. */
function makeDurable(state: string): void {
  const folder = `${state}/outbox`
  try {
    for (const name of readdirSync(folder).filter((one) => one.endsWith('.hbo'))) {
      const fd = openSync(`${folder}/${name}`, 'r')
      fdatasyncSync(fd)
      closeSync(fd)
    }
  } catch (cause) {
    throw diskError(cause, folder)
  }
}

function openNew(file: string): number {
  try {
    return openSync(file, 'wx', 0o600)
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown'
    throw new HbError('USAGE', { argument: 'file', found: file, expected: 'a new file', reason }, { cause })
  }
}

type Writing = Readonly<{
  view: StorageView
  loaded: LoadedRuntime
  signer: Signer
  from: number
  /** The file may hold thinned batches; one without them can be read by any collector. */
  thinned: boolean
}>

/** @returns null when a thinned batch came that the file may not hold */
async function writeBatches(fd: number, { view: { outbox }, loaded: { config }, signer, from, thinned }: Writing) {
  let bytes = 0
  ftruncateSync(fd, 0)
  const write = (part: Uint8Array): void => {
    for (let done = 0; done < part.length; ) done += writeSync(fd, part, done, part.length - done, bytes + done)
    bytes += part.length
  }
  const stick = createStickWriter('batches', write, thinned ? STICK_THINNED_VERSION : STICK_VERSION)
  let first = from
  let next = from
  let isFull = false
  while (!isFull) {
    const entries = await outbox.read(next, BATCHES_AT_ONCE)
    if (entries.length === 0) break
    for (const entry of entries) {
      isFull = bytes + entry.cose.length + (entry.records?.length ?? 0) + MANIFEST_BYTES > STICK_BYTES_MAX
      if (isFull) break
      if (entry.records === null && !thinned) return null
      // Batches before the oldest one here were deleted when they were receipted.
      if (bytes === 0 || next === from) first = entry.batchSeq
      stick.batch(entry)
      next = entry.batchSeq + 1
    }
  }
  const { version } = await readCode()
  stick.finish(
    {
      deployment: config.deployment,
      agent: config.agent,
      madeUs: systemClock().nowUs(),
      version,
      rigs: config.rigs.map(({ rig, program }) => ({ rig, program })),
    },
    signer,
  )
  return { first, last: next - 1, batches: next - first, bytes, left: outbox.lastBatchSeq - next + 1 }
}

/** @throws StickError with everything that is wrong; then nothing was taken */
async function receipts(file: string, options: StickOptions): Promise<void> {
  const loaded = loadRuntimeConfig(options.config)
  const key = loadReceiptKey(loaded)
  if (key === null)
    throw new HbError('USAGE', {
      found: 'a configuration without a key for receipts',
      expected: '`collector` or `receipts_key_file` in it',
    })
  const content = readStick(file, stickBytes(file), 'receipts')
  checkManifest(content, loaded, key)
  const { agent } = loaded.config
  const all = content.receipts.map(({ receipt }) => receipt)
  const view = viewStorage(options.state)
  const checked = await checkReceipts(all, { outbox: view.outbox, agent, key })
  refuseProblems(file, checked.problems)
  const taken = await take(all, { options, loaded, key })
  printResult(options.json, { file, receipts: all.length, ...taken }, [
    `${file}: ${all.length} receipts, ${taken.taken} new; ${taken.waiting} batches wait for theirs`,
  ])
}

function checkManifest(content: StickContent, { config }: LoadedRuntime, key: VerifyKey): void {
  const { file } = content
  const { deployment, agent } = openManifest(content, 'receipts', key)
  const problems: StickProblem[] = []
  if (deployment !== config.deployment)
    problems.push({
      file,
      key: 'manifest',
      found: deployment,
      expected: config.deployment,
      code: 'AGENT_WRONG_DEPLOYMENT',
    })
  if (agent !== config.agent)
    problems.push({ file, key: 'manifest', found: agent, expected: config.agent, code: 'RECEIPT_FOREIGN' })
  if (problems.length > 0) throw new StickError(problems)
}

function refuseProblems(file: string, problems: readonly ReceiptProblem[]): void {
  if (problems.length === 0) return
  throw new StickError(problems.map(({ batch, code, detail }) => ({ file, key: batch, found: detail, code })))
}

type Taking = Readonly<{ options: StickOptions; loaded: LoadedRuntime; key: VerifyKey }>
type Taken = { taken: number; known: number; waiting: number }

/** A running agent does it itself; else the folder is locked meanwhile. Either way every receipt is verified again. */
async function take(all: readonly Uint8Array[], { options: { state }, loaded, key }: Taking): Promise<Taken> {
  if (lockHolder(systemFiles, state) !== null) return takeByAgent(state, all)
  const signer = loadSigner(resolve(loaded.folder, loaded.config.signing_key_file))
  const storage = openStorage(state, loaded, { signer, nowUs: systemClock().nowUs() })
  try {
    const { outbox } = storage
    const { fitting, known, problems } = await takeReceipts(all, { outbox, agent: loaded.config.agent, key })
    refuseProblems(state, problems)
    return { taken: fitting.length, known, waiting: outbox.pending().batches }
  } finally {
    await storage.close()
  }
}

async function takeByAgent(state: string, all: readonly Uint8Array[]): Promise<Taken> {
  const total = { taken: 0, known: 0, waiting: 0 }
  for (let from = 0; from < Math.max(1, all.length); from += RECEIPTS_AT_ONCE_MAX) {
    const part = all.slice(from, from + RECEIPTS_AT_ONCE_MAX).map((bytes) => Buffer.from(bytes).toString('base64'))
    const answer = (await askAgent(state, '/receipts', { receipts: part })) as Taken
    total.taken += answer.taken
    total.known += answer.known
    total.waiting = answer.waiting
  }
  return total
}
