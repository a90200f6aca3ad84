import { toHex } from '../shared/crypto/digest.ts'
import { isHbError } from '../shared/errors/hb-error.ts'
import type { Logger } from '../shared/log/logger.ts'
import type { Decision } from '../shared/model/decision.ts'
import type { Loss } from '../shared/model/input.ts'
import type { RevisedEffect } from './core/sequence.ts'
import type { Effect } from './core/step.ts'
import type { DeadManEvents } from './pipeline/dead-man.ts'
import type { DecayTold } from './pipeline/decay-gauge.ts'
import type { InjectedFacts } from './pipeline/injected-watch.ts'
import { OUTBOX_ALARMS_PERCENT } from './pipeline/outbox-watch.ts'
import type { PermitEvents } from './pipeline/permits.ts'

/**
 * Everything an agent says in its log, in one place. At rest it says nothing: a steady state is for `/metrics`, a change
 * is for the log. `decision` and `batch` are the ids to search for in the collector.
 */
export type AgentEvents = ReturnType<typeof createAgentEvents>

export function createAgentEvents(log: Logger) {
  return {
    ...createUplinkEvents(log),
    ...createBaselineEvents(log),
    ...createBundleEvents(log),
    ...createSourceEvents(log),
    started: (facts: { agent: string; rigs: number; epoch: number; health: string | null; state: string }) =>
      log.info({ event: 'agent_started', ...facts }, 'agent is ready'),
    recovered: (facts: {
      from_seq: number
      replayed: number
      unsigned: number
      decisions: number
      passed_over: number
    }) => log.info({ event: 'recovered', ...facts }, 'went on from the state folder'),
    tornTail: (facts: { segment: string; bytes: number; reason: string }) =>
      log.warn({ event: 'journal_tail_cut', ...facts }, 'the last journal record was half-written and was put aside'),
    ...createDamageEvents(log),
    ...createDiskEvents(log),
    ...createOutboxEvents(log),
    ...createClockEvents(log),
    ...createDeadManEvents(log),
    revised: createRevisionEvent(log),
    awaitingBench: () => log.info({ event: 'awaiting_bench' }, 'agent waits for the bench that moves its time'),
    stopping: (signal: string) => log.info({ event: 'agent_stopping', signal }, 'agent stops'),
    stopped: (facts: { overdue: readonly string[]; failed: readonly string[]; decisions: number }) =>
      log.info({ event: 'agent_stopped', ...facts }, 'agent has stopped'),
    verdict: ({ rig, seq: decision, verdict, timeUs, findings }: Decision, was: string | null) => {
      const driver = findings[0] === undefined ? null : `${findings[0].channel}: ${findings[0].ground}`
      const facts = { event: 'verdict', rig, decision, verdict, was: was ?? 'none', t_us: timeUs, driver }
      log.info(facts, `${rig}: ${verdict}`)
    },
    gap: ({ rig, fromUs, toUs, reason, dropped }: Extract<Effect, { kind: 'gap' }>) =>
      log.warn(
        { event: 'gap', rig, from_us: fromUs, to_us: toUs, reason, dropped },
        'slides that were never evaluated',
      ),
    wouldHaveDone: (facts: { rig: string; decision: number; action: string }) =>
      log.info({ event: 'would_have_done', ...facts }, 'an action that no actuator is there for'),
    run: (facts: { rig: string; command: string; run: string }) =>
      log.info({ event: 'run', ...facts }, `run ${facts.command}`),
    modeChanged: (facts: { rig: string; from: string; to: string; by: string; reason: string }) =>
      log.warn({ event: 'mode', ...facts }, `${facts.rig}: mode ${facts.to}, ordered by ${facts.by}`),
    sensorReplaced: (facts: { rig: string; metric: string; channel: string; serial: string; due: string }) =>
      log.warn(
        { event: 'sensor_replaced', ...facts },
        'a channel has another sensor; baselines from before do not count',
      ),
    calibrationOverdue: (facts: { rig: string; metric: string; due: string; source: string }) =>
      log.warn(
        { event: 'calibration_overdue', code: 'CALIBRATION_OVERDUE', ...facts },
        'a calibration is past its date',
      ),
    broken: (where: string, error: unknown) =>
      log.error({ event: 'broken', where, ...describe(error) }, 'an error nobody expected'),
  }
}

/** Late samples that would have changed a verdict: said when from and to are others than the last time, not every slide. */
function createRevisionEvent(log: Logger) {
  const last = new Map<string, string>()
  return ({ decision: { rig, seq, verdict, timeUs, revises, findings }, was }: RevisedEffect): void => {
    const change = `${was} ${verdict}`
    if (last.get(rig) === change || was === verdict) return
    last.set(rig, change)
    const driver = findings[0] === undefined ? null : `${findings[0].channel}: ${findings[0].ground}`
    log.warn(
      { event: 'revised', rig, decision: seq, revises, verdict, was, t_us: timeUs, driver },
      `${rig}: late samples make ${verdict} of ${was}; what was done stays done`,
    )
  }
}

/** What a disk does not take. One line a kind of fault: a full disk refuses twenty inputs a second. */
function createDiskEvents(log: Logger) {
  let lastRefusal = ''
  let lastCheckpoint = ''
  return {
    notJournaled(error: unknown): void {
      const facts = describe(error)
      if (facts.code === lastRefusal) return
      lastRefusal = facts.code ?? ''
      log.error({ event: 'not_journaled', ...facts }, 'an input could not be journaled and was not evaluated')
    },
    journaledAgain(refused: number): void {
      lastRefusal = ''
      log.info({ event: 'journaled_again', refused }, 'the journal takes inputs again')
    },
    batchFailed: (error: unknown) =>
      log.error({ event: 'batch_failed', ...describe(error) }, 'a batch could not be kept; it is tried again'),
    checkpointFailed(error: unknown): void {
      const facts = describe(error)
      if (facts.code === lastCheckpoint) return
      lastCheckpoint = facts.code ?? ''
      log.error({ event: 'checkpoint_failed', ...facts }, 'the state could not be saved; the older one stays')
    },
    checkpointSaved(): void {
      if (lastCheckpoint !== '') log.info({ event: 'checkpoint_saved' }, 'the state is saved again')
      lastCheckpoint = ''
    },
  }
}

/** The outbox while the collector is away. */
function createOutboxEvents(log: Logger) {
  let lastFailure = ''
  return {
    outboxFilling(facts: {
      alarm: number
      percent: number
      held: number
      bytes_max: number
      days_left: number | null
    }): void {
      const line = { event: 'outbox_filling', code: 'OUTBOX_FILLING', ...facts }
      const text = 'batches without a receipt fill the outbox'
      if (facts.alarm === Math.max(...OUTBOX_ALARMS_PERCENT)) log.error(line, text)
      else log.warn(line, text)
    },
    outboxEased: (facts: { percent: number }) =>
      log.info({ event: 'outbox_eased', ...facts }, 'the outbox has room again'),
    detailThinned(facts: { from: number; to: number; batches: number; freed: number }): void {
      lastFailure = ''
      log.warn(
        { event: 'detail_thinned', code: 'DETAIL_THINNED', ...facts },
        'batches that only repeated PASS keep no more than their signed headers',
      )
    },
    thinningFailed(error: unknown): void {
      const facts = describe(error)
      if (facts.code !== undefined && facts.code === lastFailure) return
      lastFailure = facts.code ?? ''
      log.error({ event: 'thinning_failed', ...facts }, 'the outbox could not be thinned; it stays as it was')
    },
  }
}

function createClockEvents(log: Logger) {
  return {
    clockStepped: (facts: { ahead_us: number }) =>
      log.error(
        { event: 'clock_stepped', ...facts },
        'the wall clock jumped or stands still; the agent goes on by its own time',
      ),
    clockTogether: (facts: { by_us: number; followed: boolean }) =>
      log.warn({ event: 'clock_together', ...facts }, 'the time of the agent is that of the wall clock again'),
  }
}

const TAIL_NEWS = {
  missing: 'the file of a source is not there; it is waited for',
  found: 'the file of a source is there',
  rotated: 'the file of a source is another one now; the old one was read to its end',
  truncated: 'the file of a source was cut; it is read from its beginning',
  unreadable: 'the file of a source cannot be read; it is tried again',
} as const

const BROKER_NEWS = {
  connected: 'the broker of a source is connected',
  lost: 'the broker of a source is not connected; nothing comes from it',
  refused: 'the broker of a source turned the agent away; nothing comes from it',
  retained: 'what the broker had retained is not new, and is skipped; more of it is only counted',
} as const

function createSourceEvents(log: Logger) {
  return {
    injectedRefused: (facts: InjectedFacts) =>
      log.error(
        { event: facts.reason, severity: 'CRITICAL', ...facts },
        facts.reason === 'injected_refused'
          ? 'injected samples came to a rig that is no testbed: none is taken'
          : 'samples came under a mark that is not that of the injector: none is taken',
      ),
    sourceEnded: (facts: { rig: string; source: string }) =>
      log.info({ event: 'source_ended', ...facts }, 'the recording is at its end'),
    tailNews: (
      what: 'missing' | 'found' | 'rotated' | 'truncated' | 'unreadable',
      facts: { rig: string; source: string; path: string; at: number; reason?: string },
    ) => log.warn({ event: 'source_file', what, ...facts }, TAIL_NEWS[what]),
    brokerNews: (
      what: keyof typeof BROKER_NEWS,
      facts: { rig: string; source: string } & Readonly<Record<string, string | number | boolean>>,
    ) => log[what === 'connected' ? 'info' : 'warn']({ event: 'source_broker', what, ...facts }, BROKER_NEWS[what]),
  }
}

/** What was found damaged at a start, and what that came to. */
function createDamageEvents(log: Logger) {
  return {
    identityMended: () =>
      log.warn({ event: 'identity_mended' }, 'the identity file was damaged; its copy took its place'),
    segmentMisnamed: (facts: { segment: string }) =>
      log.warn({ event: 'segment_misnamed', ...facts }, 'a journal segment stood under the name of another one'),
    journalDamaged: (facts: { from_seq: number; to_seq: number }) =>
      log.error({ event: 'journal_damaged', ...facts }, 'journal records cannot be read any more'),
    outboxDamaged: (facts: { file: string; bytes: number; reason: string }) =>
      log.error({ event: 'outbox_damaged', ...facts }, 'part of the outbox cannot be read; the file is put aside'),
    chainRenewed: (facts: { epoch: number; reason: string }) =>
      log.warn({ event: 'chain_renewed', ...facts }, 'a new epoch: batches that may have been sent are not here'),
    loss: ({ seq, input }: { seq: number; input: Loss }) =>
      log.error(
        {
          event: 'loss_declared',
          journal_seq: seq,
          resumes_after: input.resumesAfter,
          signed_through: input.signedThrough,
          decision_seq: input.decisionSeq,
          unreadable: input.unreadable.map(({ fromSeq, toSeq, reason }) => ({
            from_seq: fromSeq,
            to_seq: toSeq,
            reason,
          })),
        },
        'what was kept is damaged: evaluation goes on from the last state that is certain',
      ),
  }
}

/** Baselines that came from the collector, and how they grow old. */
function createBaselineEvents(log: Logger) {
  return {
    baselineActivated: (facts: { rig: string; role: string; number: number; baseline: string; kind: string }) =>
      log.info({ event: 'baseline_activated', ...facts }, 'a baseline of the collector is in force'),
    baselineRefused: (facts: { rig: string; role: string; number: number; reason: string }) =>
      log.warn(
        { event: 'baseline_refused', code: 'BASELINE_NOT_ACTIVATED', ...facts },
        'a baseline of the collector was not taken; the one before stays in force',
      ),
    baselineFileDamaged: (facts: { file: string }) =>
      log.error({ event: 'baseline_file_damaged', ...facts }, 'a baseline of the collector cannot be read'),
    baselineLeftOut: (facts: { rig: string; role: string; reason: string }) =>
      log.warn(
        { event: 'baseline_left_out', ...facts },
        'a baseline of the collector is not in force; the file of the configuration is',
      ),
    baselineDecayed: ({ rig, role, baseline, decay: { factor, reasons } }: DecayTold) =>
      log.warn(
        { event: 'baseline_decayed', rig, role, baseline: toHex(baseline.digest), factor, reasons: reasons.join('; ') },
        'what is left of a baseline has changed; decisions know of it when their configuration is taken again',
      ),
  }
}

/** Signed bundles of the configuration. */
function createBundleEvents(log: Logger) {
  return {
    bundleActivated: (facts: { number: number; digest: string; config: string; signers: readonly string[] }) =>
      log.warn(
        { event: 'bundle_activated', ...facts },
        `bundle ${facts.number} is in force, signed by ${facts.signers.join(', ')}`,
      ),
    bundleNotDurable: (facts: { number: number; code: string }) =>
      log.error(
        { event: 'bundle_not_durable', ...facts },
        `bundle ${facts.number} is in force, and the journal could not be made durable: ${facts.code}`,
      ),
    bundleTakenBack: (facts: {
      number: number
      digest: string
      to: number
      config: string
      by: string
      reason: string
    }) =>
      log.warn(
        { event: 'bundle_taken_back', ...facts },
        `bundle ${facts.number} was taken back: ${facts.to === 0 ? 'the files of the disk are' : `bundle ${facts.to} is`} in force`,
      ),
    bundleRefused: (facts: { number: number | null; problems: readonly string[] }) =>
      log.warn(
        { event: 'bundle_refused', code: 'BUNDLE_REFUSED', ...facts },
        'a bundle was refused as a whole; what was in force stays in force',
      ),
    bundleInForce: (facts: { number: number; digest: string; config: string; signers: readonly string[] }) =>
      log.info({ event: 'bundle_in_force', ...facts }, `started under bundle ${facts.number}`),
    bundleDamaged: (facts: { file: string; number: number }) =>
      log.error(
        { event: 'bundle_damaged', ...facts },
        'a bundle that was kept is damaged; the one before it is looked at',
      ),
    bundleLeftOut: (facts: { number: number; reasons: readonly string[] }) =>
      log.warn({ event: 'bundle_left_out', ...facts }, 'a bundle that was kept is not in force'),
  }
}

function createUplinkEvents(log: Logger) {
  let lastLost = ''
  return {
    uplinkConnected(facts: { epoch: number; batch_seq: number }): void {
      lastLost = ''
      log.info({ event: 'uplink_connected', ...facts }, 'connected to the collector')
    },
    uplinkLost(reason: string): void {
      // Once for as long as it stays the same: an agent may try for days.
      if (reason === lastLost) return
      lastLost = reason
      log.warn({ event: 'uplink_lost', reason }, 'the collector is away; batches wait in the outbox')
    },
    uplinkRefused: (facts: { code: string; detail: string }) =>
      log.error({ event: 'uplink_refused', code: facts.code, detail: facts.detail }, 'the collector refused'),
    downlinkRefused: (facts: { code: string; detail: string }) =>
      log.error(
        { event: 'downlink_refused', code: facts.code, detail: facts.detail },
        'a request that the key of the collector did not sign for this agent; nothing of it is done',
      ),
    badReceipt: (facts: { batch: number; reason: string }) =>
      log.error({ event: 'bad_receipt', ...facts }, 'a receipt that does not count; the batch is kept'),
  }
}

function describe(error: unknown): { code?: string; error: string; remedy?: string; stack?: string } {
  if (isHbError(error)) return { code: error.code, error: error.message, remedy: error.remedy }
  if (error instanceof Error)
    return { error: error.message, ...(error.stack === undefined ? {} : { stack: error.stack }) }
  return { error: String(error) }
}

type LifeEvents = DeadManEvents & PermitEvents & Readonly<{ systemdFailed(reason: string): void }>

function createDeadManEvents(log: Logger): LifeEvents {
  return {
    systemdFailed: (reason) =>
      log.error({ event: 'systemd_failed', reason }, 'the service manager is not told that the agent is well'),
    deadMan: ({ level, stage, ageUs, deadlineUs }) => {
      const facts = { event: 'dead_man', tokens: level, stage, age_us: ageUs, deadline_us: deadlineUs }
      if (level === 'failed') log.error(facts, `tokens of the dead-man stay at ${stage}: permits are dropped`)
      else if (level === 'late') log.warn(facts, `tokens of the dead-man are late at ${stage}`)
      else log.warn(facts, 'tokens of the dead-man come through again; what was dropped is given by arming alone')
    },
    permitHeld: (target) => log.warn({ event: 'permit_held', target }, `${target} goes on while the agent is well`),
    permitLost: (target, reason) =>
      log.error({ event: 'permit_lost', target, reason }, `${target} does what was declared for a lost permit`),
  }
}
