import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import t from 'tap'
import { ROOT } from '../../scripts/sources.ts'
import { createBenchFolder } from '../support/bench-folder.ts'
import { makeRecording } from '../support/kill-run.ts'

const HB = join(ROOT, 'dist', 'hb.cjs')

t.test('the same journal gives the same digest on every Node, with and without a compiler', async (t) => {
  const folder = await createBenchFolder()
  t.teardown(() => folder.remove())
  await makeRecording(folder)
  const run = (node: string, flags: readonly string[], ...args: string[]): string => {
    const done = spawnSync(node, [...flags, HB, ...args], {
      cwd: folder.path,
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: '' },
    })
    if (done.status !== 0) throw new Error(`${node} ${flags.join(' ')} hb ${args.join(' ')}: ${done.stderr}`)
    return done.stdout
  }
  const digestWith = (node: string, flags: readonly string[], state: string): string =>
    (JSON.parse(run(node, flags, 'decisions', 'digest', '--state', state, '--json')) as { digest: string }).digest

  run(process.execPath, [], 'runtime', '--config', 'runtime.yaml', '--state', 'here')
  const here = digestWith(process.execPath, [], 'here')
  t.match(here, /^[0-9a-f]{64}$/)
  t.equal(digestWith(process.execPath, ['--jitless'], 'here'), here, `replayed by ${process.version} --jitless`)
  const other = nodeOfMajor(20)
  if (other === null) {
    t.comment('no Node 20 on this machine: the same digest on Node 20 was not shown here')
    t.notSame(process.env['HB_NODE_20'], 'required', 'CI needs a Node 20 to show it')
    return
  }
  t.equal(digestWith(other, [], 'here'), here, 'replayed by Node 20')
  run(other, [], 'runtime', '--config', 'runtime.yaml', '--state', 'there')
  t.equal(digestWith(process.execPath, [], 'there'), here, 'decided on Node 20, replayed here')
})

/** First `node` of a major version on the path. */
function nodeOfMajor(major: number): string | null {
  for (const folder of [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/bin', '/usr/bin']) {
    const path = join(folder, 'node')
    if (
      existsSync(path) &&
      spawnSync(path, ['-p', 'process.versions.node.split(".")[0]'], { encoding: 'utf8' }).stdout?.trim() ===
        String(major)
    )
      return path
  }
  return null
}
