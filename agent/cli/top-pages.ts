import { printable, table, utc } from '../../shared/lib/command-output.ts'
import { type Style, styled } from '../../shared/lib/screen.ts'
import type { Vitals } from '../../shared/protocol/messages.ts'
import type { AgentDetail, CountsJson, FillJson, RigDetail } from '../detail-json.ts'
import { glassBanner } from './break-glass.ts'

/** Samples a second by rig, by rig and metric, and frames a second by rig and source; null until there are two looks. */
export type AgentRates = Readonly<{
  over_s: number | null
  rigs: readonly Readonly<{
    rig: string
    received_per_s: number | null
    channels: readonly (number | null)[]
    sources: readonly (number | null)[]
  }>[]
}>

/** What of the answer of a collector is shown. */
export type FleetAnswer = Readonly<{
  now_us: number
  label: string
  agents: readonly Readonly<{
    agent: string
    connected: boolean
    version: string
    seen_us: number | null
    head: Readonly<{ epoch: number; batch_seq: number }> | null
  }>[]
  vitals: readonly (Vitals & Readonly<{ agent: string; heard_age_ms: number }>)[]
  refusals: readonly Readonly<{ code: string; agent: string; count: number; time_us: number }>[]
}>

/** Fill of a queue from which on it is marked. */
const NEARLY_FULL = 0.8
/** Vitals come twice a second; what is older than this is of a rig that nobody hears. */
const HEARD_MS_MAX = 3_000
const REFUSALS_SHOWN = 5

/** Differences of two looks over the time between them, by the agent's own clock. Counters that went back give no rate. */
export function agentRates(now: AgentDetail, before: AgentDetail | null): AgentRates {
  const overS = before === null ? null : (now.now_us - before.now_us) / 1_000_000
  const rate = (a: number | null | undefined, b: number | null | undefined): number | null => {
    if (overS === null || !(overS > 0) || typeof a !== 'number' || typeof b !== 'number') return null
    return a >= b ? (a - b) / overS : null
  }
  return {
    over_s: overS,
    rigs: now.rigs.map((rig) => {
      const old = before?.rigs.find((r) => r.rig === rig.rig)
      const channels = new Map(old?.channels.map((c) => [c.metric, c.counters.received]))
      const sources = new Map(old?.sources.map((s) => [s.source, s.frames]))
      return {
        rig: rig.rig,
        received_per_s: rate(rig.counters.received, old?.counters.received),
        channels: rig.channels.map((c) => rate(c.counters.received, channels.get(c.metric))),
        sources: rig.sources.map((s) => rate(s.frames, sources.get(s.source))),
      }
    }),
  }
}

type Paint = (style: Style, text: string) => string
const painter = (): Paint => styled(process.stdout, process.env['NO_COLOR'] !== undefined)

/** A look at an agent as lines for people. */
export function agentPage(now: AgentDetail, rates: AgentRates): string[] {
  const paint = painter()
  const { p50, p99 } = now.latency_ms
  const oldest = now.outbox.oldest_us
  const waits = oldest === null ? '' : `, oldest ${seconds(now.now_us - oldest)}`
  const lost = now.not_journaled === 0 ? '' : paint('bad', `   ! ${now.not_journaled} inputs NOT JOURNALED`)
  return [
    `${paint('strong', `agent ${now.agent}`)} of ${now.deployment}   ${now.version}   ${utc(now.now_us)}`,
    `uplink ${now.uplink ?? 'none'}   ${now.outbox.batches} batches wait, ${bytes(now.outbox.bytes)}${waits}   decision ${now.decision_seq}   latency p50 ${ms(p50)}, p99 ${ms(p99)}${lost}`,
    ...glassBanner(now.rigs.flatMap(({ rig, break_glass: glass }) => (glass === null ? [] : [{ rig, ...glass }]))).map(
      (line) => paint('bad', line),
    ),
    ...table([['QUEUE', 'FILL', 'LIMIT', '%'], ...now.fills.map(fillRow)]),
    ...now.rigs.flatMap((rig, index) => rigLines(rig, rates.rigs[index]!, { nowUs: now.now_us, paint })),
  ]
}

function fillRow({ name, is, max, unit }: FillJson): string[] {
  const full = is / max
  const shown = unit === 'bytes' ? [bytes(is), bytes(max)] : [String(is), String(max)]
  return [
    name,
    ...shown,
    `${(100 * full).toFixed(1)}${full >= 1 ? ' ! FULL' : full >= NEARLY_FULL ? ' ! NEARLY FULL' : ''}`,
  ]
}

type About = Readonly<{ nowUs: number; paint: Paint }>

function rigLines(rig: RigDetail, rates: AgentRates['rigs'][number], { nowUs, paint }: About): string[] {
  const through = rig.evaluated_through_us
  const lag =
    through < 0 ? 'nothing evaluated yet' : `evaluated through ${utc(through)}, ${seconds(nowUs - through)} ago`
  const channels = rig.channels.map((c, k) => [
    c.metric,
    c.verdict ?? '?',
    perSecond(rates.channels[k] ?? null),
    ...counts(c.counters),
    c.value === null ? '-' : c.value.toPrecision(6),
    c.unit,
    c.newest_us === null ? 'never' : seconds(nowUs - c.newest_us),
  ])
  const sources = rig.sources.map((s, k) => [
    s.source,
    perSecond(rates.sources[k] ?? null),
    s.frames === null ? 'no numbers' : String(s.frames),
    String(s.missing),
    seconds(nowUs - s.last_us),
  ])
  const verdict = verdictText(rig.verdict, rig.limits_only === true, paint)
  const refused = rig.refused.map(({ reason, count }) => `${reason} ${count}`).join(', ')
  return [
    '',
    `${paint('strong', `rig ${rig.rig}`)}  ${verdict}  mode ${rig.mode}  run ${rig.run ?? 'none'}  ${lag}`,
    ledgerLine(rig.counters, rates.received_per_s),
    ...(refused === '' ? [] : [`refused: ${refused}`]),
    ...table([
      ['CHANNEL', 'VERDICT', 'HZ', 'RECEIVED', 'EVAL', 'LATE', 'DUP', 'REJ', 'SHED', 'LAST', 'UNIT', 'AGE'],
      ...channels,
    ]),
    ...table([['SOURCE', 'FRAMES/S', 'FRAMES', 'MISSING', 'HEARD'], ...sources]),
  ]
}

/** A look at a collector as lines for people. */
export function fleetPage({ now_us, label, agents, vitals, refusals }: FleetAnswer): string[] {
  const paint = painter()
  const rigs = vitals.map((v) => [
    v.agent,
    v.rig,
    v.heard_age_ms > HEARD_MS_MAX
      ? `UNKNOWN (was ${v.verdict})`
      : verdictText(v.verdict, v.limits_only, (_, text) => text),
    v.samples_per_s.toFixed(1),
    ...counts({ ...v.counters, pending: 0 }),
    String(v.counters.missing),
    `${v.outbox.batches} / ${bytes(v.outbox.bytes)}`,
    seconds(v.heard_age_ms * 1000),
  ])
  return [
    `${paint('strong', `collector of ${label}`)}   ${utc(now_us)}`,
    ...table([
      ['AGENT', 'LINK', 'VERSION', 'EPOCH', 'BATCH', 'SEEN'],
      ...agents.map((a) => [
        a.agent,
        a.connected ? 'connected' : 'AWAY',
        a.version,
        String(a.head?.epoch ?? '-'),
        String(a.head?.batch_seq ?? '-'),
        a.seen_us === null ? 'never' : utc(a.seen_us),
      ]),
    ]),
    '',
    ...table([
      ['AGENT', 'RIG', 'VERDICT', 'HZ', 'RECEIVED', 'EVAL', 'LATE', 'DUP', 'REJ', 'SHED', 'MISSING', 'OUTBOX', 'HEARD'],
      ...rigs,
    ]),
    ...(refusals.length === 0 ? [] : ['', 'refused lately:']),
    ...refusals
      .slice(0, REFUSALS_SHOWN)
      .map((r) => `  ${utc(r.time_us)}  ${r.code}  ${printable(r.agent)}  ${r.count} times`),
  ]
}

function verdictText(verdict: string | null, limitsOnly: boolean, paint: Paint): string {
  const text = `${verdict ?? 'NO VERDICT YET'}${limitsOnly ? ' (LIMITS ONLY)' : ''}`
  return paint(verdict === 'PASS' ? 'good' : verdict === 'FAIL' ? 'bad' : 'odd', text)
}

function ledgerLine(c: CountsJson, perS: number | null): string {
  const shown = `received ${c.received} (${perSecond(perS)}/s) = evaluated ${c.evaluated} + late ${c.late} + duplicate ${c.duplicate} + rejected ${c.rejected} + shed ${c.shed} + pending ${c.pending}`
  const sum = c.evaluated + c.late + c.duplicate + c.rejected + c.shed + c.pending
  return `${shown}; missing ${c.missing ?? 0} frames${c.received === sum ? '' : '   ! DOES NOT BALANCE'}`
}

function counts(c: CountsJson): string[] {
  return [c.received, c.evaluated, c.late, c.duplicate, c.rejected, c.shed].map(String)
}

function perSecond(rate: number | null): string {
  return rate === null ? '?' : rate.toFixed(1)
}

function seconds(us: number): string {
  return `${(us / 1_000_000).toFixed(Math.abs(us) < 10_000_000 ? 2 : 0)} s`
}

function ms(value: number | null): string {
  return value === null ? '?' : `${value.toFixed(1)} ms`
}

function bytes(n: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = n
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}
