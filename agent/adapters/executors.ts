import { dirname, resolve } from 'node:path'
import { executorProblems } from '../../shared/config/executor-problems.ts'
import type { ExecutorConfig } from '../../shared/config/executor-schema.ts'
import { loadMacKey } from '../../shared/crypto/mac.ts'
import { invariant } from '../../shared/lib/assert.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import type { Notice } from '../../shared/notify/notice.ts'
import { type ChannelContext, openChannel, openPeer } from '../../shared/notify/open-channel.ts'
import type { LossEffect } from '../../shared/protocol/actuator.ts'
import type { Executor, LinkTurn, OutsideTime } from '../ports.ts'
import { createCommandExecutor } from './command-executor.ts'
import { createHttpExecutor } from './http-executor.ts'
import { createNotifyExecutor } from './notify-executor.ts'
import { createZmqActuator } from './zmq-actuator.ts'

/** What an executor has to know beside its configuration. */
export type ExecutorContext = Readonly<{
  target: string
  agent: string
  /** File that names the executor; paths in it are relative to its folder. */
  file: string
  testbed: boolean
  nonIdempotent: boolean
  lossEffect: LossEffect | null
  clock: Clock
  /** null: time goes on by itself. */
  outside: OutsideTime | null
  random(): number
  /** Who carries out what an executor of type `peer` is asked; the configuration was checked for it. */
  peer?: ((target: string) => Executor) | undefined
  /** Writes a notice to the log. */
  log(notice: Notice): void
}>

/** @throws HbError KEY_FILE_MISSING, KEY_FILE_OPEN, EXECUTOR_KEY for a file that is named and cannot be used. */
export function createExecutor(config: ExecutorConfig, context: ExecutorContext): Executor {
  const { target, agent, testbed, nonIdempotent, lossEffect, clock, random, file, outside } = context
  const host = outside?.host ?? clock
  const hold = outside?.hold
  invariant(executorProblems(config).length === 0, 'an executor is made of a configuration that was checked')
  const path = (name: string): string => resolve(dirname(file), name)
  switch (config.type) {
    case 'actuator': {
      const { endpoint, identity, ping_ms: pingMs } = config
      const key = loadMacKey(path(config.key_file))
      const link = { target, endpoint, agent, identity, key, testbed, nonIdempotent, lossEffect, pingMs }
      const turn: LinkTurn | undefined = outside?.link(target)
      return createZmqActuator({ ...link, clock, random, ...(turn === undefined ? {} : { turn }) })
    }
    case 'webhook':
      return createHttpExecutor({
        ...openPeer(config, channelContext(context)),
        target,
        timeoutMs: config.timeout_ms,
        ...{ random, hold },
      })
    case 'command': {
      const { argv, proof_argv: proofArgv = null, timeout_ms: timeoutMs } = config
      const directory = path(config.directory)
      return createCommandExecutor({ target, argv, proofArgv, directory, timeoutMs, clock: host, hold })
    }
    case 'notify': {
      const { per_minute_max: perMinuteMax, timeout_ms: timeoutMs } = config
      const channels = config.channels.map((channel) => openChannel(channel, channelContext(context)))
      return createNotifyExecutor({ target, channels, perMinuteMax, timeoutMs, clock, random, hold })
    }
    case 'peer':
      invariant(context.peer !== undefined, 'an executor of type peer has a peer')
      return context.peer(target)
  }
}

function channelContext({ file, clock, outside, log }: ExecutorContext): ChannelContext {
  return { folder: dirname(file), app: 'hb-agent', clock: outside?.host ?? clock, log }
}
