import type { Outcome } from '../core/result.ts'
import type { Expectation } from '../core/scenario.ts'
import {
  judgeCollected,
  judgeCount,
  judgeCounter,
  judgeFhti,
  judgeReplay,
  judgeStartRefused,
} from './number-expectations.ts'
import type { Run } from './run-folder.ts'
import {
  judgeAction,
  judgeAlarm,
  judgeArm,
  judgeGap,
  judgeRefused,
  judgeTold,
  judgeVerdict,
} from './said-expectations.ts'
import { judgeAlways, judgeNever, judgeStl } from './span-expectations.ts'

/** Says what came of an expectation. */
export function judgeExpectation(run: Run, expectation: Expectation): Outcome {
  switch (expectation.kind) {
    case 'verdict':
      return judgeVerdict(run, expectation)
    case 'alarm':
      return judgeAlarm(run, expectation)
    case 'action':
      return judgeAction(run, expectation)
    case 'arm':
      return judgeArm(run, expectation)
    case 'refused':
      return judgeRefused(run, expectation)
    case 'told':
      return judgeTold(run, expectation)
    case 'gap':
      return judgeGap(run, expectation)
    case 'never':
      return judgeNever(run, expectation)
    case 'always':
      return judgeAlways(run, expectation)
    case 'stl':
      return judgeStl(run, expectation)
    case 'count':
      return judgeCount(run, expectation)
    case 'counter':
      return judgeCounter(run, expectation)
    case 'fhti':
      return judgeFhti(run, expectation)
    case 'start_refused':
      return judgeStartRefused(run, expectation)
    case 'replay':
      return judgeReplay(run)
    case 'collected':
      return judgeCollected(run)
  }
}
