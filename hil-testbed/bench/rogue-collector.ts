import { createServer, type Server } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import { encodeTransport } from '../../shared/codec/transport.ts'
import type { DevCa, IssuedCertificate } from '../../shared/crypto/certificates.ts'
import { type AgentMessage, type HelloMessage, readAgentMessage } from '../../shared/protocol/messages.ts'

const LOOPBACK = '127.0.0.1'

/** What a collector and its agent know each other by. */
export type Papers = Readonly<{
  ca: DevCa
  server: IssuedCertificate
  client: IssuedCertificate
  /** Private key of its receipts, which signs what it asks for as well. */
  receiptsPem: string
}>

/** A message as it goes out; nobody says that it is one of the protocol. */
export type Said = Readonly<Record<string, unknown>>

/** Answers a hello, says what it has come for, and keeps nothing. It has the papers of the collector whose place it takes. */
export class RogueCollector {
  port = 0
  /** Agents that read everything they were told and stayed, and agents that left. */
  stayed = 0
  left = 0
  private readonly papers: Papers
  private readonly say: (hello: HelloMessage) => readonly Said[]
  private readonly told: (message: AgentMessage) => void
  private https: Server | null = null
  /** Those as well that are no session yet: one of them would hold up the end. */
  private readonly sockets = new Set<Socket>()

  /**
   * @param say what an agent is told in answer to its hello, in this order
   * @param told hears everything that an agent says after it
   */
  constructor(papers: Papers, say: (hello: HelloMessage) => readonly Said[], told: (message: AgentMessage) => void) {
    this.papers = papers
    this.say = say
    this.told = told
  }

  async start(): Promise<void> {
    const { ca, server } = this.papers
    const trust = { ca: ca.certPem, cert: server.certPem, key: server.keyPem }
    const https = createServer({ ...trust, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' })
    this.https = https
    https.on('connection', (socket: Socket) => {
      this.sockets.add(socket)
      socket.on('close', () => this.sockets.delete(socket))
    })
    new WebSocketServer({ server: https, perMessageDeflate: false }).on('connection', (socket) => this.meet(socket))
    await new Promise<void>((resolve, reject) => {
      https.once('error', reject).listen(0, LOOPBACK, resolve)
    })
    this.port = (https.address() as AddressInfo).port
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.https?.close(resolve) ?? resolve(null))
    for (const socket of this.sockets) socket.destroy()
    await ended
  }

  private meet(socket: WebSocket): void {
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.left += 1
    })
    // A ping is answered when what came before it was read.
    socket.on('pong', () => {
      this.stayed += 1
    })
    socket.on('message', (data: Buffer) => {
      const read = readAgentMessage(new Uint8Array(data))
      if (!read.ok) return
      if (read.message.t !== 'hello') {
        this.told(read.message)
        return
      }
      for (const said of this.say(read.message)) socket.send(encodeTransport(said))
      socket.ping()
    })
  }
}
