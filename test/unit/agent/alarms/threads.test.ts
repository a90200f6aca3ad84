import t from 'tap'
import type { Effect } from '../../../../agent/core/step.ts'
import { createEvaluation } from '../../../../agent/pipeline/evaluation.ts'
import { Shard } from '../../../../agent/pipeline/shard.ts'
import { type ShardThread, shardedEvaluator } from '../../../../agent/pipeline/sharded-evaluator.ts'
import { decodeJournalInput } from '../../../../shared/codec/journal-input.ts'
import { AlarmLoop, CALM, changesOf } from '../../../support/alarm-loop.ts'

/** A shard that answers with copies, as a thread does. */
function thread(): ShardThread {
  let shard: Shard | null = null
  return {
    async start(start) {
      shard = new Shard(structuredClone(start))
    },
    async take(round) {
      return structuredClone(shard!.take(structuredClone(round)))
    },
    close: async () => undefined,
  }
}

t.test('alarms of a rig on a thread are said as on none, and can be looked at', async (t) => {
  const loop = new AlarmLoop()
  loop.run(3000, CALM)
  loop.run(1500, { p: 7.5, flow: 12 })
  const { occurrence, severity } = loop.entry('pressure-high')!
  loop.alarmOrder({ kind: 'alarm_ack', alarm: 'pressure-high', occurrence, severity })
  loop.run(500, { p: 7.5, flow: 12 })
  const [config, ...rest] = loop.journal
  const evaluation = createEvaluation()
  changesOf(evaluation, 1, config!)
  const said: unknown[] = []
  let nowUs = 0
  const evaluator = await shardedEvaluator({
    evaluation,
    threads: [thread()],
    told: (effects: readonly Effect[]) => {
      for (const effect of effects) if (effect.kind === 'safety') said.push(effect.change)
    },
    nowUs: () => nowUs,
    after: (_ms, run) => void setImmediate(run),
    broken: (cause) => t.fail(String(cause)),
  })
  for (const [k, body] of rest.entries()) {
    nowUs += 50_000
    evaluator.take(k + 2, decodeJournalInput(body), body)
    await evaluator.settled()
  }
  nowUs += 1_000_000
  evaluator.take(rest.length + 2, { kind: 'tick', nowUs: loop.nowUs }, new Uint8Array())
  await evaluator.settled()
  t.same(said, loop.said.flat())
  const { alarms } = evaluation.state.rigs[0]!.safety!
  t.match(
    alarms.defined.find(({ id }) => id === 'pressure-high'),
    { level: 'CRITICAL', acked: true, occurrence },
  )
  await evaluator.close()
})
