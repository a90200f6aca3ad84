import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'

/** Serves the built page. Without one only the interfaces are there. In a single executable another module does it. */
export async function servePage(app: FastifyInstance, folder = pageFolder()): Promise<void> {
  if (existsSync(folder))
    await app.register(fastifyStatic, { root: folder, index: 'index.html', cacheControl: false, dotfiles: 'deny' })
}

/** Beside the bundle; else where a build puts it, below the folder the program runs in. */
function pageFolder(): string {
  return typeof __dirname === 'string' ? resolve(__dirname, 'dashboard') : resolve('dist', 'dashboard')
}
