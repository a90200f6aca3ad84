import { dirname } from 'node:path'
import { getAsset } from 'node:sea'
import { compileFunction, constants } from 'node:vm'

/** What the executable gives its program to ask for modules with. */
declare const require: NodeJS.Require

const OF_A_MODULE = ['exports', 'require', 'module', '__filename', '__dirname']

/** Runs code that is carried in the executable, as what the executable gives its main program. @returns what it exports */
export function runAsset(name: string): unknown {
  const run = compileFunction(getAsset(name, 'utf8'), OF_A_MODULE, {
    filename: name,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  })
  const module = { exports: {} }
  run(module.exports, require, module, process.execPath, dirname(process.execPath))
  return module.exports
}
