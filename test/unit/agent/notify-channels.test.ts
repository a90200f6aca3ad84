import { createSocket } from 'node:dgram'
import type { AddressInfo } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import t from 'tap'
import { createDevCa } from '../../../shared/crypto/certificates.ts'
import { systemClock } from '../../../shared/lib/clock.ts'
import { createEmailChannel } from '../../../shared/notify/email.ts'
import type { Notice } from '../../../shared/notify/notice.ts'
import { createSyslogChannel } from '../../../shared/notify/syslog.ts'
import { octetCounted, syslogText } from '../../../shared/notify/syslog-format.ts'
import { serverCertificate } from '../../support/server-certificate.ts'
import { startSmtpServer } from '../../support/smtp-server.ts'

const NOTICE: Notice = {
  key: 'key-0001',
  rig: 'bench',
  action: 'notify',
  target: 'crew',
  title: 'bench: chamber pressure "high" ] €',
  facts: [{ name: 'p_chamber', value: '9.7 bar' }],
}
const MAIL = {
  host: '127.0.0.1',
  security: 'none' as 'none' | 'tls',
  from: 'hb@bench.example',
  to: ['ada@example.com', 'ben@example.com'],
}

const base = {
  facility: 4,
  severity: 2,
  timeUs: Date.UTC(2003, 9, 11, 22, 14, 15, 3) * 1000,
  host: 'mymachine.example.com',
  app: 'su',
  process: '',
  id: 'ID47',
  data: [],
  text: "'su root' failed for lonvick on /dev/pts/8",
}

t.test('syslog has the form of the examples of RFC 5424', async (t) => {
  // 6.5, examples 1, 3 and 4; the third with the time of the first.
  t.equal(
    syslogText(base),
    "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \uFEFF'su root' failed for lonvick on /dev/pts/8",
  )
  const params = [
    { name: 'iut', value: '3' },
    { name: 'eventSource', value: 'Application' },
    { name: 'eventID', value: '1011' },
  ]
  const event = { ...base, facility: 20, severity: 5, app: 'evntslog', data: [{ id: 'exampleSDID@32473', params }] }
  const head = '<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47'
  const element = '[exampleSDID@32473 iut="3" eventSource="Application" eventID="1011"]'
  t.equal(
    syslogText({ ...event, text: 'An application event log entry...' }),
    `${head} ${element} \uFEFFAn application event log entry...`,
  )
  const two = [...event.data, { id: 'examplePriority@32473', params: [{ name: 'class', value: 'high' }] }]
  t.equal(syslogText({ ...event, data: two, text: '' }), `${head} ${element}[examplePriority@32473 class="high"]`)
})

t.test('nothing in a notice can become another field of it', async (t) => {
  const params = [{ name: 'a="]', value: 'x"]\\ y' }]
  const text = syslogText({ ...base, host: 'my host\n', app: '', data: [{ id: 'e', params }], text: 'é' })
  t.equal(text, '<34>1 2003-10-11T22:14:15.003Z my_host_ - - ID47 [e a___="x\\"\\]\\\\ y"] \uFEFFé')
  t.equal(octetCounted('é').toString('utf8'), '2 é')
})

t.test('syslog goes out over UDP, which proves nothing', async (t) => {
  const server = createSocket('udp4')
  t.teardown(() => server.close())
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve))
  const got = new Promise<string>((resolve) => server.once('message', (bytes) => resolve(bytes.toString('utf8'))))
  const config = { host: '127.0.0.1', port: server.address().port, transport: 'udp', facility: 16 } as const
  const channel = createSyslogChannel({ app: 'hb-agent', config, ca: null, clock: systemClock() })
  await channel.deliver(NOTICE, 1000)
  t.match(
    await got,
    /^<132>1 .* hb-agent \d+ notify \[hb@32473 key="key-0001" rig="bench" target="crew"\] \uFEFFbench: chamber/,
  )
  t.equal(await channel.probe(1000), false)
})

t.test('syslog over TLS: counted frames, to one whose name is proved', async (t) => {
  const ca = createDevCa()
  const { certPem: cert, keyPem: key } = serverCertificate(ca)
  const frames: string[] = []
  const server = createTlsServer({ cert, key }, (socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => frames.push(bytes.toString('utf8')))
  })
  server.on('tlsClientError', () => undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const config = {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    transport: 'tls',
    facility: 16,
  } as const
  const channel = createSyslogChannel({ app: 'hb-agent', config, ca: ca.certPem, clock: systemClock() })
  await channel.deliver(NOTICE, 5000)
  for (let k = 0; k < 200 && frames.length === 0; k += 1) await new Promise((resolve) => setTimeout(resolve, 5))
  const [, count, rest] = /^(\d+) ([\s\S]*)$/.exec(frames.join(''))!
  t.equal(Buffer.byteLength(rest!), Number(count))
  t.equal(await channel.probe(5000), true)
  const strict = createSyslogChannel({ app: 'hb-agent', config, ca: null, clock: systemClock() })
  await t.rejects(strict.deliver(NOTICE, 5000), /certificate|issuer/)
  await t.rejects(strict.probe(5000))
})

t.test('mail says what it is, to everybody, and nothing of a notice becomes a header', async (t) => {
  const server = await startSmtpServer()
  t.teardown(() => server.close())
  const channel = createEmailChannel({ config: { ...MAIL, port: server.port, user: 'hb' }, password: 'pass', ca: null })
  await channel.deliver({ ...NOTICE, title: 'high\r\nBcc: all@example.com' }, 5000)
  const [mail] = server.taken
  t.match(mail!.from, /<hb@bench\.example>/)
  t.equal(mail!.to.length, 2)
  t.equal(mail!.auth, `AUTH PLAIN ${Buffer.from('\0hb\0pass').toString('base64')}`)
  const head = mail!.data.split('\n\n')[0]!
  t.match(head, /^Subject: \[hb\] high/m)
  t.notMatch(head, /^Bcc:/m)
  t.match(head, /^X-HB-Key: key-0001$/im)
  t.match(head, /^Auto-Submitted: auto-generated$/m)
  t.match(mail!.data, /p_chamber: 9\.7 bar/)
  t.equal(await channel.probe(5000), true)
})

t.test('mail that is not taken, or would go unencrypted against what was asked, is not sent', async (t) => {
  const refusing = await startSmtpServer({ refuse: 'RCPT' })
  const open = await startSmtpServer()
  t.teardown(() => {
    refusing.close()
    open.close()
  })
  const deliver = (config: object): Promise<void> =>
    createEmailChannel({ config: { ...MAIL, port: open.port, ...config }, password: 'pass', ca: null }).deliver(
      NOTICE,
      2000,
    )
  await t.rejects(deliver({ port: refusing.port }), /550/)
  await t.rejects(deliver({ security: 'starttls', user: 'hb' }), /TLS/i)
  t.same(open.taken, [])
  await t.rejects(deliver({ port: 9 }), /ECONNREFUSED/)
})

t.test('mail over TLS goes to one whose name is proved', async (t) => {
  const ca = createDevCa()
  const { certPem: cert, keyPem: key } = serverCertificate(ca)
  const server = await startSmtpServer({ tls: { cert, key } })
  t.teardown(() => server.close())
  const config = { ...MAIL, security: 'tls' as const, port: server.port }
  await createEmailChannel({ config, password: null, ca: ca.certPem }).deliver(NOTICE, 5000)
  t.equal(server.taken.length, 1)
  await t.rejects(createEmailChannel({ config, password: null, ca: null }).deliver(NOTICE, 5000), /certificate|issuer/)
  t.equal(server.taken.length, 1)
})
