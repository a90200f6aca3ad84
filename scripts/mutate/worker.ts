/**
 * Tries mutants one after the other in one process: for each, the kernel and its tests are loaded anew with one small change.
 * Told over IPC which one; answers which test failed, or null when none did.
 */
import { readFileSync } from 'node:fs'
import { registerHooks, stripTypeScriptTypes } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { type Mutant, mutated } from './mutants.ts'
import { runRegistered } from './tap-double.ts'

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
/** What is loaded anew for each mutant; everything else stays. */
const ANEW = ['agent/core/safety/', 'test/unit/agent/safety/', 'test/support/safety-rig.ts'].map(
  (path) => pathToFileURL(join(ROOT, path)).href,
)
const DOUBLE = pathToFileURL(join(ROOT, 'scripts/mutate/tap-double.ts')).href

let current: Mutant | null = null
const plain = new Map<string, string>()

registerHooks({
  resolve(specifier, context, nextResolve) {
    if (specifier === 'tap') return { url: `${DOUBLE}?as=tap`, shortCircuit: true }
    const found = nextResolve(specifier, context)
    const isAnew = current !== null && ANEW.some((start) => found.url.startsWith(start))
    return isAnew ? { ...found, url: `${found.url.split('?')[0]}?mutant=${current!.id}` } : found
  },
  load(url, context, nextLoad) {
    // Tests take tap as a default export.
    if (url === `${DOUBLE}?as=tap`)
      return { format: 'module', source: `export { double as default } from '${DOUBLE}'`, shortCircuit: true }
    const [file, query] = url.split('?mutant=')
    if (query === undefined) return nextLoad(url, context)
    return { format: 'module', source: sourceOf(fileURLToPath(file!)), shortCircuit: true }
  },
})

function sourceOf(path: string): string {
  const isIts = current !== null && path === join(ROOT, current.file)
  if (isIts) return stripTypeScriptTypes(mutated(readFileSync(path, 'utf8'), current!))
  const known = plain.get(path) ?? stripTypeScriptTypes(readFileSync(path, 'utf8'))
  plain.set(path, known)
  return known
}

/** The tests that are named after the file that is changed come first: they know it best. */
function inOrder(tests: readonly string[], { file }: Mutant): string[] {
  const name = basename(file, '.ts')
  const isFirst = (test: string): number => (basename(test).startsWith(name) ? 0 : 1)
  return [...tests].sort((a, b) => isFirst(a) - isFirst(b))
}

async function tryOne(mutant: Mutant, tests: readonly string[]): Promise<string | null> {
  current = mutant
  for (const test of inOrder(tests, mutant)) {
    try {
      await import(`${pathToFileURL(join(ROOT, test)).href}?mutant=${mutant.id}`)
    } catch (error) {
      // A mistake that shows as soon as a module is evaluated is told; source that cannot be read is no mutant.
      const isSource = error instanceof SyntaxError
      return `${isSource ? 'does not load' : 'fails at once'}: ${error instanceof Error ? error.message : 'unknown'}`
    }
    const failed = await runRegistered()
    if (failed !== null) return failed
  }
  return null
}

// One failing example is enough; to look for the smallest takes long.
fc.configureGlobal({ endOnFailure: true })
process.on('message', (asked: { mutant: Mutant; tests: string[] }) => {
  void tryOne(asked.mutant, asked.tests).then((killedBy) => process.send!({ killedBy }))
})
