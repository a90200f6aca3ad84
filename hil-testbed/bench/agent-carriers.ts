import { spawn } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Micros } from '../../shared/units.ts'
import type { Fault } from '../core/fault.ts'
import { type MakeCarrier, numberOf, once, type Reach, textOf } from './carrier.ts'
import { clockSpoof } from './clock-spoof.ts'
import { crashThread } from './thread-crash.ts'

const PAGE_BYTES = 4096
/** What an action says in the log when it comes to a state. */
const isAt = (state: string) => (line: Readonly<Record<string, unknown>>) =>
  line['event'] === 'action' && line['state'] === state && line['action'] !== 'notify'

/** Killed at once or at a point of an action's life, and started again a while later on what is left. */
const kill: MakeCarrier = (fault, reach) => {
  const [at, restartUs] = [textOf(fault, 'at'), numberOf(fault, 'restart_ms') * 1000]
  let killedUs: Micros | null = null
  let kills = 0
  let from = 0
  const strike = async (atUs: Micros): Promise<void> => {
    await reach.agent.kill(atUs)
    killedUs = atUs
    kills += 1
  }
  const back = async (atUs: Micros): Promise<void> => {
    if (killedUs === null) return
    killedUs = null
    await reach.agent.start(atUs)
  }
  return {
    begin: async (atUs) => {
      from = reach.agent.now.said.length
      if (at === 'now' || at === 'ready') await strike(atUs)
    },
    move: async (atUs) => {
      if (killedUs !== null && atUs >= killedUs + restartUs) await back(atUs)
      else if (kills === 0 && reach.agent.now.said.slice(from).some(isAt(at))) await strike(atUs)
    },
    end: back,
    count: () => kills,
  }
}

const pause: MakeCarrier = (_, { agent }) => {
  let pauses = 0
  return {
    begin: (atUs) => {
      agent.pause(atUs, true)
      pauses += 1
    },
    end: (atUs) => agent.pause(atUs, false),
    count: () => pauses,
  }
}

/** The loop stands: to everybody outside the same as a process that is not scheduled. */
const stall: MakeCarrier = (fault, { agent }) => {
  const [stallUs, everyUs] = [numberOf(fault, 'stall_ms') * 1000, numberOf(fault, 'every_ms') * 1000]
  let [stalls, nextUs, untilUs] = [0, 0, 0]
  return {
    begin: (atUs) => {
      nextUs = atUs
    },
    move: (atUs) => {
      if (untilUs > 0 && atUs >= untilUs) {
        agent.pause(atUs, false)
        untilUs = 0
      }
      if (untilUs > 0 || atUs < nextUs) return
      agent.pause(atUs, true)
      stalls += 1
      nextUs += everyUs
      untilUs = atUs + stallUs
    },
    end: (atUs) => {
      if (untilUs > 0) agent.pause(atUs, false)
    },
    count: () => stalls,
  }
}

/** A thread of the agent ends, the agent with it, and it is started again a while later on what is left. */
const workerCrash: MakeCarrier = (fault, { agent, host }) => {
  const restartUs = numberOf(fault, 'restart_ms') * 1000
  let [crashes, backUs] = [0, Number.POSITIVE_INFINITY]
  const back = async (atUs: Micros): Promise<void> => {
    backUs = Number.POSITIVE_INFINITY
    await agent.start(atUs)
  }
  return {
    begin: async (atUs) => {
      agent.doom()
      if (!(await crashThread(agent.now, numberOf(fault, 'worker'), host))) {
        agent.doom(false)
        return
      }
      crashes += 1
      backUs = atUs + restartUs
    },
    move: (atUs) => (agent.fell && atUs >= backUs ? back(atUs) : undefined),
    end: (atUs) => (agent.fell ? back(atUs) : undefined),
    count: () => crashes,
  }
}

/** Started again on a state folder that it may not write, which it must refuse; with the end it may, and is started. */
const readOnly: MakeCarrier = (_, { agent }) => {
  let closed = 0
  return {
    begin: async (atUs) => {
      await agent.kill(atUs)
      setWritable(agent.path(), false)
      if (!(await mayWrite(agent.path()))) closed += 1
      await agent.startRefused(atUs, asAnybody())
    },
    end: async (atUs) => {
      setWritable(agent.path(), true)
      await agent.start(atUs)
    },
    count: () => closed,
  }
}

/** Whether a program like the agent may. */
async function mayWrite(folder: string): Promise<boolean> {
  const [command, ...args] = [...asAnybody(), 'test', '-w', folder]
  const code = await new Promise((resolve) =>
    spawn(command!, args, { stdio: 'ignore' }).on('error', resolve).on('close', resolve),
  )
  // Anything else than this answer of test(1) proves nothing.
  return code !== 1
}

/** Modes mean nothing to who may pass them over (capabilities(7)). */
function asAnybody(): readonly string[] {
  return process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search,-fowner'] : []
}

function setWritable(folder: string, may: boolean): void {
  const [folders, files] = may ? [0o700, 0o600] : [0o500, 0o400]
  // A folder that cannot be written still lets its entries' modes be changed.
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true }))
    if (entry.isFile() || entry.isDirectory())
      chmodSync(join(entry.parentPath, entry.name), entry.isDirectory() ? folders : files)
  chmodSync(folder, folders)
}

const fdExhaustion: MakeCarrier = (fault, { agent }) => {
  const fds = numberOf(fault, 'fds')
  let limits = 0
  return {
    begin: async () => {
      await agent.limit(`--nofile=${fds}:`)
      limits += 1
    },
    // The most it may be given.
    end: async () => (agent.running ? agent.limit(`--nofile=${await agent.hardLimit('nofile')}:`) : undefined),
    count: () => limits,
  }
}

/** Started again with little memory for what it holds. */
const oomCap: MakeCarrier = (fault, { agent }) =>
  once(async (atUs) => {
    await agent.kill(atUs)
    await agent.start(atUs, ['env', `NODE_OPTIONS=--max-old-space-size=${numberOf(fault, 'heap_mb')}`])
  })

/** No file of the agent may grow beyond the largest it has now: every write past it is refused (EFBIG), as on a full disk. */
const full: MakeCarrier = (fault, { agent }) => {
  let limits = 0
  return {
    begin: async () => {
      const bytes = largestIn(agent.path()) + numberOf(fault, 'left_kb') * 1024
      await agent.limit(`--fsize=${bytes}:`)
      limits += 1
    },
    end: () => (agent.running ? agent.limit('--fsize=unlimited:') : undefined),
    count: () => limits,
  }
}

/** Calls that should say that something is on the disk say an error instead (strace(1), injection). */
const fsyncFailure: MakeCarrier = (fault, { agent, host }) => {
  let tracer: ReturnType<typeof spawn> | null = null
  let traced = 0
  return {
    begin: async () => {
      const inject = `inject=fdatasync,fsync:error=${textOf(fault, 'errno')}`
      const args = [
        '-f',
        '-q',
        '-p',
        String(agent.now.pid),
        '-e',
        'trace=fdatasync,fsync',
        '-e',
        inject,
        '-o',
        '|cat >&2',
      ]
      const started = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] })
      tracer = started
      started.on('error', () => undefined)
      started.stderr.setEncoding('utf8').on('data', (text: string) => {
        traced += text.split('INJECTED').length - 1
      })
      await host.sleep(ATTACH_MS)
    },
    end: async () => {
      const ended = new Promise((resolve) => tracer?.on('close', resolve))
      tracer?.kill('SIGTERM')
      if (tracer?.exitCode === null) await ended
    },
    count: () => traced,
  }
}
const ATTACH_MS = 300

/** Something on the disk is damaged between two lives. */
function damaged(act: (fault: Fault, reach: Reach) => boolean): MakeCarrier {
  return (fault, reach) => {
    let hits = 0
    return {
      begin: async (atUs) => {
        await reach.agent.kill(atUs)
        if (act(fault, reach)) hits += 1
        await reach.agent.start(atUs)
      },
      count: () => hits,
    }
  }
}

const FILES: Readonly<Record<string, Readonly<{ folder: string; ends: string }>>> = {
  journal: { folder: 'journal', ends: '.hbj' },
  outbox: { folder: 'outbox', ends: '.hbo' },
  checkpoint: { folder: 'checkpoints', ends: '.hbc' },
  ledger: { folder: '', ends: 'actions.sqlite' },
}

const tornWrite = damaged((fault, { agent }) => {
  const { folder, ends } = FILES[textOf(fault, 'file')]!
  const newest = readdirSync(agent.path(folder))
    .filter((name) => name.endsWith(ends))
    .sort()
    .at(-1)
  if (newest === undefined) return false
  const path = join(agent.path(folder), newest)
  const { size } = statSync(path)
  truncateSync(path, Math.max(0, size - numberOf(fault, 'cut_bytes')))
  return size > 0
})

const corruptLedgerPage = damaged((fault, { agent }) => {
  const from = (numberOf(fault, 'page') - 1) * PAGE_BYTES
  // Pages that are not in the file yet are in the log before it.
  const path = ['actions.sqlite', 'actions.sqlite-wal']
    .map((name) => agent.path(name))
    .find((one) => existsSync(one) && statSync(one).size > from)
  if (path === undefined) return false
  const fd = openSync(path, 'r+')
  writeSync(fd, Buffer.alloc(PAGE_BYTES, 0xa5), 0, PAGE_BYTES, from)
  closeSync(fd)
  return true
})

const lostCheckpoint = damaged((_, { agent }) => {
  const found = readdirSync(agent.path('checkpoints'))
  for (const name of found) rmSync(join(agent.path('checkpoints'), name))
  return found.length > 0
})

function largestIn(folder: string): number {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((most, entry) => Math.max(most, statSync(join(entry.parentPath, entry.name)).size), 0)
}

export const AGENT_CARRIERS: Readonly<Record<string, MakeCarrier>> = {
  'compute.kill': kill,
  'security.clock_spoof': clockSpoof,
  'compute.pause': pause,
  'compute.stall': stall,
  'compute.worker_crash': workerCrash,
  'compute.oom_cap': oomCap,
  'compute.fd_exhaustion': fdExhaustion,
  'storage.full': full,
  'storage.read_only': readOnly,
  'storage.fsync_failure': fsyncFailure,
  'storage.torn_write': tornWrite,
  'storage.corrupt_ledger_page': corruptLedgerPage,
  'storage.lost_checkpoint': lostCheckpoint,
}
