import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { usualHb } from '../../scripts/demo/processes.ts'
import { ROOT } from '../../scripts/sources.ts'
import { hbEnded } from './hb-ended.ts'
import { REQUIREMENTS } from './scenario-folder.ts'

/** A campaign that goes on while a test looks at it. */
export type Going = Readonly<{
  signal(name: NodeJS.Signals): void
  /** Pid of the agent of a run, once it has said that it has begun. */
  agent(run: string): Promise<number>
  /** Settles when so many cases are over. */
  cases(count: number): Promise<void>
  ended: Promise<Readonly<{ code: number | null; stdout: string; stderr: string }>>
  /** Command lines of programs of it that still run, whoever their parent is by now. */
  left(): readonly string[]
}>

const LOOK_MS = 20
const LOOK_MAX_MS = 20_000

/** A rig without baseline, which is PASS within a second, and scenarios for it: gone after the test. */
export class HilBench {
  readonly path = mkdtempSync(join(tmpdir(), 'hb-hil-test-'))
  readonly scenarios = join(this.path, 'scenarios')
  private readonly mark = `HB_TEST_MARK=${randomUUID()}`

  constructor(t: { teardown(run: () => void): void }) {
    t.teardown(() => rmSync(this.path, { recursive: true, force: true }))
    mkdirSync(this.scenarios)
    // Of every program that is started from here on: places of this test are not those of the machine.
    process.env['HB_HIL_RESERVATIONS'] = this.file('places')
    writeFileSync(join(this.path, 'requirements.yaml'), REQUIREMENTS)
    cpSync(join(ROOT, 'hil-testbed/rigs/vessel'), join(this.path, 'rigs/vessel'), { recursive: true })
    this.rig((text) => text.replace(/^baseline:.*$/m, 'baseline: { kind: none }'))
  }

  /** Changes the file of the rig. */
  rig(change: (text: string) => string): void {
    const file = join(this.path, 'rigs/vessel/rig.yaml')
    writeFileSync(file, change(readFileSync(file, 'utf8')))
  }

  /** Adds a scenario of so many seconds in which nothing is wrong, with more lines at its end. */
  scenario(id: string, seconds: number, more = ''): string {
    const file = join(this.scenarios, `${id.toLowerCase()}.scenario.yaml`)
    const text = `hil: 1
id: ${id}
title: nothing is wrong
verifies: [REQ-ACT-001]
rig: vessel
seed: 1
clock: { quantum_ms: 50, duration_s: ${seconds} }
expect:
  - verdict: { is: PASS, within: 1s }
  - never: { plant: p_bar > 6 }
  - replay: equal
teardown:
  - actuator: { target: pump, set: { pump: 0 } }
${more}`
    writeFileSync(file, text)
    return file
  }

  file(...names: readonly string[]): string {
    return join(this.path, ...names)
  }

  json(...names: readonly string[]): Record<string, unknown> {
    return JSON.parse(readFileSync(this.file(...names), 'utf8')) as Record<string, unknown>
  }

  /** Runs `hb ARGS` to its end. */
  hb(...args: readonly string[]) {
    return hbEnded(args, this.path)
  }

  /** Begins `hb hil run` on all scenarios, with evidence in a folder. */
  go(evidence: string, ...args: readonly string[]): Going {
    const { command, before } = usualHb()
    const [name, value] = this.mark.split('=') as [string, string]
    const child = spawn(command, [...before, 'hil', 'run', 'scenarios', '--evidence', evidence, ...args], {
      cwd: this.path,
      env: { ...process.env, [name]: value },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const said = { stdout: '', stderr: '' }
    for (const stream of ['stdout', 'stderr'] as const)
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        said[stream] += text
      })
    return {
      signal: (signal) => void child.kill(signal),
      agent: (run) => eventually(() => agentOf(this.file(evidence, run)), `the agent of ${run}`),
      cases: async (count) =>
        void (await eventually(
          () => (/^ *\d+\/\d+ /gm[Symbol.match](said.stderr)?.length ?? 0) >= count || null,
          'cases',
        )),
      ended: new Promise((resolve) => child.on('close', (code) => resolve({ code, ...said }))),
      left: () => programsWith(this.mark),
    }
  }
}

/** Looks again and again until there is something. */
async function eventually<T>(look: () => T | null, what: string): Promise<T> {
  for (let waited = 0; waited < LOOK_MAX_MS; waited += LOOK_MS) {
    const found = look()
    if (found !== null) return found
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  throw new Error(`${what} did not come within ${LOOK_MAX_MS} ms`)
}

/** Pid of the agent of a run, when its log says that it has begun. */
function agentOf(folder: string): number | null {
  try {
    if (!readFileSync(join(folder, 'agent.log'), 'utf8').includes('"agent_started"')) return null
  } catch {
    return null
  }
  const found = pids().filter((pid) => isIn(pid, join(folder, 'agent')) && programOf(pid).includes(' runtime '))
  return found[0] ?? null
}

function programsWith(mark: string): string[] {
  return pids()
    .filter((pid) => textOf(pid, 'environ').split('\0').includes(mark))
    .map(programOf)
}

const pids = (): number[] => readdirSync('/proc').map(Number).filter(Number.isInteger)
const programOf = (pid: number): string => textOf(pid, 'cmdline').replaceAll('\0', ' ')

function isIn(pid: number, folder: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === folder
  } catch {
    return false
  }
}

function textOf(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}
