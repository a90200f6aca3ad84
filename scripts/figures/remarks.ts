import { magnitudeOf, type Variant } from './variants.ts'

/** What a figure that somebody will ask about comes from. */
type About = 'missed' | 'told' | 'tripped'

/** By what it is about, then by fault and magnitude. Only what is so by construction; the figures themselves stand in the tables. */
export const REMARKS: Readonly<Record<About, Readonly<Record<string, string>>>> = {
  missed: {
    'sensor.noise sd 0.02 (1 σ)':
      'Restlessness is told by the moving range of the means of a quarter of a second, and must differ from that of the baseline by at least five of its own spreads of 15 %. Noise that is √2 as strong makes 41 %, not 75 %: it is told when chance helps.',
    'sensor.spike rate 1, amp 0.1 (5 σ)':
      'The spike detector scores the further extreme of a step of 50 samples against the mean distance of such extremes, and speaks from a score of 8 on: some 20 σ of a single sample. Smaller ones are within what noise does.',
    'sensor.quantise step 0.02 (1 σ)':
      'It adds a twelfth of σ² to the noise and moves no mean; there is nothing that limits, level or restlessness could go by.',
    'sensor.swap with p_c':
      'Both transmitters say the same pressure with the same noise. Nothing that is sent differs from what was sent before.',
    'sensor.lag tau_ms 500':
      'A plant at rest has nothing that could be followed late. The noise is smoothed, but the means of a quarter of a second do not calm down by three quarters, from where on a channel is too quiet. In motion it can show as a disagreement of the three transmitters.',
    'comms.masquerade as daq-1, life own':
      'The values are right and under the right channel; only the name of the sender is another. With a life of its own it has numbers of its own, so nothing is a duplicate. The agent takes it for another publisher of that channel: it breaks independence at the gates of hard actions, and makes no finding.',
  },
  told: {},
  tripped: {
    'sensor.common_cause fault sensor.bias, offset 4, on p_a and p_b at once (200 σ)':
      'Two of three transmitters say over-pressure, and the registry says that they have nothing in common. The vote cannot know better: what is shared must be declared (`ccg`), then the gate denies it as not independent.',
  },
}

export function remarkOn(variant: Variant, about: About): string | null {
  return REMARKS[about][`${variant.class} ${magnitudeOf(variant)}`] ?? null
}
