import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { createProgram } from '../../scripts/program.ts'
import { ROOT } from '../../scripts/sources.ts'
import { shellWords, wordProblems } from '../support/command-words.ts'

const DEPLOY = join(ROOT, 'deploy')
const read = (name: string): string => readFileSync(join(DEPLOY, name), 'utf8')
const yaml = (name: string): Record<string, never> => parse(read(name), { merge: true }) as Record<string, never>

type Service = Readonly<{
  command: readonly string[]
  networks: readonly string[]
  depends_on?: readonly string[]
  image: string
  read_only: boolean
  cap_drop: readonly string[]
  ports?: readonly string[]
}>

/** Commands of `hb` in a text for a shell. */
function hbLines(text: string): string[][] {
  const joined = text.replace(/\\\n/g, ' ')
  return joined
    .split('\n')
    .map(shellWords)
    .filter(([first]) => first === 'hb')
}

t.test('the composition of a bench is whole, closed to the outside, and every command in it exists', async (t) => {
  const program = await createProgram()
  const { services, networks } = yaml('hil-testbed/compose.yaml') as unknown as Readonly<{
    services: Readonly<Record<string, Service>>
    networks: Readonly<Record<string, Readonly<{ internal: boolean }>>>
  }>
  t.same(Object.keys(services).sort(), ['actuator', 'agent', 'collector', 'plant'])
  for (const [name, { command, networks: on, depends_on: after = [], ports = [], ...rest }] of Object.entries(
    services,
  )) {
    t.same(wordProblems(program, command), [], `${name}: ${command.join(' ')}`)
    t.same([rest.read_only, rest.cap_drop], [true, ['ALL']], name)
    for (const one of on) t.equal(networks[one]?.internal, true, `${name} on ${one}`)
    for (const one of after) t.ok(services[one], `${name} waits for ${one}`)
    for (const port of ports) t.match(port, /^127\.0\.0\.1:/, `${name} at ${port}`)
  }
})

t.test('what others hear in the composition is where they listen', (t) => {
  const { services } = yaml('hil-testbed/compose.yaml') as unknown as { services: Record<string, Service> }
  const words = Object.values(services).flatMap(({ command }) => command)
  for (const word of words)
    for (const [, host] of word.matchAll(/tcp:\/\/([a-z][a-z-]*):/g)) t.ok(services[host!], `${word}: ${host}`)
  t.end()
})

/** Steps of each example in the words of its CI, without anything but what a shell is given. */
const EXAMPLES: Readonly<Record<string, () => string[]>> = {
  'ci/hil.github.yml': () => {
    const { jobs } = yaml('ci/hil.github.yml') as unknown as {
      jobs: Record<string, { steps: readonly { run?: string; if?: string; uses?: string }[] }>
    }
    return Object.values(jobs).flatMap(({ steps }) => steps.flatMap(({ run }) => run ?? []))
  },
  'ci/hil.gitlab-ci.yml': () => {
    const { hil } = yaml('ci/hil.gitlab-ci.yml') as unknown as { hil: { script: readonly string[] } }
    return [...hil.script]
  },
  'ci/hil.Jenkinsfile': () =>
    [...read('ci/hil.Jenkinsfile').matchAll(/\bsh ('''([\s\S]*?)'''|'([^'\n]*)')/g)].map(
      ([, , long, short]) => long ?? short!,
    ),
}

t.test('every command of the examples for CI exists, with every option that it is given', async (t) => {
  const program = await createProgram()
  for (const [name, steps] of Object.entries(EXAMPLES)) {
    const lines = steps().flatMap(hbLines)
    for (const words of lines) t.same(wordProblems(program, words), [], `${name}: ${words.join(' ')}`)
    const said = lines.map((words) => words.slice(0, 3).join(' '))
    t.ok(said.includes('hb hil lint') && said.includes('hb hil run'), `${name} says ${said.join(', ')}`)
    const run = lines.find((words) => words[2] === 'run')!
    for (const option of ['--junit', '--json', '--evidence', '--quarantine'])
      t.ok(run.includes(option), `${name} ${option}`)
  }
})

t.test('reports are kept whatever came of a campaign', (t) => {
  const github = yaml('ci/hil.github.yml') as unknown as {
    jobs: {
      campaign: {
        strategy: { matrix: { shard: readonly number[] } }
        steps: readonly { if?: string; run?: string; uses?: string }[]
      }
    }
  }
  const { strategy, steps } = github.jobs.campaign
  t.equal(steps.find(({ uses }) => uses?.startsWith('actions/upload-artifact'))?.if, 'always()')
  const { shard } = strategy.matrix
  t.same(
    shard,
    shard.map((_, k) => k + 1),
  )
  t.match(steps.flatMap(({ run }) => run ?? []).join('\n'), `/${shard.length} `, 'as many shards as runners')
  const gitlab = yaml('ci/hil.gitlab-ci.yml') as unknown as { hil: { artifacts: { when: string } } }
  t.equal(gitlab.hil.artifacts.when, 'always')
  t.match(read('ci/hil.Jenkinsfile'), /post \{\s+always \{\s+junit/)
  t.end()
})

t.test('words that are wrong are found', async (t) => {
  const program = await createProgram()
  const told = (line: string): string[] => wordProblems(program, shellWords(line))
  t.same(told('hb hil run scenarios --speed max --junit "a b.xml"'), [])
  t.same(told('hb hil rnu scenarios'), ['no command hil rnu'])
  t.same(told('hb hill run'), ['no command hill'])
  t.same(told('hb hil run scenarios --sped max'), ['no option --sped'])
  t.same(told('hb hil run'), ['without an argument'])
  t.same(told('hb runtime --stay'), ['without --config', 'without --state'])
})
