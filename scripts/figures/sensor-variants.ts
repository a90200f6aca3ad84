import type { Variant } from './variants.ts'

/** Standard deviation of the noise of a pressure transmitter of the vessel, bar; at rest they say 5 bar. */
const NOISE_BAR = 0.02

type Given = Partial<Pick<Variant, 'target' | 'channels' | 'common'>> & Readonly<{ sigmas?: number }>

/** On the second transmitter. `sigmas`: by how many of them it changes what is said; left out where that has no meaning. */
function sensor(name: string, params: Variant['params'], { sigmas, ...given }: Given = {}): Variant {
  return {
    ...{
      class: `sensor.${name}`,
      target: 'p_b',
      params,
      channels: ['p_b'],
      durationMs: null,
      common: [],
      borne: false,
    },
    ...given,
    sigmas: sigmas ?? null,
  }
}

const sigmas = (bar: number): Readonly<{ sigmas: number }> => ({ sigmas: Number((bar / NOISE_BAR).toPrecision(3)) })

/** Two transmitters at once, by a supply that they share and that the registry does not know of. */
const SHARED: Given = { target: 'psu-shared', channels: ['p_a', 'p_b'], common: ['p_a', 'p_b'] }

export const SENSOR_VARIANTS: readonly Variant[] = [
  sensor('stuck_at', { value: 'hold_last' }),
  sensor('stuck_at', { value: 'rail', rail: 0 }),
  sensor('bias', { offset: 0.002 }, sigmas(0.002)),
  sensor('bias', { offset: 0.02 }, sigmas(0.02)),
  sensor('bias', { offset: 4 }, sigmas(4)),
  sensor('gain', { gain: 1.02 }, sigmas(0.1)),
  sensor('drift', { rate: 0.001 }),
  sensor('drift', { rate: 0.005 }),
  sensor('noise', { sd: 0.02 }, sigmas(0.02)),
  sensor('noise', { sd: 0.1 }, sigmas(0.1)),
  sensor('spike', { rate: 1, amp: 0.1 }, sigmas(0.1)),
  sensor('spike', { rate: 1, amp: 1.5 }, sigmas(1.5)),
  sensor('quantise', { step: 0.02 }, sigmas(0.02)),
  sensor('quantise', { step: 0.5 }, sigmas(0.5)),
  sensor('saturation', { low: 0, high: 5 }),
  sensor('dropout', {}),
  sensor('intermittent', { share: 0.3, cell_ms: 50 }),
  sensor('swap', { with: 'p_c' }, { channels: ['p_b', 'p_c'] }),
  sensor('swap', { with: 'flow' }, { channels: ['p_b', 'flow'] }),
  sensor('unit_error', { factor: 100 }),
  sensor('lag', { tau_ms: 500 }),
  sensor('nan', { share: 0.01 }),
  sensor('inf', { share: 1 }),
  sensor('minus_zero', { share: 1 }),
  sensor('plausible', { value: 6.5 }, sigmas(1.5)),
  sensor('frozen', {}),
  sensor('common_cause', { fault: 'sensor.bias', offset: 0.1 }, { ...SHARED, ...sigmas(0.1) }),
  sensor('common_cause', { fault: 'sensor.bias', offset: 4 }, { ...SHARED, ...sigmas(4) }),
]
