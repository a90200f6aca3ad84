import { extname } from 'node:path'
import { getAsset, getAssetKeys } from 'node:sea'
import type { FastifyInstance } from 'fastify'
import { PAGE_PREFIX } from './asset-names.ts'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** Serves the page out of the executable: inside it, this takes the place of `collector/http/page.ts`. */
export async function servePage(app: FastifyInstance): Promise<void> {
  for (const key of getAssetKeys().filter((name) => name.startsWith(PAGE_PREFIX))) {
    const path = key.slice(PAGE_PREFIX.length)
    const type = TYPES[extname(path)] ?? 'application/octet-stream'
    const body = Buffer.from(getAsset(key))
    for (const url of path === 'index.html' ? ['/', '/index.html'] : [`/${path}`])
      app.get(url, { config: { page: true } }, async (_request, reply) => reply.type(type).send(body))
  }
}
