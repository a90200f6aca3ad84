import type { Variant } from './variants.ts'

/** On the acquisition of the second transmitter, which has no other channel. */
function link(
  name: string,
  params: Variant['params'],
  given: Partial<Pick<Variant, 'channels' | 'durationMs' | 'borne'>> = {},
): Variant {
  return {
    ...{ class: name, target: 'daq-2', params, channels: ['p_b'], durationMs: null, common: [], borne: false },
    sigmas: null,
    ...given,
  }
}

/** Within the lateness of the rig, or what its protocol is there for. */
const BORNE = { borne: true }

export const COMMS_VARIANTS: readonly Variant[] = [
  link('comms.corrupt', { share: 0.5, count: 3 }),
  link('comms.repeat', { share: 1 }, BORNE),
  link('comms.reorder', { share: 0.3, behind: 1 }, BORNE),
  link('comms.reorder', { share: 0.3, behind: 16 }),
  link('comms.lose', { share: 0.3 }),
  link('comms.delay', { delay_ms: 20, jitter_ms: 80 }, BORNE),
  link('comms.delay', { delay_ms: 2000 }),
  link('comms.insert', { share: 0.2, offset: 0.1 }),
  link('comms.masquerade', { as: 'daq-1', life: 'own' }, { channels: ['p_a', 'p_b'] }),
  link('comms.masquerade', { as: 'daq-1', life: 'stolen' }, { channels: ['p_a', 'p_b'] }),
  link('comms.misaddress', { share: 1 }),
  link('comms.burst', { hold_ms: 150 }, BORNE),
  link('comms.burst', { hold_ms: 1000 }),
  link('comms.partition', {}, { durationMs: 5000 }),
  link('comms.half_open', {}),
  link('comms.slow_reader', { frames_per_s: 5 }),
  link('comms.duplicate_after_reconnect', { again: 10 }, { durationMs: 1000 }),
]

export const TIME_VARIANTS: readonly Variant[] = [
  link('time.skew', { skew_ms: 100 }),
  link('time.skew', { skew_ms: -1000 }),
  link('time.skew', { skew_ms: 60_000 }),
  link('time.step', { step_ms: -2000 }),
  link('time.drift', { ppm: 500 }, BORNE),
  link('time.drift', { ppm: -50_000 }),
  link('time.leap_second', { how: 'repeat' }),
  link('time.leap_second', { how: 'skip' }),
  link('time.leap_second', { how: 'smear', smear_s: 5 }),
  link('time.backwards', { back_ms: 500 }),
  link('time.wrong_epoch', { from: 'gps' }),
  link('time.wrong_unit', { unit: 'ms' }),
  link('time.late', { late_ms: 1000, share: 0.3 }),
  link('time.clock_loss', { how: 'holdover', ppm: 50 }, BORNE),
  link('time.clock_loss', { how: 'frozen' }),
]
