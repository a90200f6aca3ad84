import { parse } from 'yaml'
import { HbError } from '../../shared/errors/hb-error.ts'
import { type FieldEvent, fileAt, isBeforeBenches } from './decision-folder.ts'

/** Keys of a rig that the bench writes itself, or that name files which it takes over in its own way. */
const NOT_TAKEN: ReadonlySet<string> = new Set([
  ...['rig', 'registry_file', 'actions_policy_file', 'testbed', 'sources', 'mode', 'platform'],
  ...['baseline_file', 'rolling_baseline_file', 'mode_baseline_files'],
])
/** People of every bench: a golden baseline takes three, arming two. */
export const BENCH_PEOPLE = ['alice', 'bob', 'carol'] as const
/** The one that every agent of a bench tells (agent-folder.ts). */
const NOTICES = 'control-room'

/** A rig of the bench as that of the field was, and what is not as it was there. */
export type FieldRig = Readonly<{
  /** `rig.yaml`. */
  value: Readonly<Record<string, unknown>>
  registry: Uint8Array
  policy: Uint8Array | null
  notes: readonly string[]
}>

/** @throws HbError FIELD_UNFIT */
export function fieldRig(event: FieldEvent, { name, hasBaseline }: { name: string; hasBaseline: boolean }): FieldRig {
  const { slice, rig, runtime } = event
  if (rig['equivalence_file'] !== undefined)
    throw new HbError('FIELD_UNFIT', {
      found: 'equivalence_file',
      expected: 'a rig whose channels stand in its registry',
    })
  const notes: string[] = []
  const { policy, parts } = actingParts(event, notes)
  const seconds = (slice.end_us - slice.begin_us) / 1_000_000
  const sensors = slice.channels.map(({ channel, source, samples }) => [
    channel,
    { of: channel, source, rate_hz: Math.max(0.001, Number((samples / seconds).toPrecision(3))) },
  ])
  notes.push(...notesOf(event))
  const value = {
    hil_rig: 1,
    name,
    about: `rig ${slice.decision.rig} of ${String(runtime['deployment'])}, as it was at decision ${slice.decision.seq}`,
    sensors: Object.fromEntries(sensors) as Record<string, unknown>,
    registry: 'registry.yaml',
    ...parts,
    baseline: hasBaseline ? { kind: 'file', file: 'baseline.hbb' } : { kind: 'none' },
    keys: {
      ...Object.fromEntries(Object.entries(rig).filter(([key]) => !NOT_TAKEN.has(key))),
      mode: slice.decision.mode,
    },
    operators: [...BENCH_PEOPLE],
  }
  return { value, registry: fileAt(event, rig['registry_file'])!, policy, notes }
}

type Policy = Readonly<{
  targets?: readonly Readonly<{ name: string; executor: string }>[]
  hazards?: readonly Readonly<{ target: string; loss_of_permit?: string }>[]
}>

/** Policy, actuators and peer: the bench has an actuator for each target that had one, and a peer. Others it has not. */
function actingParts(
  event: FieldEvent,
  notes: string[],
): Readonly<{ policy: Uint8Array | null; parts: Readonly<Record<string, unknown>> }> {
  const policy = fileAt(event, event.rig['actions_policy_file'])
  if (policy === null) return { policy: null, parts: {} }
  const { targets = [], hazards = [] } = parse(new TextDecoder().decode(policy)) as Policy
  const of = (executor: string): string[] => targets.flatMap((one) => (one.executor === executor ? [one.name] : []))
  const [actuators, peers] = [of('actuator'), of('peer')]
  const others = targets.filter(
    ({ name, executor }) => !['actuator', 'peer'].includes(executor) && !(executor === 'notify' && name === NOTICES),
  )
  if (others.length > 0 || peers.length > 1) {
    const named = others.map(({ name, executor }) => `${name} (${executor})`).join(', ')
    notes.push(`the policy of actions is left out: the bench has nobody for ${named || 'a second peer'}`)
    return { policy: null, parts: {} }
  }
  const lossOf = (name: string): string | undefined => hazards.find(({ target }) => target === name)?.loss_of_permit
  const effects = actuators.map((name) => {
    const loss = lossOf(name)
    return [name, { effect: {}, ...(loss === undefined ? {} : { loss_effect: loss }) }]
  })
  return {
    policy,
    parts: {
      policy: 'actions.yaml',
      ...(actuators.length === 0 ? {} : { actuators: Object.fromEntries(effects) as Record<string, unknown> }),
      ...(peers[0] === undefined ? {} : { peer: { name: peers[0] } }),
    },
  }
}

/** Whatever may keep the bench from saying the same as the field. */
function notesOf({ slice }: FieldEvent): string[] {
  const { left_out: left, left_out_more: more, messages_refused: refused, records_damaged: damaged } = slice
  return [
    ...left.map(({ channel, reason }) => `channel ${channel} is left out: ${reason}`),
    ...(more > 0 ? [`${more} more channels are left out`] : []),
    ...(refused > 0 ? [`${refused} messages that the agent could not read are left out`] : []),
    ...(damaged > 0 ? [`${damaged} records of the journal are damaged; what they held is left out`] : []),
    ...(isBeforeBenches(slice)
      ? ['it was before any agent: it is played on another day, and a baseline has another age']
      : []),
    ...(slice.rolling === null ? [] : ['the rolling baseline is left out: events are told by the golden one']),
    ...(slice.modes.length === 0 ? [] : [`the mode changed in the slice; here it is ${slice.decision.mode} all along`]),
    ...(slice.starts === 0 ? [] : ['the agent was started in the slice; here it runs all along']),
  ]
}
