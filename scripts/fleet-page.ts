import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { build as buildPage } from 'vite'
import { listFiles, ROOT } from './sources.ts'

const PAGE = join(ROOT, 'collector', 'dashboard')
const PAGE_FILES = ['index.html', 'main.tsx']

/** Builds the fleet page into a folder. @returns its files, as paths in the project; none when there is no page yet */
export async function buildFleetPage(folder = 'dist/dashboard'): Promise<string[]> {
  if (!PAGE_FILES.every((file) => existsSync(join(PAGE, file)))) {
    process.stderr.write('build: the fleet page has no main.tsx yet and is left out\n')
    return []
  }
  await buildPage({ root: PAGE, configFile: join(PAGE, 'vite.config.ts'), build: { outDir: join(ROOT, folder) } })
  return listFiles(folder)
}
