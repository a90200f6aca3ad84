import t from 'tap'
import { fromUtc, printable, printResult, table } from '../../../shared/lib/command-output.ts'

/** Colours, another line, C1, a mark that turns the direction, another end of line, and a tag beyond the first plane. */
const FOREIGN = 'a\u001b[2J\r\nb\u0000\u009b1m\u202ec\u2028d\u{e0041}'
const SHOWN = 'a·[2J··b··1m·c·d·'

/** What is printed while something runs. */
function printed(run: () => void): string {
  const { write } = process.stdout
  const out: string[] = []
  process.stdout.write = ((text: string) => out.push(text) > 0) as typeof process.stdout.write
  try {
    run()
  } finally {
    process.stdout.write = write
  }
  return out.join('')
}

t.test('foreign text forges no line and orders nothing of a terminal, in a table, a line and as JSON', async (t) => {
  t.equal(printable(FOREIGN), SHOWN)
  t.equal(printable('3,5 µm ≤ Ø 🛠'), '3,5 µm ≤ Ø 🛠', 'what is only unusual stays')
  t.same(
    table([
      ['A', 'B'],
      [FOREIGN, 'x'],
    ]),
    [`A${' '.repeat(SHOWN.length - 1)}  B`, `${SHOWN}  x`],
  )
  t.equal(
    printed(() => printResult(false, {}, [`one ${FOREIGN}`, 'two'])),
    `one ${SHOWN}\ntwo\n`,
  )
  const json = printed(() => printResult(true, { reason: FOREIGN }, []))
  t.same(JSON.parse(json), { reason: FOREIGN }, 'a program reads what was written')
  t.notMatch(json.trimEnd(), /[\p{C}\p{Zl}\p{Zp}]/u)
})

t.test('a time on a command line is one of UTC, or none', (t) => {
  t.equal(fromUtc('2026-01-01'), 1_767_225_600_000_000)
  t.equal(fromUtc('2026-01-01T00:00:00.001Z'), 1_767_225_600_001_000)
  for (const text of [
    '2026-01-01T00:00:00',
    '2026-13-01',
    '2026-01-01T25:00Z',
    '2026-01-01T00:00:00+01:00',
    '2026',
    '',
  ])
    t.equal(fromUtc(text), null, text)
  t.end()
})
