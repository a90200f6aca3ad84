import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { knownIds, REQUIREMENTS_FILE, readRequirements } from '../hil-testbed/report/requirements.ts'
import { listFiles, ROOT } from './sources.ts'

/** What the action engine, the alarm engine and the golden vectors have to do, in the order of the page; one line each. */
export const REQUIREMENTS: Readonly<Record<string, string>> = {
  'SE-01': 'an action that nobody weighed (hazards, FTTI, safe state, verify) is refused at load',
  'SE-02': 'the vote follows the hazard: 1ooN, 2oo2 or 2oo3, and is said in words',
  'SE-03': 'every vote degrades as a table says, and never silently',
  'SE-04': 'no single sample, message, person or edit starts a hard action',
  'SE-05': 'verdicts are four-valued; unknown is never TRUE where it must not work, never FALSE where it must',
  'SE-06': 'independence is worked out from leaves and common causes, not asserted',
  'SE-07': 'a denial has machine-readable reasons, is recorded, and alarms where the action must work',
  'SE-08': 'conditions coincide and are fresh by event time and by arrival; a step of the clock makes all STALE',
  'SE-09': 'gates are evaluated again at the release, on what is so then',
  'SE-10': 'interlocks and mutual exclusion block, and name what blocks',
  'SE-11': 'hard actions need a golden baseline that enough is known of',
  'SE-12': 'only what is live moves a hard action, outside a declared testbed',
  'SE-13': 'a state is durable before its effect; death at any arrow leaves one legal state',
  'SE-14': 'one key an action, the same for every try; who cannot know it again is never sent twice',
  'SE-15': 'what was sent and not acknowledged before a restart is UNKNOWN_OUTCOME until somebody looked',
  'SE-16': 'each stage has its time limit; stages are never gone back; an end stays the end',
  'SE-17': 'the effect is seen by a channel that the peer has no hand in, or it has failed',
  'SE-18': 'one shot an episode; passive, dry and denied attempts never spend it',
  'SE-19': 'budgets, spacing and latches; exhausted is an alarm; they survive restarts',
  'SE-20': 'higher actions cancel lower ones, and nothing resumes after safing',
  'SE-21': 'OFF, PASSIVE, ARMED, PERM_OFF; the agent starts PASSIVE',
  'SE-22': 'arming takes two people, holds for what they saw, and ends by itself',
  'SE-23': 'a hard action by hand takes two acts and, where it is grave, a second person',
  'SE-24': 'armed safing waits for nobody; a veto window counts inside the FTTI',
  'SE-25': 'anybody cancels before SENT; disarming is one act of one person',
  'SE-26': 'break-glass: reason, two acts, at most 15 minutes, recorded',
  'SE-27': 'shelving inhibits no action; INHIBIT is two people, ends, is counted and alarms',
  'SE-28': 'lint warns when people would be asked more than six times an hour',
  'SE-29': 'the reaction fits into half of the FTTI, or the file is refused',
  'SE-30': 'times from fault to effect are measured, and alarm at 80 and 100 % of their budget',
  'SE-31': 'time limits go by the monotonic clock; steps of the wall clock are watched',
  'SE-32': 'work a slide is bounded; what tells is shed first, safing never',
  'SE-33': 'a keyed token that went the whole path holds the permit; a timer alone does not',
  'SE-34': 'losing the permit has a declared effect on the hardware',
  'SE-35': 'losing the collector neither disarms nor blocks an agent',
  'SE-36': 'losing sight raises an alarm, and silence never clears one',
  'SE-37': 'a start verifies, lints and tests itself, and is PASSIVE; what fails refuses to arm',
  'SE-38': 'an orderly stop disarms, writes everything down and drops the permit as declared',
  'SE-39': 'configuration is one signed bundle, taken whole or not at all; what stayed keeps its counters',
  'SE-40': 'policy and arming in memory are checked against their digest; a difference disarms',
  'SE-41': 'links to actuators: sequence, timeout, receipt, identity, integrity; every error kind injected',
  'SE-42': 'every action has a proof test with a due date; overdue keeps it from being armed',
  'SE-43': 'the kernel is small, pure and tried with every condition and with mutants',
  'SE-44': 'not an E-stop, not a certified safety function; a catastrophic omission needs a second layer',
  'AL-1':
    'the state of an alarm is plain: active, acknowledged, confirmed, latched, shelved, suppressed, out of service',
  'AL-2': 'raised by k of n or by how long it holds; the unknown holds or resets, for a limited time',
  'AL-3': 'cleared with a delay and a deadband of its own',
  'AL-4': 'announced again when it comes back, gets worse or stands for long',
  'AL-5': 'an acknowledgement names what was seen, and is refused when that has moved on',
  'AL-6': 'a shelf has a reason and an end, and is broken by a worse severity or by arming',
  'AL-7': 'suppressed by design only: modes and first-out groups',
  'AL-8': 'every alarm has a consequence, a response, a time and guidance',
  'AL-9': 'measures over ten minutes and an hour',
  'AL-10': 'in a flood there is a summary, and CRITICAL is never dropped',
  'AL-11': 'losing data raises, never clears',
  'AL-12': 'a severity that nobody knows sorts above WARNING',
  G1: 'golden vector: alternating',
  G2: 'golden vector: glitch',
  G3: 'golden vector: NaN',
  G4: 'golden vector: recurs',
  G5: 'golden vector: recovers',
  G6: 'golden vector: gap',
  G7: 'golden vector: late sample',
  G8: 'golden vector: threshold zero',
  G9: 'golden vector: shelved and worse',
  G10: 'golden vector: mode changes while in alarm',
  G11: 'golden vector: dry run, then armed',
  G12: 'golden vector: killed between SENT and its acknowledgement',
}

/**
 * What is not shown yet, and why. Every id without a test has its reason here; one with tests may have one too, and is open
 * in part.
 */
export const GAPS: Readonly<Record<string, string>> = {
  'SE-38':
    'an agent that nobody armed has no last record of its own: it ends with the range of decisions that its stop closes and signs',
  'SE-42': 'the date is for whoever declares one: no lint asks for it, and an action of a peer has no proof test',
  'SE-43':
    'conditions are tried by tables and by mutants (`npm run mutate`, not a test); coverage of MC/DC is not measured',
}

/** A test that says what it verifies. */
export type Verified = Readonly<{ file: string; line: number; ids: readonly string[]; test: string }>
export type Misplaced = Readonly<{ file: string; line: number; problem: string }>
export type Claims = Readonly<{ verified: readonly Verified[]; problems: readonly Misplaced[] }>

const CLAIM = /^\s*\/\/ verifies\b(.*)$/
const TEST_CALL = /^[ \t]*(?:t|tap)\.test\(\s*(['"`])((?:\\.|(?!\1)[\s\S])*)\1/

/** What the comments `// verifies ID, ID` of a test file claim, and what is wrong with them. */
export function claimsIn(file: string, text: string, known: Readonly<Record<string, string>> = REQUIREMENTS): Claims {
  const lines = text.split('\n')
  const verified: Verified[] = []
  const problems: Misplaced[] = []
  lines.forEach((line, index) => {
    const listed = CLAIM.exec(line)?.[1]
    if (listed === undefined) return
    const at = { file, line: index + 1 }
    const ids = listed.split(',').map((id) => id.trim())
    for (const id of ids) if (!Object.hasOwn(known, id)) problems.push({ ...at, problem: `unknown requirement ${id}` })
    const test = TEST_CALL.exec(lines.slice(index + 1).join('\n'))?.[2]
    if (test === undefined) problems.push({ ...at, problem: 'not directly above a test' })
    else verified.push({ ...at, ids, test: test.replace(/\\(.)/g, '$1') })
  })
  return { verified, problems }
}

/** The claims of all tests of the project, by file and line. Tests also show what no scenario of the bench can. */
export function allClaims(root = ROOT): Claims {
  const files = listFiles('test', root).filter((file) => /\.test\.tsx?$/.test(file))
  const ofBench = [...knownIds(readRequirements(join(root, REQUIREMENTS_FILE)))].map((id) => [id, ''])
  const known = { ...REQUIREMENTS, ...Object.fromEntries(ofBench) }
  const claims = files.map((file) => claimsIn(file, readFileSync(join(root, file), 'utf8'), known))
  return {
    verified: claims.flatMap(({ verified }) => verified),
    problems: claims.flatMap(({ problems }) => problems),
  }
}

/** Ids that nothing verifies. */
export function openIds({ verified }: Pick<Claims, 'verified'>): string[] {
  const shown = new Set(verified.flatMap(({ ids }) => ids))
  return Object.keys(REQUIREMENTS).filter((id) => !shown.has(id))
}

/** The page of requirements, what is open first. */
export function traceabilityMarkdown(claims: Claims): string {
  const open = openIds(claims)
  const testsOf = (id: string): Verified[] => claims.verified.filter(({ ids }) => ids.includes(id))
  const cell = (text: string): string => text.replaceAll('|', '\\|')
  const partly = Object.keys(GAPS).filter((id) => !open.includes(id))
  return [
    '# Requirements and the tests that show them',
    '',
    '<!-- Generated by `npm run docs` from the code. Edit the code, then run it again. -->',
    '',
    'SE: the action engine. AL: the alarm engine. G: golden vectors. A test says above itself what it verifies',
    '(`// verifies SE-06`); it shows that much and no more.',
    '',
    '## OPEN: no test',
    '',
    ...(open.length === 0
      ? ['None.']
      : ['| | | Why |', '|---|---|---|', ...open.map((id) => row(id, REQUIREMENTS[id] ?? '', GAPS[id] ?? ''))]),
    '',
    '## Open in part',
    '',
    ...(partly.length === 0
      ? ['Nothing that is known.']
      : [
          '| | | What is missing |',
          '|---|---|---|',
          ...partly.map((id) => row(id, REQUIREMENTS[id] ?? '', GAPS[id] ?? '')),
        ]),
    '',
    '## All',
    '',
    '| | | Tests |',
    '|---|---|---|',
    ...Object.entries(REQUIREMENTS).map(([id, what]) => {
      const tests = testsOf(id).map(({ file, test }) => `\`${file.replace(/^test\//, '')}\` ${cell(test)}`)
      return row(id, what, tests.length === 0 ? 'OPEN' : tests.join('<br>'))
    }),
    '',
  ].join('\n')
}

function row(...cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}
