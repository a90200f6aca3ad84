import { join } from 'node:path'
import t from 'tap'
import type { SafetyChange } from '../../../agent/core/safety/changes.ts'
import { evaluate } from '../../../agent/pipeline/evaluation.ts'
import { replay } from '../../../agent/pipeline/replay.ts'
import { viewStorage } from '../../../agent/storage.ts'
import type { JournalInput } from '../../../shared/codec/journal-input.ts'
import { recordLoop, writeLoop } from '../../support/recorded-loop.ts'

// verifies SE-21, SE-38
t.test(
  'an agent that ends, or begins again after it was killed, is PASSIVE, and what was not sent is revoked',
  async (t) => {
    const folder = t.testdir({})
    await recordLoop(writeLoop(folder), join(folder, 'state'), { seconds: 4, faultS: 3, armed: true })
    for (const command of ['agent_stop', 'agent_start'] as const) {
      let stops = 0
      for await (const { seq, input, evaluation } of replay(viewStorage(join(folder, 'state')))) {
        const { kernel } = evaluation.state.rigs[0]?.safety ?? {}
        if (input.kind !== 'policy' || kernel === undefined) continue
        t.equal(kernel.arm.state, 'ARMED')
        stops += 1
        const order = {
          kind: 'manual',
          action: 'isolate',
          target: 'inlet-valve',
          params: {},
          by: ['kay'],
          reason: '',
        } as const
        const nowUs = evaluation.state.nowUs
        const take = (one: JournalInput): SafetyChange[] =>
          evaluate(evaluation, seq, one).flatMap((effect) =>
            effect.kind === 'safety' && effect.change.kind !== 'alarm_state' ? [effect.change] : [],
          )
        take({ kind: 'policy', nowUs, rig: 'pressure-loop', order, statements: [] })
        t.same(
          kernel.open.map(({ state }) => state),
          ['PENDING_APPROVAL'],
        )
        const ended = take({ kind: 'operator', nowUs, command, bootId: 'c', version: '0' })
        t.match(ended, [
          { kind: 'arm', state: 'PASSIVE', reason: command, by: ['agent'] },
          { kind: 'action', state: 'REVOKED', reasons: ['DISARMED'] },
        ])
        t.same([kernel.arm.state, kernel.open], ['PASSIVE', []])
      }
      t.equal(stops, 1)
    }
  },
)
