import { Command } from 'commander'
import t from 'tap'
import { failureJson, failureOf, failureText } from '../../scripts/command-line.ts'
import type { Ended } from '../../scripts/process-group.ts'
import { failuresIn, outcomeOfStep, outcomeOfTests } from '../../scripts/test-outcome.ts'
import { ERRORS } from '../../shared/errors/catalog.ts'
import { HbError } from '../../shared/errors/hb-error.ts'

/** What one command line throws in a small program. */
async function thrownBy(...args: string[]): Promise<unknown> {
  const program = new Command('hb').version('1.2.3').exitOverride()
  program.configureOutput({ writeOut: () => {}, writeErr: () => {} })
  program
    .command('list')
    .option('--state <dir>')
    .action(() => {})
  return program.parseAsync(args, { from: 'user' }).then(
    () => null,
    (error) => error,
  )
}

t.test('an error of the catalogue shows what was found, the remedy and its exit code', (t) => {
  const failure = failureOf(new HbError('PORT_TAKEN', { port: 7443, host: undefined }, { cause: new Error('in use') }))
  const { summary, remedy, exit } = ERRORS.PORT_TAKEN
  if (failure === null) throw new Error('no failure')
  t.equal(
    failureText(failure),
    `PORT_TAKEN: ${summary}\n  found: port = 7443\n         because: in use\n  remedy: ${remedy}\n`,
  )
  t.equal(failure.exit, exit)
  t.match(JSON.parse(failureJson(failure)), { error: { code: 'PORT_TAKEN', remedy, exit, found: ['port = 7443'] } })
  t.end()
})

t.test('the mistakes of a configuration are all shown with their places', (t) => {
  const problems = [
    { file: 'runtime.yaml', line: 3, column: 5, key: 'rigs[0].clok', found: 'clok', expected: 'a key', hint: 'clock' },
    { file: 'b.yaml', line: 9, column: 1, key: 'version', found: '2', expected: '1' },
  ]
  const error = Object.assign(new HbError('PORT_TAKEN', { count: 2 }), { problems })
  const failure = failureOf(error)
  t.match(failure?.found, ['runtime.yaml:3:5 rigs[0].clok', '  found: clok', '  expected: a key', '  hint: clock'])
  t.equal(failure?.found.filter((line) => /^b\.yaml:9:1 version$/.test(line)).length, 1)
  t.same(failure?.problems, problems)
  t.end()
})

t.test('a wrong command line is a usage error, help and version are none', async (t) => {
  for (const args of [['lst'], ['list', '--stat', 'x'], ['list', '--state'], []]) {
    const failure = failureOf(await thrownBy(...args))
    t.match(failure, { code: 'USAGE', exit: 64 }, `hb ${args.join(' ')}`)
    t.not(failure?.found.join(''), '', 'says what is wrong')
  }
  t.match(failureOf(await thrownBy('list', '--stat', 'x'))?.found.join(' '), /--stat.*--state/)
  for (const args of [['--help'], ['list', '--help'], ['--version'], ['help']]) {
    t.equal(failureOf(await thrownBy(...args)), null, `hb ${args.join(' ')}`)
  }
})

t.test('anything else is a defect of ours, shown with its stack', (t) => {
  const failure = failureOf(new TypeError('x is undefined'))
  t.match(failure, { code: 'BUG', exit: 70 })
  t.match(failure?.found[0], 'TypeError: x is undefined')
  t.match(failureOf('thrown text'), { code: 'BUG', found: ['thrown text'] })
  t.end()
})

t.test('a test program counts by its assertions and by how it ended', (t) => {
  const ended: Ended = { output: '', code: 0, signal: null, timedOut: false, leftOthers: false, seconds: 1 }
  const summed = (line: string): string =>
    `TAP version 14\n    # { total: 9, pass: 9 }\n1..2\n# { ${line} }\n# time=3ms\n`
  const of = (change: Partial<Ended>) => outcomeOfTests({ ...ended, ...change })
  t.match(of({ output: summed('total: 4, pass: 4') }), { passed: 4, failed: 0, skipped: 0 })
  t.match(of({ output: summed('total: 4, pass: 1, fail: 2, skip: 1'), code: 1 }), { passed: 1, failed: 2, skipped: 1 })
  t.match(of({ output: summed('total: 4, pass: 4'), code: 1 }), { passed: 4, failed: 1, reason: 'exit code 1' })
  t.match(of({ output: summed('total: 4, pass: 4'), leftOthers: true }), { failed: 1, reason: /processes behind/ })
  t.match(of({ output: summed('total: 0, pass: 0') }), { failed: 1, reason: 'it tests nothing' })
  t.match(of({ output: 'TAP version 14\nok 1 - a\n', code: 0 }), { passed: 0, failed: 1 })
  t.match(of({ output: '', signal: 'SIGKILL' }), { failed: 1, reason: /SIGKILL/ })
  t.match(outcomeOfStep({ ...ended, timedOut: true }), { passed: 0, failed: 1, reason: /longer than/ })
  t.match(outcomeOfStep(ended), { passed: 1, failed: 0 })
  t.end()
})

t.test('what did not hold in a test program is said in a few lines', (t) => {
  const output = 'TAP version 14\n    ok 1 - a\n    not ok 2 - b # time=3ms\nnot ok 1 - the test of it\n'
  t.same(failuresIn(output), ['b # time=3ms', 'the test of it'])
  t.same(failuresIn('ok 1 - not ok 2 - c\n'), [])
  const many = Array.from({ length: 9 }, (_, k) => `not ok ${k + 1} - test ${k + 1}\n`).join('')
  t.same(failuresIn(many), ['test 1', 'test 2', 'test 3', 'test 4', 'test 5', 'and 4 more'])
  t.end()
})
