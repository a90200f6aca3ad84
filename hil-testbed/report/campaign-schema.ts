import { Type } from 'typebox'
import { closed } from '../../shared/config/schema-parts.ts'
import { CASE_VERDICTS, LANE_SPANS_MAX } from '../core/result.ts'

/** Cases of one campaign that a report takes. */
export const CASES_MAX = 20_000
/** Items of a list inside of a case. */
const LIST_MAX = 2_000
/** Longest text of a case; the reader cuts nothing, it refuses. */
const TEXT_MAX = 8_192

const text = Type.String({ maxLength: TEXT_MAX })
const count = Type.Integer({ minimum: 0 })
const us = (description: string) => Type.Integer({ description: `${description}, µs` })
const usOrNull = (description: string) => Type.Union([us(description), Type.Null()])
const list = <T extends Parameters<typeof Type.Array>[0]>(item: T, max = LIST_MAX) =>
  Type.Array(item, { maxItems: max })
const words = <T extends string>(all: readonly T[]) => Type.Unsafe<T>(Type.Enum([...all]))

const Outcome = closed({
  text,
  is: words(['met', 'missed', 'unknown'] as const),
  expected: text,
  observed: text,
  at_us: usOrNull('When, from the start of the run'),
  margin: Type.Union([Type.Number(), Type.Null()], { description: 'Distance from the bound as a share of it' }),
  optional: Type.Boolean(),
})

const Fault = closed({
  id: text,
  class: text,
  target: text,
  seen: count,
  onset_us: usOrNull('First time it changed something, from the start of the run'),
  detected_us: usOrNull('First signed record that differs from before; null: missed'),
})

const Measures = closed({
  fdti_us: usOrNull('Fault to the first signed record that is not as before'),
  frti_us: usOrNull('That record to the effect on the plant'),
  fhti_us: usOrNull('Fault to the effect on the plant'),
  ftti_us: usOrNull('Fault to harm, as declared'),
  decisions: count,
  alarms: count,
  actions: count,
  digest: text,
})

const Span = closed({
  from_us: us('From the start of the run'),
  to_us: usOrNull('null: until the end'),
  name: text,
  is: text,
})

const Case = closed({
  id: text,
  title: text,
  file: text,
  row: count,
  params: Type.Record(Type.String({ pattern: '' }), Type.Union([Type.Number(), text])),
  rig: text,
  verifies: list(text),
  tags: list(text),
  seed: Type.Number(),
  verdict: words(CASE_VERDICTS),
  reason: text,
  outcomes: list(Outcome),
  faults: list(Fault),
  measures: Measures,
  hashes: closed({ config: text, policy: text, baseline: text, software: text }),
  started_utc: text,
  host_ms: Type.Number({ minimum: 0, description: 'Time it took here, ms' }),
  simulated_us: us('Time of the plant that passed'),
  folder: text,
  log_tail: list(text),
  lanes: Type.Optional(
    closed({
      verdicts: list(Span, LANE_SPANS_MAX),
      alarms: list(Span, LANE_SPANS_MAX),
      actions: list(Span, LANE_SPANS_MAX),
      thinned: count,
    }),
  ),
})

/** Report of a campaign of the bench (`hb hil run --json FILE`). The other reports are made from it. */
export const CampaignSchema = Type.Object(
  {
    v: Type.Literal(1),
    started_utc: text,
    host_ms: Type.Number({ minimum: 0, description: 'Time it took here, ms' }),
    commit: text,
    complete: Type.Boolean({ description: 'false: it was broken off, and cases are missing' }),
    cases: Type.Array(Case, { maxItems: CASES_MAX }),
  },
  { additionalProperties: false, title: 'Report of a campaign of the HIL bench' },
)
