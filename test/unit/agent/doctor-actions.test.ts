import t from 'tap'
import { systemFiles } from '../../../agent/adapters/files.ts'
import { openLedger } from '../../../agent/adapters/sqlite-ledger.ts'
import { actionFindings } from '../../../agent/cli/doctor-actions.ts'
import { createVirtualClock } from '../../../shared/lib/clock.ts'
import { actionHistory } from '../../support/action-changes.ts'

const clock = createVirtualClock(1_700_000_000_000_000)
/** Past any test. */
const LATER_US = 4_000_000_000_000_000

t.test(
  'open actions that are of no use any more, and those whose outcome nobody knows, are warned of by name',
  async (t) => {
    const folder = t.testdir({})
    const { ledger } = await openLedger({ files: systemFiles, folder, clock })
    await ledger.record([
      ...actionHistory(['PROPOSED', 'GATE_PASSED', 'RELEASED', 'SENT'], { key: 'aa1', deadlineUs: 2_000_000 }),
      ...actionHistory(['PROPOSED', 'GATE_PASSED', 'RELEASED', 'SENT'], { key: 'bb2', deadlineUs: LATER_US }),
      ...actionHistory(['PROPOSED', 'GATE_PASSED', 'RELEASED', 'SENT', 'UNKNOWN_OUTCOME'], { key: 'cc3' }),
      ...actionHistory(['PROPOSED', 'GATE_DENIED'], { key: 'dd4' }),
    ])
    await ledger.close()
    const findings = await actionFindings({ state: folder })
    t.match(findings, [
      { check: 'ledger of actions', ok: true, detail: 'can be read, 3 actions are open' },
      {
        check: 'outcome of actions',
        ok: true,
        warns: true,
        detail: /^nobody knows whether these were done: cc3 [^;]*$/,
      },
      {
        check: 'overdue actions',
        ok: true,
        warns: true,
        detail: /^open past the time in which they were of use: aa1 [^;]*$/,
      },
      { check: 'armed', ok: true, detail: 'nothing: no agent runs here' },
    ])
    t.equal(findings.length, 4)
  },
)

t.test('a folder without a ledger has nothing to say about actions', async (t) => {
  t.same(await actionFindings({ state: t.testdir({}) }), [])
  t.same(await actionFindings({ state: 'nowhere' }), [])
})
