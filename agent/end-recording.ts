import type { RuntimeConfig } from '../shared/config/types.ts'
import type { Clock } from '../shared/lib/clock.ts'
import type { Batcher } from './pipeline/batcher.ts'
import type { Evaluator } from './pipeline/evaluator.ts'
import type { Intake } from './pipeline/intake.ts'

type Ending = Readonly<{ config: RuntimeConfig; clock: Clock; evaluator: Evaluator; batcher: Batcher; intake: Intake }>

/**
 * The end of a recording is a moment too: time moves past lateness, so that its last slides are decided. Counted from
 * the newest sample, so that a start after the end does not move it once more.
 */
export async function endRecording({ config, clock, evaluator, batcher, intake }: Ending): Promise<void> {
  await evaluator.settled()
  if (config.clock !== 'recording') {
    // The clock moves by itself: what came last is decided when its lateness is over.
    await clock.sleep(Math.max(...config.rigs.map((rig) => rig.lateness_ms + 3 * rig.slide_ms)))
    await batcher.flush().catch(() => undefined)
    return
  }
  let endUs = 0
  for (const { newestSeenUs, settings } of evaluator.evaluation.state.rigs) {
    const newest = newestSeenUs.reduce((a, b) => Math.max(a, b), 0)
    if (newest > 0) endUs = Math.max(endUs, newest + settings.latenessUs + 2 * settings.slideUs)
  }
  if (endUs > evaluator.nowUs) intake.take({ kind: 'tick', nowUs: endUs })
  await evaluator.settled()
  await batcher.flush().catch(() => undefined)
}
