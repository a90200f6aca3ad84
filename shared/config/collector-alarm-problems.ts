import type { AlarmRouteConfig, CollectorAlarmsConfig } from './collector-alarm-schema.ts'
import type { CheckedFile, Path } from './document.ts'
import { channelProblems } from './executor-problems.ts'
import { didYouMean, type Problem } from './problems.ts'
import type { Loose } from './rig-problems.ts'
import type { CollectorConfig } from './types.ts'

type Add = (path: Path, found: string, expected: string, hint?: string) => void
type LooseAlarms = Loose<CollectorAlarmsConfig>
type LooseRoute = Loose<AlarmRouteConfig> | undefined

/** Mistakes of `alarms` in `collector.yaml` that no single key shows. */
export function collectorAlarmProblems(file: CheckedFile): Problem[] {
  const problems: Problem[] = []
  const config = (file.value ?? {}) as Loose<CollectorConfig>
  const alarms = (config.alarms ?? {}) as LooseAlarms
  const add: Add = (path, found, expected, hint) => {
    problems.push({ ...file.at(['alarms', ...path]), found, expected, ...(hint === undefined ? {} : { hint }) })
  }
  limitProblems(add, alarms)
  targetProblems(file, add, alarms)
  const sites = (config.agents ?? []).flatMap((agent) => agent?.site ?? [])
  const routes = (alarms.routes ?? []) as LooseRoute[]
  routes.forEach((route, k) => {
    if (route !== undefined) routeProblems(add, ['routes', k], route, { alarms, sites })
  })
  if (routes.length > 0 && file.isSound(['alarms', 'routes']) && !routes.some(takesAllCritical))
    add(
      ['routes'],
      'no route for every CRITICAL alarm',
      'one without `sites` and `kinds` that takes CRITICAL',
      'put it last: the first route that fits counts',
    )
  const [hasUrl, hasFile] = ['url', 'url_file'].map((key) => file.has(['alarms', 'heartbeat', key]))
  if (alarms.heartbeat !== undefined && hasUrl === hasFile)
    add(['heartbeat'], hasUrl === true ? '`url` and `url_file`' : 'no address', 'one of `url`, `url_file`')
  return problems
}

/** Pairs of which the second is the graver. */
function limitProblems(add: Add, alarms: LooseAlarms): void {
  const rising = [
    ['backlog_age_ms', 'backlog_critical_age_ms'],
    ['clock_warn_ms', 'clock_critical_ms'],
    ['certificate_critical_days', 'certificate_warn_days'],
  ] as const
  for (const [least, most] of rising) {
    const [a, b] = [alarms[least], alarms[most]]
    if (a !== undefined && b !== undefined && !(a <= b)) add([most], `${b}`, `at least \`${least}\` (${a})`)
  }
}

function targetProblems(file: CheckedFile, add: Add, { targets = [] }: LooseAlarms): void {
  const seen = new Set<string>()
  targets.forEach((target, k) => {
    const name = target?.target
    if (name !== undefined && seen.has(name))
      add(['targets', k, 'target'], `\`${name}\` a second time`, 'every target once')
    if (name !== undefined) seen.add(name)
    if (!file.isSound(['alarms', 'targets', k, 'channels'])) return
    const channels = (target?.channels ?? []) as Parameters<typeof channelProblems>[0][]
    for (const [index, channel] of channels.entries())
      for (const { path, found, expected } of channelProblems(channel, ['targets', k, 'channels', index]))
        add(path, found, expected)
  })
}

type Known = Readonly<{ alarms: LooseAlarms; sites: readonly string[] }>

function routeProblems(add: Add, path: Path, route: NonNullable<LooseRoute>, { alarms, sites }: Known): void {
  const targets = (alarms.targets ?? []).flatMap((target) => target?.target ?? [])
  let before = -1
  route.steps?.forEach((step, s) => {
    const after = step?.after_ms ?? 0
    if (!(after > before)) add([...path, 'steps', s, 'after_ms'], `${after}`, 'later than the step before')
    before = after
    step?.to?.forEach((target, t) => {
      if (target === undefined || targets.includes(target)) return
      add([...path, 'steps', s, 'to', t], `\`${target}\``, 'a target of `alarms.targets`', didYouMean(target, targets))
    })
  })
  route.sites?.forEach((site, k) => {
    if (site === undefined || sites.includes(site)) return
    add([...path, 'sites', k], `\`${site}\``, 'the `site` of an agent', didYouMean(site, [...new Set(sites)]))
  })
}

function takesAllCritical(route: LooseRoute): boolean {
  const { severities, sites, kinds } = route ?? {}
  return sites === undefined && kinds === undefined && (severities === undefined || severities.includes('CRITICAL'))
}
