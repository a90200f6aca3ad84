import { magnitudeOf, type Variant } from './variants.ts'

/** What a figure that somebody will ask about comes from. */
type About = 'missed' | 'told' | 'tripped'

/** By what it is about, then by fault and magnitude. Only what is so by construction; the figures themselves stand in the tables. */
export const REMARKS: Readonly<Record<About, Readonly<Record<string, string>>>> = {
  missed: {
    'sensor.bias offset 0.002 (0.1 σ)':
      'Less than three standard deviations of the mean of 15 steps of a quarter of a second, from where on a level can be told. What is compared with the golden level is averaged over 64 steps and must stay for 30: it tells such a bias after 12 to 41 s (six runs that went on for longer), mostly later than the watch.',
    'sensor.noise sd 0.02 (1 σ)':
      'Restlessness is told by the moving range of the means of a quarter of a second, and must differ from that of the baseline by at least five of its own spreads of 15 %. Noise that is √2 as strong makes 41 %, not 75 %: it is told when chance helps.',
    'sensor.spike rate 1, amp 0.1 (5 σ)':
      'The spike detector scores the further extreme of a step of 50 samples against the mean distance of such extremes, and speaks from a score of 8 on: some 25 σ of a single sample. Smaller ones are missed.',
    'sensor.quantise step 0.02 (1 σ)':
      'It adds a twelfth of σ² to the noise and moves no mean; there is nothing that limits, level or restlessness could go by.',
    'sensor.swap with p_c':
      'Both transmitters say the same pressure with the same noise. Nothing that is sent differs from what was sent before.',
    'sensor.lag tau_ms 500':
      'A plant at rest has nothing that could be followed late. Smoothed noise alone is told when the means of a quarter of a second calm down by three quarters, which they hardly do. Where it was told at once, the lag began at a reading far from the mean, and came down from it like a small step.',
    'comms.masquerade as daq-1, life own':
      'The values are right and under the right channel; only the name of the sender is another. With a life of its own it has numbers of its own, so nothing is a duplicate. The agent takes it for another publisher of that channel: it breaks independence at the gates of hard actions, and makes no finding.',
  },
  told: {
    'comms.reorder share 0.3, behind 1':
      'A frame that waits lets the next one pass, unless that waits too: when four or five in a row do, the first comes after the lateness of 200 ms. Those records are right.',
  },
  tripped: {
    'sensor.common_cause fault sensor.bias, offset 4, on p_a and p_b at once (200 σ)':
      'Two of three transmitters say over-pressure, and the registry says that they have nothing in common. The vote cannot know better: what is shared must be declared (`ccg`), then the gate denies it as not independent.',
  },
}

export function remarkOn(variant: Variant, about: About): string | null {
  return REMARKS[about][`${variant.class} ${magnitudeOf(variant)}`] ?? null
}
