import { WebSocket } from 'ws'
import type { Program } from './agent-process.ts'
import type { HostTime } from './host-time.ts'

/**
 * What an agent is started with so that one of its threads can be ended from outside: no signal ends a thread alone. On SIGUSR1
 * Node opens its inspector (nodejs.org/api/debugger.html), here at any free port of this machine.
 */
export const INSPECTABLE: readonly string[] = ['env', 'NODE_OPTIONS=--inspect-port=127.0.0.1:0']
const LISTENS = /Debugger listening on (ws:\/\/127\.0\.0\.1:\S+)/
const LOOK_MS = 20
/** Ends a thread as an error does that nobody catches: thrown where no evaluation of the inspector is around it. */
const END_OF_THREAD = "queueMicrotask(() => { throw new Error('ended by the bench') })"

/**
 * Ends one thread of a program that was started {@link INSPECTABLE}.
 *
 * @param index which, in the order in which the inspector lists them, from 0
 * @returns whether there was such a thread, and it was told to end
 */
export async function crashThread(program: Program, index: number, host: HostTime): Promise<boolean> {
  program.signal('SIGUSR1')
  const url = await address(program, host)
  if (url === null) return false
  const socket = new WebSocket(url)
  try {
    return await within(host, (done) => tellThread(socket, index, done))
  } finally {
    socket.terminate()
  }
}

async function address({ tail }: Program, host: HostTime): Promise<string | null> {
  for (let waitedMs = 0; waitedMs < host.waitMs; waitedMs += LOOK_MS) {
    const url = tail.map((line) => LISTENS.exec(line)?.[1]).find((found) => found !== undefined)
    if (url !== undefined) return url
    await host.sleep(LOOK_MS)
  }
  return null
}

/** False when it takes too long. */
function within(host: HostTime, act: (done: (is: boolean) => void) => void): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = host.after(host.waitMs, () => resolve(false))
    act((is) => {
      cancel()
      resolve(is)
    })
  })
}

type Said = Readonly<{ id?: number; method?: string; params?: { sessionId: string; message: string } }>

/** Enables the inspector of the thread, and has it end. */
function tellThread(socket: WebSocket, index: number, done: (is: boolean) => void): void {
  let [threads, asked] = [0, 0]
  const say = (method: string, params: object): void => {
    asked += 1
    socket.send(JSON.stringify({ id: asked, method, params }))
  }
  const tell = (sessionId: string, id: number, method: string, params: object): void =>
    say('NodeWorker.sendMessageToWorker', { sessionId, message: JSON.stringify({ id, method, params }) })
  socket.on('open', () => say('NodeWorker.enable', { waitForDebuggerOnStart: false }))
  socket.on('error', () => done(false))
  socket.on('close', () => done(false))
  socket.on('message', (data) => {
    const { method, params } = JSON.parse(String(data)) as Said
    if (method === 'NodeWorker.attachedToWorker') {
      if (threads === index) tell(params!.sessionId, 1, 'Runtime.enable', {})
      threads += 1
    }
    if (method !== 'NodeWorker.receivedMessageFromWorker') return
    const told = JSON.parse(params!.message) as Said
    if (told.id === 1) tell(params!.sessionId, 2, 'Runtime.evaluate', { expression: END_OF_THREAD })
    // With an inspector at it a thread waits before it ends.
    if (told.id === 2) done(true)
  })
}
