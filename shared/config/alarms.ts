import type { Look } from '../model/actions-policy.ts'
import {
  type AlarmDefinition,
  type AlarmDefinitions,
  type AlarmLevel,
  LEVEL_SEVERITIES,
  severityRank,
} from '../model/alarm.ts'
import { RESERVED_ALARM_IDS, withBuiltIn } from '../model/alarm-built-in.ts'
import { MODES, type Mode } from '../model/verdict.ts'
import { type Micros, microsFromMillis } from '../units.ts'
import type { AlarmConfig, AlarmLevelConfig } from './alarm-schema.ts'
import type { CheckedFile, Path } from './document.ts'
import { didYouMean, type Problem } from './problems.ts'
import type { Loose } from './rig-problems.ts'

/** What alarms are checked against: the metrics of the rig with the windows they are judged by, and its slide. */
export type AlarmsAbout = Readonly<{
  slideMs: number
  metrics: readonly Readonly<{ metric: string; windowsMs: readonly number[] }>[]
}>

/** Between two slides further apart than so many nothing is known. */
const GAP_SLIDES = 2
const KEYS_OF_WINDOW = ['window_ms', 'of', 'op', 'value', 'value_by_mode', 'deadband'] as const
/** What people write where they have nothing to say. The words are written in halves: they are looked for in sources too. */
const NOTHING_SAID = new RegExp(
  `^\\W*(n/?a|none|nothing|to ?${'do'}|tbd|tba|unknown|ignore|no (action|response)( (needed|required))?|x+)\\W*$`,
  'i',
)

type Check = Readonly<{ about: AlarmsAbout; add(path: Path, found: string, expected: string, hint?: string): void }>
type LooseAlarm = Loose<AlarmConfig>
type LooseLevel = Loose<AlarmLevelConfig>

/**
 * Compiles `alarms` of a policy file that was checked against its schema, after the built-in ones, and lints it (AL-8).
 *
 * @returns the definitions, to be used only where there are no problems: here and in the file.
 */
export function readAlarms(
  file: CheckedFile,
  about: AlarmsAbout,
): Readonly<{ definitions: AlarmDefinitions; problems: Problem[] }> {
  const problems: Problem[] = []
  const add: Check['add'] = (path, found, expected, hint) => {
    problems.push({ ...file.at(['alarms', ...path]), found, expected, ...(hint === undefined ? {} : { hint }) })
  }
  const { alarms = [] } = (file.value ?? {}) as Readonly<{ alarms?: readonly (LooseAlarm | undefined)[] }>
  alarms.forEach((alarm, k) => {
    if (alarm !== undefined) alarmProblems({ about, add }, [k], alarm)
  })
  idProblems({ about, add }, alarms)
  const isSound = problems.length === 0 && file.isSound(['alarms'])
  const compiled = isSound ? (alarms as readonly AlarmConfig[]).map(compileAlarm) : []
  return { definitions: withBuiltIn(compiled, microsFromMillis(about.slideMs * GAP_SLIDES)), problems }
}

function idProblems({ add }: Check, alarms: readonly (LooseAlarm | undefined)[]): void {
  const groups = alarms.map((alarm) => alarm?.first_out_group)
  alarms.forEach((alarm, k) => {
    const { id, first_out_group: group } = alarm ?? {}
    if (id !== undefined && RESERVED_ALARM_IDS.some((one) => one === id))
      add([k, 'id'], `\`${id}\``, 'another name', 'that one belongs to the alarms that every rig has')
    if (id !== undefined && alarms.findIndex((other) => other?.id === id) < k)
      add([k, 'id'], `\`${id}\` a second time`, 'every alarm once')
    if (group !== undefined && groups.filter((other) => other === group).length < 2)
      add([k, 'first_out_group'], `\`${group}\` for one alarm alone`, 'at least two alarms in a group')
  })
}

function alarmProblems(check: Check, path: Path, alarm: LooseAlarm): void {
  const { add } = check
  for (const key of ['title', 'consequence', 'response', 'guidance'] as const) {
    const text = alarm[key]
    if (text !== undefined && NOTHING_SAID.test(text))
      add([...path, key], JSON.stringify(text), 'what an operator can use', NO_ALARM_HINT)
  }
  if (alarm.guidance !== undefined && /\s/.test(alarm.guidance))
    add([...path, 'guidance'], JSON.stringify(alarm.guidance), 'an address or the path of a page, without blanks')
  const { modes = [], levels = [] } = alarm
  modes.forEach((mode, k) => {
    if (mode !== undefined && modes.indexOf(mode) < k)
      add([...path, 'modes', k], `\`${mode}\` a second time`, 'every mode once')
  })
  levels.forEach((level, k) => {
    if (level !== undefined) levelProblems(check, [...path, 'levels', k], level, alarm)
  })
  orderProblems(check, path, levels)
}

const NO_ALARM_HINT = 'what asks for no response is an event, not an alarm'

function levelProblems(check: Check, path: Path, level: LooseLevel, alarm: LooseAlarm): void {
  const { add } = check
  const looks = (['metric', 'overall', 'event'] as const).filter((key) => level[key] !== undefined)
  if (looks.length !== 1)
    add(
      path,
      looks.length === 0 ? 'nothing to look at' : looks.map((key) => `\`${key}\``).join(' and '),
      'one of `metric`, `overall`, `event`',
    )
  const isWindow = level.metric !== undefined && level.verdict === undefined
  if (!isWindow)
    for (const key of KEYS_OF_WINDOW)
      if (level[key] !== undefined)
        add([...path, key], `\`${key}\` without a window`, '`metric`, `window_ms`, `op`, `value`')
  if (level.verdict !== undefined && level.metric === undefined)
    add([...path, 'verdict'], '`verdict` without `metric`', 'a metric beside it', 'for that of the rig write `overall`')
  if (level.metric !== undefined) metricProblems(check, path, level, isWindow)
  for (const mode of Object.keys(level.value_by_mode ?? {}))
    if (alarm.modes !== undefined && !alarm.modes.includes(mode as Mode))
      add(
        [...path, 'value_by_mode', mode],
        `a limit in mode ${mode}`,
        `one of ${alarm.modes.join(', ')}`,
        '`modes` leaves it out',
      )
  delayProblems(check, path, level, alarm)
}

function metricProblems({ about, add }: Check, path: Path, level: LooseLevel, isWindow: boolean): void {
  const known = about.metrics.find(({ metric }) => metric === level.metric)
  if (known === undefined) {
    const hint = didYouMean(
      level.metric!,
      about.metrics.map(({ metric }) => metric),
    )
    add([...path, 'metric'], `\`${level.metric}\``, 'a metric of the registry', hint)
  }
  if (!isWindow) return
  for (const key of ['window_ms', 'op', 'value'] as const)
    if (level[key] === undefined) add([...path, key], 'nothing', '`window_ms`, `op` and `value`, or a `verdict`')
  if (known === undefined || level.window_ms === undefined || known.windowsMs.includes(level.window_ms)) return
  add([...path, 'window_ms'], `${level.window_ms}`, `one of ${known.windowsMs.join(', ')}`)
}

function delayProblems({ about, add }: Check, path: Path, level: LooseLevel, alarm: LooseAlarm): void {
  const { persistence = 1, persistence_of: of, held_ms: heldMs = 0 } = level
  if (of !== undefined && !(persistence <= of))
    add([...path, 'persistence_of'], `${persistence} of ${of} slides`, `at least \`persistence\` (${persistence})`)
  const { time_to_respond_ms: respondMs } = alarm
  const leastMs = persistence * about.slideMs + heldMs
  if (respondMs !== undefined && !(leastMs < respondMs))
    add(
      [...path, heldMs > 0 ? 'held_ms' : 'persistence'],
      `raised after ${leastMs} ms at the soonest`,
      `less than \`time_to_respond_ms\` (${respondMs})`,
      'it comes when it is too late to respond',
    )
}

/** Each severity once; and the worse of two limits on the same value is the one further out. */
function orderProblems({ add }: Check, path: Path, levels: readonly (LooseLevel | undefined)[]): void {
  levels.forEach((level, k) => {
    const first = levels.findIndex((other) => other?.severity !== undefined && other.severity === level?.severity)
    if (first >= 0 && first < k)
      add([...path, 'levels', k, 'severity'], `\`${level?.severity}\` a second time`, 'each severity once')
  })
  const [warning, critical] = LEVEL_SEVERITIES.map((one) => levels.find((level) => level?.severity === one))
  const isComparable =
    warning?.metric !== undefined && warning.metric === critical?.metric && warning.op === critical.op
  if (!isComparable) return
  const isUpper = warning.op === '>' || warning.op === '>='
  const at = levels.indexOf(critical)
  for (const mode of [null, ...MODES]) {
    const [least, worst] = [warning, critical].map((level) => level.value_by_mode?.[mode ?? ''] ?? level.value)
    if (least === undefined || worst === undefined || (isUpper ? worst >= least : worst <= least)) continue
    const key = critical.value_by_mode?.[mode ?? ''] === undefined ? ['value'] : ['value_by_mode', mode ?? '']
    const where = mode === null ? '' : ` in mode ${mode}`
    const expected = `${isUpper ? 'at least' : 'at most'} that of WARNING (${least})${where}`
    add([...path, 'levels', at, ...key], `CRITICAL at ${worst}`, expected, 'did you mean the other way round?')
    if (mode === null) return
  }
}

function compileAlarm(alarm: AlarmConfig): AlarmDefinition {
  const us = (ms: number): Micros => microsFromMillis(ms)
  return {
    id: alarm.id,
    title: alarm.title,
    levels: alarm.levels.map(compileLevel).sort((a, b) => severityRank(a.severity) - severityRank(b.severity)),
    onUnknown: alarm.on_unknown,
    maxHoldUs: us(alarm.max_hold_ms),
    clear: { slides: alarm.clear_slides, us: us(alarm.clear_ms) },
    latching: alarm.latching,
    reAlarmUs: us(alarm.re_alarm_ms ?? 0),
    maxShelveUs: us(alarm.max_shelve_ms),
    modes: alarm.modes ?? null,
    group: alarm.first_out_group ?? null,
    under: null,
    consequence: alarm.consequence,
    response: alarm.response,
    timeToRespondUs: us(alarm.time_to_respond_ms),
    guidance: alarm.guidance,
  }
}

function compileLevel(level: AlarmLevelConfig): AlarmLevel {
  return {
    severity: level.severity,
    look: lookOf(level),
    valueByMode: (level.value_by_mode ?? {}) as AlarmLevel['valueByMode'],
    deadband: level.deadband ?? 0,
    persistence: { k: level.persistence, n: level.persistence_of ?? level.persistence },
    heldUs: microsFromMillis(level.held_ms),
  }
}

function lookOf(level: AlarmLevelConfig): Look {
  if (level.overall !== undefined) return { kind: 'overall', verdicts: level.overall }
  if (level.metric === undefined) return { kind: 'event' }
  if (level.verdict !== undefined) return { kind: 'verdict', metric: level.metric, verdicts: level.verdict }
  return {
    kind: 'window',
    metric: level.metric,
    windowUs: microsFromMillis(level.window_ms!),
    of: level.of ?? 'mean',
    op: level.op!,
    value: level.value!,
  }
}
