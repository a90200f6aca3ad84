import type { FastifyReply, FastifyRequest } from 'fastify'

/** Lets so many bodies be taken in at once; one more is turned away before it is read. */
export function uploadsAtOnce(max: number): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  let uploads = 0
  return async (_request, reply) => {
    if (uploads >= max) {
      await reply.code(503).send({ code: 'UPLOADS_FULL' })
      return
    }
    uploads += 1
    // However it ends: answered, refused, or cut off in the middle.
    reply.raw.once('close', () => {
      uploads -= 1
    })
  }
}
