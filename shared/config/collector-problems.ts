import { collectorAlarmProblems } from './collector-alarm-problems.ts'
import type { CheckedFile } from './document.ts'
import type { Problem } from './problems.ts'
import type { Loose } from './rig-problems.ts'
import type { CollectorConfig } from './types.ts'

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|::1|localhost)$/

/** Mistakes of `collector.yaml` that no single key shows. */
export function collectorProblems(file: CheckedFile): Problem[] {
  const problems: Problem[] = []
  const config = (file.value ?? {}) as Loose<CollectorConfig>
  const host = config.operators_listen?.host
  if (host !== undefined && !LOOPBACK.test(host) && !file.has(['operators_tls'])) {
    const hint = 'plain HTTP leaves this machine only over a tunnel of yours'
    problems.push({
      ...file.at(['operators_listen', 'host']),
      found: host,
      expected: '`operators_tls`, or a loopback address',
      hint,
    })
  }
  const { agents_listen: forAgents, operators_listen: forOperators } = config
  if (
    forAgents?.port !== undefined &&
    forAgents.port !== 0 &&
    forAgents.port === forOperators?.port &&
    forAgents.host === host
  ) {
    problems.push({
      ...file.at(['operators_listen', 'port']),
      found: `${forAgents.port}, as in \`agents_listen\``,
      expected: 'a port of its own',
    })
  }
  for (const key of ['agent', 'public_key_file'] as const) {
    const seen = new Set<string>()
    config.agents?.forEach((agent, k) => {
      const value = agent?.[key]
      if (value === undefined) return
      const expected = key === 'agent' ? 'every agent once' : 'a key of its own for every agent'
      if (seen.has(value))
        problems.push({ ...file.at(['agents', k, key]), found: `\`${value}\` a second time`, expected })
      seen.add(value)
    })
  }
  return [...problems, ...collectorAlarmProblems(file)]
}
