import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import t from 'tap'
import { killAll, startHb } from '../../scripts/demo/processes.ts'
import { createBenchFolder, hostRig, runtimeYaml } from '../support/bench-folder.ts'

const WAIT_MS = 2000

/** Stands for the program of systemd: what it is told goes to the file that stands for the socket. The real one: test/slow. */
const NOTIFY = '#!/bin/sh\nprintf "%s\\n" "$@" >>"$NOTIFY_SOCKET"\n'

async function until(what: string, holds: () => boolean, withinMs = 20_000): Promise<void> {
  for (let k = 0; k < withinMs / 10 && !holds(); k += 1) await new Promise((resolve) => setTimeout(resolve, 10))
  if (!holds()) throw new Error(`${what} did not come`)
}

// verifies SE-33
t.test(
  'the service manager is told: ready, alive while tokens come through, silent while they do not, the end',
  async (t) => {
    const folder = await createBenchFolder()
    t.teardown(() => {
      killAll()
      folder.remove()
    })
    const [bin, path] = [join(folder.path, 'bin'), join(folder.path, 'told')]
    mkdirSync(bin)
    writeFileSync(join(bin, 'systemd-notify'), NOTIFY)
    chmodSync(join(bin, 'systemd-notify'), 0o755)
    process.env['PATH'] = `${bin}${delimiter}${process.env['PATH'] ?? ''}`
    process.env['NOTIFY_SOCKET'] = path
    process.env['WATCHDOG_USEC'] = String(WAIT_MS * 1000)
    const told = (): string[] => (existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [])
    const signs = (): number => told().filter((line) => line === 'WATCHDOG=1').length
    folder.write('runtime.yaml', runtimeYaml({ clock: 'system', rigs: hostRig(200) }))
    const agent = startHb('agent', ['runtime', '--config', 'runtime.yaml', '--state', 'state'], { folder: folder.path })
    await agent.event('agent_started')
    await until('signs of life', () => signs() >= 3)
    t.equal(told()[0], 'READY=1')
    process.kill(agent.pid, 'SIGSTOP')
    await new Promise((resolve) => setTimeout(resolve, 200))
    const before = signs()
    await new Promise((resolve) => setTimeout(resolve, WAIT_MS))
    t.equal(signs(), before, 'no sign for as long as the manager waits: it would end the process')
    process.kill(agent.pid, 'SIGCONT')
    await until('signs again', () => signs() > before)
    t.equal(await agent.stop(), 0)
    t.equal(told().filter((line) => line === 'READY=1').length, 1, 'ready once')
    t.equal(told().at(-1), 'STOPPING=1')
  },
)
