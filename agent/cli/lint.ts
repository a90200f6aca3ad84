import { basename } from 'node:path'
import type { Command } from 'commander'
import { formatProblems } from '../../shared/config/problems.ts'
import { type LintFinding, lintRegistry } from '../../shared/config/registry-lint.ts'
import { yamlBytes } from '../../shared/config/sound-yaml.ts'
import { printResult } from '../../shared/lib/command-output.ts'

/** Exit code when anything was found (sysexits: configuration). */
const FOUND_EXIT = 78

/** Adds `hb lint registry`. */
export function lintCommands(program: Command): void {
  program
    .command('lint')
    .description('look for what is easily mistaken in a file')
    .command('registry')
    .description('list mistakes of a metric registry, and what is a trap in it though an agent takes it')
    .argument('<file>', 'metric_registry.yaml')
    .option('--json', 'one JSON object')
    .action(lint)
}

/** @throws HbError CONFIG_MISSING, CONFIG_TOO_LARGE */
function lint(path: string, options: Readonly<{ json?: boolean }>): void {
  const findings = lintRegistry(path, yamlBytes(path))
  const mistakes = findings.filter(({ rule }) => rule === 'mistake').length
  printResult(options.json, { ok: findings.length === 0, file: path, mistakes, findings }, [
    ...formatProblems(findings.map(withRule)),
    findings.length === 0
      ? `${basename(path)}: nothing found`
      : `${basename(path)}: ${mistakes} mistakes, ${findings.length - mistakes} traps`,
  ])
  if (findings.length > 0) process.exitCode = FOUND_EXIT
}

/** The rule stands with what was found, as a word to search for. */
function withRule(finding: LintFinding): LintFinding {
  return { ...finding, found: `${finding.found} (${finding.rule})` }
}
