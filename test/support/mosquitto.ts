import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

export type Mosquitto = Readonly<{ pid: number; stop(signal?: NodeJS.Signals): Promise<void> }>

const READY_TRIES = 100
const READY_POLL_MS = 50

/** A real broker on this machine alone, with a configuration of its own. Rejects when it does not listen soon. */
export async function startMosquitto({
  folder,
  port,
  lines,
}: {
  folder: string
  port: number
  lines: readonly string[]
}): Promise<Mosquitto> {
  const path = join(folder, `mosquitto-${port}.conf`)
  mkdirSync(folder, { recursive: true })
  // Started by root it would become somebody who cannot read this folder.
  writeFileSync(
    path,
    [`user ${process.getuid?.() === 0 ? 'root' : 'mosquitto'}`, `listener ${port} 127.0.0.1`, ...lines, ''].join('\n'),
  )
  // Debian puts it where only administrators look.
  const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` }
  const child = spawn('mosquitto', ['-c', path], { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] })
  // A test that is ended hard leaves nothing behind.
  process.once('exit', () => child.kill('SIGKILL'))
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-4000)
  })
  const ended = new Promise<void>((resolve) => {
    child.on('error', (error) => {
      said += error.message
      resolve()
    })
    child.on('close', () => resolve())
  })
  let over = false
  void ended.then(() => {
    over = true
  })
  for (let k = 0; !over && k < READY_TRIES; k += 1) {
    if (await listens(port)) {
      return {
        pid: child.pid!,
        async stop(signal = 'SIGTERM') {
          child.kill(signal)
          await ended
        },
      }
    }
    await wait(READY_POLL_MS)
  }
  child.kill('SIGKILL')
  throw new Error(`no broker: ${said}`)
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

/** Writes a file of users that mosquitto understands. */
export function writePasswords(path: string, user: string, password: string): void {
  const { status, stderr } = spawnSync('mosquitto_passwd', ['-b', '-c', path, user, password], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`mosquitto_passwd: ${stderr}`)
  chmodSync(path, 0o600)
}

/** Publishes lines of standard input, one message each, with the program that comes with the broker. */
export function mosquittoPub(args: readonly string[], input: string): void {
  const { status, stderr } = spawnSync('mosquitto_pub', [...args], { input, encoding: 'utf8', timeout: 30_000 })
  if (status !== 0) throw new Error(`mosquitto_pub: ${stderr}`)
}
