import { spawn } from 'node:child_process'
import { usualHb } from '../../scripts/demo/processes.ts'

export type Ended = Readonly<{ code: number | null; stdout: string; stderr: string }>

/** Runs `hb ARGS` to its end, however it ends. */
export function hbEnded(args: readonly string[], folder: string): Promise<Ended> {
  const { command, before } = usualHb()
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...before, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
    const [stdout, stderr]: [string[], string[]] = [[], []]
    child.stdout.setEncoding('utf8').on('data', (text: string) => stdout.push(text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => stderr.push(text))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout: stdout.join(''), stderr: stderr.join('') }))
  })
}
