import t from 'tap'
import { AgentAlarms } from '../../../../collector/agent-alarms.ts'
import { AgentWatch } from '../../../../collector/agent-watch.ts'
import { createFleet } from '../../../../collector/fleet.ts'
import { alarmsJson } from '../../../../collector/http/alarm-views.ts'
import type { SafetyRecord } from '../../../../collector/store/safety.ts'
import { createVirtualClock } from '../../../../shared/lib/clock.ts'
import { FLEET_T0, LIMITS, SECOND_US } from '../../../support/alarm-fleet.ts'

function arm(agent: string, rig: string, state: string): SafetyRecord {
  const says = { until_us: FLEET_T0 + 3600 * SECOND_US }
  const place = { agent, program: 'demo', rig, seq: 7, timeUs: FLEET_T0, receiptUs: FLEET_T0 }
  return {
    ...place,
    about: 'arm',
    state,
    stands: state === 'ARMED',
    body: { says, params: null, persons: [], text: '' },
  }
}

/** A watch over agents of whom the last batch came a minute before the start, and what people are told. */
function watched() {
  const clock = createVirtualClock(FLEET_T0)
  const watch = new AgentWatch(clock, new Map(['a', 'b'].map((agent) => [agent, FLEET_T0 - 60 * SECOND_US])))
  const fleet = watch.over(createFleet(clock))
  const link = {
    session: 's',
    version: '',
    epoch: 1,
    rigs: ['loop', 'rack'],
    certificateUntilUs: null,
    askSlice() {},
    ask() {},
  }
  const standing = [arm('a', 'loop', 'ARMED'), arm('a', 'rack', 'ARMED'), arm('b', 'loop', 'PASSIVE')]
  const told = async () => {
    const alarms = {
      ...{ facts: watch.facts(LIMITS.silentUs), sites: [], notices: { targets: [] }, pending: () => [] },
      ofAgents: new AgentAlarms([]),
      options: { deployment: 'd', boot: 'b', trust: { operators: [] }, limits: LIMITS },
    }
    const safety = { standing: async () => standing, actions: async () => [] }
    const json = await alarmsJson({ alarms: alarms as never, heartbeat: null }, { safety }, clock.nowUs())
    return json['autonomous'] as Record<string, unknown>[]
  }
  return { clock, watch, fleet, link, told }
}

// verifies SE-35
t.test('an armed agent that is not heard is named with its rigs and its last contact, until it is heard', async (t) => {
  const { clock, watch, fleet, link, told } = watched()
  const alone = [{ agent: 'a', rigs: ['loop', 'rack'], last_us: FLEET_T0 - 60 * SECOND_US, over: false }]
  t.match(await told(), alone, 'a collector that just started has heard nobody')
  t.equal((await told()).length, 1, 'who is not armed is not on its own')
  fleet.connected('a', link)
  t.match(await told(), alone, 'a session proves nothing yet')
  watch.stored('a', clock.nowUs())
  t.same(await told(), [])
  await clock.advance(31 * SECOND_US)
  t.match(await told(), [{ agent: 'a', last_us: FLEET_T0 }], 'connected, and nothing is decided')
  watch.stored('a', clock.nowUs())
  t.same(await told(), [])
  fleet.left('a', 's')
  t.match(await told(), [{ agent: 'a', last_us: FLEET_T0 + 31 * SECOND_US }], 'at once when its session ends')
  await clock.advance(3600 * SECOND_US)
  t.match(await told(), [{ agent: 'a', over: true }], 'the end of the time alone is no word of the agent')
})

t.test('what an agent says of itself counts for a while, and what has another form is not known', async (t) => {
  const { clock, watch, fleet, link } = watched()
  const facts = () => watch.facts(LIMITS.silentUs).get('a')!
  fleet.connected('a', link)
  watch.stored('a', clock.nowUs())
  t.match(facts(), { rigs: [], reported: null }, 'both rigs are awaited')
  const channels = [{ verdict: 'PASS' }, { verdict: 'STALE' }, { verdict: 'INVALID' }, { verdict: 'NEW WORD' }, null]
  const outbox = { batches: 3, oldest_us: FLEET_T0 - 5 * SECOND_US }
  const baselines = { golden: { decay: 0.7 } }
  const vitals = {
    agent: 'a',
    rig: 'loop',
    program: 'demo',
    wall_us: FLEET_T0 + SECOND_US,
    outbox,
    channels,
    baselines,
  }
  fleet.heard(vitals)
  t.match(facts(), {
    reported: { batches: 3, ageUs: 6 * SECOND_US, skewUs: SECOND_US },
    rigs: [{ rig: 'loop', data: { channels: 5, lost: 4 }, decay: 0.7 }],
  })
  await clock.advance(11 * SECOND_US)
  t.equal(facts().reported, null, 'a clock is not extrapolated')
  await clock.advance(20 * SECOND_US)
  t.match(facts().rigs, [
    { rig: 'loop', data: null },
    { rig: 'rack', data: null },
  ])
  for (const broken of [
    { wall_us: 'x' },
    { outbox: null },
    { outbox: { batches: Number.NaN } },
    { wall_us: undefined },
  ]) {
    fleet.heard({ ...vitals, ...broken })
    t.equal(facts().reported, null, JSON.stringify(broken))
  }
  fleet.heard({ ...vitals, channels: 'all' })
  t.match(facts().rigs[0], { data: null })
  fleet.heard({ ...vitals, agent: 'stranger' })
  fleet.connected('a', { ...link, rigs: ['rack'] })
  t.same(facts().rigs, [], 'a rig that is no longer declared is not missed')
})
