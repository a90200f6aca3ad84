import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { NotifyChannelConfig } from '../config/executor-schema.ts'
import { readPrivateFile } from '../crypto/key-file.ts'
import { HbError } from '../errors/hb-error.ts'
import type { Clock } from '../lib/clock.ts'
import { createLogChannel, createWebhookChannel } from './channels.ts'
import { createEmailChannel } from './email.ts'
import type { HttpPeer } from './http-post.ts'
import type { Notice, NotifyChannel } from './notice.ts'
import { createSyslogChannel } from './syslog.ts'

/** What a way to people has to know beside its configuration. */
export type ChannelContext = Readonly<{
  /** Folder that its paths are relative to. */
  folder: string
  /** Program that speaks, as syslog names it. */
  app: string
  clock: Clock
  /** Writes a notice to the log. */
  log(notice: Notice): void
}>

/** Bounds of a secret that signs requests. */
const SECRET_BYTES = { min: 16, max: 512 } as const

/** @throws HbError KEY_FILE_MISSING, KEY_FILE_OPEN, EXECUTOR_KEY for a file that is named and cannot be used. */
export function openChannel(config: NotifyChannelConfig, context: ChannelContext): NotifyChannel {
  const { folder, app, clock } = context
  switch (config.type) {
    case 'log':
      return createLogChannel(context.log)
    case 'webhook':
      return createWebhookChannel(openPeer(config, context))
    case 'email': {
      const { password_file: file } = config
      const password = file === undefined ? null : readPrivateFile(resolve(folder, file)).trim()
      return createEmailChannel({ config, password, ca: readAuthority(config, folder) })
    }
    case 'syslog':
      return createSyslogChannel({ config, app, ca: readAuthority(config, folder), clock })
  }
}

type PeerConfig = Readonly<{ url: string; secret_file: string; ca_file?: string }>

/** Whom signed requests go to. @throws HbError as {@link openChannel} */
export function openPeer(config: PeerConfig, { folder, clock }: Pick<ChannelContext, 'folder' | 'clock'>): HttpPeer {
  const path = resolve(folder, config.secret_file)
  const secret = new TextEncoder().encode(readPrivateFile(path).trim())
  if (!(secret.length >= SECRET_BYTES.min && secret.length <= SECRET_BYTES.max))
    throw new HbError('EXECUTOR_KEY', {
      path,
      found: `${secret.length} bytes`,
      expected: `${SECRET_BYTES.min} to ${SECRET_BYTES.max}`,
    })
  return { url: config.url, secret, ca: readAuthority(config, folder), clock }
}

/** PEM of the authority that is named; null for those of the system. @throws HbError KEY_FILE_MISSING */
export function readAuthority({ ca_file: file }: Readonly<{ ca_file?: string }>, folder: string): string | null {
  if (file === undefined) return null
  const path = resolve(folder, file)
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new HbError('KEY_FILE_MISSING', { path }, { cause })
  }
}
