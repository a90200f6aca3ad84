import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Measured } from '../../scripts/figures/collect.ts'
import { COLUMNS } from '../../scripts/figures/document.ts'
import { SEEDS_LEAST } from '../../scripts/figures/order.ts'
import { MEASURED_KINDS, magnitudeOf, VARIANTS } from '../../scripts/figures/variants.ts'
import { ROOT } from '../../scripts/sources.ts'

function figures(...args: readonly string[]) {
  const command = [join(ROOT, 'scripts', 'hil-figures.ts'), ...args]
  return spawnSync(process.execPath, command, { encoding: 'utf8' })
}

t.test('a fault is measured with the real agent, and the document is made of what was measured', (t) => {
  const folder = t.testdir({})
  const saved = join(folder, 'saved.json')
  const { status, stdout, stderr } = figures(
    '--only',
    'comms.half_open,comms.repeat',
    '--seeds',
    '1',
    '--minutes',
    '1',
    '--save',
    saved,
  )
  t.equal(status, 0, stderr)
  t.match(stdout, /\| `comms\.half_open` \| – \| 1\/1 \| 1 \| 0 % \(0 %–79\.3 %\) \| 50 \| 50 \| 50 \|/)
  t.match(stderr, /^\d+\/3 runs \(\d+ s left\)$/m)
  const { faults, quiet, complete } = JSON.parse(readFileSync(saved, 'utf8')) as Measured
  t.ok(complete)
  const byName = new Map(faults.map(({ variant, trials }) => [variant.class, trials]))
  t.match(byName.get('comms.half_open'), [{ seed: 1, injected: true, named: { metric: 'p_b', after_us: 50_000 } }])
  t.match(byName.get('comms.repeat'), [{ injected: true, counted: ['duplicate'], told_us: null, named: null }])
  t.match(quiet, [{ broken: '', alarms: [], trips: 0, spans: 4 }])
  t.equal(figures('--from', saved).stdout, stdout, 'the document is that of what was saved')
  t.match(figures('--from', saved, '--write'), { status: 64, stderr: /a part/ })
  t.end()
})

t.test('what makes no sense is told, and nothing is started', (t) => {
  t.match(figures('--only', 'gremlins'), { status: 64, stdout: '', stderr: /gremlins/ })
  t.match(figures('--from', 'nowhere.json'), { status: 64, stderr: /nowhere\.json/ })
  t.match(figures('--help'), { status: 0, stdout: /--seeds N/ })
  t.end()
})

t.test(
  'the document of the figures is whole: every fault of the catalogue, enough seeds, and what they are of',
  (t) => {
    const text = readFileSync(join(ROOT, 'docs', 'reference', 'detection-figures.md'), 'utf8')
    const lines = text.split('\n')
    t.match(text, /^- sources: [0-9a-f]{40}$/m, 'of a commit, without changes')
    const seeds = Number(/^- seeds: 1 … (\d+)/m.exec(text)?.[1])
    t.ok(seeds >= SEEDS_LEAST, `${seeds} seeds`)
    t.notMatch(text, /broken off|not counted/)
    t.equal(lines.filter((line) => line === `| ${COLUMNS.join(' | ')} |`).length, 3)
    for (const name of MEASURED_KINDS)
      t.ok(
        lines.some((line) => line.startsWith(`| \`${name}\``)),
        name,
      )
    for (const variant of VARIANTS) {
      const row = lines.find(
        (line) => line.startsWith(`| \`${variant.class}\``) && line.includes(`| ${magnitudeOf(variant)} |`),
      )
      t.match(
        row,
        new RegExp(`\\| ${seeds}/${seeds} \\|`),
        `${variant.class} ${magnitudeOf(variant)}: injected in every run`,
      )
      t.equal(row?.split(' | ').length, COLUMNS.length)
    }
    t.notMatch(text, /Why is not known/)
    t.end()
  },
)
