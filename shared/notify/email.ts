import type { EmailChannelConfig } from '../config/executor-schema.ts'
import type { Millis } from '../units.ts'
import { noticeText } from './channels.ts'
import type { NotifyChannel } from './notice.ts'

/** `password`: read from its file; null when none is needed. `ca`: PEM of the authority; null for those of the system. */
export type EmailOptions = Readonly<{
  config: Pick<EmailChannelConfig, 'host' | 'port' | 'security' | 'user' | 'from' | 'to'>
  password: string | null
  ca: string | null
}>

/** Mail over SMTP (nodemailer). Text alone, no files and no addresses out of what is said; a connection for each mail. */
export function createEmailChannel({ config, password, ca }: EmailOptions): NotifyChannel {
  const transport = async (timeoutMs: Millis) => {
    // Loaded when there is something to say: an agent that sends no mail does without it.
    const { createTransport } = await import('nodemailer')
    return createTransport({
      host: config.host,
      port: config.port,
      secure: config.security === 'tls',
      requireTLS: config.security === 'starttls',
      ignoreTLS: config.security === 'none',
      ...(config.user === undefined || password === null ? {} : { auth: { user: config.user, pass: password } }),
      tls: { minVersion: 'TLSv1.2', rejectUnauthorized: true, ...(ca === null ? {} : { ca }) },
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      disableFileAccess: true,
      disableUrlAccess: true,
    })
  }
  return {
    name: `email ${config.host}`,
    async deliver(notice, timeoutMs) {
      const mailer = await transport(timeoutMs)
      try {
        const sent = await mailer.sendMail({
          from: config.from,
          to: [...config.to],
          subject: `[hb] ${notice.title}`,
          text: noticeText(notice),
          headers: { 'X-HB-Key': notice.key, 'Auto-Submitted': 'auto-generated' },
        })
        if (sent.rejected.length > 0) throw new Error(`not taken for ${sent.rejected.length} of ${config.to.length}`)
      } finally {
        mailer.close()
      }
    },
    async probe(timeoutMs) {
      const mailer = await transport(timeoutMs)
      try {
        return (await mailer.verify()) === true
      } finally {
        mailer.close()
      }
    },
    close() {},
  }
}
