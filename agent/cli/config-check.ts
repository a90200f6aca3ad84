import type { Command } from 'commander'
import { loadRuntimeConfig, readPolicies } from '../../shared/config/load.ts'
import { type PlacedFinding, placedFindings } from '../../shared/config/policy-check.ts'
import { toHex } from '../../shared/crypto/digest.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { printResult } from '../../shared/lib/command-output.ts'
import { overdueCalibrations } from '../pipeline/calibrations.ts'
import { compileSettings } from '../pipeline/compile-settings.ts'
import { explainKeys } from './config-explain.ts'

/** Adds `hb config check` and `hb config explain`. */
export function configCommands(program: Command): void {
  const config = program.command('config').description('configuration of an agent or a collector')
  config
    .command('explain')
    .description(
      'say what a configuration key means, what it may be, and with --config what it is now and where it was set',
    )
    .argument('[key]', 'such as slide_ms, rigs[0].slide_ms or metrics.NAME.fail_max')
    .option('--all', 'every key')
    .option('--config <file>', 'runtime.yaml or collector.yaml to look into')
    .option('--json', 'one JSON object')
    .action(explainKeys)
  config
    .command('check')
    .description('read a runtime.yaml with every file it names, and list every mistake')
    .argument('<file>', 'runtime.yaml')
    .option('--json', 'one JSON object')
    .action(check)
}

/** Nothing is started and nothing written. Mistakes are thrown all at once, exit 78. */
async function check(file: string, options: Readonly<{ json?: boolean }>): Promise<void> {
  const { config, files, registries, policies } = loadRuntimeConfig(file)
  const traps = readPolicies(file).policies.flatMap((of) => placedFindings(of, {}))
  const overdue = overdueCalibrations(registries, () => new Map(), systemClock().nowUs())
  const settings = compileSettings(files)
  const rigs = settings.rigs.map((rig) => ({
    rig: rig.rig,
    metrics: rig.metrics.length,
    slide_us: rig.slideUs,
    windows_us: rig.windowsUs,
    baseline:
      rig.baseline === null
        ? null
        : { kind: rig.baseline.kind, digest: toHex(rig.baseline.digest), metrics: rig.baseline.metrics.size },
    limits_only: rig.metrics.every((m) => !m.baselineRequired),
    rules: policies.get(rig.rig)?.rules.length ?? null,
  }))
  printResult(
    options.json,
    {
      ok: true,
      agent: config.agent,
      deployment: config.deployment,
      config_digest: toHex(settings.configDigest),
      files: files.map(({ name, bytes }) => ({ name, bytes: bytes.length })),
      rigs,
      warnings: [
        ...overdue.map((found) => ({ code: 'CALIBRATION_OVERDUE', ...found })),
        ...traps.map((found) => ({ code: 'POLICY_TRAP', ...found })),
      ],
    },
    [
      `agent ${config.agent} of ${config.deployment}: good, ${files.length} files, digest ${toHex(settings.configDigest)}`,
      ...rigs.map(
        (r) =>
          `rig ${r.rig}: ${r.metrics} metrics, ${r.limits_only ? 'LIMITS ONLY' : r.baseline === null ? 'no baseline yet (NO_BASELINE)' : `${r.baseline.kind} baseline of ${r.baseline.metrics} metrics`}${r.rules === null ? '' : `, ${r.rules} rules`}`,
      ),
      ...traps.map(trapLine),
      ...overdue.map((c) => `warning: calibration of ${c.rig}/${c.metric} was due ${c.due} (${c.source})`),
    ],
  )
}

function trapLine({ file, line, column, key, found, expected, rule, requirement }: PlacedFinding): string {
  return `warning: ${file}:${line}:${column} ${key}: ${found}; expected ${expected} (${rule}, ${requirement})`
}
