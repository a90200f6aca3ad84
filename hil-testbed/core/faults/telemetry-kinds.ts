import { type FaultKind, kindsOf, millis, named, number, share, value, whole, word } from './kind.ts'

/** Sensors, frames and clocks: what the acquisitions of a rig carry out themselves. */
export const SENSOR_KINDS: readonly FaultKind[] = kindsOf('sensor', ['channel', 'source', 'ccg'], 'instrumentation', {
  stuck_at: {
    about: 'says one value, whatever is true',
    params: [
      {
        ...value(
          'value',
          null,
          'what it says: a number, its last value (`hold_last`), or the end of its range (`rail`)',
        ),
        initial: 'hold_last',
        words: ['hold_last', 'rail'],
      },
      value('rail', 0, 'end of its range, for `rail`'),
    ],
  },
  bias: { about: 'says too much by a constant', params: [value('offset', 1, 'what is added')], grows: ['offset'] },
  gain: {
    about: 'says a multiple',
    params: [number('gain', '', 1.1, [-1e9, 1e9], 'factor; a ramp begins at 1')],
    grows: ['gain'],
  },
  drift: {
    about: 'moves away from the truth at a constant rate, from its onset on',
    params: [number('rate', 'value/s', 0.1, [-1e12, 1e12], 'what is added a second')],
  },
  noise: {
    about: 'says more noise',
    params: [number('sd', 'value', 1, [0, 1e12], 'standard deviation of what is added')],
    grows: ['sd'],
  },
  spike: {
    about: 'single samples jump',
    params: [
      number('rate', '1/s', 1, [0, 1e6], 'how often on average'),
      value('amp', 10, 'what is added to such a sample'),
    ],
    grows: ['amp'],
  },
  quantise: {
    about: 'says only multiples of a step',
    params: [number('step', 'value', 1, [1e-12, 1e12], 'the step')],
    grows: ['step'],
  },
  saturation: {
    about: 'says nothing beyond two ends',
    params: [value('low', null, 'least it says'), value('high', null, 'most it says')],
  },
  dropout: { about: 'says nothing: quality `missing`' },
  intermittent: {
    about: 'says nothing now and then, as with a loose contact',
    params: [
      number('share', '', 0.3, [0, 1], 'share of the time in which nothing comes'),
      number('cell_ms', 'ms', 50, [0.001, 3_600_000], 'length of a piece of time that is there or gone'),
    ],
    grows: ['share'],
  },
  swap: {
    about: 'two channels have each other’s readings',
    params: [named('with', 'channel', null, 'the other channel')],
    targets: ['channel'],
  },
  unit_error: {
    about: 'says its reading in another unit under the old name',
    params: [
      number('factor', '', 1000, [-1e12, 1e12], 'the other unit in one of its own'),
      number('offset', '', 0, [-1e12, 1e12], 'added after that'),
    ],
  },
  lag: {
    about: 'follows late, first order',
    params: [number('tau_ms', 'ms', 500, [0.001, 3_600_000], 'time constant')],
    grows: ['tau_ms'],
  },
  nan: { about: 'says what is no number', params: [share(1, 'samples')], grows: ['share'] },
  inf: {
    about: 'says infinity',
    params: [share(1, 'samples'), word('sign', ['plus', 'minus'], 'which')],
    grows: ['share'],
  },
  minus_zero: { about: 'says −0', params: [share(1, 'samples')], grows: ['share'] },
  plausible: {
    about: 'says a level that is out of range and looks real: it moves and has noise as before',
    params: [value('value', null, 'level; what the reading was at the onset is moved there')],
  },
  frozen: { about: 'says the same value with times that go on: a buffer that is no longer filled' },
  common_cause: {
    about: 'another sensor fault on every channel of a group at once, with the same chances: a supply, a bus',
    params: [named('fault', 'fault', 'sensor.bias', 'which; its parameters stand beside this one')],
    targets: ['ccg'],
  },
})

const LINKS = ['source', 'ccg'] as const

/** What happens to frames on their way: the eight of IEC 61784-3 and what real links do. */
export const COMMS_KINDS: readonly FaultKind[] = kindsOf('comms', LINKS, 'instrumentation', {
  corrupt: {
    about: 'bytes of a frame change',
    params: [
      share(1, 'frames'),
      word('how', ['flip', 'truncate', 'zero'], 'bits turned over, the end cut off, a run of zero bytes'),
      whole('count', '', 1, [1, 4096], 'bits turned over, or bytes cut or zeroed'),
    ],
    grows: ['share'],
  },
  repeat: {
    about: 'a frame comes again, unchanged',
    params: [share(1, 'frames'), whole('copies', '', 1, [1, 16], 'how often more')],
    grows: ['share'],
  },
  reorder: {
    about: 'a frame comes after later ones',
    params: [share(0.2, 'frames'), whole('behind', '', 1, [1, 64], 'frames of its source that go before')],
    grows: ['share'],
  },
  lose: { about: 'a frame does not come; its number is used', params: [share(0.3, 'frames')], grows: ['share'] },
  delay: {
    about: 'a frame comes later, in or out of order',
    params: [
      millis('delay_ms', 100, 'how much'),
      millis('jitter_ms', 0, 'up to so much more, by chance'),
      share(1, 'frames'),
    ],
    grows: ['delay_ms', 'jitter_ms'],
  },
  insert: {
    about: 'a frame from a sender nobody knows, with the channels of this source',
    params: [
      share(0.2, 'frames'),
      named('from', 'text', 'stranger', 'name of the sender'),
      value('offset', 1, 'by how much its values differ'),
    ],
    grows: ['share'],
  },
  masquerade: {
    about: 'frames carry the name of another source',
    params: [
      named('as', 'source', null, 'whose name'),
      share(1, 'frames'),
      word('life', ['own', 'stolen'], 'under an epoch of its own, or that of the other with its own numbers'),
    ],
    grows: ['share'],
  },
  misaddress: {
    about: 'frames are for another rig',
    params: [named('rig', 'text', 'another-rig', 'which'), share(1, 'frames')],
    grows: ['share'],
  },
  burst: {
    about: 'frames gather and come all at once',
    params: [number('hold_ms', 'ms', 200, [0.001, 86_400_000], 'from one burst to the next')],
  },
  partition: {
    about: 'the link is gone; the sender keeps frames and sends them when it is back',
    params: [whole('keep', '', 1000, [0, 16_384], 'frames it keeps, the oldest; later ones are lost')],
  },
  half_open: { about: 'the link looks well to the sender; nothing arrives, and nothing is sent again' },
  slow_reader: {
    about: 'the reader takes few frames a second, the rest waits',
    params: [
      number('frames_per_s', '1/s', 5, [0.001, 1e6], 'how many it takes'),
      whole('queue', '', 1000, [0, 16_384], 'frames that may wait; later ones are lost'),
    ],
  },
  duplicate_after_reconnect: {
    about: 'the link is gone; back again, the sender repeats what it had sent and then what it kept',
    params: [
      whole('again', '', 10, [0, 64], 'frames from before that it repeats'),
      whole('keep', '', 1000, [0, 16_384], 'frames it keeps; later ones are lost'),
    ],
  },
})

/** What happens to the clock of an acquisition, and so to the times of its samples. */
export const TIME_KINDS: readonly FaultKind[] = kindsOf('time', LINKS, 'instrumentation', {
  skew: {
    about: 'its clock is off by a constant',
    params: [number('skew_ms', 'ms', 100, [-3.2e12, 3.2e12], 'how much it is ahead')],
    grows: ['skew_ms'],
  },
  step: {
    about: 'its clock jumps and stays there',
    params: [
      number('step_ms', 'ms', -500, [-3.2e12, 3.2e12], 'by how much'),
      millis('every_ms', 0, 'and again after each so long; 0: once'),
    ],
  },
  drift: {
    about: 'its clock runs at the wrong rate',
    params: [number('ppm', 'ppm', 500, [-900_000, 900_000], 'how much too fast')],
  },
  leap_second: {
    about: 'a leap second that its clock takes otherwise than ours',
    params: [
      word('how', ['repeat', 'skip', 'smear'], 'a second twice, a second left out, spread over `smear_s`'),
    ].concat(number('smear_s', 's', 20, [0.001, 86_400], 'for `smear`')),
  },
  backwards: {
    about: 'its clock runs backwards, and then on from there',
    params: [number('back_ms', 'ms', 500, [0.001, 86_400_000], 'how long')],
  },
  wrong_epoch: {
    about: 'its clock counts from another day',
    params: [word('from', ['gps', 'ntp', 'y2000', 'boot'], '1980-01-06, 1900-01-01, 2000-01-01, start of the run')],
  },
  wrong_unit: {
    about: 'its times are in another unit',
    params: [word('unit', ['ms', 's', 'ns'], 'which, where µs are meant')],
  },
  late: {
    about: 'frames come when their windows have closed',
    params: [
      millis('late_ms', 1000, 'after their time; must be more than the lateness of the rig'),
      share(0.3, 'frames'),
    ],
    grows: ['share'],
  },
  clock_loss: {
    about: 'its clock has lost its reference',
    params: [
      word('how', ['holdover', 'frozen'], 'it runs on by itself, or stands'),
      number('ppm', 'ppm', 50, [-900_000, 900_000], 'rate of a clock that runs by itself'),
      number('wander_us', 'µs', 100, [0, 1e9], 'standard deviation of what it wanders from second to second'),
    ],
  },
})
