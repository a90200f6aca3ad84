import type { Command } from 'commander'
import { openBundle } from '../../shared/codec/baseline-bundle.ts'
import type { Trust } from '../../shared/config/operators.ts'
import { toHex } from '../../shared/crypto/digest.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { printResult, table, utc, writeNew } from '../../shared/lib/command-output.ts'
import type { BaselineGate, BaselineRecord } from '../../shared/model/baseline.ts'
import { type BaselineRequest, currentOf, slotOf, taggedAs } from '../../shared/model/baseline-book.ts'
import { PERSONS_NOTE } from '../../shared/model/order.ts'
import type { Micros } from '../../shared/units.ts'
import { type BookOptions, type BookView, digestNamed, lookInto, NOTE_LINE, namesOf, newest } from './baseline-book.ts'

/** Adds the commands that only look into a book. */
export function lookCommands(baseline: Command): void {
  looks(baseline.command('list'), 'every baseline of a book, and which is in force').action(list)
  looks(baseline.command('requests'), 'proposals that are open').option('--all', 'closed ones as well').action(requests)
  looks(baseline.command('show'), 'one baseline: what is known of every metric, its gate, and everything said about it')
    .argument('<digest>', 'baseline, by its digest or the beginning of it')
    .action(show)
  looks(baseline.command('export'), 'write a baseline with the statements that certify it, for an agent')
    .argument('<digest>', 'baseline, by its digest or the beginning of it')
    .requiredOption('--out <file>', 'file to write (.hbb); an existing one is refused')
    .action(exportBundle)
}

function looks(command: Command, description: string): Command {
  return command
    .description(description)
    .requiredOption('--book <dir>', 'folder of the book of baselines')
    .option('--operators <file>', 'people who are trusted; operators.yaml in the folder of the book otherwise')
    .option('--json', 'one JSON object')
}

type Seen = BookView & Readonly<{ trust: Trust }>

function list(options: BookOptions): void {
  const book = lookInto(options)
  const nowUs = systemClock().nowUs()
  const rows = [...book.records.keys()].map((digest) => rowOf(book, digest, nowUs))
  printResult(
    options.json,
    {
      book: book.id,
      statements: book.log().state.seq,
      torn_bytes: book.tornBytes,
      baselines: rows,
      note: PERSONS_NOTE,
    },
    [
      ...table([
        ['DIGEST', 'RIG', 'PROGRAMME', 'MODE', 'MEANT', 'STATUS', 'GATE', 'CONFIDENCE', 'IN FORCE', 'TAGS'],
        ...rows.map((r) => [
          r.digest.slice(0, 12),
          r.family === '' ? r.rig : `family ${r.family}`,
          r.program,
          r.mode,
          r.kind,
          r.status ?? 'draft',
          r.gate_passed ? 'passed' : 'failed',
          (r.confidence * r.decay).toFixed(2),
          r.in_force ? r.kind : '-',
          r.tags.join(' ') || '-',
        ]),
      ]),
      ...problemLines(book),
      NOTE_LINE,
    ],
  )
}

function rowOf(book: Seen, digest: string, nowUs: Micros) {
  const { state } = book.log()
  const { record, gate, passed } = book.records.get(digest)!
  const request = newest([...state.requests.values()].filter((r) => r.digest === digest))
  const { program, rig, family, mode, kind } = record
  const tags = [...state.tags.keys()]
    .filter((key) => key.startsWith(`${program} `))
    .map((key) => key.slice(program.length + 1))
    .filter((tag) => taggedAs(state, { program, tag }, nowUs)?.digest === digest)
  return {
    ...{ digest, program, rig, family, mode, kind, tags },
    status: request?.status ?? null,
    gate_passed: passed,
    confidence: gate.confidence,
    decay: state.decay.get(digest)?.factor ?? 1,
    in_force: currentOf(state, slotOf(record, kind), nowUs)?.digest === digest,
    made_us: record.madeUs,
  }
}

/** What an open book shows by itself: statements that count for nothing. */
function problemLines(book: Seen): string[] {
  const refused = book
    .log()
    .entries.flatMap(({ statement, refused: why }, k) =>
      why === null ? [] : [`statement ${k + 1} counts for nothing: ${statement?.kind ?? 'unread'}, ${why}`],
    )
  return [
    ...refused,
    ...(book.tornBytes > 0
      ? [`${book.tornBytes} bytes behind the last statement were never whole and count for nothing`]
      : []),
  ]
}

function requests(options: BookOptions & Readonly<{ all?: boolean }>): void {
  const book = lookInto(options)
  const nameOf = namesOf(book.trust)
  const shown = [...book.log().state.requests.values()].filter(
    ({ status }) => options.all === true || status === 'proposed' || status === 'reviewed',
  )
  printResult(options.json, { requests: shown.map((r) => requestJson(r, nameOf)), note: PERSONS_NOTE }, [
    ...table([
      ['REQUEST', 'BASELINE', 'RIG', 'AS', 'STATUS', 'PROPOSED', 'REVIEWED', 'APPROVED', 'GATE', 'SINCE (UTC)'],
      ...shown.map((r) => [
        r.request.slice(0, 12),
        r.digest.slice(0, 12),
        r.family === '' ? r.rig : `family ${r.family}`,
        r.as,
        r.status,
        nameOf(r.proposer),
        r.reviewer === '' ? '-' : nameOf(r.reviewer),
        r.approvers.map(nameOf).join(' ') || '-',
        r.gatePassed ? 'passed' : 'failed',
        utc(r.changedUs),
      ]),
    ]),
    NOTE_LINE,
  ])
}

function requestJson(r: BaselineRequest, nameOf: (key: string) => string): Record<string, unknown> {
  return {
    request: r.request,
    digest: r.digest,
    as: r.as,
    status: r.status,
    gate_passed: r.gatePassed,
    proposer: nameOf(r.proposer),
    reviewer: r.reviewer === '' ? null : nameOf(r.reviewer),
    approvers: r.approvers.map(nameOf),
    proposed_us: r.proposedUs,
    changed_us: r.changedUs,
    reason: r.reason,
    break_glass:
      r.breakGlass === null
        ? null
        : {
            by: nameOf(r.breakGlass.by),
            operator: r.breakGlass.operator,
            reason: r.breakGlass.reason,
            until_us: r.breakGlass.untilUs,
          },
  }
}

function show(text: string, options: BookOptions): void {
  const book = lookInto(options)
  const digest = digestNamed(book, text)
  const { record, gate } = book.records.get(digest)!
  const statements = saidAbout(book, digest)
  const row = rowOf(book, digest, systemClock().nowUs())
  const { passed, reasons, confidence, inputs } = gate
  printResult(
    options.json,
    {
      ...row,
      gate: { passed, reasons, confidence, inputs, policy: toHex(gate.policy) },
      segments: record.segments,
      metrics: record.metrics.map((m) => ({
        ...{ metric: m.metric, unit: m.unit, mean: m.mean, sd: m.sd, effective_n: m.effectiveCount },
        ...{ detectable_shift: m.detectableShift, tolerance: m.tolerance },
      })),
      statements,
      note: PERSONS_NOTE,
    },
    [
      `baseline ${digest}: ${row.status ?? 'not proposed'}${row.in_force ? `, in force as ${row.kind}` : ''}`,
      ...gateLines(gate),
      ...metricLines(record),
      ...table([
        ['NO', 'TIME (UTC)', 'SAID', 'BY', 'WHY'],
        ...statements.map(({ number, at_us, kind, refused, by, reason }) => [
          String(number),
          utc(at_us),
          refused === null ? kind : `${kind} (refused: ${refused})`,
          by,
          reason,
        ]),
      ]),
      NOTE_LINE,
    ],
  )
}

function saidAbout(book: Seen, digest: string) {
  const nameOf = namesOf(book.trust)
  return book
    .log()
    .entries.flatMap(({ statement: s, refused }) =>
      s === null || s.digest !== digest
        ? []
        : [{ number: s.seq, kind: s.kind, by: nameOf(s.by), at_us: s.atUs, reason: s.reason, tag: s.tag, refused }],
    )
}

function gateLines(gate: BaselineGate): string[] {
  return [
    ...table([
      ['GATE INPUT', 'VALUE', 'BOUND', 'SCORE'],
      ...gate.inputs.map((i) => [i.name, i.value.toPrecision(4), String(i.bound), i.score.toPrecision(3)]),
    ]),
    `confidence ${gate.confidence.toFixed(3)}, gate ${gate.passed ? 'passed' : 'failed'}`,
    ...gate.reasons.map((reason) => `gate: ${reason}`),
  ]
}

function metricLines({ metrics }: BaselineRecord): string[] {
  return table([
    ['METRIC', 'UNIT', 'MEAN', 'SD', 'EFFECTIVE N', 'SEES SHIFTS OF', 'TOLERANCE'],
    ...metrics.map((m) => [
      m.metric,
      m.unit,
      m.mean.toPrecision(5),
      m.sd.toPrecision(3),
      m.effectiveCount.toFixed(0),
      m.detectableShift.toPrecision(3),
      m.tolerance === null ? '-' : String(m.tolerance),
    ]),
  ])
}

function exportBundle(text: string, options: BookOptions & Readonly<{ out: string }>): void {
  const book = lookInto(options)
  const digest = digestNamed(book, text)
  const bytes = book.bundle(digest)
  const opened = openBundle(bytes, { ...book.trust, nowUs: systemClock().nowUs() })
  writeNew(options.out, bytes, 0o644)
  const problems = opened.problems.map((problem) => problem.text)
  printResult(
    options.json,
    { file: options.out, digest, bytes: bytes.length, counts_as: opened.effectiveKind, problems, note: PERSONS_NOTE },
    [
      `${options.out}: ${bytes.length} bytes, counts as ${opened.effectiveKind}`,
      ...problems.map((problem) => `draft: ${problem}`),
      NOTE_LINE,
    ],
  )
}
