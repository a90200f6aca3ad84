import t from 'tap'
import { printable, printResult, table } from '../../../shared/lib/command-output.ts'

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
