import { once } from 'node:events'
import type { Clock } from '../../shared/lib/clock.ts'
import { printable, table, utc } from '../../shared/lib/command-output.ts'
import { createScreen, styled } from '../../shared/lib/screen.ts'
import type { Heard, Observation } from '../field/observation.ts'
import { PROPOSAL_FILES, type Proposal } from '../field/proposal.ts'

/** What is shown of a stream while it is listened to. */
export interface ListenView {
  /** @returns a promise when the reader must wait for whoever reads it, else null */
  heard(heard: Heard): Promise<void> | null
  close(): void
  summary(): void
  proposed(proposal: Proposal & { folder: string }): void
}

export type ListenViewOptions = Readonly<{ endpoint: string; json: boolean; clock: Clock; observation: Observation }>

/** Redraws of a terminal, and lines a second where there is none; of more, only the number is said. */
const DRAW_EVERY_MS = 250
const LINES_PER_SECOND_MAX = 50
const LAST_SHOWN = 8

export function createListenView(options: ListenViewOptions): ListenView {
  const { json, clock, observation } = options
  const out = process.stdout
  const isScreen = out.isTTY === true && !json
  const screen = createScreen(out)
  const last: Heard[] = []
  let printed = 0
  let passedOver = 0
  const cancel = isScreen
    ? clock.every(DRAW_EVERY_MS, () => screen.draw(pageOf(options, last)))
    : clock.every(1000, () => {
        if (passedOver > 0 && !json) out.write(`… and ${passedOver} messages more in this second\n`)
        printed = 0
        passedOver = 0
      })
  return {
    heard(heard) {
      if (isScreen) {
        last.push(heard)
        if (last.length > LAST_SHOWN) last.shift()
        return null
      }
      if (!json && printed >= LINES_PER_SECOND_MAX) {
        passedOver += 1
        return null
      }
      printed += 1
      const room = out.write(
        json ? `${JSON.stringify({ event: 'message', ...heardJson(heard) })}\n` : `${lineOf(heard)}\n`,
      )
      return room ? null : once(out, 'drain').then(() => undefined)
    },
    close() {
      cancel()
      screen.close()
    },
    summary() {
      if (json) out.write(`${JSON.stringify({ event: 'heard', ...summaryJson(observation) })}\n`)
      else out.write(`${summaryLines(observation).join('\n')}\n`)
    },
    proposed(proposal) {
      if (json) out.write(`${JSON.stringify({ event: 'proposed', ...proposalJson(proposal) })}\n`)
      else out.write(`${proposalLines(proposal).join('\n')}\n`)
    },
  }
}

function pageOf({ endpoint, observation, clock }: ListenViewOptions, last: readonly Heard[]): string[] {
  const paint = styled(process.stdout, process.env['NO_COLOR'] !== undefined)
  return [
    `${paint('strong', 'hb listen')} ${endpoint}   ${utc(clock.nowUs())}   Ctrl-C ends`,
    ...summaryLines(observation),
    '',
    paint('dim', 'last messages: raw → decoded → refused because'),
    ...last.map((heard) => {
      const line = lineOf(heard, SHORT)
      return heard.refused === null && heard.remarks.length === 0 ? line : paint('odd', line)
    }),
  ]
}

/** On a page the reason at the end must not be cut off: the day and most of the raw bytes are left out. */
const SHORT = { from: 11, head: 12 }

function lineOf({ atUs, raw, decoded, refused, remarks }: Heard, { from, head } = { from: 0, head: 80 }): string {
  const read =
    decoded === null
      ? 'not decoded'
      : `${decoded.rig}/${decoded.source}${decoded.seq === null ? '' : ` #${decoded.seq}`} ${decoded.channels} channels ${decoded.samples} samples${decoded.behindUs === null ? '' : `, newest ${(decoded.behindUs / 1000).toFixed(1)} ms old`}`
  const why = [...(refused === null ? [] : [`${refused.reason}: ${refused.detail}`]), ...remarks]
  const end = why.length === 0 ? 'ok' : `REFUSED ${why.join(', ')}`
  const shown = raw.head.length > head ? `${raw.head.slice(0, head)}…` : raw.head
  return printable(`${utc(atUs).slice(from)}  ${raw.bytes} B ${shown}  →  ${read}  →  ${end}`)
}

function summaryLines(observation: Observation): string[] {
  const rows = observation
    .channels()
    .map((c) => [
      c.channel,
      String(c.samples),
      c.rateHz === null ? '?' : c.rateHz.toPrecision(3),
      c.range === null ? '-' : c.range.last.toPrecision(6),
      c.range === null ? '-' : c.range.min.toPrecision(6),
      c.range === null ? '-' : c.range.max.toPrecision(6),
      c.units.length === 0 ? 'not stated' : c.units.join(', '),
      String(c.notNumbers),
    ])
  const refused = [...observation.refused].map(([reason, count]) => `${reason} ${count}`).join(', ')
  const shed = observation.channelsShed > 0 ? `, ${observation.channelsShed} channels beyond the bound` : ''
  const sources = observation.sources().map((s) => {
    const behind = s.behindUs === null ? '' : `, newest sample ${(s.behindUs / 1000).toFixed(1)} ms old at arrival`
    const looks = s.looksLike === null ? '' : `, did you mean ${s.looksLike}?`
    return `source ${printable(s.source)}: ${s.messages} messages, ${s.missing} missing, ${s.repeated} repeated${behind}${looks}`
  })
  return [
    `rig ${observation.rig ?? '?'}: ${observation.messages} messages; refused: ${refused === '' ? 'none' : refused}${shed}`,
    ...sources,
    ...(rows.length === 0
      ? ['no channel yet']
      : table([['CHANNEL', 'SAMPLES', 'HZ', 'LAST', 'MIN', 'MAX', 'UNIT', 'NAN'], ...rows])),
  ]
}

function heardJson({ atUs, raw, decoded, refused, remarks }: Heard): Record<string, unknown> {
  const { behindUs, ...rest } = decoded ?? { behindUs: null }
  return { at_us: atUs, raw, decoded: decoded === null ? null : { ...rest, behind_us: behindUs }, refused, remarks }
}

function summaryJson(observation: Observation): Record<string, unknown> {
  return {
    rig: observation.rig,
    messages: observation.messages,
    refused: Object.fromEntries(observation.refused),
    channels_shed: observation.channelsShed,
    channels: observation.channels().map((c) => ({
      channel: c.channel,
      samples: c.samples,
      rate_hz: c.rateHz,
      range: c.range,
      units: c.units,
      not_numbers: c.notNumbers,
    })),
    sources: observation.sources().map((s) => ({
      source: s.source,
      messages: s.messages,
      missing: s.missing,
      repeated: s.repeated,
      behind_us: s.behindUs,
      oldest_us: s.oldestUs,
      looks_like: s.looksLike,
    })),
  }
}

function proposalJson({ folder, time, windowsMs, metrics, leftOut, review }: Proposal & { folder: string }) {
  return {
    folder,
    files: Object.values(PROPOSAL_FILES),
    time,
    windows_ms: windowsMs,
    metrics: metrics.map((m) => ({
      metric: m.metric,
      unit: m.unitKnown ? m.unit : null,
      nominal_rate_hz: m.rateHz,
      fail_min: m.min,
      fail_max: m.max,
    })),
    left_out: leftOut,
    review,
  }
}

function proposalLines({ folder, metrics, review }: Proposal & { folder: string }): string[] {
  return [
    `proposed ${metrics.length} metrics in ${folder}: ${Object.values(PROPOSAL_FILES).join(', ')}`,
    'to be reviewed:',
    ...review.map((line) => `  ${printable(line)}`),
    `then: hb runtime --config ${folder}/${PROPOSAL_FILES.runtime} --state DIR`,
  ]
}
