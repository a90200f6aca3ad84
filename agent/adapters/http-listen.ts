import type { FastifyInstance } from 'fastify'
import { HbError } from '../../shared/errors/hb-error.ts'

/** Listens, and says which port was taken when one was. @returns the address it can be reached at */
export async function listenAt(app: FastifyInstance, at: { host: string; port: number }): Promise<string> {
  try {
    return await app.listen(at)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'EADDRINUSE' || code === 'EACCES' || code === 'EADDRNOTAVAIL')
      throw new HbError('PORT_TAKEN', { host: at.host, port: at.port, reason: code }, { cause })
    throw cause
  }
}
