/** The whole program out of the executable: inside it, this takes the place of `scripts/hb-all.ts`. */
import { dirname } from 'node:path'
import { getAsset } from 'node:sea'
import { compileFunction, constants } from 'node:vm'
import { WHOLE_ASSET } from './asset-names.ts'

/** What the executable gives its program to ask for modules with. */
declare const require: NodeJS.Require

const OF_A_MODULE = ['exports', 'require', 'module', '__filename', '__dirname']
const program = compileFunction(getAsset(WHOLE_ASSET, 'utf8'), OF_A_MODULE, {
  filename: WHOLE_ASSET,
  importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
})
// What the executable gives its main program.
program({}, require, { exports: {} }, process.execPath, dirname(process.execPath))
