import type { AlarmDefinition, AlarmDefinitions, AlarmSeverity } from '../../../shared/model/alarm.ts'
import { COLLECTOR_ALARM_KINDS, type CollectorAlarmKind } from '../../../shared/model/collector-alarm.ts'
import type { Micros } from '../../../shared/units.ts'
import type { AlarmLimits, Site } from './settings.ts'

const MINUTE_US: Micros = 60_000_000
const GUIDANCE = 'docs/operating/collector-alarms.md'

type Words = Pick<AlarmDefinition, 'consequence' | 'response' | 'timeToRespondUs'> &
  Readonly<{ title(what: string): string; severities: readonly AlarmSeverity[] }>

const OF_AGENTS: Readonly<Record<Exclude<CollectorAlarmKind, 'store'>, Words>> = {
  silent: {
    title: (agent) => `nothing is heard of ${agent}`,
    severities: ['CRITICAL'],
    consequence: 'Nobody here sees how its rigs are. The agent acts by itself as it was armed.',
    response: 'Look at its rigs on the spot. Then power, network and certificate of the agent, and its log.',
    timeToRespondUs: 5 * MINUTE_US,
  },
  quorum: {
    title: (agent) => `data of rigs of ${agent} are lost`,
    severities: ['CRITICAL'],
    consequence: 'Limits of the channels that are lost are not watched.',
    response: 'Look for what the lost channels have in common: a sensor, a card, a bus, a publisher.',
    timeToRespondUs: 5 * MINUTE_US,
  },
  backlog: {
    title: (agent) => `decisions wait at ${agent}`,
    severities: ['WARNING', 'CRITICAL'],
    consequence: 'What is shown here is old, and when its disk is full the agent stops to evaluate.',
    response: 'Look at the link of the agent, at refusals, and at the disk of the collector.',
    timeToRespondUs: 60 * MINUTE_US,
  },
  clock: {
    title: (agent) => `the clock of ${agent} is not ours`,
    severities: ['WARNING', 'CRITICAL'],
    consequence: 'Times of decisions cannot be compared, and signed orders are refused as too old.',
    response: 'Look at the time service of the agent; of the collector, when several agents have the same distance.',
    timeToRespondUs: 60 * MINUTE_US,
  },
  certificate: {
    title: (agent) => `the certificate of ${agent} ends`,
    severities: ['WARNING', 'CRITICAL'],
    consequence: 'When it is over the agent is not let in any more, and falls silent.',
    response: 'Issue a new certificate and put it in place at the agent.',
    timeToRespondUs: 24 * 60 * MINUTE_US,
  },
  baseline: {
    title: (agent) => `a golden baseline at ${agent} has aged`,
    severities: ['WARNING', 'CRITICAL'],
    consequence: 'Drift is told less surely, and gates that ask for confidence stay closed.',
    response: 'Make a new baseline and have it approved.',
    timeToRespondUs: 24 * 60 * MINUTE_US,
  },
}

const SITE_SILENT: Words = {
  title: (site) => `agents of ${site} fell silent together`,
  severities: ['CRITICAL'],
  consequence: 'Nobody here sees how the rigs of the site are. Its agents act by themselves as they were armed.',
  response: 'Look for what they have in common: a switch, a line, power. Somebody on the spot looks at the rigs.',
  timeToRespondUs: 5 * MINUTE_US,
}
const SITE_QUORUM: Words = {
  ...SITE_SILENT,
  title: (site) => `most agents of ${site} are silent`,
}
const STORE: Words = {
  title: () => 'the collector cannot write',
  severities: ['CRITICAL'],
  consequence: 'Nothing is receipted: agents keep their decisions, and what is shown here is old.',
  response: 'Look at the disk of the collector: space, rights, health.',
  timeToRespondUs: 15 * MINUTE_US,
}

type About = Readonly<{ id: string; what: string; words: Words; under: string | null; heldUs: Micros }>

/** Id of an alarm of an agent; those of a site and of the collector itself are their kind alone. */
export function alarmId(agent: string, kind: CollectorAlarmKind): string {
  return `${agent}:${kind}`
}

/** What an id names. `agent` '' for alarms of a site and of the collector. */
export function partsOf(id: string): Readonly<{ agent: string; kind: CollectorAlarmKind | null }> {
  const at = id.lastIndexOf(':')
  const kind = COLLECTOR_ALARM_KINDS.find((one) => one === id.slice(at + 1))
  return { agent: at < 0 ? '' : id.slice(0, at), kind: kind ?? null }
}

/** Whether enough agents stand at a site for some of them to be one alarm. */
export function isGrouped({ site, agents }: Site, { groupAgentsMin }: AlarmLimits): boolean {
  return site !== '' && agents.length >= groupAgentsMin
}

/** The alarms of a site: its own first, because they cover those of its agents. */
export function siteDefinitions(site: Site, limits: AlarmLimits): AlarmDefinitions {
  const grouped = isGrouped(site, limits)
  // The alarm of one agent waits until it is known whether it fell silent alone.
  const heldUs = grouped ? limits.groupWindowUs : 0
  const own: About[] = site.site === '' ? [{ id: 'store', what: '', words: STORE, under: null, heldUs: 0 }] : []
  if (grouped)
    own.push(
      { id: 'silent', what: site.site, words: SITE_SILENT, under: null, heldUs: 0 },
      { id: 'quorum', what: site.site, words: SITE_QUORUM, under: 'silent', heldUs },
    )
  const ofAgents = site.agents.flatMap((agent) =>
    Object.entries(OF_AGENTS).map(([kind, words]): About => {
      const isSilent = kind === 'silent'
      const under = isSilent && grouped ? 'silent' : null
      return { id: `${agent}:${kind}`, what: agent, words, under, heldUs: isSilent ? heldUs : 0 }
    }),
  )
  return {
    alarms: [...own, ...ofAgents].map((about) => definitionOf(about, limits)),
    // A collector that did not look for so long knows nothing of the time between.
    gapUs: Math.max(5 * limits.checkUs, 5_000_000),
  }
}

function definitionOf({ id, what, words, under, heldUs }: About, limits: AlarmLimits): AlarmDefinition {
  const { title, severities, ...more } = words
  return {
    id,
    title: title(what),
    levels: severities.map((severity) => ({
      severity,
      look: { kind: 'event' },
      valueByMode: {},
      deadband: 0,
      persistence: { k: 1, n: 1 },
      heldUs,
    })),
    onUnknown: 'hold',
    // Whatever is not known of an agent is not known because it is silent, which is an alarm of its own.
    maxHoldUs: null,
    clear: { slides: 1, us: limits.clearUs },
    latching: false,
    reAlarmUs: limits.reAlarmUs,
    maxShelveUs: limits.maxShelveUs,
    modes: null,
    group: null,
    under,
    ...more,
    guidance: GUIDANCE,
  }
}
