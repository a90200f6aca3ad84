import { type BaselineMetric, type BaselineRecord, QUANTILE_RATIOS } from '../../shared/model/baseline.ts'

/** What a baseline knows of a metric at 32.5 ± 0.25 L/min, with a level detector's fit from three segments. */
export function baselineMetric(metric: string, more: Partial<BaselineMetric> = {}): BaselineMetric {
  return {
    metric,
    unit: 'L/min',
    count: 120_000,
    effectiveCount: 800,
    mean: 32.5,
    sd: 0.25,
    min: 31,
    max: 33,
    quantiles: QUANTILE_RATIOS.map((ratio) => 31 + 2 * ratio),
    noise: 0.0625,
    wander: 0.00001,
    stepStatistic: 4.5,
    detectableShift: 0.5,
    tolerance: 1.5,
    windows: [{ widthUs: 250_000, windows: 40, mean: 32.5, spread: 0.1, min: 32, max: 33, limit: 5 }],
    detectors: [
      { detector: 'level', version: 1, numbers: [32.5, 0.0625, 0.00001, 0.001], maxima: [2.5, 3.5, 3], limit: 4 },
    ],
    conversions: [{ from: 'L/h', to: 'L/min', factor: 0.015625, offset: 0, source: 'unit_map', version: '1.0' }],
    calibration: { serial: 'F-12', date: '2026-01-31', due: '2027-01-31', offset: 0.25, source: 'lab sheet 7' },
    ...more,
  }
}

/** A golden baseline of one rig that passed its gate. */
export function baselineRecord(more: Partial<BaselineRecord> = {}): BaselineRecord {
  return {
    kind: 'golden',
    program: 'p',
    rig: 'r',
    family: '',
    mode: 'nominal',
    evaluator: 3,
    madeUs: 1_700_000_900_000_000,
    fromUs: 1_700_000_000_000_000,
    toUs: 1_700_000_800_000_000,
    stepUs: 1_000_000,
    context: {
      scenario_id: 's-1',
      operating_mode: 'nominal',
      environment: 'lab',
      environment_fingerprint: '',
      sensor_config_id: 'a',
      input_data_version: '2',
    },
    registry: new Uint8Array(32).fill(7),
    segments: [
      {
        source: '0102',
        fromUs: 1_700_000_000_000_000,
        toUs: 1_700_000_400_000_000,
        steps: 400,
        used: true,
        reason: '',
        gapUs: 1_000_000,
        alerts: 0,
      },
    ],
    metrics: [baselineMetric('flow')],
    rigDetectors: [],
    rigMaxima: [0.625, 0.875, 0.75],
    gate: {
      passed: true,
      reasons: [],
      confidence: 0.75,
      inputs: [{ name: 'segments', value: 3, bound: 5, score: 0.75 }],
      policy: new Uint8Array(32).fill(8),
    },
    ...more,
  }
}
