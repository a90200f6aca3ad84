import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { AgentConfigs } from '../../../collector/agent-configs.ts'
import { configJson } from '../../../collector/http/rollout-views.ts'
import { openStores } from '../../../collector/store/open.ts'
import { createVirtualClock } from '../../../shared/lib/clock.ts'
import type { BundleAnswerMessage, ConfigStateMessage } from '../../../shared/protocol/messages.ts'

const START_US = 1_800_000_000_000_000
const [OLD, NEW] = ['0a'.repeat(32), '0b'.repeat(32)]
const SAID: ConfigStateMessage = {
  ...{ t: 'config_state', v: 1, config: OLD, bundle: { digest: OLD, number: 7, at_us: 9 }, ready: true, reasons: [] },
  ...{ not_journaled: 0, damage: 0, boot_id: 'b', rigs: [] },
}
const ANSWER: BundleAnswerMessage = {
  ...{ t: 'bundle_answer', v: 1, id: 'r', what: 'offer', digest: NEW, taken: false, again_ms: 0 },
  reasons: ['too_few_signers: one', 'expired: yesterday'],
}

async function open(t: Test, folder: string) {
  const clock = createVirtualClock(START_US)
  const stores = await openStores(folder, clock)
  await stores.agents.enrol([{ agent: 'a', deployment: 'demo', spki: new Uint8Array(1), programs: [] }], START_US)
  const told: string[] = []
  const configs = await AgentConfigs.open({
    ...{ store: stores.rollouts, clock },
    events: { broken: (where, cause) => void t.fail(`${where}: ${String(cause)}`) },
    changed: ({ said }) => void told.push(said?.bundle.digest ?? 'nothing'),
  })
  return { clock, stores, told, configs }
}

t.test('under what an agent runs is known over its absence and a stop, with every reason of a refusal', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hb-configs-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const first = await open(t, folder)
  t.match(configJson(first.configs.of('a')), { said_us: null, config: null, bundle: null, ready: null, answer: null })
  first.configs.left('a')
  t.same(first.told, [], 'nothing is told of one that never said')
  first.configs.said('a', SAID)
  await first.clock.advance(5_000_000)
  first.configs.said('a', SAID)
  t.same(first.told, [OLD], 'pages are told of news alone')
  first.configs.left('a')
  first.configs.answered('a', ANSWER)
  t.equal(first.told.length, 3)
  t.equal(first.configs.of('a').saidUs, START_US + 5_000_000)
  await first.stores.close()

  const second = await open(t, folder)
  t.match(configJson(second.configs.of('a')), {
    ...{ agent: 'a', said_us: START_US, config: OLD, bundle: { digest: OLD, number: 7 }, ready: true },
    answer: { what: 'offer', digest: NEW, taken: false, reasons: ANSWER.reasons, at_us: START_US + 5_000_000 },
  })
  second.configs.said('a', { ...SAID, config: '', bundle: { digest: '', number: 0, at_us: 0 }, ready: false })
  t.match(configJson(second.configs.of('a')), { config: null, bundle: null, ready: false, answer: { digest: NEW } })
  await second.stores.close()
})
