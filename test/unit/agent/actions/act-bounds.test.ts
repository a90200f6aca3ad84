import t from 'tap'
import { BACKLOG_MAX, createBacklog } from '../../../../agent/pipeline/act-backlog.ts'
import { createReactionTimes, REACTION_SERIES_MAX } from '../../../../agent/pipeline/reaction-times.ts'
import { HbError } from '../../../../shared/errors/hb-error.ts'
import { createVirtualClock } from '../../../../shared/lib/clock.ts'
import { actionChange } from '../../../support/action-changes.ts'

t.test('what the disk does not take waits in order, up to a bound', async (t) => {
  const clock = createVirtualClock(1_000_000)
  const taken: string[] = []
  const rows: string[] = []
  let [takes, failures] = [false, 0]
  const backlog = createBacklog({
    clock,
    ledger: {
      record: async (changes) => {
        if (!takes) throw new HbError('DISK_FULL', {})
        rows.push(...changes.map(({ note }) => note))
      },
    },
    submit: (_, input) => takes && taken.push('key' in input ? input.key : '') > 0,
    ledgerFailed: () => {
      failures += 1
    },
  })
  for (let k = 0; k <= BACKLOG_MAX; k += 1) {
    if (backlog.tell('r', { kind: 'release', key: String(k) })) t.fail(`${k} was taken`)
    backlog.record(actionChange({ state: 'SENT', note: String(k) })).catch(() => undefined)
  }
  await clock.advance(250_000)
  t.same(backlog.waiting, { inputs: BACKLOG_MAX, changes: BACKLOG_MAX, dropped: 2 })
  t.equal(failures, 1, 'said once')
  takes = true
  t.equal(backlog.tell('r', { kind: 'release', key: 'behind' }), false, 'nobody goes past those who wait')
  await clock.advance(250_000)
  const all = Array.from({ length: BACKLOG_MAX }, (_, k) => String(k))
  t.same(taken, all)
  t.same(rows, all)
  t.match(backlog.waiting, { inputs: 0, changes: 0 })
  t.equal(backlog.tell('r', { kind: 'release', key: 'now' }), true)
})

t.test('so many actions on targets are measured apart, the rest together', (t) => {
  const times = createReactionTimes()
  for (let k = 0; k < REACTION_SERIES_MAX + 10; k += 1)
    times.note({ rig: `r${k}`, action: 'abort', target: 'pump' }, 'frti', 1_000 + k)
  const rows = times.rows()
  t.equal(rows.length, REACTION_SERIES_MAX + 1)
  t.match(rows.at(-1), { rig: '', count: 10, maxUs: 1_000 + REACTION_SERIES_MAX + 9 })
  t.ok(rows.every(({ p50Us, p95Us, p99Us }) => p50Us <= p95Us && p95Us <= p99Us))
  t.end()
})
