import { Command } from 'commander'

/** The bundler puts the version here; run from the sources there is none. */
declare const HB_VERSION: string

/** Adds a command, or a group of them, to the program. Nothing starts by it. */
export type AddCommand = (program: Command) => void

/**
 * First word of a command line → the module that has it, read only when it is asked for: an agent beside a rig must
 * not spend memory and time on what others need.
 */
export const AGENT_COMMANDS: ReadonlyMap<string, () => Promise<AddCommand>> = new Map([
  ['runtime', async () => (await import('../agent/cli/runtime.ts')).runtimeCommand],
  ['config', async () => (await import('../agent/cli/config-check.ts')).configCommands],
  ['keys', async () => (await import('../agent/cli/keys.ts')).keysCommands],
  ['decisions', async () => (await import('../agent/cli/decisions.ts')).decisionsCommands],
  ['replay', async () => (await import('../agent/cli/replay.ts')).replayCommand],
  ['journal', async () => (await import('../agent/cli/journal.ts')).journalCommands],
  ['baseline', async () => (await import('../agent/cli/baseline.ts')).baselineCommands],
  ['lint', async () => (await import('../agent/cli/lint.ts')).lintCommands],
  ['registry', async () => (await import('../agent/cli/registry.ts')).registryCommands],
  ['channel', async () => (await import('../agent/cli/channel.ts')).channelCommands],
  ['mode', async () => (await import('../agent/cli/mode.ts')).modeCommands],
  ['rollout', async () => (await import('../agent/cli/rollout.ts')).rolloutCommands],
  ['bundle', async () => (await import('../agent/cli/bundle.ts')).bundleCommands],
  ['arm', async () => (await import('../agent/cli/arm.ts')).armCommands],
  ['disarm', async () => (await import('../agent/cli/arm.ts')).disarmCommand],
  ['inhibit', async () => (await import('../agent/cli/arm.ts')).inhibitCommand],
  ['uninhibit', async () => (await import('../agent/cli/arm.ts')).uninhibitCommand],
  ['break-glass', async () => (await import('../agent/cli/break-glass.ts')).breakGlassCommands],
  ['rearm', async () => (await import('../agent/cli/arm.ts')).rearmCommand],
  ['alarms', async () => (await import('../agent/cli/alarms.ts')).alarmsCommands],
  ['actions', async () => (await import('../agent/cli/actions.ts')).actionsCommands],
  ['orders', async () => (await import('../agent/cli/orders.ts')).ordersCommands],
  ['analyze', async () => (await import('../agent/cli/analyze.ts')).analyzeCommand],
  ['compare', async () => (await import('../agent/cli/compare.ts')).compareCommand],
  ['run', async () => (await import('../agent/cli/runs.ts')).runCommands],
  ['runs', async () => (await import('../agent/cli/runs.ts')).runsCommands],
  ['listen', async () => (await import('../agent/cli/listen.ts')).listenCommand],
  ['outbox', async () => (await import('../agent/cli/outbox.ts')).outboxCommands],
  ['top', async () => (await import('../agent/cli/top.ts')).topCommand],
  ['lockstep', async () => (await import('../agent/cli/lockstep.ts')).lockstepCommand],
  ['plan', async () => (await import('../agent/cli/plan.ts')).planCommands],
  ['policy', async () => (await import('../agent/cli/policy.ts')).policyCommands],
  ['doctor', async () => (await import('../agent/cli/doctor.ts')).doctorCommand],
])

/** The program without a command. */
export function bareProgram(): Command {
  return (
    new Command('hb')
      .description('Watches hardware under test, decides bit-exactly against baselines, and can prove it afterwards.')
      .version(typeof HB_VERSION === 'string' ? HB_VERSION : '0.0.0-source', '--version', 'print the version')
      .showHelpAfterError(false)
      // An option belongs to the command it stands behind: `collector` and `collector fsck` both have `--config`.
      .enablePositionalOptions()
  )
}
