import t from 'tap'
import { DeadMan } from '../../../agent/pipeline/dead-man.ts'
import { createEvaluation, evaluate } from '../../../agent/pipeline/evaluation.ts'
import { directEvaluator, type Evaluator, type Told } from '../../../agent/pipeline/evaluator.ts'
import { Permits } from '../../../agent/pipeline/permits.ts'
import { Shard } from '../../../agent/pipeline/shard.ts'
import { type ShardThread, shardedEvaluator } from '../../../agent/pipeline/sharded-evaluator.ts'
import type { PermitExecutor, PermitStrokeOrder } from '../../../agent/ports.ts'
import { encodeJournalInput, type JournalInput } from '../../../shared/codec/journal-input.ts'
import { createVirtualClock } from '../../../shared/lib/clock.ts'
import { bytesOf } from '../../support/config-texts.ts'
import { LOOP_ACTIONS, LOOP_REGISTRY, LOOP_RUNTIME } from '../../support/policy-texts.ts'

const T0 = 1_800_000_000_000_000
const HOLD_MS = 1000
const SLIDE_US = 50_000
const RIG = LOOP_RUNTIME.slice(LOOP_RUNTIME.indexOf('  - rig:'))
const FILES = [
  {
    name: 'runtime.yaml',
    bytes: bytesOf(`${LOOP_RUNTIME}${RIG.replace('pressure-loop', 'other-loop').replace('5601', '5602')}`),
  },
  { name: 'loop.registry.yaml', bytes: bytesOf(LOOP_REGISTRY) },
  { name: 'loop.actions.yaml', bytes: bytesOf(LOOP_ACTIONS) },
]

/** A worker that stops answering when it is told to. */
class Worker implements ShardThread {
  stalled = false
  private shard: Shard | null = null

  async start(start: Parameters<ShardThread['start']>[0]): Promise<void> {
    this.shard = new Shard(structuredClone(start))
  }

  take(round: Parameters<ShardThread['take']>[0]): ReturnType<ShardThread['take']> {
    if (this.stalled) return new Promise(() => undefined)
    return Promise.resolve(structuredClone(this.shard!.take(structuredClone(round))))
  }

  async close(): Promise<void> {}
}

/** Two rigs with a policy, evaluated here or by two workers, and the dead-man over them. */
async function world(workers: readonly Worker[]) {
  const clock = createVirtualClock(T0)
  const evaluation = createEvaluation()
  evaluate(evaluation, 1, { kind: 'config', nowUs: T0, files: FILES })
  const strokes: PermitStrokeOrder[] = []
  const levels: string[] = []
  const lost: string[] = []
  const executor = {
    target: 'pump',
    stroke: async (order: PermitStrokeOrder) => {
      strokes.push(order)
      return 'held'
    },
  } as Partial<PermitExecutor> as PermitExecutor
  const events = {
    permitHeld: () => undefined,
    permitLost: (_: string, reason: string) => lost.push(reason),
    deadMan: ({ level, stage }: { level: string; stage: string }) => levels.push(`${level} ${stage}`),
  }
  const permit = { target: 'pump', executor, holdMs: HOLD_MS, rigs: ['pressure-loop'] }
  const permits = new Permits({ clock, events, permits: [permit], stands: () => true })
  let evaluator: Evaluator
  const deadMan: DeadMan = new DeadMan({
    ...{ clock, key: new Uint8Array(32).fill(3), deadlineMs: HOLD_MS / 2, permits, events },
    rigs: () =>
      evaluation.state.rigs.map(({ settings: { rig, latenessUs, slideUs, safety } }) => ({
        ...{ rig, latenessUs, slideUs, ruled: safety !== undefined },
      })),
    awaited: () => evaluator.awaited,
    wayOut: () => [],
    inForce: () => undefined,
    alive: () => undefined,
  })
  const told: Told = (_effects, _head, seq, marks) => deadMan.evaluated(seq, marks)
  evaluator =
    workers.length === 0
      ? directEvaluator(evaluation, told)
      : await shardedEvaluator({
          ...{ evaluation, threads: workers, told, nowUs: () => clock.monotonicUs() },
          after: (ms, run) => void clock.after(ms, run),
          broken: (cause) => t.fail(String(cause)),
        })
  let seq = 1
  const turn = async (): Promise<void> => {
    const input: JournalInput = { kind: 'tick', nowUs: clock.nowUs() }
    deadMan.tick(() => {
      seq += 1
      evaluator.take(seq, input, encodeJournalInput(input), deadMan.token(seq, input))
      return true
    })
    await clock.advance(SLIDE_US)
  }
  const turns = async (count: number): Promise<void> => {
    for (let k = 0; k < count; k += 1) await turn()
  }
  deadMan.start()
  return { deadMan, permits, strokes, levels, lost, turns }
}

// verifies SE-33
t.test('tokens go through windows and the safety kernel, here and on threads', async (t) => {
  for (const workers of [[], [new Worker()], [new Worker(), new Worker()]]) {
    const { deadMan, permits, strokes, levels, turns } = await world(workers)
    deadMan.armed('pressure-loop')
    await turns(100)
    const name = `${workers.length} workers`
    t.same(levels, [], `${name}: never late`)
    t.equal(permits.states[0]?.state, 'held', name)
    t.ok(strokes.length > 15, `${name}: ${strokes.length} strokes in five seconds`)
    t.ok(deadMan.vitals.through > 30, `${name}: ${deadMan.vitals.through} tokens`)
  }
})

// verifies SE-33, SE-34
t.test('each worker that stalls alone drops the permit, and is named', async (t) => {
  for (const stalls of [0, 1]) {
    const workers = [new Worker(), new Worker()]
    const { deadMan, permits, strokes, levels, lost, turns } = await world(workers)
    deadMan.armed('pressure-loop')
    await turns(40)
    t.equal(permits.states[0]?.state, 'held')
    workers[stalls]!.stalled = true
    await turns(1)
    const before = strokes.length
    await turns(40)
    t.same(levels, [`late worker ${stalls}`, `failed worker ${stalls}`])
    t.equal(permits.states[0]?.state, 'lost')
    t.match(strokes.slice(before), [{ begin: false, holdMs: 1 }], 'ticks go on, and no stroke but the one that ends it')
    t.match(lost, [new RegExp(`worker ${stalls}`)])
  }
})
