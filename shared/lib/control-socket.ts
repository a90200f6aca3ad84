import { closeSync, openSync } from 'node:fs'
import { request } from 'node:http'
import { BundleError } from '../errors/bundle-error.ts'
import { ERRORS, type ErrorCode } from '../errors/catalog.ts'
import { HbError } from '../errors/hb-error.ts'
import type { BundleProblem } from '../model/config-bundle.ts'
import type { Millis } from '../units.ts'

/** Name of the socket in the state folder of a running agent. */
export const CONTROL_SOCKET = 'control.sock'

/** What is asked: a path, with a body when something is to be done, and how long an answer may take. */
export type ControlQuestion = Readonly<{ path: string; body?: unknown; withinMs: Millis }>

/**
 * Asks a running agent over the socket in its state folder.
 *
 * @throws HbError STATE_MISSING, AGENT_NOT_RUNNING, or what the agent refused with.
 */
export function askControl(
  folder: string,
  { path, body, withinMs }: ControlQuestion,
): Promise<Record<string, unknown>> {
  return withShortPath(
    folder,
    (socketPath) =>
      new Promise((resolve, reject) => {
        const asked = request(
          {
            socketPath,
            // A connection that is kept would be known by its path, and the next folder may have the same (ADR 40).
            agent: false,
            path,
            method: body === undefined ? 'GET' : 'POST',
            headers: { 'content-type': 'application/json' },
            timeout: withinMs,
          },
          (response) => {
            const parts: Buffer[] = []
            response.on('data', (part: Buffer) => parts.push(part))
            response.on('end', () => {
              const answer = JSON.parse(Buffer.concat(parts).toString('utf8')) as Record<string, unknown>
              if (response.statusCode === 200) resolve(answer)
              else reject(refusalOf(answer))
            })
          },
        )
        asked.on('timeout', () => asked.destroy(new Error('no answer')))
        asked.on('error', (cause) =>
          reject(new HbError('AGENT_NOT_RUNNING', { state: folder, reason: cause.message }, { cause })),
        )
        asked.end(body === undefined ? undefined : JSON.stringify(body))
      }),
  )
}

/** What the agent refused with, as it threw it. */
function refusalOf({ code, context, problems }: Record<string, unknown>): HbError {
  if (Array.isArray(problems) && problems.length > 0) return new BundleError(problems as BundleProblem[])
  return new HbError(codeOf(code), context as Record<string, string>)
}

function codeOf(code: unknown): ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'USAGE'
}

/** A socket's path holds 107 bytes; that of an open folder is always shorter (proc(5), `/proc/self/fd`). */
export async function withShortPath<T>(folder: string, use: (path: string) => Promise<T>): Promise<T> {
  let fd: number
  try {
    fd = openSync(folder, 'r')
  } catch (cause) {
    throw new HbError('STATE_MISSING', { path: folder }, { cause })
  }
  try {
    return await use(`/proc/self/fd/${fd}/${CONTROL_SOCKET}`)
  } finally {
    closeSync(fd)
  }
}
