import type { ErrorCode } from '../shared/errors/catalog.ts'
import type { SessionVerdict } from './core/chain.ts'

/** The code that each refusal of a session, or of a file from a stick, goes by. */
export const SESSION_CODE: Readonly<Record<Exclude<SessionVerdict['verdict'], 'accept'>, ErrorCode>> = {
  unknown_agent: 'AGENT_UNKNOWN',
  wrong_deployment: 'AGENT_WRONG_DEPLOYMENT',
  wrong_key: 'AGENT_WRONG_KEY',
  wrong_program: 'AGENT_WRONG_PROGRAM',
  replay: 'CHAIN_REPLAY',
}
