import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { executorProblems } from '../../shared/config/executor-problems.ts'
import type { ExecutorConfig, NotifyExecutorConfig } from '../../shared/config/executor-schema.ts'
import { readPrivateFile } from '../../shared/crypto/key-file.ts'
import { loadMacKey } from '../../shared/crypto/mac.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { invariant } from '../../shared/lib/assert.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import type { LossEffect } from '../../shared/protocol/actuator.ts'
import type { Executor } from '../ports.ts'
import { createCommandExecutor } from './command-executor.ts'
import { createHttpExecutor } from './http-executor.ts'
import { createLogChannel, createWebhookChannel } from './notify-channels.ts'
import { createEmailChannel } from './notify-email.ts'
import { createNotifyExecutor, type Notice, type NotifyChannel } from './notify-executor.ts'
import { createSyslogChannel } from './notify-syslog.ts'
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
  random(): number
  /** Who carries out what an executor of type `peer` is asked; the configuration was checked for it. */
  peer?: ((target: string) => Executor) | undefined
  /** Writes a notice to the log. */
  log(notice: Notice): void
}>

/** Bounds of a secret that signs requests. */
const SECRET_BYTES = { min: 16, max: 512 } as const

/** @throws HbError KEY_FILE_MISSING, KEY_FILE_OPEN, EXECUTOR_KEY for a file that is named and cannot be used. */
export function createExecutor(config: ExecutorConfig, context: ExecutorContext): Executor {
  const { target, agent, testbed, nonIdempotent, lossEffect, clock, random, file } = context
  invariant(executorProblems(config).length === 0, 'an executor is made of a configuration that was checked')
  const path = (name: string): string => resolve(dirname(file), name)
  switch (config.type) {
    case 'actuator': {
      const { endpoint, identity, ping_ms: pingMs } = config
      const key = loadMacKey(path(config.key_file))
      const link = { target, endpoint, agent, identity, key, testbed, nonIdempotent, lossEffect, pingMs }
      return createZmqActuator({ ...link, clock, random })
    }
    case 'webhook':
      return createHttpExecutor({ ...peerOf(config, context), target, timeoutMs: config.timeout_ms, random })
    case 'command': {
      const { argv, proof_argv: proofArgv = null, timeout_ms: timeoutMs } = config
      return createCommandExecutor({ target, argv, proofArgv, directory: path(config.directory), timeoutMs, clock })
    }
    case 'notify': {
      const { per_minute_max: perMinuteMax, timeout_ms: timeoutMs } = config
      const channels = config.channels.map((channel) => channelOf(channel, context))
      return createNotifyExecutor({ target, channels, perMinuteMax, timeoutMs, clock, random })
    }
    case 'peer':
      invariant(context.peer !== undefined, 'an executor of type peer has a peer')
      return context.peer(target)
  }
}

function channelOf(config: NotifyExecutorConfig['channels'][number], context: ExecutorContext): NotifyChannel {
  const path = (name: string): string => resolve(dirname(context.file), name)
  switch (config.type) {
    case 'log':
      return createLogChannel(context.log)
    case 'webhook':
      return createWebhookChannel(peerOf(config, context))
    case 'email': {
      const { password_file: passwordFile } = config
      const password = passwordFile === undefined ? null : readPrivateFile(path(passwordFile)).trim()
      return createEmailChannel({ config, password, ca: authorityOf(config, context) })
    }
    case 'syslog':
      return createSyslogChannel({ config, ca: authorityOf(config, context), clock: context.clock })
  }
}

type Peer = Readonly<{ url: string; secret_file: string; ca_file?: string }>

function peerOf(config: Peer, context: ExecutorContext) {
  const path = resolve(dirname(context.file), config.secret_file)
  const secret = new TextEncoder().encode(readPrivateFile(path).trim())
  if (!(secret.length >= SECRET_BYTES.min && secret.length <= SECRET_BYTES.max))
    throw new HbError('EXECUTOR_KEY', {
      path,
      found: `${secret.length} bytes`,
      expected: `${SECRET_BYTES.min} to ${SECRET_BYTES.max}`,
    })
  return { url: config.url, secret, ca: authorityOf(config, context), clock: context.clock }
}

function authorityOf({ ca_file: file }: Readonly<{ ca_file?: string }>, context: ExecutorContext): string | null {
  if (file === undefined) return null
  const path = resolve(dirname(context.file), file)
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new HbError('KEY_FILE_MISSING', { path }, { cause })
  }
}
