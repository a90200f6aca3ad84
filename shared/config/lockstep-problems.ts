import type { CheckedFile } from './document.ts'
import type { Problem } from './problems.ts'
import { realmOf } from './realm-problems.ts'
import type { Loose } from './rig-problems.ts'
import type { RuntimeConfig } from './types.ts'

/** Mistakes of `clock: external`: its time is somebody's who must not reach anything real. */
export function lockstepProblems(file: CheckedFile): Problem[] {
  const problems: Problem[] = []
  const config = (file.value ?? {}) as Loose<RuntimeConfig>
  const add = (path: readonly (string | number)[], found: string, expected: string): void => {
    problems.push({ ...file.at(path), found, expected })
  }
  if (config.clock !== 'external') {
    if (file.has(['lockstep'])) add(['lockstep'], 'a key of `clock: external`', '`clock: external`')
    return problems
  }
  if (!file.has(['lockstep'])) add(['clock'], '`external`, and no `lockstep`', '`lockstep: { endpoint }` beside it')
  // Of which every rig is a testbed.
  if (realmOf(file) !== 'testbed') add(['clock'], '`external` in production', '`realm: testbed` at the top')
  const port = /^tcp:.*:(\d+)$/.exec(config.lockstep?.endpoint ?? '')?.[1]
  if (port !== undefined && !(Number(port) > 0 && Number(port) <= 65_535))
    add(['lockstep', 'endpoint'], `port ${port}`, 'a port from 1 to 65535')
  const sources = new Set<string>()
  config.rigs?.forEach((rig, k) => {
    rig?.sources?.forEach((source, s) => {
      if (source?.type !== undefined && source.type !== 'zmq')
        add(
          ['rigs', k, 'sources', s, 'type'],
          `\`${source.type}\` under \`clock: external\``,
          '`zmq`, which is counted',
        )
      const { name } = source ?? {}
      if (name === undefined) return
      // Two of one rig are told by the rig.
      if (sources.has(name) && rig.sources?.findIndex((one) => one?.name === name) === s)
        add(['rigs', k, 'sources', s, 'name'], `\`${name}\` in another rig too`, 'every source of an agent once')
      sources.add(name)
    })
  })
  return problems
}
