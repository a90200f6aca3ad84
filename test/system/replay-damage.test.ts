import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { BUNDLE, runHb } from '../../scripts/demo/processes.ts'
import { createBenchFolder, recordedLoop, runtimeYaml } from '../support/bench-folder.ts'

type Replayed = {
  equal: boolean
  outbox_damage: { file: string; bytes: number; reason: string }[]
  lost_batches: { from: number; to: number }[]
}

t.test('a replay beside a damaged outbox names the damage and the batch, and is not a clean one', async (t) => {
  const folder = await createBenchFolder()
  t.teardown(() => folder.remove())
  await runHb(['hil', 'water-loop', '--csv', 'loop.csv', '--seconds', '60', '--fault-after', '30'], folder.path)
  folder.write('runtime.yaml', runtimeYaml({ clock: 'recording', rigs: recordedLoop() }))
  await runHb(['runtime', '--config', 'runtime.yaml', '--state', 'state'], folder.path)
  const replay = (...more: string[]): { status: number | null; stdout: string } =>
    spawnSync(BUNDLE.command, [...BUNDLE.before, 'replay', '--state', 'state', ...more], {
      cwd: folder.path,
      encoding: 'utf8',
    })
  t.equal(replay().status, 0, 'whole: a clean replay')

  const outbox = join(folder.path, 'state', 'outbox')
  const file = join(outbox, readdirSync(outbox).find((name) => name.endsWith('.hbo'))!)
  const whole = readFileSync(file)
  for (const share of [0.02, 0.3, 0.5, 0.9]) {
    const bytes = Buffer.from(whole)
    const at = Math.floor(bytes.length * share)
    bytes[at] = bytes[at]! ^ 1
    writeFileSync(file, bytes)
    const { status, stdout } = replay('--json')
    const said = JSON.parse(stdout) as Replayed
    t.equal(status, 65, `a flipped byte at ${share * 100} %`)
    t.equal(said.outbox_damage.length, 1, 'the damage is named')
    if (share > 0.1) t.ok(said.lost_batches.length === 1, `and the batch: ${said.lost_batches[0]?.from}`)
    t.match(replay().stdout, /DAMAGE {2}\d+ bytes of outbox file/)
  }
  writeFileSync(file, whole)
  t.equal(replay().status, 0, 'and whole again it is a clean one')
})
