import { type LoadedRuntime, parseRuntimeFiles } from '../shared/config/load.ts'
import type { Micros } from '../shared/units.ts'
import type { LoopOptions } from './loop.ts'
import { isSimulated } from './pipeline/batch-context.ts'
import type { Batcher } from './pipeline/batcher.ts'
import { CalibrationWatch } from './pipeline/calibrations.ts'
import { ClockWatch } from './pipeline/clock-watch.ts'
import { DamageWatch } from './pipeline/damage-watch.ts'
import type { Evaluation } from './pipeline/evaluation.ts'
import { watchInjected } from './pipeline/injected-watch.ts'
import { createLiveView, type LiveView } from './pipeline/live-view.ts'

type Registries = LoadedRuntime['registries']

/** Looks for records that cannot be read any more. */
export function damageWatch({ storage, clock, events, outside }: LoopOptions, batcher: Batcher): DamageWatch {
  return new DamageWatch({
    journal: storage.journal,
    clock: outside?.host ?? clock,
    gap: (gap) => batcher.gap(gap),
    found: ({ from, to }) => events.journalDamaged({ from_seq: from, to_seq: to }),
    broken: (error) => events.broken('scrub', error),
  })
}

/** Looks whether the wall clock and the time of the agent part. */
export function clockWatch({ clock, events, recovered }: LoopOptions): ClockWatch {
  const { clockStepped: stepped, clockTogether: together } = events
  return new ClockWatch({ clock, evaluation: recovered.evaluation, stepped, together })
}

/** Looks whether injected samples were refused. @returns cancels */
export function injectedWatch({ clock, events, outside }: LoopOptions, evaluation: Evaluation): () => void {
  return watchInjected({ clock: outside?.host ?? clock, evaluation, refused: events.injectedRefused })
}

/** Looks whether a calibration has come due. */
export function calibrationWatch(
  { clock, loaded, events }: LoopOptions,
  evaluation: Evaluation,
  nowUs: () => Micros,
): CalibrationWatch {
  return new CalibrationWatch({
    clock,
    nowUs,
    registries: registriesInForce(loaded, evaluation),
    replaced: (rig) => evaluation.state.rigs.find((r) => r.settings.rig === rig)?.replaced ?? new Map(),
    overdue: events.calibrationOverdue,
  })
}

/** Registries of the files that are evaluated under; another bundle brings others. */
function registriesInForce({ files, registries }: LoadedRuntime, evaluation: Evaluation): () => Registries {
  let read = { files, registries }
  return () => {
    const now = evaluation.files
    if (now.length > 0 && now !== read.files) read = { files: now, registries: parseRuntimeFiles(now).registries }
    return read.registries
  }
}

/** What people are shown of the rigs. */
export function liveViewOf({ clock, events, loaded, storage }: LoopOptions, send: (vitals: string) => void): LiveView {
  const { config } = loaded
  const named = (rig: string) => config.rigs.find((one) => one.rig === rig)
  return createLiveView({
    program: (rig) => named(rig)?.program ?? '',
    family: (rig) => named(rig)?.family ?? '',
    simulation: (rig) => config.rigs.some((one) => one.rig === rig && isSimulated(one)),
    clock: config.clock,
    nowUs: () => clock.nowUs(),
    pending: () => storage.outbox.pending(),
    vitals: (vitals) => send(JSON.stringify(vitals)),
    changed: ({ decided, was }) => events.verdict(decided.decision, was),
    decayed: events.baselineDecayed,
  })
}

/** Whether time is one, and what the agent signs verifies: tried before anything may be armed (SE-37). */
export function selfTestOf({ identity, storage }: LoopOptions, watch: ClockWatch) {
  const probe = new TextEncoder().encode('self-test')
  return {
    clock: () => watch.reason() === null,
    key: () => storage.key.verify(probe, identity.signer.sign(probe)),
  }
}
