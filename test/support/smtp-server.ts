import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'

export type SmtpTaken = Readonly<{ from: string; to: readonly string[]; auth: string; data: string }>
export type SmtpOptions = Readonly<{ refuse?: string; tls?: Readonly<{ cert: string; key: string }> }>

/** A mail server that takes what it is given: as much of SMTP (RFC 5321) as a client needs. It offers no STARTTLS. */
export async function startSmtpServer({
  refuse,
  tls,
}: SmtpOptions = {}): Promise<Readonly<{ port: number; taken: SmtpTaken[]; close(): void }>> {
  const taken: SmtpTaken[] = []
  const sockets = new Set<Socket>()
  const serve = (socket: Socket): void => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    converse(socket, { refuse, take: (mail) => taken.push(mail) })
  }
  const server: Server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as { port: number }).port,
    taken,
    close() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

type Conversation = Readonly<{ refuse: string | undefined; take(mail: SmtpTaken): void }>

function converse(socket: Socket, { refuse, take }: Conversation): void {
  let [buffer, from, auth, data]: [string, string, string, string | null] = ['', '', '', null]
  let to: string[] = []
  const answer = (line: string): void => {
    if (data !== null) {
      if (line !== '.') {
        data += `${line}\n`
        return
      }
      take({ from, to, auth, data })
      data = null
      to = []
      socket.write('250 taken\r\n')
      return
    }
    const verb = line.slice(0, 4).toUpperCase()
    if (verb === 'AUTH') auth = line
    if (verb === 'MAIL') from = line
    if (verb === 'RCPT') to.push(line)
    if (verb === 'DATA') data = ''
    if (verb === 'QUIT') socket.end('221 bye\r\n')
    else if (verb === refuse) socket.write('550 not here\r\n')
    else if (verb === 'EHLO') socket.write('250-mail\r\n250 AUTH PLAIN\r\n')
    else socket.write(verb === 'DATA' ? '354 go on\r\n' : verb === 'AUTH' ? '235 fine\r\n' : '250 fine\r\n')
  }
  socket.write('220 mail\r\n')
  socket.setEncoding('utf8').on('data', (text: string) => {
    buffer += text
    for (let end = buffer.indexOf('\r\n'); end >= 0; end = buffer.indexOf('\r\n')) {
      const line = buffer.slice(0, end)
      buffer = buffer.slice(end + 2)
      answer(line)
    }
  })
}
