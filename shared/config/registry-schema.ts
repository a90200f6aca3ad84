import { Type } from 'typebox'
import { DATE_PATTERN } from '../model/calendar-date.ts'
import { closed, id, ms } from './schema-parts.ts'

const HOUR_MS = 3_600_000

const limit = (description: string) => Type.Optional(Type.Number({ minimum: -1e300, maximum: 1e300, description }))
const size = (description: string) => Type.Optional(Type.Number({ minimum: 0, maximum: 1e300, description }))
const name = Type.String({ minLength: 1, maxLength: 128 })
const names = (description: string) => Type.Optional(Type.Array(name, { description, maxItems: 64 }))
const date = (description: string) => Type.String({ pattern: DATE_PATTERN, form: 'YYYY-MM-DD', description })
/** A common-cause group: no blanks, and no colon, which parts kind and name. */
export const GROUP_NAME_PATTERN = '^[^\\s:]{1,64}$'
/** Slides of which a departure may have to last some: their bits are kept. */
export const PERSISTENCE_OF_MAX = 512

const CalibrationSchema = closed(
  {
    offset: Type.Number({
      minimum: -1e300,
      maximum: 1e300,
      description: 'Added to every value, after units were converted.',
    }),
    unit: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 32,
        description:
          'Unit of that offset; by default that of the metric. A difference of temperatures is a difference.',
      }),
    ),
    source: Type.String({ minLength: 1, maxLength: 128, description: 'Who calibrated it, or the certificate.' }),
    date: date('When.'),
    due: Type.Optional(date('Until when it holds, that day included. Past it a warning is given, nothing else.')),
  },
  'Correction of the sensor, as its calibration found it.',
)

const group = (description: string) =>
  Type.Optional(
    Type.String({ pattern: GROUP_NAME_PATTERN, form: '1 to 64 characters without blanks and colons', description }),
  )

/** Kinds as in `CAUSE_KINDS`. */
const CausesSchema = closed(
  {
    sensor: group('What sensors have in common: a housing, a tapping, a calibration.'),
    daq: group('Card or device that digitises it.'),
    bus: group('Bus or link it travels on.'),
    power: group('Supply of sensor and DAQ.'),
    clock: group('Clock that dates its samples.'),
    host: group('Computer it passes through.'),
  },
  'Common-cause groups: what two metrics name alike may fail for both at once. `none`: there is no such thing; `agent`: it is that of the agent, which is outside the count. A kind that is left out is unknown, and unknown is never independent.',
)

export const MetricSchema = closed({
  aliases: names('Other channel names that feed it, letter for letter.'),
  source_columns: Type.Optional(
    Type.Union([name, Type.Array(name, { maxItems: 64 })], {
      description: 'Columns of recordings that feed it, letter for letter.',
    }),
  ),
  unit: Type.String({
    minLength: 1,
    maxLength: 32,
    description:
      'Unit of every number here, letter for letter (`mW` is not `MW`); only blanks at its ends are left out. A sample without a unit is taken to be in it; one in another unit of the same dimension is converted.',
  }),
  unit_map: Type.Optional(
    Type.Record(Type.String(), Type.Number({ minimum: -1e300, maximum: 1e300 }), {
      description:
        'Units that the table does not know or tells apart, letter for letter: value × factor is the value in `unit`. A unit that nothing converts makes the metric INVALID.',
    }),
  ),
  calibration: Type.Optional(CalibrationSchema),
  nominal_rate_hz: Type.Number({
    exclusiveMinimum: 0,
    maximum: 1_000_000,
    description: 'Samples a second when all is well; below 80 % of it a window is INSUFFICIENT.',
  }),
  required: Type.Boolean({ default: true, description: 'Whether the rig is NO_TEST when nothing is known of it.' }),
  baseline_required: Type.Boolean({
    default: true,
    description: 'Whether it is NO_BASELINE without a baseline; `false` judges it by limits alone.',
  }),
  idle_after_ms: Type.Optional(
    ms('Silence after which it is STALE, to half a slide; by default five nominal intervals and at least a second.', {
      minimum: 10,
      maximum: HOUR_MS,
    }),
  ),
  windows_ms: Type.Optional(
    Type.Array(ms('Width.', { minimum: 1, maximum: HOUR_MS }), {
      description: 'Windows of the rig it is judged by; by default all that hold five samples.',
      minItems: 1,
      maxItems: 8,
    }),
  ),
  tolerance: Type.Optional(
    Type.Number({
      exclusiveMinimum: 0,
      maximum: 1e300,
      description:
        'Largest lasting shift that may stay undetected. A baseline whose detector cannot tell as little fails its gate.',
    }),
  ),
  drift_threshold: size('DRIFT when a window mean is further than this from the baseline.'),
  drift_percent: size('DRIFT when it is further than this share of the baseline, in percent of it.'),
  min_effect: size('A smaller difference is never DRIFT.'),
  deviation_limit: Type.Optional(
    Type.Number({
      exclusiveMinimum: 0,
      maximum: 1e6,
      description: 'DRIFT beyond this many spreads of window means; by default what the baseline says.',
    }),
  ),
  drift_persistence: Type.Integer({
    minimum: 1,
    maximum: 100_000,
    default: 5,
    description: 'Slides in a row a departure must last; with `drift_persistence_of`, that many of so many.',
  }),
  drift_persistence_of: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: PERSISTENCE_OF_MAX,
      description: 'Newest slides of which `drift_persistence` must show the departure; by default all of them.',
    }),
  ),
  drift_clear_slides: Type.Integer({
    minimum: 1,
    maximum: 100_000,
    default: 1,
    description: 'Slides in a row without a departure after which DRIFT ends.',
  }),
  distribution_drift: Type.Optional(
    closed(
      {
        ks_threshold: Type.Number({
          exclusiveMinimum: 0,
          maximum: 1,
          description: 'Kolmogorov–Smirnov statistic of two runs past which their samples differ.',
        }),
      },
      'Comparison of the samples of two runs, for `hb compare` and `hb analyze`; the agent does not look at it.',
    ),
  ),
  source: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 128,
      description:
        'Physical transducer it is measured by, such as `PT-101`. Two metrics of one source are one witness.',
    }),
  ),
  ccg: Type.Optional(CausesSchema),
  publisher: Type.Optional(
    id('`source` of the frames that feed it; metrics of one publisher are not independent of each other.'),
  ),
  derived_from: names('Metrics that it is computed from; it is as independent as all of them together.'),
  critical: Type.Optional(Type.Boolean({ description: 'Needs an `invariant_*` or a fail limit.' })),
  fail_threshold: limit("The predecessor's word for `fail_max`."),
  fail_min: limit('FAIL when a window mean is below.'),
  fail_max: limit('FAIL when a window mean is above.'),
  invariant_eq: limit('FAIL when any sample is not this.'),
  invariant_min: limit('FAIL when any sample is below.'),
  invariant_max: limit('FAIL when any sample is above.'),
})

/** An override names only what it changes. */
const OverrideSchema = Type.Partial(MetricSchema, { additionalProperties: false })
const overrides = (description: string) =>
  Type.Optional(
    Type.Record(Type.String(), closed({ metrics: Type.Record(Type.String(), OverrideSchema) }), { description }),
  )

export const RegistrySchema = closed({
  version: Type.Literal('1.0', { description: 'Version of this file.' }),
  metrics: Type.Record(Type.String(), MetricSchema, { description: 'Metrics by name.' }),
  programs: overrides('Changes by programme.'),
  mode_overrides: overrides(
    'Changes by operational mode, on top of those of the programme; they apply from the next slide when the mode changes. What a channel is and how often it comes does not change with the mode.',
  ),
})
