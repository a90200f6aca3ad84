/** Imported before everything else: what an agent takes while it loads its own code, it keeps. */
import { restEngine } from '../agent/adapters/engine.ts'

if (process.argv[2] === 'runtime') restEngine()
