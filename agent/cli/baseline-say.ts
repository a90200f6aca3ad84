import type { Command } from 'commander'
import { isBundle } from '../../shared/codec/baseline-bundle.ts'
import { decodeBaseline } from '../../shared/codec/baseline-record.ts'
import { BASELINE_BYTES_MAX, readBytes } from '../../shared/config/files.ts'
import type { Trust } from '../../shared/config/operators.ts'
import { defaultQualityPolicy, policyDigest } from '../../shared/config/quality-policy.ts'
import { YAML_BYTES_MAX } from '../../shared/config/yaml-text.ts'
import { equalBytes, toHex } from '../../shared/crypto/digest.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { printResult, utc } from '../../shared/lib/command-output.ts'
import { spanOption } from '../../shared/lib/span.ts'
import { type BaselineRequest, isInForce, slotOf, type Tagged } from '../../shared/model/baseline-book.ts'
import type { StatementKind } from '../../shared/model/baseline-statement.ts'
import { PERSONS_NOTE } from '../../shared/model/order.ts'
import {
  about,
  digestNamed,
  NOTE_LINE,
  namesOf,
  requestNamed,
  type Saying,
  type SayOptions,
  saying,
} from './baseline-book.ts'
import { creepInBook, creepLine } from './baseline-decay.ts'

type GlassOptions = Readonly<{
  breakGlass?: boolean
  overrideReason?: string
  overrideOperatorId?: string
  overrideExpiresIn: string
}>

/** Adds the commands by which people say something about a baseline. */
export function sayCommands(baseline: Command): void {
  said(baseline.command('propose'), 'propose a record as what it is meant to be; a new or empty folder begins a book')
    .argument('<file>', 'baseline record (.hbb)')
    .option('--policy <file>', 'policy its gate was computed with; every default otherwise')
    .action(propose)
  onBaseline(baseline.command('review'), 'say that a proposed baseline was looked at; not by who proposed it').action(
    step('review'),
  )
  onBaseline(baseline.command('approve'), 'approve a reviewed baseline; not by who proposed or reviewed it')
    .option('--break-glass', 'approve although its gate was not passed; logged, and over by itself')
    .option('--override-reason <text>', 'with --break-glass: why')
    .option('--override-operator-id <id>', 'with --break-glass: who answers for it')
    .option('--override-expires-in <span>', 'with --break-glass: for how long, at most 7d', '24h')
    .action(approve)
  onBaseline(baseline.command('reject'), 'turn a proposal down; the request is closed').action(step('reject'))
  onBaseline(baseline.command('withdraw'), 'take a proposal back; by who proposed it').action(step('withdraw'))
  onBaseline(baseline.command('expire'), 'end a proposal, or a baseline that is in force').action(step('expire'))
  onBaseline(baseline.command('tag'), 'let a tag of its programme name a baseline that is in force')
    .argument('<tag>', 'name of the tag; golden and rolling are moved by approvals alone')
    .action((digest: string, tag: string, options: SayOptions) => setTag(digest, tag, options))
  said(baseline.command('promote'), 'the same in the words of the predecessor')
    .requiredOption('--version <digest>', 'baseline, by its digest')
    .requiredOption('--tag <name>', 'name of the tag')
    .action((options: SayOptions & { version: string; tag: string }) => setTag(options.version, options.tag, options))
  said(baseline.command('rollback'), 'go back to the baseline that was in force before, in one step')
    .option('--tag <name>', 'golden, rolling or a tag', 'golden')
    .option('--rig <id>', 'rig; may be left out when there is only one')
    .option('--family <id>', 'family of rigs')
    .option('--program <id>', 'programme; may be left out when there is only one')
    .option('--mode <mode>', 'operational mode; may be left out when there is only one')
    .option('--to <digest>', 'baseline to go back to; the one before otherwise')
    .action(rollback)
}

/** Options of everything that is said. */
function said(command: Command, description: string): Command {
  return command
    .description(description)
    .requiredOption('--book <dir>', 'folder of the book of baselines')
    .requiredOption('--key <file>', 'private key of who says it; see hb keys create')
    .requiredOption('--reason <text>', 'why; it is signed with it')
    .option('--operators <file>', 'people who are trusted; operators.yaml in the folder of the book otherwise')
    .option('--json', 'one JSON object')
}

function onBaseline(command: Command, description: string): Command {
  return said(command, description)
    .argument('<digest>', 'baseline, by its digest or the beginning of it')
    .option('--request <id>', 'request; the newest of this baseline otherwise')
}

/** @throws HbError BASELINE_GATE_DIFFERS, BASELINE_REFUSED, BASELINE_SHAPE, BOOK_… */
function propose(file: string, options: SayOptions & Readonly<{ policy?: string }>): void {
  const bytes = given(file, BASELINE_BYTES_MAX)
  if (isBundle(bytes))
    throw new HbError('BASELINE_SHAPE', { file, found: 'a baseline with its statements', expected: 'a record' })
  const record = decodeBaseline(bytes)
  const policy = policyFor(record.gate.policy, options.policy)
  saying(options, (with_) => {
    const digest = with_.book.addRecord(bytes, policy)
    say(with_, [{ ...about(with_.book.records.get(digest)!, digest, 'propose'), reason: options.reason }])
    report(options, with_, digest)
  })
}

function given(file: string, bytesMax: number): Uint8Array {
  const bytes = readBytes(file, bytesMax)
  if (bytes instanceof Uint8Array) return bytes
  throw new HbError('USAGE', { argument: 'file', found: file, reason: bytes.reason })
}

/** The policy that a gate names: a file, or the defaults when it names those. */
function policyFor(digest: Uint8Array, file: string | undefined): Uint8Array {
  if (file !== undefined) return given(file, YAML_BYTES_MAX)
  const { bytes } = defaultQualityPolicy()
  if (equalBytes(policyDigest(bytes), digest)) return bytes
  throw new HbError('USAGE', {
    option: '--policy',
    found: 'nothing',
    expected: `the policy with the digest ${toHex(digest)}, which the gate of this record was computed with`,
  })
}

function step(kind: StatementKind): (digest: string, options: SayOptions) => void {
  return (text, options) => {
    saying(options, (with_) => {
      const digest = digestNamed(with_.book, text)
      const { request } = requestNamed(with_.book.log().state, digest, options.request)
      say(with_, [{ ...about(with_.book.records.get(digest)!, digest, kind), request, reason: options.reason }])
      report(options, with_, digest)
    })
  }
}

/** Break-glass stands for the gate, never for the people: both statements are kept, or neither. */
function approve(text: string, options: SayOptions & GlassOptions): void {
  const span = spanOption(options.overrideExpiresIn, '--override-expires-in')
  saying(options, (with_) => {
    const digest = digestNamed(with_.book, text)
    const { request } = requestNamed(with_.book.log().state, digest, options.request)
    const record = with_.book.records.get(digest)!
    const approval = { ...about(record, digest, 'approve'), request, reason: options.reason }
    const { overrideReason = '', overrideOperatorId = '' } = options
    requireOperator(with_.trust, options.overrideOperatorId)
    if (options.breakGlass === true && (overrideReason.trim() === '' || overrideOperatorId.trim() === ''))
      throw new HbError('USAGE', {
        option: '--break-glass',
        expected: '--override-reason and --override-operator-id beside it',
      })
    const glass = {
      ...about(record, digest, 'break_glass'),
      ...{ request, reason: overrideReason, operator: overrideOperatorId, untilUs: with_.nowUs + span },
    }
    refuseCreep(with_, digest)
    say(with_, options.breakGlass === true ? [glass, approval] : [approval])
    report(options, with_, digest)
  })
}

/** The person for whom the glass is broken is one of those who are trusted, not a word. @throws HbError USAGE */
function requireOperator({ operators }: Trust, name: string | undefined): void {
  if (name === undefined || operators.some((one) => one.name === name)) return
  throw new HbError('USAGE', {
    option: '--override-operator-id',
    found: name,
    expected: operators.map((one) => one.name).join(', '),
  })
}

/** Golden alone may say that the rig is another one now. @throws HbError BASELINE_CREEP */
function refuseCreep({ book, nowUs }: Saying, digest: string): void {
  const { record } = book.records.get(digest)!
  if (record.kind !== 'rolling') return
  const crept = creepInBook(book, record, nowUs).filter(({ ground }) => ground !== null)
  if (crept.length > 0)
    throw new HbError('BASELINE_CREEP', { baseline: digest, found: crept.map(creepLine).join('; ') })
}

function setTag(text: string, tag: string, options: SayOptions): void {
  saying(options, (with_) => {
    const digest = digestNamed(with_.book, text)
    const { request } = requestNamed(with_.book.log().state, digest, options.request)
    say(with_, [{ ...about(with_.book.records.get(digest)!, digest, 'tag'), request, tag, reason: options.reason }])
    report(options, with_, digest)
  })
}

type RollbackOptions = SayOptions &
  Readonly<{ tag: string; rig?: string; family?: string; program?: string; mode?: string; to?: string }>

function rollback(options: RollbackOptions): void {
  saying(options, (with_) => {
    const { book, nowUs } = with_
    const history = historyOf(with_, options)
    const { requests } = book.log().state
    const wanted = options.to === undefined ? undefined : digestNamed(book, options.to)
    const live = history.filter((one) => isInForce(requests.get(one.request), nowUs))
    const before =
      wanted === undefined
        ? beforeLast(live)
        : live.findLast(({ digest }) => digest === wanted && digest !== live.at(-1)?.digest)
    if (before === undefined)
      throw new HbError('BASELINE_REFUSED', { statement: 'rollback', reason: 'no_earlier_baseline', tag: options.tag })
    const { digest, request } = before
    const { tag, reason } = options
    say(with_, [{ ...about(book.records.get(digest)!, digest, 'rollback'), request, tag, reason }])
    report(options, with_, digest)
  })
}

/** What stood before the last one; one that was left by going back is not gone back to. */
function beforeLast(history: readonly Tagged[]): Tagged | undefined {
  const path: Tagged[] = []
  for (const one of history) {
    const at = path.findIndex(({ digest }) => digest === one.digest)
    path.splice(at < 0 ? path.length : at)
    path.push(one)
  }
  return path.at(-2)
}

/** The one history that the options leave. @throws HbError USAGE when they leave none or several */
function historyOf({ book }: Saying, options: RollbackOptions): readonly Tagged[] {
  const { state } = book.log()
  const isSlot = options.tag === 'golden' || options.tag === 'rolling'
  const isMeant = (r: BaselineRequest): boolean =>
    [
      [options.program, r.program],
      [options.rig, r.rig],
      [options.family, r.family],
      [options.mode, r.mode],
    ].every(([wanted, is]) => wanted === undefined || wanted === is)
  const keys = new Set(
    [...state.requests.values()]
      .filter(isMeant)
      .map((r) => (isSlot ? slotOf(r, options.tag as 'golden' | 'rolling') : `${r.program} ${options.tag}`))
      .filter((key) => (isSlot ? state.slots : state.tags).has(key)),
  )
  const [key] = keys
  if (keys.size !== 1 || key === undefined)
    throw new HbError('USAGE', {
      option: '--tag',
      found: `${keys.size} histories of ${options.tag}`,
      expected: 'one, by --program, --rig or --family, and --mode',
    })
  return (isSlot ? state.slots : state.tags).get(key)!
}

function say({ book, signer, nowUs }: Saying, statements: Parameters<Saying['book']['say']>[0]): void {
  book.say(statements, signer, nowUs)
}

/** What was said, and what it comes to. */
function report(options: SayOptions, { book, trust, nowUs }: Saying, digest: string): void {
  const log = book.log()
  const last = log.entries.at(-1)!.statement!
  const request = log.state.requests.get(last.request) ?? null
  const { gate, passed, problems, policy } = book.records.get(digest)!
  const inForce = request !== null && isInForce(request, nowUs)
  const until = request?.breakGlass?.untilUs ?? 0
  printResult(
    options.json,
    {
      ok: true,
      statement: last.kind,
      number: last.seq,
      by: namesOf(trust)(last.by),
      digest,
      request: request?.request ?? null,
      status: request?.status ?? null,
      in_force: inForce,
      gate: { passed, reasons: [...gate.reasons, ...problems.map(({ text }) => text)], confidence: gate.confidence },
      policy: toHex(policyDigest(policy)),
      break_glass_until_us: until,
      note: PERSONS_NOTE,
    },
    [
      `${last.kind} by ${namesOf(trust)(last.by)}: statement ${last.seq} of the book`,
      `baseline ${digest}`,
      ...(request === null
        ? []
        : [
            `request ${request.request.slice(0, 12)} is ${request.status}${inForce ? ', and the baseline is in force' : ''}`,
          ]),
      ...(until > 0 ? [`break-glass ends by itself at ${utc(until)}`] : []),
      `gate by policy ${toHex(policyDigest(policy)).slice(0, 12)}: ${passed ? 'passed' : 'not passed'}`,
      ...gate.reasons.map((reason) => `gate: ${reason}`),
      ...problems.map(({ text }) => `gate: ${text}`),
      NOTE_LINE,
    ],
  )
}
