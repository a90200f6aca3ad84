import { stringify } from 'yaml'
import { utc } from '../../shared/lib/command-output.ts'
import type { OverallVerdict } from '../../shared/model/verdict.ts'
import type { Micros } from '../../shared/units.ts'
import { type DecisionSlice, type FieldEvent, isBeforeBenches } from './decision-folder.ts'
import { BENCH_PEOPLE } from './field-rig.ts'

/** The bench moves on by so much: late and early samples stay late and early. */
const QUANTUM_MS = 10
const QUANTUM_US: Micros = QUANTUM_MS * 1000
const SLIDE_MS = 50
/** Windows are full before anybody arms. */
const ARM_AFTER = '2s'

/** Verdicts that are never a mend: what is wrong, and a rig that nobody knows anything of. */
const WRONG: readonly OverallVerdict[] = ['FAIL', 'NO_TEST', 'NO_BASELINE']

/** What must not come any more: first the verdict of the field, then what would be no mend of it. What was PASS must stay so. */
function notAgain(field: OverallVerdict): readonly (readonly OverallVerdict[])[] {
  if (field === 'PASS') return [['PASS_WITH_DRIFT', ...WRONG]]
  return [[field], WRONG.filter((one) => one !== field)]
}

/** Id of the scenario of a decision, and the name of its file. */
export function scenarioNames(rig: string, seq: number): Readonly<{ id: string; file: string }> {
  const word = rig
    .toUpperCase()
    .replace(/[^A-Z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
  return { id: `FIELD-${word}-${seq}`, file: `${rig}-${seq}.scenario.yaml` }
}

/** Text of the scenario: the slice again, through the agent as it is now, and the verdict that must not come again. */
export function fieldScenario(event: FieldEvent, { name, isArmed }: { name: string; isArmed: boolean }): string {
  const { slice, rig } = event
  const { decision } = slice
  const durationUs = Math.ceil((slice.end_us - slice.begin_us) / QUANTUM_US) * QUANTUM_US
  const slideUs = Number(rig['slide_ms'] ?? SLIDE_MS) * 1000
  const fromUs = Math.max(0, decision.time_us - slice.begin_us - slideUs)
  const value = {
    hil: 1,
    id: scenarioNames(name, decision.seq).id,
    title: titleOf(slice),
    verifies: [],
    tags: ['field'],
    rig: name,
    clock: {
      mode: 'lockstep',
      quantum_ms: QUANTUM_MS,
      duration_s: durationUs / 1_000_000,
      ...(isBeforeBenches(slice) ? {} : { begin_us: slice.begin_us }),
    },
    plant: { file: 'slice.csv' },
    ...(isArmed
      ? {
          setup: [
            { wait: ARM_AFTER },
            { arm: { by: BENCH_PEOPLE.slice(0, 2), for: `${Math.ceil(durationUs / 1_000_000) + 60}s` } },
          ],
        }
      : {}),
    expect: [
      ...notAgain(decision.verdict).map((verdict) => ({ never: { verdict, from: `${fromUs / 1000}ms` } })),
      { replay: 'equal' },
    ],
    ...(isArmed ? { teardown: [{ disarm: BENCH_PEOPLE[0] }] } : {}),
  }
  const why = decision.verdict === 'PASS' ? 'It passes while that is so.' : 'It fails until that is mended.'
  return `# Made by \`hb hil from-decision\`: what rig ${decision.rig} sent around decision ${decision.seq}, which was ${decision.verdict}.
# ${why} Mend the registry, policy or baseline under rigs/${name}, or the program, and run it again.
${stringify(value, { lineWidth: 130 })}`
}

function titleOf({ decision }: DecisionSlice): string {
  const [finding] = decision.findings
  const why = finding === undefined ? '' : ` (${finding.metric}: ${finding.ground})`
  return `decision ${decision.seq} of rig ${decision.rig}, ${utc(decision.time_us)}: ${decision.verdict}${why}`
}
